"""Getting started with asdex: every feature that a first project needs, on small real problems.

Run it with `make demo`, or with `python examples/getting_started.py` where asdex is installed.
It takes a few seconds, and prints nothing that it has not computed.
"""

import time
from statistics import median

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import spsolve

import asdex


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def seconds(call, repeats: int) -> float:
    """Median wall time of `call()`, after one call that compiles."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return median(times)


def max_difference(a, b) -> float:
    return float(jnp.max(jnp.abs(a - b)))


# Squared differences of neighbors: output i reads only inputs i and i + 1.


def f(x):
    return (x[1:] - x[:-1]) ** 2


def pattern_and_coloring() -> None:
    section("1. A pattern, and its columns in two colors")
    x = jnp.linspace(0.0, 1.0, 50) ** 2

    # Detection reads the program of f, not its values. Columns of one color share no row,
    # so one Jacobian-vector product computes all of them at once.
    coloring = asdex.jacobian_coloring(f, input_shape=x.shape)
    print(coloring)

    section("2. The Jacobian from the coloring")
    jacobian = asdex.jacobian_from_coloring(f, coloring)(x)
    print(f"{type(jacobian).__name__} of shape {jacobian.shape} with {jacobian.nse} stored values")
    difference = max_difference(jacobian.todense(), jax.jacobian(f)(x))
    print(f"largest difference from jax.jacobian: {difference:.1e}")

    # The check raises VerificationError where the two disagree.
    asdex.check_jacobian_correctness(f, x, coloring)
    print("check_jacobian_correctness: agrees")


def against_jax() -> None:
    section("3. The same function with 5000 inputs, timed")
    x = jnp.linspace(0.0, 1.0, 5000) ** 2

    # Plain calls on both sides: no jax.jit by hand.
    jac_fn = asdex.jacobian(f, input_shape=5000)
    dense_fn = jax.jacobian(f)
    sparse_time = seconds(lambda: jac_fn(x), repeats=101)
    dense_time = seconds(lambda: dense_fn(x), repeats=5)
    print(f"jax.jacobian(f)(x)    {1e3 * dense_time:10.3f} ms")
    print(f"asdex.jacobian(f)(x)  {1e3 * sparse_time:10.3f} ms")
    print(f"speed-up: {dense_time / sparse_time:.0f}x (median of warm calls)")
    difference = max_difference(jac_fn(x).todense(), dense_fn(x))
    print(f"largest difference: {difference:.1e}")

    section("4. One jac_fn, many inputs")
    # The pattern holds for every x: detect and color once, evaluate as often as needed.
    key = jax.random.key(0)
    xs = jax.random.normal(key, (3, 5000))
    for i, x in enumerate(xs):
        jacobian = jac_fn(x)
        column_sums = jacobian.T @ jnp.ones(4999)
        _, vjp = jax.vjp(f, x)
        difference = max_difference(column_sums, vjp(jnp.ones(4999))[0])
        print(f"input {i}: largest difference of J^T 1 from jax.vjp: {difference:.1e}")


def hessians() -> None:
    section("5. Hessians")

    def g(x):
        return jnp.sum(x**2)

    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = jnp.linspace(-1.0, 1.0, 20)
    for name, function in (("sum(x**2)", g), ("Rosenbrock", rosenbrock)):
        coloring = asdex.hessian_coloring(function, input_shape=20)
        hessian = asdex.hessian(function, input_shape=20)(x)
        dense = jax.hessian(function)(x)
        scale = float(jnp.max(jnp.abs(dense)))
        difference = max_difference(hessian.todense(), dense) / scale
        print(
            f"{name}: {hessian.nse} values at {coloring.num_colors} of {x.size} "
            f"Hessian-vector products, largest relative difference {difference:.1e}"
        )
    print(coloring)


def brusselator() -> None:
    section("6. A reaction-diffusion system: the Brusselator on a periodic 64x64 grid")
    n = 64

    def laplacian(w):
        shifts = [jnp.roll(w, shift, axis) for axis in (0, 1) for shift in (-1, 1)]
        return sum(shifts) - 4 * w

    def residual(y):
        u, v = y.reshape(2, n, n)
        du = 1.0 + u**2 * v - 4.4 * u + 0.1 * laplacian(u)
        dv = 3.4 * u - u**2 * v + 0.1 * laplacian(v)
        return jnp.stack([du, dv]).ravel()

    y = 1.0 + 0.1 * jax.random.normal(jax.random.key(1), (2 * n * n,))
    start = time.perf_counter()
    coloring = asdex.jacobian_coloring(residual, y)
    elapsed = time.perf_counter() - start
    print(f"{coloring!r}")
    print(f"detected and colored in {elapsed:.2f} s")
    asdex.check_jacobian_correctness(residual, y, coloring)
    print("check_jacobian_correctness: agrees")


class Pointwise(eqx.Module):
    """A network applied to every point of a grid, as in a neural constitutive law."""

    network: eqx.nn.MLP
    num_points: int = eqx.field(static=True)

    def __call__(self, x):
        return jax.vmap(self.network)(x.reshape(self.num_points, -1)).ravel()


def neural_network() -> None:
    section("7. An Equinox MLP at 100 points")
    network = eqx.nn.MLP(in_size=3, out_size=2, width_size=32, depth=2, key=jax.random.key(2))
    model = Pointwise(network, num_points=100)
    x = jax.random.normal(jax.random.key(3), (300,))

    # The points do not see each other: 100 blocks of 2x3, so 3 colors, whatever the weights are.
    jac_fn = asdex.jacobian(model, x)
    jacobian = jac_fn(x)
    rows, cols = jacobian.indices.T
    inside_blocks = bool(jnp.all(rows // 2 == cols // 3))
    print(f"shape {jacobian.shape}, {jacobian.nse} values, all inside the blocks: {inside_blocks}")
    difference = max_difference(jacobian.todense(), jax.jacobian(model)(x))
    print(f"largest difference from jax.jacobian: {difference:.1e}")


def newton() -> None:
    section("8. Sparse Newton for a nonlinear PDE: -Δu = 6 exp(u) on the unit square")
    # Newton's last steps need more digits than float32 has.
    jax.config.update("jax_enable_x64", True)
    n = 64
    h = 1 / (n + 1)

    @jax.jit
    def bratu(u):
        grid = jnp.pad(u.reshape(n, n), 1)
        center = grid[1:-1, 1:-1]
        neighbors = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:]
        return (neighbors - 4 * center + 6 * h**2 * jnp.exp(center)).ravel()

    u = np.zeros(n * n)
    jac_fn = asdex.jacobian(bratu, u, output_format="scipy_csr")
    print("step   residual norm   observed order")
    norms = []
    for step in range(10):
        residual = np.asarray(bratu(u))
        norms.append(np.linalg.norm(residual))
        order = ""
        if step >= 2:
            previous, last = np.log(norms[-2] / norms[-3]), np.log(norms[-1] / norms[-2])
            order = f"{last / previous:.2f}"
        print(f"{step:4d}   {norms[-1]:13.2e}   {order:>14}")
        if norms[-1] < 1e-9:
            break
        u = u - spsolve(jac_fn(u), residual)
    print(f"{n * n} unknowns, largest value of the solution: {u.max():.4f}")


if __name__ == "__main__":
    pattern_and_coloring()
    against_jax()
    hessians()
    brusselator()
    neural_network()
    newton()
