"""Sparse least squares by the normal equations."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array

from .._matrix import SparseMatrixLinearOperator
from .._spaces import ravel, unravel
from .._sparsify import multiply, to_sparse
from ._automatic import AutoSparseSolver
from ._direct import AbstractDirectSolver, AbstractFullRankSolver, DirectState


class NormalState(eqx.Module):
    """The result of `NormalEquations.init`: the factors of `gram`, and the operator's matrix A.

    `gram` is AᴴA for a tall matrix and AAᴴ for a wide one.
    """

    gram: DirectState
    matrix: SparseMatrixLinearOperator
    tall: bool = eqx.field(static=True)

    def transpose(self) -> NormalState:
        # The pseudoinverse of Aᵀ needs conj(A) Aᵀ or Aᵀ conj(A): the conjugate of the same matrix.
        return NormalState(self.gram.conj(), self.matrix.transpose(), not self.tall)

    def conj(self) -> NormalState:
        return NormalState(self.gram.conj(), self.matrix.conjugate(), self.tall)


class NormalEquations(AbstractFullRankSolver[NormalState]):
    """A direct solver for sparse linear least squares, which solves the normal equations.

    For an operator A of shape `(m, n)` with `m >= n` it solves AᴴA x = Aᴴb. Otherwise it solves AAᴴ y = b
    with x = Aᴴy, which gives the solution with the smallest norm. A must have full rank. The normal
    equations square the condition number. One step of refinement with the residual b - Ax (Björck,
    Numerical Methods for Least Squares Problems, 1996, section 2.9) recovers part of the lost accuracy.

    Where A has no full rank, the result is a failure, or one of many least-squares solutions, which is not
    the one with the smallest norm: rounding may leave AᴴA regular.

    For the Gauss-Newton and Levenberg-Marquardt solvers of optimistix, pass an
    `asdex.lineax.SparseLinearSolver`, which chooses this solver for operators that are not square.

    **Attributes:**

    - `solver`: the direct solver for the normal equations.
    """

    keeps_components: ClassVar[bool] = True

    solver: AbstractDirectSolver = AutoSparseSolver()

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> NormalState:
        matrix = to_sparse(operator)
        m, n = matrix.structure.shape
        adjoint = matrix.adjoint()
        factors = (adjoint, matrix) if m >= n else (matrix, adjoint)
        gram = self.solver.init(multiply(*factors), options)
        return NormalState(gram, matrix, m >= n)

    def compute(
        self, state: NormalState, vector: Any, options: dict[str, Any]
    ) -> tuple[Any, lx.RESULTS, dict[str, Any]]:
        del options
        matrix, gram = state.matrix, state.gram
        adjoint = matrix.adjoint()
        right = ravel(vector, matrix.output_structure)

        def solve(residual: Any) -> Any:
            if state.tall:
                return gram.solve(adjoint.multiply(residual))
            return adjoint.multiply(gram.solve(residual))

        solution = solve(right)
        solution = solution + solve(right - matrix.multiply(solution))
        result = _verdict(matrix, right, right - matrix.multiply(solution), state.tall)
        return unravel(solution, matrix.input_structure), result, {}


def _verdict(
    matrix: SparseMatrixLinearOperator, right: Array, residual: Array, tall: bool
) -> lx.RESULTS:
    """Whether the gradient Aᴴr, or for a wide matrix the residual r, vanishes beside what cancels in it."""
    terms = jnp.abs(right)
    if tall:
        residual = matrix.adjoint().multiply(residual)
        terms = matrix.with_data(jnp.abs(matrix.data)).adjoint().multiply(terms)
    eps = float(jnp.finfo(right.dtype).eps)
    sizes = (jnp.max(jnp.abs(residual), initial=0), jnp.max(terms, initial=0))
    accurate = sizes[0] <= eps**0.25 * sizes[1]
    failed = lx.RESULTS.where(jnp.isfinite(sizes[0]), lx.RESULTS.breakdown, lx.RESULTS.singular)
    return lx.RESULTS.where(accurate, lx.RESULTS.successful, failed)
