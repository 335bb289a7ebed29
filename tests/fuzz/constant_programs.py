"""Derivatives that reuse constant entries beside dense ones, for random programs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from comparison import compare_all, not_differentiable, POINTS
from programs import program, SIZE

import asdex


KINDS = 5


def with_parameters(seed: int) -> Callable[..., jax.Array]:
    """A function of `x`, a vector `p` and integers `k`, in which some entries are likely to be constant."""
    rng = np.random.default_rng(seed)
    inner = program(lambda limit: int(rng.integers(limit)), depth=int(rng.integers(3)))
    matrix = rng.integers(-1, 2, (SIZE, SIZE)).astype(np.float32)
    rows = rng.permutation(SIZE)[:3]
    functions: list[Callable[..., jax.Array]] = [
        lambda x, p, k: matrix @ x + inner(x) * p,
        lambda x, p, k: jnp.concatenate([matrix @ x, inner(x + p)]),
        lambda x, p, k: (matrix @ x).at[rows].set(inner(x)[rows]) + x[k] * p[0],
        lambda x, p, k: inner(matrix @ x) + 2 * x + jnp.where(k > 2, x, p * x),
        lambda x, p, k: jnp.concatenate([x[:3] * k[:3], inner(x)[3:], jnp.sum(x)[None], p * x]),
    ]
    return functions[int(rng.integers(KINDS))]


def compare(seed: int, *, hessian: bool = False) -> bool | None:
    """Whether entries are reused; `None` if jax cannot differentiate.

    **Raises:** `AssertionError` if the derivative differs from the dense one at a point that is new.
    """
    vector = with_parameters(seed)
    f = vector
    if hessian:

        def f(x, p, k):
            return jnp.sum(vector(x, p, k)[:SIZE] * x) + jnp.sum(x[1:] * x[:-1]) + jnp.sum(x) ** 2

    p, k = jnp.linspace(0.5, 1.5, SIZE), jnp.arange(SIZE)
    make = asdex.hessian if hessian else asdex.jacobian
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", asdex.DenseColoringWarning)
            derivative = make(f, POINTS[0], p, k, constant="reuse", output_format="dense")
    except (ValueError, TypeError, NotImplementedError) as error:
        if not_differentiable(error):
            return None
        raise
    if not derivative.num_constant:
        return False
    changed = (p[::-1] * 1.3, (k[::-1] * 5 + 1) % SIZE)
    arguments: list[tuple[Any, ...]] = [(POINTS[1], p, k), (POINTS[2], *changed)]
    for args in arguments:
        got, want = derivative(*args), dense_jacobian(jax.grad(f) if hessian else f, args)
        if derivative.options.mode == "rev" and not np.all(np.isfinite(got)):
            want = jax.jacrev(f)(*args)  # which may be NaN where forward mode is not
        compare_values(got, want)
    return True


def dense_jacobian(f: Callable[..., jax.Array], args: tuple[Any, ...]) -> Any:
    """By forward mode, or by reverse mode where a custom VJP allows no other."""
    try:
        return jax.jit(jax.jacfwd(f))(*args)
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        return jax.jit(jax.jacrev(f))(*args)


def compare_values(got: Any, want: Any) -> None:
    """Where the dense derivative is NaN, an infinite factor may have met a zero."""
    got, want = np.asarray(got), np.asarray(want)
    scale = np.abs(want[np.isfinite(want)]).max(initial=1.0)
    both = np.isfinite(got) & np.isfinite(want)
    np.testing.assert_allclose(got[both], want[both], rtol=1e-3, atol=1e-4 * scale)
    assert not np.any(np.isfinite(want) & ~np.isfinite(got))


if __name__ == "__main__":
    compare_all(compare, "with constant entries")
