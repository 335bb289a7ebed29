"""Detected patterns beside the nonzeros of dense derivatives."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from programs import Function, SIZE

import asdex


POINTS = np.array(
    [
        [0.3, -0.8, 1.1, 0.7, -0.2, 0.9],
        [-1.2, 0.4, -0.1, 0.6, 1.7, -0.9],
        [0.9, 0.5, 1.4, 0.2, 1.1, 0.8],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 0.0, 1.0, 0.0, 1.0, 1.0],
    ],
    np.float32,
)
"""Points with values in general position, with zeros, and with ties."""

LOCAL = (0, 3, 4)
"""Which of them have their local patterns compared, too."""


class Comparison(NamedTuple):
    """Entries that a pattern lacks, and the numbers of entries detected and found."""

    missing: np.ndarray
    detected: int
    found: int


def compare_jacobian(f: Function, local: bool = False) -> list[Comparison]:
    """The Jacobian's pattern, then its local ones, against forward mode, else reverse mode.

    Nothing if jax can do neither.
    """
    return _compare(f, asdex.jacobian_sparsity, f, local)


def compare_hessian(f: Function, local: bool = False) -> list[Comparison]:
    """The same for the Hessian of a weighted sum of squares; nothing if jax cannot differentiate twice."""
    weights = jnp.arange(1.0, SIZE + 1)

    def energy(x: jax.Array) -> jax.Array:
        return jnp.sum(weights * f(x) ** 2)

    return _compare(energy, asdex.hessian_sparsity, jax.grad(energy), local)


def _compare(
    f: Callable[..., jax.Array],
    sparsity: Callable[..., asdex.SparsityPattern],
    gradient: Function,
    local: bool,
) -> list[Comparison]:
    """Patterns of `f` against the nonzeros of the derivatives of `gradient`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", asdex.UnknownPrimitiveWarning)
            patterns = [sparsity(f, jnp.zeros(SIZE))]
            for k in LOCAL if local else ():
                patterns.append(sparsity(f, jnp.asarray(POINTS[k]), local=True))
        dense = _dense(gradient, POINTS)
    except (ValueError, TypeError, NotImplementedError) as error:
        if not_differentiable(error):
            return []
        raise
    compared = [_compare_one(patterns[0], dense)]
    for k, pattern in zip(LOCAL, patterns[1:], strict=False):
        compared.append(_compare_one(pattern, dense[k : k + 1]))
    return compared


def _compare_one(sparsity: asdex.SparsityPattern, dense: np.ndarray) -> Comparison:
    pattern = sparsity.todense() != 0
    found = (np.isfinite(dense) & (dense != 0)).any(axis=0)
    return Comparison(np.argwhere(found & ~pattern), int(pattern.sum()), int(found.sum()))


def _dense(f: Function, points: np.ndarray) -> np.ndarray:
    """The Jacobian at each point."""
    try:
        return np.stack(list(map(jax.jit(jax.jacfwd(f)), points)))
    except TypeError as error:
        if "custom_vjp" not in str(error):
            raise
        return np.stack(list(map(jax.jit(jax.jacrev(f)), points)))


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
