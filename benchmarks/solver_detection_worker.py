"""The first detection of a solver in a fresh process."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import optimistix
from jax.experimental.ode import odeint

import asdex


SIZE = 20


def slope(t: Any, y: jax.Array, args: Any) -> jax.Array:
    """Diffusion on a ring with a reaction."""
    del t, args
    return 0.1 * (jnp.roll(y, -1) - 2 * y + jnp.roll(y, 1)) + jnp.sin(y)


def integrated(solver: diffrax.AbstractSolver, **options: Any) -> Callable[..., Any]:
    def f(y: jax.Array) -> Any:
        term = diffrax.ODETerm(slope)
        return diffrax.diffeqsolve(term, solver, 0.0, 1.0, 0.1, y, **options).ys

    return f


def by_odeint(y: jax.Array) -> jax.Array:
    return odeint(lambda y, t: slope(t, y, None), y, jnp.array([0.0, 1.0]))[-1]


def root(x: jax.Array) -> jax.Array:
    newton = optimistix.Newton(1e-5, 1e-5)
    return optimistix.root_find(lambda y, a: y - 0.1 * slope(0, y, None) - a, newton, x, x).value


ADAPTIVE = diffrax.PIDController(1e-3, 1e-3)
PROGRAMS: dict[str, Callable[..., Any]] = {
    "diffrax `Euler`, 10 steps": integrated(diffrax.Euler()),
    "diffrax `Tsit5`, 10 steps": integrated(diffrax.Tsit5()),
    "the same, `DirectAdjoint`": integrated(
        diffrax.Tsit5(), adjoint=diffrax.DirectAdjoint(), max_steps=16
    ),
    "diffrax `Kvaerno3`, adaptive": integrated(
        diffrax.Kvaerno3(), stepsize_controller=ADAPTIVE, max_steps=64
    ),
    "`odeint`": by_odeint,
    "optimistix `Newton`": root,
}


def main() -> None:
    options = json.loads(sys.argv[2])
    f, x = PROGRAMS[options["program"]], jnp.linspace(0.5, 1.5, SIZE)

    def energy(x: jax.Array) -> jax.Array:
        return jnp.sum(f(x) ** 2)

    start = time.perf_counter()
    jax.make_jaxpr(jax.grad(energy) if options["hessian"] else f)(x)
    traced = time.perf_counter()
    pattern = (
        asdex.hessian_sparsity(energy, x) if options["hessian"] else asdex.jacobian_sparsity(f, x)
    )
    seconds = time.perf_counter() - traced
    print(json.dumps({"tracing": traced - start, "seconds": seconds, "nnz": pattern.nnz}))


if __name__ == "__main__":
    main()
