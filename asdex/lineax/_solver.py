"""A linear solver that knows the sparsity pattern of its operators."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.tree_util as jtu
import lineax as lx
import numpy as np

from .._errors import DenseColoringWarning
from ..coloring import ColoredPattern, jacobian_coloring_from_sparsity
from ..evaluation._kinds import check_coloring, JACOBIAN
from ..pattern import as_pattern, check_known, SparsityPattern, with_diagonal
from ._compression import Compression
from ._matrix import matrix_like
from ._spaces import dtype_of, flat_structure
from ._structure import above_identity
from .direct import AutoSparseSolver, NormalEquations


class SparseState(eqx.Module):
    """The result of `SparseLinearSolver.init`: the state of the solver for the sparse operator."""

    inner: Any
    is_square: bool = eqx.field(static=True)


class SparseLinearSolver(lx.AbstractLinearSolver[SparseState]):
    """A linear solver for sparse operators that have no pattern, to which a coloring gives the pattern.

    Such operators are those that optimistix and diffrax make from a function. The operator is materialised by
    products with the coloring's seeds, one per color, and passed to `solver` as an
    `asdex.lineax.SparseMatrixLinearOperator`. Use it for:

    - Newton's method and the chord method: `optimistix.Newton(rtol, atol, linear_solver=...)`.
    - Implicit Runge-Kutta methods, with the coloring of the vector field. Their operator is I - h J, so a
        square pattern is always extended by its diagonal. See `asdex.diffrax.sparse_root_finder`.
    - Gauss-Newton and Levenberg-Marquardt. The operator of the latter is J above a multiple of the identity,
        which is recognised.
    - Gradients: `optimistix.ImplicitAdjoint(linear_solver=...)`.

    The coloring must be for the function that is solved. An entry of its Jacobian that is not in the
    pattern is ignored, or added to another entry.
    """

    solver: lx.AbstractLinearSolver | None
    plain: Compression
    damped: Compression

    def __init__(self, coloring: ColoredPattern, solver: lx.AbstractLinearSolver | None = None):
        """**Arguments:**

        - `coloring`: the coloring of the Jacobian, from `asdex.jacobian_coloring(f, y, args)`. It may be
            for any argument of `f`.
        - `solver`: the solver for the sparse operator. By default it is `asdex.lineax.AutoSparseSolver`, and
            for operators that are not square `asdex.lineax.NormalEquations`. Iterative solvers of lineax,
            such as `lineax.GMRES`, also work, and cost one sparse product per step.

        **Raises:**

        `TypeError` if `coloring` is not an `asdex.ColoredPattern`, or is traced; `ValueError` if it is the
        coloring of a Hessian.
        """
        check_coloring(coloring, JACOBIAN)
        check_known(coloring, "A linear solver")
        self.solver = solver
        self.plain = Compression.of(_with_diagonal(coloring))
        self.damped = Compression.of(_above_identity(coloring))

    @property
    def inner_solver(self) -> lx.AbstractLinearSolver:
        """The solver for square operators, by the name that solvers of lineax have for it."""
        return self._solver(is_square=True)

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> SparseState:
        inputs = flat_structure(operator.in_structure())
        zeros = jtu.tree_map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), operator.in_structure()
        )
        is_complex = bool(jnp.issubdtype(dtype_of(inputs), np.complexfloating))
        compression = self._compression(operator)
        # The Jacobian of a linear function is the function.
        data = compression(operator.mv, zeros, holomorphic=is_complex)
        matrix = matrix_like(operator, data, compression.structure)
        is_square = compression.structure.is_square
        return SparseState(self._solver(is_square).init(matrix, options), is_square)

    def _solver(self, is_square: bool) -> lx.AbstractLinearSolver:
        if self.solver is not None:
            return self.solver
        return AutoSparseSolver() if is_square else NormalEquations()

    def _compression(self, operator: lx.AbstractLinearOperator) -> Compression:
        m, n = self.plain.structure.shape
        shape = (operator.out_size(), operator.in_size())
        if shape == (m, n):
            return self.plain
        if shape == (m + n, n) and _ends_like_the_input(operator):
            return self.damped
        raise ValueError(
            f"Expected an operator of shape {(m, n)}, as the coloring's pattern has, or damped, of shape "
            f"{(m + n, n)}, got shape {shape}. Make the coloring for the function that is solved."
        )

    def compute(
        self, state: SparseState, vector: Any, options: dict[str, Any]
    ) -> tuple[Any, lx.RESULTS, dict[str, Any]]:
        return self._solver(state.is_square).compute(state.inner, vector, options)

    def transpose(
        self, state: SparseState, options: dict[str, Any]
    ) -> tuple[SparseState, dict[str, Any]]:
        inner, options = self._solver(state.is_square).transpose(state.inner, options)
        return SparseState(inner, state.is_square), options

    def conj(
        self, state: SparseState, options: dict[str, Any]
    ) -> tuple[SparseState, dict[str, Any]]:
        inner, options = self._solver(state.is_square).conj(state.inner, options)
        return SparseState(inner, state.is_square), options

    def assume_full_rank(self) -> bool:
        return self.solver is None or self.solver.assume_full_rank()

    # Versions of lineax before 0.1 call these.

    def allow_dependent_columns(self, operator: lx.AbstractLinearOperator) -> bool:
        return self._solver_for(operator).allow_dependent_columns(operator)

    def allow_dependent_rows(self, operator: lx.AbstractLinearOperator) -> bool:
        return self._solver_for(operator).allow_dependent_rows(operator)

    def _solver_for(self, operator: lx.AbstractLinearOperator) -> Any:
        return self._solver(operator.in_size() == operator.out_size())


def _ends_like_the_input(operator: lx.AbstractLinearOperator) -> bool:
    """Whether the output is a pair whose second part is like the input, as for a damped Jacobian."""
    output = operator.out_structure()
    if not (isinstance(output, tuple) and len(output) == 2):
        return False
    return flat_structure(output[1]) == flat_structure(operator.in_structure())


def _with_diagonal(coloring: ColoredPattern) -> ColoredPattern:
    """A coloring for the pattern with all of its diagonal, if the pattern is square."""
    pattern = as_pattern(coloring.sparsity)
    full = with_diagonal(pattern) if pattern.m == pattern.n else pattern
    if full is pattern:
        return _for_pattern(coloring, pattern)
    return _colored(full, coloring.mode, coloring.symmetric)


def _above_identity(coloring: ColoredPattern) -> ColoredPattern:
    """A coloring for the pattern above an identity, which needs no further colors."""
    pattern = as_pattern(coloring.sparsity)
    stacked = above_identity(pattern)
    if coloring.symmetric:
        return _colored(stacked, "fwd", symmetric=False)
    if coloring.mode == "fwd":
        return _for_pattern(coloring, stacked)
    more = {"num_colors": coloring.num_colors + 1}
    if coloring.mode == "rev":
        below = np.full(pattern.n, coloring.num_colors, np.int32)
        colors = np.concatenate([coloring.colors, below])
        return _for_pattern(coloring, stacked, row_colors=colors, **more)
    assert coloring.row_colors is not None
    below = np.full(pattern.n, coloring.num_row_colors, np.int32)
    row_colors = np.concatenate([coloring.row_colors, below])
    more["num_row_colors"] = coloring.num_row_colors + 1
    return _for_pattern(coloring, stacked, row_colors=row_colors, **more)


def _for_pattern(
    coloring: ColoredPattern, pattern: SparsityPattern, **changes: Any
) -> ColoredPattern:
    """The colors with another pattern, which has no shapes of inputs and outputs."""
    bare = SparsityPattern(pattern.rows, pattern.cols, pattern.shape)
    return dataclasses.replace(coloring, sparsity=bare, lower_bound=0, **changes)


def _colored(pattern: SparsityPattern, mode: Any, symmetric: bool) -> ColoredPattern:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DenseColoringWarning
        )  # it was given when the coloring was made
        return jacobian_coloring_from_sparsity(pattern, mode=mode, symmetric=symmetric)
