"""Values of sparse derivatives beside dense ones, for random programs: plain, compiled and in batches.

The bound below which nothing is gained by it is taken away, so that small programs, too, have terms of
their seeds computed once for all calls.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from comparison import compare_all, not_differentiable, POINTS
from constant_programs import compare_values, dense_jacobian, with_parameters
from programs import SIZE

import asdex
from asdex.evaluation import _compiled
from asdex.evaluation.passes import _batched_passes


MODES = ("auto", "fwd", "rev", "bidirectional")
HESSIAN_MODES = ("fwd_over_rev", "rev_over_fwd", "rev_over_rev")
CHUNKS = (None, None, 1, 2)


@contextlib.contextmanager
def however_small() -> Iterator[None]:
    """Do what is done for large problems."""
    with mock.patch.object(_batched_passes, "_NOTED", 0):
        yield


def compare(seed: int, *, hessian: bool = False) -> bool | None:
    """Whether terms of the seeds were kept; `None` if jax cannot differentiate, or to no symmetric Hessian.

    **Raises:** `AssertionError` if a way to call the derivative gives other values than a dense one.
    """
    rng = np.random.default_rng([seed, 1])
    elements = (None, False, True)[seed % 3]
    vector = with_parameters(seed)
    if elements:
        vector = of_copies(vector, *rng.integers(0, SIZE, (2, SIZE)))

    def energy(x: jax.Array, p: jax.Array, k: jax.Array) -> jax.Array:
        return jnp.sum(vector(x, p, k)[:SIZE] * x) + jnp.sum(x[1:] * x[:-1])

    f = energy if hessian else vector
    modes = HESSIAN_MODES if hessian else MODES
    options: dict[str, Any] = {
        "mode": modes[rng.integers(len(modes))],
        "chunk_size": CHUNKS[rng.integers(len(CHUNKS))],
        "output_format": "dense",
        "elements": elements,
    }
    p, k = jnp.linspace(0.5, 1.5, SIZE), jnp.arange(SIZE)
    make = asdex.hessian if hessian else asdex.jacobian
    try:
        with however_small(), warnings.catch_warnings():
            warnings.simplefilter("ignore", asdex.DenseColoringWarning)
            derivative = make(f, POINTS[0], p, k, **options)
            kept = _compare_calls(derivative, f, hessian, p, k)
    except (ValueError, TypeError, NotImplementedError) as error:
        if not_differentiable(error):
            return None
        raise
    return kept


def of_copies(
    vector: Callable[..., jax.Array], sources: Any, targets: Any
) -> Callable[..., jax.Array]:
    """The function of copies of nonlinear functions of single inputs, with its results added up."""

    def f(x: jax.Array, p: jax.Array, k: jax.Array) -> jax.Array:
        results = vector((x + 0.1 * x**2)[sources], p, k)[:SIZE]
        return jnp.zeros(SIZE, results.dtype).at[targets].add(results) + x[::-1]

    return f


def _compare_calls(
    derivative: Any, f: Callable[..., jax.Array], hessian: bool, p: Any, k: Any
) -> bool | None:
    changed = (p[::-1] * 1.3, (k[::-1] * 5 + 1) % SIZE)
    arguments: list[tuple[Any, ...]] = [(POINTS[1], p, k), (POINTS[2], *changed)]
    calls = [
        derivative,
        jax.jit(derivative),
        lambda *args: eqx.filter_jit(_call)(derivative, *args),
    ]
    for args in arguments:
        want = dense_jacobian(jax.grad(f) if hessian else f, args)
        if hessian and not np.allclose(want, want.T, equal_nan=True):
            return None  # a custom derivative rule is not that of a function
        for call in calls:
            got = call(*args)
            if derivative.options.mode in ("rev", "bidirectional") and not np.all(np.isfinite(got)):
                # Reverse mode may be NaN where forward mode is not.
                want = np.where(np.isfinite(jax.jacrev(f)(*args)), want, np.nan)
            compare_values(got, want)
    return any(plan.seed_terms for plan in _compiled._PLANS[derivative].values())


def _call(derivative: Any, *args: Any) -> Any:
    return derivative(*args)


if __name__ == "__main__":
    compare_all(compare, "with terms of seeds kept")
