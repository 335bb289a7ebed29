"""LU factorisation of batches of block-tridiagonal matrices of one size."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact


class BlockFactors(eqx.Module):
    """`A = (I + L) D (I + U)`, with `L` block lower and `U` block upper bidiagonal (block LU: Golub and
    Van Loan, Matrix Computations, section 4.5).

    Pivots are searched for only inside the blocks of `D`.

    **Attributes:**

    - `inverses`: the inverses of the blocks of `D`, so that solving takes only products.
    - `lower`: row i holds `L[i, i - 1]`; the first row is zero.
    - `upper`: row i holds `U[i, i + 1]`; the last row is zero.
    """

    inverses: Inexact[Array, "lanes blocks width width"]
    lower: Inexact[Array, "lanes blocks width width"]
    upper: Inexact[Array, "lanes blocks width width"]

    def solve(
        self, right: Inexact[Array, "lanes blocks width"], transposed: bool
    ) -> Inexact[Array, "lanes blocks width"]:
        """The solution for a right-hand side, of the system or of its transpose."""
        return jax.vmap(_solve_transposed if transposed else _solve)(self, right)


def factorize(
    below: Inexact[Array, "lanes blocks width width"],
    diagonal: Inexact[Array, "lanes blocks width width"],
    above: Inexact[Array, "lanes blocks width width"],
) -> BlockFactors:
    """Factorize the matrices with the given blocks: in block row i `below[i]`, `diagonal[i]`, `above[i]`."""
    return jax.vmap(_factorize)(below, diagonal, above)


def _factorize(below: Array, diagonal: Array, above: Array) -> BlockFactors:
    def step(carry: tuple[Array, Array], row: tuple[Array, Array, Array]) -> Any:
        inverse, previous_above = carry
        left, middle, right = row
        lower = _times(left, inverse)
        inverse = jnp.linalg.inv(middle - _times(lower, previous_above))
        return (inverse, right), (inverse, lower)

    start = (jnp.zeros_like(diagonal[0]), jnp.zeros_like(diagonal[0]))
    _, (inverses, lower) = jax.lax.scan(step, start, (below, diagonal, above))
    return BlockFactors(inverses, lower, _times(inverses, above))


def _solve(factors: BlockFactors, right: Array) -> Array:
    forward = _recur(factors.lower, right, reverse=False)
    middle = _times(factors.inverses, forward[..., None])[..., 0]
    return _recur(factors.upper, middle, reverse=True)


def _solve_transposed(factors: BlockFactors, right: Array) -> Array:
    # Block row i of the transpose of I + U holds the transpose of U[i - 1, i].
    lower = jnp.roll(jnp.swapaxes(factors.upper, -1, -2), 1, axis=0)
    upper = jnp.roll(jnp.swapaxes(factors.lower, -1, -2), -1, axis=0)
    forward = _recur(lower, right, reverse=False)
    middle = _times(forward[..., None, :], factors.inverses)[..., 0, :]
    return _recur(upper, middle, reverse=True)


def _recur(matrices: Array, right: Array, *, reverse: bool) -> Array:
    """The solution of `x[i] = right[i] - matrices[i] @ x[i - 1]`, or with `x[i + 1]` in reverse."""

    def step(previous: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        matrix, vector = row
        solved = vector - _times(matrix, previous)
        return solved, solved

    return jax.lax.scan(step, jnp.zeros_like(right[0]), (matrices, right), reverse=reverse)[1]


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
