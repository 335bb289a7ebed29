"""Iterative refinement of the solutions of direct solvers, and the test whether they are to be trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array, Inexact, Int

from .._matrix import SparseMatrixLinearOperator


_MOST_STEPS = 5


class _Carry(NamedTuple):
    solution: Array
    residual: Array
    error: Array
    step: Array
    improved: Array


def refine(
    matrix: SparseMatrixLinearOperator,
    row_sums: Inexact[Array, " n"],
    column_sums: Inexact[Array, " n"],
    solve: Callable[[Array], Array],
    right: Inexact[Array, " n"],
) -> tuple[Inexact[Array, " n"], lx.RESULTS, Int[Array, ""]]:
    """Solve, and add the solutions for the residuals until the backward error is at rounding level.

    The normwise backward error is |b - Ax| / (|A| |x| + |b|) (Rigal and Gaches 1967). A small one does not
    tell a solution from a multiple of a null vector, which elimination with rounding finds for a singular
    matrix. Where the terms |A| |x| exceed the right-hand side by more than 1 / eps, in rows scaled to a sum
    of one, no digit of Ax is left to agree with b. The matrix then counts as singular, unless the residual of
    each row is at most a root of eps of its terms, and random rounding errors of the terms change x by no
    more than that (Arioli, Demmel and Duff, SIAM J. Matrix Anal. Appl. 10, 1989). So it is for solutions
    that grow from row to row, as those of time-dependent problems.

    **Arguments:** `row_sums` and `column_sums` are sums of absolute values of the entries of `matrix`.

    **Returns:** the solution, whether it is to be trusted, and the number of refinements.
    """
    eps = float(jnp.finfo(right.dtype).eps)
    norm = jnp.maximum(_largest(row_sums), _largest(column_sums))

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
    scale = jnp.where(row_sums == 0, 1, row_sums)
    sizes = matrix.with_data(jnp.abs(matrix.data)).multiply(jnp.abs(last.solution))
    random = np.random.default_rng(0)
    parts = random.choice([-1, 1], sizes.shape) * random.uniform(0.5, 1, sizes.shape)
    rounded = jnp.asarray(eps * parts, sizes.dtype)

    def confirm(_: tuple[Array, Array]) -> tuple[Array, Array]:
        change = _largest(solve((rounded * sizes).astype(right.dtype)))
        is_exact = jnp.all(jnp.abs(last.residual) <= eps**0.5 * (sizes + jnp.abs(right)))
        return jnp.asarray(False), ~(is_exact & (change <= eps**0.5 * _largest(last.solution)))

    doubtful = eps * _largest(sizes / scale) > _largest(right / scale)
    # A loop, of which a batch takes the step only if one of its items is doubtful.
    _, lost = jax.lax.while_loop(lambda asked: asked[0], confirm, (doubtful, doubtful))
    is_singular = lost | ~jnp.all(jnp.isfinite(last.solution))
    accurate = last.error <= eps**0.5
    result = lx.RESULTS.where(accurate, lx.RESULTS.successful, lx.RESULTS.breakdown)
    return last.solution, lx.RESULTS.where(is_singular, lx.RESULTS.singular, result), last.step


def _largest(vector: Array) -> Array:
    return jnp.max(jnp.abs(vector), initial=0)
