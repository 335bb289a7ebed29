"""A direct solver for sparse operators in JAX, by a band LU factorisation after reordering."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Inexact, Int, Int32

from ._block_tridiagonal import BlockFactors, factorise
from ._matrix import SparseMatrixLinearOperator
from ._ordering import block_layout, BlockLayout
from ._refinement import AbstractFullRankSolver, largest_sum, refine
from ._spaces import ravel, unravel
from ._sparsify import to_sparse


class DiagonalFactors(eqx.Module):
    """A diagonal matrix."""

    values: Inexact[Array, " slots"]

    def solve(self, right: Array, transposed: bool) -> Array:
        return right / self.values

    def conj(self) -> DiagonalFactors:
        return DiagonalFactors(jnp.conj(self.values))


class TridiagonalFactors(eqx.Module):
    """A real tridiagonal matrix, which LAPACK or cuSPARSE factorises in each solve, with pivoting."""

    below: Inexact[Array, " slots"]
    values: Inexact[Array, " slots"]
    above: Inexact[Array, " slots"]

    def solve(self, right: Array, transposed: bool) -> Array:
        below, above = self.below, self.above
        if transposed:  # the first entry of `below` and the last of `above` are zero
            below, above = jnp.roll(self.above, 1), jnp.roll(self.below, -1)
        flat = jax.lax.linalg.tridiagonal_solve(below, self.values, above, right.reshape(-1, 1))
        return flat.reshape(right.shape)

    def conj(self) -> TridiagonalFactors:
        return self


class BandedState(eqx.Module):
    """The result of `BandedLU.init`: the factors, the matrix, and the structures of its vectors."""

    factors: DiagonalFactors | TridiagonalFactors | BlockFactors
    matrix: SparseMatrixLinearOperator
    norm: Inexact[Array, ""]
    row_slots: Int32[Array, " n"]
    col_slots: Int32[Array, " n"]
    shape: tuple[int, int, int] = eqx.field(static=True)
    transposed: bool = eqx.field(static=True)

    def solve(self, right: Inexact[Array, " n"]) -> Inexact[Array, " n"]:
        """The solution for a right-hand side by the factors, without refinement."""
        goes_in, comes_out = self.row_slots, self.col_slots
        if self.transposed:
            goes_in, comes_out = comes_out, goes_in
        padded = jnp.zeros(int(np.prod(self.shape)), right.dtype)
        placed = padded.at[goes_in].set(right, unique_indices=True, mode="promise_in_bounds")
        solved = self.factors.solve(placed.reshape(self.shape), self.transposed)
        return solved.reshape(-1).at[comes_out].get(mode="promise_in_bounds", unique_indices=True)


class BandedLU(AbstractFullRankSolver[BandedState]):
    """A direct solver for square sparse operators whose pattern has an order with a small bandwidth.

    The pattern decides on the method, once and on the host. For a diagonal matrix, the solver divides by the
    diagonal. For a tridiagonal matrix, it calls the solver of LAPACK or cuSPARSE. For other patterns, it
    reorders each connected component by reverse Cuthill-McKee, and factorises the components as
    block-tridiagonal matrices, with blocks as wide as the band. A block-diagonal pattern becomes a batch of
    dense factorisations. The numerical part is written in JAX only, so it runs on all devices and inside
    `jit`, `vmap` and `grad`.

    With bandwidth `b` it takes `O(n b²)` operations and `O(n b)` memory. For a system on a line, `b` is the
    number of species. For a system on a grid, it is that number times the length of the shorter side. For
    large grids in three dimensions, or with dense rows, an iterative solver is better.

    Pivots are searched for only inside blocks, as in other batched band solvers. Solutions are therefore
    refined until their backward error is at rounding level (Wilkinson 1963; Skeel 1980), at most three times.
    If that fails, the result is `lineax.RESULTS.breakdown`. For a singular matrix it is
    `lineax.RESULTS.singular`.

    The solver takes operators whose pattern is known. These are the operators of `asdex.lineax`, lineax's
    diagonal, tridiagonal and identity operators, and their sums, products and multiples. For other operators
    use `asdex.lineax.SparseLinearSolver`.
    """

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> BandedState:
        del options
        matrix = to_sparse(operator)
        structure = matrix.structure
        if not structure.is_square:
            raise ValueError(
                f"`BandedLU` may only be used for linear solves with square matrices, got shape "
                f"{structure.shape}. For least squares use `asdex.lineax.NormalBandedLU`."
            )
        layout = block_layout(structure)
        with jax.ensure_compile_time_eval():
            row_slots = jnp.asarray(layout.row_slots, jnp.int32)
            col_slots = jnp.asarray(layout.col_slots, jnp.int32)
        return BandedState(
            factors=_factorise(matrix, layout),
            matrix=matrix,
            norm=largest_sum(matrix),
            row_slots=row_slots,
            col_slots=col_slots,
            shape=(layout.lanes, layout.blocks, layout.width),
            transposed=False,
        )

    def compute(
        self, state: BandedState, vector: Any, options: dict[str, Any]
    ) -> tuple[Any, lx.RESULTS, dict[str, Any]]:
        del options
        right = ravel(vector, state.matrix.output_structure)
        solution, result, steps = refine(state.matrix, state.norm, state.solve, right)
        return unravel(solution, state.matrix.input_structure), result, {"num_refinements": steps}

    def transpose(
        self, state: BandedState, options: dict[str, Any]
    ) -> tuple[BandedState, dict[str, Any]]:
        del options
        return _replace(state, state.factors, state.matrix.transpose(), not state.transposed), {}

    def conj(
        self, state: BandedState, options: dict[str, Any]
    ) -> tuple[BandedState, dict[str, Any]]:
        del options
        return _replace(state, state.factors.conj(), state.matrix.conjugate(), state.transposed), {}


def _replace(state: BandedState, factors: Any, matrix: Any, transposed: bool) -> BandedState:
    slots = (state.row_slots, state.col_slots)
    return BandedState(factors, matrix, state.norm, *slots, state.shape, transposed)


def _factorise(
    matrix: SparseMatrixLinearOperator, layout: BlockLayout
) -> DiagonalFactors | TridiagonalFactors | BlockFactors:
    is_complex = jnp.iscomplexobj(matrix.data)
    if layout.bandwidth == 0:
        (values,) = _bands(matrix, layout, 1)
        return DiagonalFactors(values.reshape(layout.lanes, layout.blocks, layout.width))
    if layout.bandwidth == 1 and not is_complex:
        return TridiagonalFactors(*_bands(matrix, layout, 3))
    return factorise(*_blocks(matrix, layout))


def _bands(
    matrix: SparseMatrixLinearOperator, layout: BlockLayout, count: int
) -> Inexact[Array, "count slots"]:
    """The diagonals of the reordered matrix, from the lowest to the highest, by slot of the row."""
    structure = matrix.structure
    row, col = layout.row_slots[structure.rows], layout.col_slots[structure.cols]
    places = (col - row + count // 2) * layout.slots + row
    padding = count // 2 * layout.slots + layout.padding
    return _scatter(matrix, places, padding, (count, layout.slots))


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
            "order with a small bandwidth was found for its pattern. Use an iterative solver, such as "
            "`lineax.GMRES`, with `lineax.linearise(operator)`."
        )
    flat = jnp.zeros(size, matrix.data.dtype)
    flat = flat.at[places.astype(np.int32)].set(
        matrix.data, unique_indices=True, mode="promise_in_bounds"
    )
    flat = flat.at[padding.astype(np.int32)].set(1, unique_indices=True, mode="promise_in_bounds")
    return flat.reshape(shape)
