"""The first detection of a small program in a fresh process, by whichever library this process imports."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import sparse
from jax.scipy.interpolate import RegularGridInterpolator

import asdex


def interpolated() -> Callable[..., Any]:
    nodes, values = jnp.linspace(0.0, 1.0, 5), jnp.array([1.0, 2, 0, 1, 3])
    return lambda x: jnp.interp(x, nodes, values) * x


def upper_triangle() -> Callable[..., Any]:
    return lambda x: x.reshape(6, 6)[jnp.triu_indices(6)] ** 2


def resized() -> Callable[..., Any]:
    return lambda x: jax.image.resize(x.reshape(6, 6), (12, 12), "cubic")


def on_a_grid() -> Callable[..., Any]:
    axes, values = (jnp.linspace(0, 1, 4), jnp.linspace(0, 1, 5)), jnp.arange(20.0).reshape(4, 5)
    return lambda x: RegularGridInterpolator(axes, values)(x.reshape(-1, 2)) * x[::2]


def sparse_product() -> Callable[..., Any]:
    matrix = sparse.BCOO.fromdense(jnp.asarray(np.diag(np.arange(1.0, 37.0))))
    return lambda x: matrix @ x


def integer_updates() -> Callable[..., Any]:
    def f(x: jax.Array) -> jax.Array:
        i = jnp.arange(36)
        for k in range(39):
            i = (i * k + k) % 36
        return x[i]

    return f


def chain() -> Callable[..., Any]:
    def f(q: jax.Array) -> jax.Array:
        frame, positions = jnp.eye(4), []
        for k in range(8):
            c, s = jnp.cos(q[k]), jnp.sin(q[k])
            link = jnp.array([[c, -s, 0, 1.0], [s, c, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1]])
            frame = frame @ link
            positions.append(frame[:3, 3])
        return jnp.concatenate(positions)

    return f


def counted_loop(n: int) -> Callable[..., Any]:
    return lambda x: lax.fori_loop(1, n, lambda i, y: y.at[i].set(x[i] * x[i - 1]), x)


def jitted_steps(n: int) -> Callable[..., Any]:
    @jax.jit
    def step(i: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
        y = y.at[i].set(x[i] * x[i - 1])
        return y.at[i - 1].set(y[i] + y[i - 1])

    return lambda x: lax.fori_loop(1, n, lambda i, y: step(i, y, x), x)


def steps_in_branches(n: int) -> Callable[..., Any]:
    def step(i: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
        return lax.cond(i % 2 == 0, lambda: y.at[i].set(x[i] * x[i - 1]), lambda: y)

    return lambda x: lax.fori_loop(1, n, lambda i, y: step(i, y, x), x)


def stencil_by_loops(side: int) -> Callable[..., Any]:
    def f(x: jax.Array) -> jax.Array:
        u = x.reshape(side, side)

        def element(i: jax.Array, j: jax.Array, y: jax.Array) -> jax.Array:
            around = u[i - 1, j] * u[i + 1, j] + u[i, j - 1] * u[i, j + 1]
            return y.at[i, j].set(around - u[i, j])

        def row(i: jax.Array, y: jax.Array) -> jax.Array:
            return lax.fori_loop(1, side - 1, lambda j, y: element(i, j, y), y)

        return lax.fori_loop(1, side - 1, row, u)

    return f


def gradient_of_a_stencil(side: int) -> Callable[..., Any]:
    return jax.grad(lambda x: jnp.sum(stencil_by_loops(side)(x) ** 3))


def repeated_while(n: int) -> Callable[..., Any]:
    def f(x: jax.Array) -> jax.Array:
        def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            i, y = state
            return i + 1, y.at[i].set(x[i] * x[i - 1])

        return lax.while_loop(lambda state: state[0] < n, step, (jnp.asarray(1), x))[1]

    return f


def long_scan() -> Callable[..., Any]:
    return lambda x: lax.scan(lambda carry, a: (jnp.sin(a), carry * a), jnp.zeros(()), x)[1]


def sums_in_a_loop(n: int) -> Callable[..., Any]:
    """Fluxes over edges, one a step; a reverse pass through it reads the same indices again."""
    left, right = np.random.default_rng(0).integers(0, n, (2, n))

    def step(total: jax.Array, edge: tuple[jax.Array, jax.Array], x: jax.Array) -> jax.Array:
        i, j = edge
        flux = jnp.sin(x[i] * x[j])
        return total.at[i].add(flux).at[j].add(-flux)

    return lambda x: lax.scan(
        lambda total, edge: (step(total, edge, x), None), jnp.zeros(n), (left, right)
    )[0]


def gradient_of_a_loop(n: int) -> Callable[..., Any]:
    return jax.grad(lambda x: jnp.sum(sums_in_a_loop(n)(x) ** 2 * x))


def explicit_steps(steps: int) -> Callable[..., Any]:
    """Steps of diffusion whose strength follows from the time."""

    def step(i: jax.Array, y: jax.Array) -> jax.Array:
        return y + (1 + jnp.sin(0.01 * i)) * 1e-3 * (jnp.roll(y, 1) - 2 * y + jnp.roll(y, -1))

    return lambda x: lax.fori_loop(0, steps, step, x)


def noisy_steps(steps: int) -> Callable[..., Any]:
    """The same with a random strength at each point, from a key for each step."""
    key = jax.random.key(0)

    def step(i: jax.Array, y: jax.Array) -> jax.Array:
        strength = jax.random.uniform(jax.random.fold_in(key, i), y.shape, minval=1e-4)
        return y + strength * (jnp.roll(y, 1) - 2 * y + jnp.roll(y, -1))

    return lambda x: lax.fori_loop(0, steps, step, x)


def dropped() -> Callable[..., Any]:
    """Dropout with a key that is always the same."""

    def f(x: Any) -> Any:
        kept = jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)
        return jnp.where(kept, 2 * jnp.sin(x), 0.0)

    return f


def projected() -> Callable[..., Any]:
    """A random matrix with the negative entries cut off, times a vector."""

    def f(x: Any) -> Any:
        entries = jax.random.normal(jax.random.key(0), (x.size, x.size))
        return jnp.maximum(entries, 0.0) @ x

    return f


PROGRAMS: dict[str, tuple[int, Callable[[], Callable[..., Any]]]] = {
    "`jnp.interp`, 5 values": (36, interpolated),
    "`triu_indices` read": (36, upper_triangle),
    "cubic `image.resize`": (36, resized),
    "`RegularGridInterpolator`": (36, on_a_grid),
    "BCOO product": (36, sparse_product),
    "39 integer updates": (36, integer_updates),
    "chain of 8 joints": (8, chain),
    "dropout by a known key": (36, dropped),
    "known random matrix": (36, projected),
    "`fori_loop`, 2,000 steps": (2_000, lambda: counted_loop(2_000)),
    "`fori_loop`, 20,000 steps": (20_000, lambda: counted_loop(20_000)),
    "two writes under `jit`, 20,000 steps": (20_000, lambda: jitted_steps(20_000)),
    "writes in branches, 20,000 steps": (20_000, lambda: steps_in_branches(20_000)),
    "`while`, 20,000 steps": (20_000, lambda: repeated_while(20_000)),
    "stencil by two loops, 141 by 141": (19_881, lambda: stencil_by_loops(141)),
    "its gradient": (19_881, lambda: gradient_of_a_stencil(141)),
    "`scan`, 100,000 steps": (100_000, long_scan),
    "sums over 10,000 edges, one a step": (10_000, lambda: sums_in_a_loop(10_000)),
    "their gradient": (10_000, lambda: gradient_of_a_loop(10_000)),
    "200 steps that read the time": (10_000, lambda: explicit_steps(200)),
    "200 steps that draw numbers": (10_000, lambda: noisy_steps(200)),
}


def main() -> None:
    name = json.loads(sys.argv[2])["program"]
    size, build = PROGRAMS[name]
    f, x = build(), jnp.linspace(0.1, 0.9, size)
    start = time.perf_counter()
    jax.make_jaxpr(f)(x)
    traced = time.perf_counter()
    try:
        nnz = asdex.jacobian_sparsity(f, x).nnz
    except NotImplementedError:
        nnz = None
    seconds = time.perf_counter() - traced
    print(json.dumps({"tracing": traced - start, "seconds": seconds, "nnz": nnz}))


if __name__ == "__main__":
    main()
