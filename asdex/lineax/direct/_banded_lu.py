"""A direct solver for sparse operators in JAX, by a band LU factorization after reordering."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, Int, Int32

from ..._arrays import on_device
from .._matrix import SparseMatrixLinearOperator
from ._block_tridiagonal import factorize
from ._direct import AbstractDirectSolver
from ._ordering import block_layout, BlockLayout


class DiagonalFactors(eqx.Module):
    """A diagonal matrix."""

    values: Inexact[Array, " slots"]

    def solve(self, right: Array, transposed: bool) -> Array:
        return right / self.values


class TridiagonalFactors(eqx.Module):
    """A real tridiagonal matrix, which LAPACK or cuSPARSE factorizes in each solve, with pivoting."""

    below: Inexact[Array, " slots"]
    values: Inexact[Array, " slots"]
    above: Inexact[Array, " slots"]

    def solve(self, right: Array, transposed: bool) -> Array:
        below, above = self.below, self.above
        if transposed:  # the first entry of `below` and the last of `above` are zero
            below, above = jnp.roll(self.above, 1), jnp.roll(self.below, -1)
        flat = jax.lax.linalg.tridiagonal_solve(below, self.values, above, right.reshape(-1, 1))
        return flat.reshape(right.shape)


class BandedFactors(eqx.Module):
    """The factors of the reordered matrix, and the places of rows in a `(lanes, blocks, width)` vector."""

    factors: Any
    slots: Int32[Array, " n"]
    shape: tuple[int, int, int] = eqx.field(static=True)

    def solve(self, right: Inexact[Array, " n"], transposed: bool) -> Inexact[Array, " n"]:
        padded = jnp.zeros(math.prod(self.shape), right.dtype)
        options = {"unique_indices": True, "mode": "promise_in_bounds"}
        placed = padded.at[self.slots].set(right, **options).reshape(self.shape)
        solved = self.factors.solve(placed, transposed)
        return solved.reshape(-1).at[self.slots].get(**options)


class BandedLU(AbstractDirectSolver):
    """A direct solver for square sparse operators whose pattern has an order with a small bandwidth.

    The pattern decides on the method, once and on the host. For a diagonal matrix, the solver divides by the
    diagonal. For a tridiagonal matrix, it calls the solver of LAPACK or cuSPARSE. For other patterns, it
    reorders each connected component by reverse Cuthill-McKee, and factorizes the components as
    block-tridiagonal matrices, with blocks as wide as the band. A block-diagonal pattern becomes a batch of
    dense factorizations. The numerical part is written in JAX only, so it runs on all devices and inside
    `jit`, `vmap` and `grad`.

    With bandwidth `b` it takes `O(n b²)` operations and `O(n b)` memory. For a system on a line, `b` is the
    number of species. On a CPU, `asdex.lineax.KLU` is faster unless the matrix is tridiagonal or consists of
    separate small blocks, and many times faster for bands wider than 16. `asdex.lineax.AutoSparseSolver`
    makes the choice.

    Pivots are searched for only inside blocks, as in other batched band solvers. Solutions are therefore
    refined until their backward error is at rounding level (Wilkinson 1963; Skeel 1980), at most five times.
    If that fails, the result is `lineax.RESULTS.breakdown`. For a singular matrix it is
    `lineax.RESULTS.singular`. A matrix with zeros on the diagonal may be taken for one.

    The solver takes operators whose pattern is known. These are the operators of `asdex.lineax`, lineax's
    diagonal, tridiagonal and identity operators, and their sums, products and multiples. For other operators
    use `asdex.lineax.SparseLinearSolver`.
    """

    def factorize(self, matrix: SparseMatrixLinearOperator) -> BandedFactors:
        layout = block_layout(matrix.structure)
        slots = on_device(layout.slots, np.int32)
        shape = (layout.lanes, layout.blocks, layout.width)
        if layout.bandwidth == 0:
            (values,) = _bands(matrix, layout, 1)
            return BandedFactors(DiagonalFactors(values.reshape(shape)), slots, shape)
        if layout.bandwidth == 1 and not jnp.iscomplexobj(matrix.data):
            return BandedFactors(TridiagonalFactors(*_bands(matrix, layout, 3)), slots, shape)
        return BandedFactors(factorize(*_blocks(matrix, layout)), slots, shape)


def _bands(
    matrix: SparseMatrixLinearOperator, layout: BlockLayout, count: int
) -> Inexact[Array, "count size"]:
    """The diagonals of the reordered matrix, from the lowest to the highest, by slot of the row."""
    structure = matrix.structure
    row, col = layout.slots[structure.rows], layout.slots[structure.cols]
    places = (col - row + count // 2) * layout.size + row
    padding = count // 2 * layout.size + layout.padding
    return _scatter(matrix, places, padding, (count, layout.size))


def _blocks(
    matrix: SparseMatrixLinearOperator, layout: BlockLayout
) -> Inexact[Array, "3 lanes blocks width width"]:
    """The blocks of the reordered matrix below, on and above the diagonal."""
    shape = (3, layout.lanes, layout.blocks, layout.width, layout.width)
    padding = layout.place(layout.padding, layout.padding)
    return _scatter(matrix, layout.entries(matrix.structure), padding, shape)


def _scatter(
    matrix: SparseMatrixLinearOperator,
    places: Int[np.ndarray, " nnz"],
    padding: Int[np.ndarray, " k"],
    shape: tuple[int, ...],
) -> Array:
    """An array with the values at their places, ones at `padding`, and zeros elsewhere."""
    size = math.prod(shape)
    if size > np.iinfo(np.int32).max:
        raise ValueError(
            f"The factors of this operator of shape {matrix.structure.shape} would hold {size} entries: no "
            "order with a small bandwidth was found for its pattern. Use `asdex.lineax.KLU` or "
            "`asdex.lineax.SuperLU`."
        )
    flat = jnp.zeros(size, matrix.data.dtype)
    options = {"unique_indices": True, "mode": "promise_in_bounds"}
    flat = flat.at[places.astype(np.int32)].set(matrix.data, **options)
    return flat.at[padding.astype(np.int32)].set(1, **options).reshape(shape)
