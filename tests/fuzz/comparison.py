"""Detected patterns beside the nonzeros of dense derivatives."""

from __future__ import annotations

import warnings
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


def compare_jacobian(f: Function) -> Comparison:
    """The Jacobian's pattern against forward mode, or reverse mode where there is no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", asdex.UnknownPrimitiveWarning)
        pattern = asdex.jacobian_sparsity(f, jnp.zeros(SIZE)).todense() != 0
    found = np.zeros_like(pattern)
    with jax.disable_jit():
        for point in POINTS:
            found |= _nonzero(_dense(f, jnp.asarray(point)))
    return Comparison(np.argwhere(found & ~pattern), int(pattern.sum()), int(found.sum()))


def compare_hessian(f: Function) -> Comparison | None:
    """The Hessian's pattern of a sum of squares; `None` if the function cannot be differentiated twice."""
    weights = jnp.arange(1.0, SIZE + 1)

    def energy(x: jax.Array) -> jax.Array:
        return jnp.sum(weights * f(x) ** 2)

    try:
        with jax.disable_jit():
            dense = [_dense(jax.grad(energy), jnp.asarray(point)) for point in POINTS[:2]]
        pattern = asdex.hessian_sparsity(energy, jnp.zeros(SIZE)).todense() != 0
    except (ValueError, TypeError, NotImplementedError) as error:
        if _not_differentiable(error):
            return None
        raise
    found = np.zeros_like(pattern)
    for matrix in dense:
        found |= _nonzero(matrix)
    return Comparison(np.argwhere(found & ~pattern), int(pattern.sum()), int(found.sum()))


def _dense(f: Function, x: jax.Array) -> np.ndarray:
    try:
        return np.asarray(jax.jacfwd(f)(x))
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        return np.asarray(jax.jacrev(f)(x))


def _nonzero(matrix: np.ndarray) -> np.ndarray:
    return np.isfinite(matrix) & (matrix != 0)


def _not_differentiable(error: Exception) -> bool:
    """Whether jax refuses to differentiate: a dynamic loop in reverse, a custom VJP forward."""
    return any(word in str(error) for word in ("Reverse-mode", "custom_vjp", "not implemented"))
