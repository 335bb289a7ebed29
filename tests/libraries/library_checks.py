"""How the tests of library functions compare a detected pattern with differentiation itself."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from asdex.testing import check_rule


# Bisection and chord iterations pass such results. asdex, too, then has nothing but a dense pattern.
needs_derivatives_of_batches = pytest.mark.skipif(
    jax.__version_info__ < (0, 7),
    reason="jax 0.6 cannot differentiate a batched custom_jvp with integer results within jit",
)


def assert_exact(
    fn: Callable[..., Any], *args: Any, nnz: int | None = None, points: int = 4
) -> None:
    """The pattern is the union of the nonzeros at some points, and has `nnz` entries."""
    report = check_rule(fn, *args, points=points)
    if not report.exact:  # which branch is taken depends on the point
        report = check_rule(fn, *args, points=32)
    np.testing.assert_array_equal(report.detected, report.true)
    if nnz is not None:
        assert report.detected.sum() == nnz


def assert_covers(fn: Callable[..., Any], *args: Any, nnz: int, points: int = 4) -> None:
    """The pattern misses nothing, and has `nnz` entries, more than are nonzero."""
    report = check_rule(fn, *args, points=points)
    assert report.detected.sum() == nnz


def values(*shape: int, low: float = 0.2, high: float = 0.8) -> jnp.ndarray:
    """Distinct numbers between `low` and `high`, in no order."""
    size = int(np.prod(shape))
    order = np.random.default_rng(size).permutation(size)
    return jnp.asarray(np.linspace(low, high, size)[order].reshape(shape), jnp.float32)


def blocks(count: int, rows: int, cols: int | None = None) -> np.ndarray:
    """A block diagonal pattern of `count` dense blocks."""
    return np.kron(np.eye(count, dtype=bool), np.ones((rows, cols or rows), bool))
