"""LU factorisation of block-tridiagonal matrices, many of one size at a time."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.lax.linalg import lu, triangular_solve
from jaxtyping import Array, Inexact, Int


class BlockFactors(eqx.Module):
    """`A = (I + L) D (I + U)`, with `L` block lower and `U` block upper bidiagonal (block LU: Golub and
    Van Loan, Matrix Computations, section 4.5).

    Pivots are sought inside the blocks of `D` alone.

    **Attributes:**

    - `packed`: the LU factors of the blocks of `D`, `permutations` their row permutations.
    - `lower`: row i holds `L[i, i - 1]`, the first zero. `upper`: row i holds `U[i, i + 1]`, the last zero.
    """

    packed: Inexact[Array, "lanes blocks width width"]
    permutations: Int[Array, "lanes blocks width"]
    lower: Inexact[Array, "lanes blocks width width"]
    upper: Inexact[Array, "lanes blocks width width"]

    def solve(
        self, right: Inexact[Array, "lanes blocks width"], transposed: bool
    ) -> Inexact[Array, "lanes blocks width"]:
        """The solution for a right-hand side, of the system or of its transpose."""
        return jax.vmap(_solve_transposed if transposed else _solve)(self, right)

    def conj(self) -> BlockFactors:
        """The factors of the conjugated matrix."""
        parts = (
            jnp.conj(self.packed),
            self.permutations,
            jnp.conj(self.lower),
            jnp.conj(self.upper),
        )
        return BlockFactors(*parts)


def factorise(
    below: Inexact[Array, "lanes blocks width width"],
    diagonal: Inexact[Array, "lanes blocks width width"],
    above: Inexact[Array, "lanes blocks width width"],
) -> BlockFactors:
    """Factorise the matrices with the given blocks: in block row i `below[i]`, `diagonal[i]`, `above[i]`."""
    return jax.vmap(_factorise)(below, diagonal, above)


def _factorise(below: Array, diagonal: Array, above: Array) -> BlockFactors:
    width = diagonal.shape[-1]

    def step(carry: tuple[Array, Array, Array], row: tuple[Array, Array, Array]) -> Any:
        packed, permutation, previous_above = carry
        left, middle, right = row
        lower = _divide(left, packed, permutation)
        packed, _, permutation = lu(middle - _times(lower, previous_above))
        return (packed, permutation, right), (packed, permutation, lower)

    start = (
        jnp.eye(width, dtype=diagonal.dtype),
        jnp.arange(width, dtype=jnp.int32),
        jnp.zeros_like(diagonal[0]),
    )
    _, (packed, permutations, lower) = jax.lax.scan(step, start, (below, diagonal, above))
    upper = jax.vmap(_divide_left)(packed, permutations, above)
    return BlockFactors(packed, permutations, lower, upper)


def _divide(left: Array, packed: Array, permutation: Array) -> Array:
    """`left @ inv(D)`, where `D[permutation] = L U`."""
    solved = triangular_solve(packed, left, left_side=False, lower=False)
    solved = triangular_solve(packed, solved, left_side=False, lower=True, unit_diagonal=True)
    return jnp.zeros_like(solved).at[:, permutation].set(solved, unique_indices=True)


def _divide_left(packed: Array, permutation: Array, right: Array) -> Array:
    """`inv(D) @ right`."""
    solved = triangular_solve(
        packed, right[permutation], left_side=True, lower=True, unit_diagonal=True
    )
    return triangular_solve(packed, solved, left_side=True, lower=False)


def _solve(factors: BlockFactors, right: Array) -> Array:
    forward = _recur(factors.lower, right, reverse=False)
    middle = jax.vmap(_divide_left)(factors.packed, factors.permutations, forward[..., None])
    return _recur(factors.upper, middle[..., 0], reverse=True)


def _solve_transposed(factors: BlockFactors, right: Array) -> Array:
    def divide(packed: Array, permutation: Array, row: Array) -> Array:
        return _divide(row[None], packed, permutation)[0]

    # Block row i of the transpose of I + U holds the transpose of U[i - 1, i].
    lower = jnp.roll(jnp.swapaxes(factors.upper, -1, -2), 1, axis=0)
    upper = jnp.roll(jnp.swapaxes(factors.lower, -1, -2), -1, axis=0)
    forward = _recur(lower, right, reverse=False)
    middle = jax.vmap(divide)(factors.packed, factors.permutations, forward)
    return _recur(upper, middle, reverse=True)


def _recur(matrices: Array, right: Array, *, reverse: bool) -> Array:
    """`x[i] = right[i] - matrices[i] @ x[i - 1]`, or `x[i + 1]`."""

    def step(previous: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        matrix, vector = row
        solved = vector - _times(matrix, previous)
        return solved, solved

    return jax.lax.scan(step, jnp.zeros_like(right[0]), (matrices, right), reverse=reverse)[1]


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
