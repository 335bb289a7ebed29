"""What direct solvers share: iterative refinement of solutions, and answers to lineax's questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Inexact, Int

from ._matrix import SparseMatrixLinearOperator


_MOST_STEPS = 3
_State = TypeVar("_State")


class _Carry(NamedTuple):
    solution: Array
    residual: Array
    error: Array
    step: Array
    improved: Array


def largest_sum(matrix: SparseMatrixLinearOperator) -> Inexact[Array, ""]:
    """The larger of the maximum norms of a matrix and of its transpose."""
    m, n = matrix.structure.shape
    sizes = jnp.abs(matrix.data)
    by_row = jax.ops.segment_sum(sizes, matrix.rows, m, indices_are_sorted=True)
    by_column = jax.ops.segment_sum(sizes, matrix.cols, n)
    return jnp.maximum(jnp.max(by_row, initial=0), jnp.max(by_column, initial=0))


def refine(
    matrix: SparseMatrixLinearOperator,
    norm: Inexact[Array, ""],
    solve: Callable[[Array], Array],
    right: Inexact[Array, " n"],
) -> tuple[Inexact[Array, " n"], lx.RESULTS, Int[Array, ""]]:
    """Solve, and add the solutions for the residuals until the backward error is at rounding level.

    The normwise backward error is |b - Ax| / (|A| |x| + |b|) (Rigal and Gaches 1967).

    **Returns:** the solution, whether its backward error is small, and the number of refinements.
    """
    eps = float(jnp.finfo(right.dtype).eps)

    def judge(solution: Array) -> tuple[Array, Array]:
        residual = right - matrix.multiply(solution)
        scale = norm * _largest(solution) + _largest(right)
        error = jnp.where(scale == 0, 0, _largest(residual) / jnp.where(scale == 0, 1, scale))
        return residual, error

    def step(carry: _Carry) -> _Carry:
        solution = carry.solution + solve(carry.residual)
        residual, error = judge(solution)
        improved = error < carry.error
        return _Carry(
            jnp.where(improved, solution, carry.solution),
            jnp.where(improved, residual, carry.residual),
            jnp.where(improved, error, carry.error),
            carry.step + 1,
            improved,
        )

    def goes_on(carry: _Carry) -> Any:
        return (carry.error > 16 * eps) & carry.improved & (carry.step < _MOST_STEPS)

    first = solve(right)
    residual, error = judge(first)
    start = _Carry(first, residual, error, jnp.zeros((), jnp.int32), jnp.asarray(True))
    last = jax.lax.while_loop(goes_on, step, start)
    failed = lx.RESULTS.where(
        jnp.all(jnp.isfinite(last.solution)), lx.RESULTS.breakdown, lx.RESULTS.singular
    )
    accurate = last.error <= eps**0.5
    return last.solution, lx.RESULTS.where(accurate, lx.RESULTS.successful, failed), last.step


def _largest(vector: Array) -> Array:
    return jnp.max(jnp.abs(vector), initial=0)


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
