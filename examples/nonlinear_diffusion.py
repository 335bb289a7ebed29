"""Nonlinear diffusion on eight devices, or in several processes: implicit steps by Newton and BiCGStab.

Run it with `python examples/nonlinear_diffusion.py`; it takes ten seconds. It solves the problem on one
device, then on eight, which are made out of one CPU. In four processes with two devices each:

    for i in 0 1 2 3; do python examples/nonlinear_diffusion.py 127.0.0.1:12345 4 $i & done; wait

    u_t = div(k(u) grad u),  k(u) = 0.1 + u^2,  on the unit square, no flux through the boundary

The grid is cut by rows among the devices, and nothing else says so: the rows of the Jacobian lie where their
unknowns are, since the sample is sharded. Each device computes and holds its rows. Products with the Jacobian
send one row of the grid to each neighbor.
"""

import os
import sys


def main(n: int = 64, steps: int = 3) -> None:
    """Solve on an `(n, n)` grid, on one device and on all, or in this process and others."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) == 4:
        address, count, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, num_processes=count, process_id=number)
        solve(n, steps, jax.devices())
    else:
        solve(n, steps, jax.devices()[:1])
        solve(n, steps, jax.devices())


def solve(n, steps, devices) -> None:
    """Take some time steps on the devices, and print the norms of the residuals."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.scipy.sparse.linalg import bicgstab
    from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

    import asdex

    def residual(u, previous, dt):
        """That of a step of the implicit Euler method, `(n, n)`."""
        right = (0.1 + ((u[:, 1:] + u[:, :-1]) / 2) ** 2) * (u[:, 1:] - u[:, :-1])
        below = (0.1 + ((u[1:] + u[:-1]) / 2) ** 2) * (u[1:] - u[:-1])
        flux = jnp.diff(jnp.pad(right, ((0, 0), (1, 1))), axis=1)
        flux += jnp.diff(jnp.pad(below, ((1, 1), (0, 0))), axis=0)
        return u - previous - dt * u.size * flux

    @eqx.filter_jit
    def newton_step(jac_fn, u, previous, dt):
        """The next iterate, and the norm of the residual at this one."""
        value, jacobian = jac_fn(u, previous, dt)
        correction, _ = bicgstab(jacobian.mv, value, tol=1e-10)
        return u - correction, jnp.linalg.norm(value)

    x = (np.arange(n) + 0.5) / n
    start = np.exp(-30 * ((x[:, None] - 0.3) ** 2 + (x - 0.4) ** 2))
    by_rows = NamedSharding(Mesh(np.array(devices), ("rows",)), P("rows"))
    u = jax.make_array_from_callback(start.shape, by_rows, lambda index: start[index])

    dt = 2e-4
    jac_fn = asdex.value_and_jacobian(residual, u, u, dt, output_format="row_blocks")
    shown = print if jax.process_index() == 0 else lambda *text: None
    colors = jac_fn.coloring.num_colors
    shown(f"{len(devices)} device(s), {jax.process_count()} process(es), {colors} colors")
    for step in range(steps):
        previous, norms = u, []
        while not norms or (norms[-1] > 1e-8 and len(norms) < 10):
            u, norm = newton_step(jac_fn, u, previous, dt)
            norms.append(float(norm))
        shown(f"  step {step + 1}:", *(f"{norm:.3e}" for norm in norms))
    _, jacobian = jac_fn(u, previous, dt)
    held = jacobian.data.addressable_shards[0].data.size
    shown(f"  nonzeros: {jac_fn.sparsity.nnz}, of which a device holds up to {held}")


if __name__ == "__main__":
    count = 8 // (int(sys.argv[2]) if len(sys.argv) == 4 else 1)
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    main()
