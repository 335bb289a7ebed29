"""Detected patterns beside the nonzeros of dense derivatives."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

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


def compare_local(f: Function, hessian: bool = False) -> Comparison | None:
    """Local patterns at points with values, with zeros and with ties, each against the derivative there."""
    weights = jnp.arange(1.0, SIZE + 1)

    def energy(x: jax.Array) -> jax.Array:
        return jnp.sum(weights * f(x) ** 2)

    at = np.stack([POINTS[0], np.zeros(SIZE, np.float32), np.round(POINTS[2])])
    if hessian:
        pairs = [
            _compare(energy, _at(asdex.hessian_sparsity, x), x[None], jax.grad(energy)) for x in at
        ]
    else:
        pairs = [_compare(f, _at(asdex.jacobian_sparsity, x), x[None]) for x in at]
    found = [one for one in pairs if one is not None]
    if not found:
        return None
    missing = np.concatenate([one.missing for one in found])
    return Comparison(missing, sum(one.detected for one in found), sum(one.found for one in found))


def _at(sparsity: Callable[..., asdex.SparsityPattern], x: np.ndarray) -> Callable[..., Any]:
    return lambda f, _: sparsity(f, jnp.asarray(x), local=True)


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
        if not_differentiable(error):
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


def not_differentiable(error: Exception) -> bool:
    """Whether jax refuses to differentiate: a dynamic loop in reverse, a custom VJP forward."""
    return any(
        word in str(error)
        for word in ("Reverse-mode", "custom_vjp", "not implemented", "only implemented")
    )


def compare_all(compare: Callable[..., bool | None], counted: str) -> None:
    """Compare the programs of some seeds: the command line gives the first, and the one after the last.

    **Arguments:** `compare`: of a seed, and whether its Hessian is meant; `None` where there is nothing to
    compare. `counted`: what it returns `True` for.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    first, stop = map(int, sys.argv[1:3])
    total, count, failures = 0, 0, []
    for seed in range(first, stop):
        try:
            result = compare(seed, hessian=seed % 4 == 0)
        except Exception:
            traceback.print_exc()
            failures.append(seed)
            continue
        if result is not None:
            total += 1
            count += result
        if seed % 100 == 99:
            jax.clear_caches()  # jax would keep all compiled programs
    print(f"{total} compared, {count} {counted}; failures: {failures}", flush=True)
