"""LU factorisation of batches of block-tridiagonal matrices of one size."""

from __future__ import annotations

from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import lu, triangular_solve
from jaxtyping import Array, Inexact


_SMALL: Final = 16


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

    def conj(self) -> BlockFactors:
        """The factors of the conjugated matrix."""
        return jax.tree.map(jnp.conj, self)


def factorise(
    below: Inexact[Array, "lanes blocks width width"],
    diagonal: Inexact[Array, "lanes blocks width width"],
    above: Inexact[Array, "lanes blocks width width"],
) -> BlockFactors:
    """Factorise the matrices with the given blocks: in block row i `below[i]`, `diagonal[i]`, `above[i]`.

    **Arguments:** blocks of a width that `suitable_width` returns.
    """
    return jax.vmap(_factorise)(below, diagonal, above)


def suitable_width(least: int) -> int:
    """The smallest width of blocks that is at least `least` and can be halved down to a small width."""
    halvings = max(least // (_SMALL // 2), 1).bit_length() - 1
    return -(-least >> halvings) << halvings


def _factorise(below: Array, diagonal: Array, above: Array) -> BlockFactors:
    def step(carry: tuple[Array, Array], row: tuple[Array, Array, Array]) -> Any:
        inverse, previous_above = carry
        left, middle, right = row
        lower = _times(left, inverse)
        inverse = _inverse(middle - _times(lower, previous_above))
        return (inverse, right), (inverse, lower)

    start = (jnp.zeros_like(diagonal[0]), jnp.zeros_like(diagonal[0]))
    _, (inverses, lower) = jax.lax.scan(step, start, (below, diagonal, above))
    return BlockFactors(inverses, lower, _times(inverses, above))


def _inverse(block: Inexact[Array, "width width"]) -> Inexact[Array, "width width"]:
    """The inverse by LU with partial pivoting.

    Small systems are solved by products, since a BLAS distributes triangular solves over threads. That costs
    more than the work for a block, and hundreds of times more on a busy machine.
    """
    packed, _, permutation = lu(block)
    lower = jnp.tril(packed, -1) + jnp.eye(len(packed), dtype=packed.dtype)
    inverses = jax.vmap(_triangular_inverse)(jnp.stack([lower, jnp.triu(packed).T]))
    product = _times(inverses[1].T, inverses[0])
    return jnp.zeros_like(product).at[:, permutation].set(product, unique_indices=True)


def _triangular_inverse(lower: Inexact[Array, "width width"]) -> Inexact[Array, "width width"]:
    """The inverse of a lower triangular matrix, from the inverses of the small blocks on its diagonal."""
    width = len(lower)
    size = width
    while size >= _SMALL and size % 2 == 0:
        size //= 2
    every = np.arange(width // size)
    small = lower.reshape(len(every), size, len(every), size)[every, :, every, :]
    identity = jnp.broadcast_to(jnp.eye(size, dtype=lower.dtype), small.shape)
    inverses = triangular_solve(small, identity, left_side=True, lower=True)
    while size < width:
        # The inverse of [[A, 0], [C, B]] is [[inv(A), 0], [-inv(B) C inv(A), inv(B)]].
        count = width // size
        odd, even = np.arange(1, count, 2), np.arange(0, count, 2)
        corner = lower.reshape(count, size, count, size)[odd, :, even, :]
        a, b = inverses[even], inverses[odd]
        c = -_times(_times(b, corner), a)
        upper_half = jnp.concatenate([a, jnp.zeros_like(a)], axis=2)
        inverses = jnp.concatenate([upper_half, jnp.concatenate([c, b], axis=2)], axis=1)
        size *= 2
    return inverses[0]


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
