"""What a case of precision is: a function of one array, and how many entries its pattern should have.

This file and the tables beside it import jax and numpy alone, so that `benchmarks/` can load them in the
interpreter of another library.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


POINTS = 40
"""Random points whose nonzeros make up the true pattern."""

ROUNDING = 1e-5
"""What counts as zero, relative to the largest entry."""


class Case(NamedTuple):
    """A function, the shape of its input, and the numbers of entries in its patterns.

    - `true`: of the union of the nonzeros of its Jacobian over random points.
    - `detected`: of the detected pattern; the same where structure alone decides.
    - `reason`: why `detected` is larger, if it is.
    - `needs`: an optional library that the function imports.
    """

    fn: Callable[[Any], Any]
    shape: tuple[int, ...]
    true: int
    detected: int
    reason: str
    needs: str


def case(
    fn: Callable[[Any], Any],
    true: int,
    *,
    shape: tuple[int, ...] = (6,),
    detected: int | None = None,
    reason: str = "",
    needs: str = "",
) -> Case:
    return Case(fn, shape, true, true if detected is None else detected, reason, needs)


def jacobians(one: Case) -> Iterator[np.ndarray]:
    """The Jacobian at random points, by reverse mode only where there is no forward mode."""
    rng = np.random.default_rng(0)
    # One point at a time: under `vmap` some primitives are computed in another way.
    points = jnp.asarray(rng.standard_normal((POINTS, *one.shape)), jnp.float32)

    def flat(x: jax.Array) -> jax.Array:
        leaves = jax.tree.leaves(one.fn(x))
        return jnp.concatenate([jnp.ravel(leaf).astype(x.dtype) for leaf in leaves])

    try:
        jacobian = jax.jit(jax.jacfwd(flat)).lower(points[0]).compile()
    except TypeError:
        jacobian = jax.jit(jax.jacrev(flat))
    for x in points:
        yield np.asarray(jacobian(x)).reshape(-1, x.size)


def nonzeros(one: Case) -> tuple[np.ndarray, np.ndarray]:
    """Where the Jacobian differs from zero at any point, and where by more than rounding errors."""
    found = [(value != 0, abs(value) > ROUNDING * abs(value).max()) for value in jacobians(one)]
    anything, beyond_rounding = (np.any(parts, axis=0) for parts in zip(*found, strict=True))
    return anything, beyond_rounding


def sample(one: Case) -> jax.Array:
    """An input at which to detect; its values do not matter."""
    return jnp.linspace(0.5, 1.5, int(np.prod(one.shape)), dtype=jnp.float32).reshape(one.shape)
