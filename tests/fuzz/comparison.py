"""Detected patterns beside the nonzeros of dense derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from programs import Function, SIZE

import asdex


POINTS = np.stack(
    [
        np.array([0.3, -0.8, 1.1, 0.7, -0.2, 0.9]),
        np.array([-1.2, 0.4, -0.1, 0.6, 1.7, -0.9]),
        np.array([0.9, 0.5, 1.4, 0.2, 1.1, 0.8]),
    ]
).astype(np.float32)


class Comparison(NamedTuple):
    """Entries that a pattern lacks, and the numbers of entries detected and found."""

    missing: np.ndarray
    detected: int
    found: int


def compare_jacobian(f: Function) -> Comparison | None:
    """The Jacobian's pattern against forward mode, or reverse mode where there is no other.

    `None` if jax can do neither.
    """
    return _compare(f, asdex.jacobian_sparsity, POINTS)


def compare_hessian(f: Function) -> Comparison | None:
    """The pattern of the Hessian of a weighted sum of squares; `None` if jax cannot differentiate twice."""
    weights = jnp.arange(1.0, SIZE + 1)

    def energy(x: jax.Array) -> jax.Array:
        return jnp.sum(weights * f(x) ** 2)

    return _compare(energy, asdex.hessian_sparsity, POINTS[:2], jax.grad(energy))


def _compare(
    f: Callable[..., jax.Array],
    sparsity: Callable[..., asdex.SparsityPattern],
    points: np.ndarray,
    derivative: Callable[..., jax.Array] | None = None,
) -> Comparison | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", asdex.UnknownPrimitiveWarning)
            pattern = sparsity(f, jnp.zeros(SIZE)).todense() != 0
        dense = _dense(f if derivative is None else derivative, points)
    except (ValueError, TypeError, NotImplementedError) as error:
        if _not_differentiable(error):
            return None
        raise
    found = (np.isfinite(dense) & (dense != 0)).any(axis=0)
    return Comparison(np.argwhere(found & ~pattern), int(pattern.sum()), int(found.sum()))


def _dense(f: Function, points: np.ndarray) -> np.ndarray:
    """The Jacobian at each point, compiled together."""
    try:
        return np.asarray(jax.jit(jax.vmap(jax.jacfwd(f)))(points))
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        return np.asarray(jax.jit(jax.vmap(jax.jacrev(f)))(points))


def _not_differentiable(error: Exception) -> bool:
    """Whether jax refuses to differentiate: a dynamic loop in reverse, a custom VJP forward."""
    return any(
        word in str(error)
        for word in ("Reverse-mode", "custom_vjp", "not implemented", "only implemented")
    )
