"""What all direct solvers share: a state that keeps the factors, refinement, transposes and conjugates."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Protocol, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Inexact

from .._matrix import SparseMatrixLinearOperator
from .._spaces import ravel, unravel
from .._sparsify import to_sparse
from ._refinement import refine


class Factors(Protocol):
    """A factorized matrix."""

    def solve(self, right: Inexact[Array, " n"], transposed: bool) -> Inexact[Array, " n"]:
        """The solution for a right-hand side, of the system or of its transpose."""
        ...


_State = TypeVar("_State")


class AbstractFullRankSolver(lx.AbstractLinearSolver[_State]):
    """A solver that needs operators of full rank, so that gradients need fewer terms.

    lineax calls `assume_full_rank`; versions before 0.1 call the other two methods.
    """

    def assume_full_rank(self) -> bool:
        return True

    def allow_dependent_columns(self, operator: lx.AbstractLinearOperator) -> bool:
        return operator.in_size() > operator.out_size()

    def allow_dependent_rows(self, operator: lx.AbstractLinearOperator) -> bool:
        return operator.out_size() > operator.in_size()

    def transpose(self, state: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return state.transpose(), {}

    def conj(self, state: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return state.conj(), {}


class DirectState(eqx.Module):
    """The result of a direct solver's `init`, for any number of right-hand sides.

    **Attributes:**

    - `factors`: the factors of the matrix that was given to `init`.
    - `matrix`: the matrix to solve with, which may be its transpose or its conjugate.
    - `row_sums`, `column_sums`: the sums of the absolute values of the entries of `matrix`.
    """

    factors: Any
    matrix: SparseMatrixLinearOperator
    row_sums: Inexact[Array, " n"]
    column_sums: Inexact[Array, " n"]
    transposed: bool = eqx.field(static=True, default=False)
    conjugated: bool = eqx.field(static=True, default=False)

    @classmethod
    def of(cls, factors: Factors, matrix: SparseMatrixLinearOperator) -> DirectState:
        """The state for a matrix and its factors."""
        n, sizes = matrix.structure.shape[0], jnp.abs(matrix.data)
        by_row = jax.ops.segment_sum(sizes, matrix.rows, n, indices_are_sorted=True)
        return cls(factors, matrix, by_row, jax.ops.segment_sum(sizes, matrix.cols, n))

    def solve(self, right: Inexact[Array, " n"]) -> Inexact[Array, " n"]:
        """The solution for a right-hand side by the factors, without refinement."""
        if not self.conjugated:
            return self.factors.solve(right, self.transposed)
        return jnp.conj(self.factors.solve(jnp.conj(right), self.transposed))

    def transpose(self) -> DirectState:
        """The state for the transposed matrix, with the same factors."""
        sums = (self.column_sums, self.row_sums)
        matrix = self.matrix.transpose()
        return DirectState(self.factors, matrix, *sums, not self.transposed, self.conjugated)

    def conj(self) -> DirectState:
        """The state for the conjugated matrix, with the same factors."""
        sums = (self.row_sums, self.column_sums)
        matrix = self.matrix.conjugate()
        return DirectState(self.factors, matrix, *sums, self.transposed, not self.conjugated)


class AbstractDirectSolver(AbstractFullRankSolver[DirectState]):
    """A solver that factorizes a square sparse matrix.

    `keeps_components` tells the detection of sparsity that it solves each connected component alone.
    """

    keeps_components: ClassVar[bool] = True

    @abc.abstractmethod
    def factorize(self, matrix: SparseMatrixLinearOperator) -> Factors:
        """The factors of a square matrix."""

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> DirectState:
        del options
        # lineax differentiates the solution, and never the factors.
        matrix = jax.lax.stop_gradient(to_sparse(operator))
        structure = matrix.structure
        if not structure.is_square:
            raise ValueError(
                f"`{type(self).__name__}` may only be used for linear solves with square matrices, got "
                f"shape {structure.shape}. For least squares use `asdex.lineax.NormalEquations`."
            )
        return DirectState.of(self.factorize(matrix), matrix)

    def compute(
        self, state: DirectState, vector: Any, options: dict[str, Any]
    ) -> tuple[Any, lx.RESULTS, dict[str, Any]]:
        del options
        right = ravel(vector, state.matrix.output_structure)
        solution, result, steps = refine(
            state.matrix, state.row_sums, state.column_sums, state.solve, right
        )
        return unravel(solution, state.matrix.input_structure), result, {"num_refinements": steps}
