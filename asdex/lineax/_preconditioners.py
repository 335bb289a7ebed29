"""Preconditioners for the Krylov solvers of lineax, from the matrix that is solved with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Inexact
from scipy.sparse.linalg import spilu

from ..pattern import SparsityPattern
from ._matrix import matrix_like, SparseMatrixLinearOperator
from ._spaces import dtype_of, ravel, unravel
from ._sparsify import to_sparse
from ._structure import Structure
from .direct import AbstractFullRankSolver, BandedLU, DirectState, HostFactors, Solve


class InverseLinearOperator(lx.AbstractLinearOperator):
    """The inverse, or an approximate inverse, of a sparse matrix: a product is a solve by factors.

    **Attributes:**

    - `state`: the factors, and the matrix that they stand for.
    - `tags`: tags of lineax.
    """

    state: DirectState
    tags: frozenset[object] = eqx.field(static=True, default=frozenset())

    def mv(self, vector: Any) -> Any:
        matrix = self.state.matrix
        right = ravel(vector, matrix.output_structure)
        return unravel(self.state.solve(right), matrix.input_structure)

    def as_matrix(self) -> Inexact[Array, "n n"]:
        n, dtype = self.in_size(), dtype_of(self.state.matrix.output_structure)
        return jax.vmap(self.state.solve, out_axes=1)(jnp.eye(n, dtype=dtype))

    def transpose(self) -> InverseLinearOperator:
        return InverseLinearOperator(self.state.transpose(), lx.transpose_tags(self.tags))

    def conj(self) -> InverseLinearOperator:
        return InverseLinearOperator(self.state.conj(), self.tags)

    def in_structure(self) -> Any:
        return self.state.matrix.out_structure()

    def out_structure(self) -> Any:
        return self.state.matrix.in_structure()


def jacobi(operator: lx.AbstractLinearOperator) -> InverseLinearOperator:
    """The inverse of the diagonal, where zeros count as ones.

    **Arguments:** `operator`: a square operator whose pattern is known, with tags that the result keeps.

    **Returns:** an operator for `options={"preconditioner": ...}` of `lineax.linear_solve`.

    **Raises:** `TypeError` if the pattern is not known.
    """
    matrix = to_sparse(operator)
    every, diagonal = np.arange(matrix.structure.shape[0]), matrix.diagonal()
    pattern = SparsityPattern.from_coo(every, every, matrix.structure.shape)
    return _inverse(matrix, jnp.where(diagonal == 0, 1, diagonal), Structure(pattern))


def block_jacobi(operator: lx.AbstractLinearOperator, size: int) -> InverseLinearOperator:
    """The inverse of the blocks of `size` neighboring unknowns on the diagonal, factorized as a batch in JAX.

    **Arguments:** `operator`: as for `jacobi`; `size`: the size of a block.

    **Returns:** as `jacobi`.

    **Raises:** `TypeError` if the pattern is not known; `ValueError` if `size` is not positive.
    """
    if size < 1:
        raise ValueError(f"Expected blocks of at least one unknown, got size {size}.")
    matrix = to_sparse(operator)
    rows, cols = matrix.structure.rows, matrix.structure.cols
    (inside,) = np.nonzero(rows // size == cols // size)
    pattern = SparsityPattern(rows[inside], cols[inside], matrix.structure.shape)
    return _inverse(matrix, matrix.data[inside], Structure(pattern))


def ilu(
    operator: lx.AbstractLinearOperator, drop_tol: float = 1e-4, fill_factor: float = 10.0
) -> InverseLinearOperator:
    """An incomplete LU factorization by SciPy's SuperLU on the host, for GMRES and BiCGStab.

    **Arguments:** `operator`: as for `jacobi`; the others as for `scipy.sparse.linalg.spilu`.

    **Returns:** as `jacobi`, without tags: the product is not symmetric for a symmetric matrix.

    **Raises:** `TypeError` if the pattern is not known.
    """
    return _on_host(operator, _IncompleteLU(drop_tol, fill_factor), keeps_tags=False)


def multigrid(
    operator: lx.AbstractLinearOperator, build: Callable[[sp.csr_matrix], Any]
) -> InverseLinearOperator:
    """A cycle of algebraic multigrid on the host, for matrices that are symmetric, or Hermitian.

    **Arguments:**

    - `operator`: as for `jacobi`.
    - `build`: a function of the matrix to a multilevel solver, such as `pyamg.ruge_stuben_solver`. Any
        object with SciPy's method `aspreconditioner` will do. It is called once per matrix.

    **Returns:** as `jacobi`.

    **Raises:** `TypeError` if the pattern is not known.
    """
    return _on_host(operator, _Multigrid(build), keeps_tags=True)


class Preconditioned(AbstractFullRankSolver[Any]):
    """A Krylov solver with a preconditioner that is made from each operator:

        Preconditioned(lineax.GMRES(1e-8, 1e-8), asdex.lineax.ilu)

    As the `solver` of an `asdex.lineax.SparseLinearSolver` it serves optimistix and diffrax. Versions of
    lineax before 0.1 take preconditioners only with the tag `lineax.positive_semidefinite_tag`.

    **Attributes:**

    - `solver`: a solver of lineax that takes the option `preconditioner`.
    - `preconditioner`: a function of the sparse matrix to an operator, such as `asdex.lineax.jacobi`.
    """

    solver: lx.AbstractLinearSolver
    preconditioner: Callable[[SparseMatrixLinearOperator], lx.AbstractLinearOperator]

    @property
    def inner_solver(self) -> lx.AbstractLinearSolver:
        """The solver, by the name that solvers of lineax have for it."""
        return self.solver

    def init(self, operator: lx.AbstractLinearOperator, options: dict[str, Any]) -> Any:
        matrix = to_sparse(operator)
        return self.solver.init(matrix, options), self.preconditioner(matrix)

    def compute(
        self, state: Any, vector: Any, options: dict[str, Any]
    ) -> tuple[Any, lx.RESULTS, dict[str, Any]]:
        inner, inverse = state
        return self.solver.compute(inner, vector, {**options, "preconditioner": inverse})

    def transpose(self, state: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        inner, options = self.solver.transpose(state[0], options)
        return (inner, state[1].transpose()), options

    def conj(self, state: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        inner, options = self.solver.conj(state[0], options)
        return (inner, lx.conj(state[1])), options


def _inverse(
    matrix: SparseMatrixLinearOperator, data: Array, structure: Structure
) -> InverseLinearOperator:
    """The inverse of a part of a matrix, of which definiteness and symmetry are true as well."""
    part = matrix_like(matrix, data, structure, matrix.tags)
    return InverseLinearOperator(BandedLU().init(part, {}), matrix.tags - {lx.unit_diagonal_tag})


def _on_host(operator: lx.AbstractLinearOperator, method: Any, *, keeps_tags: bool) -> Any:
    matrix = jax.lax.stop_gradient(to_sparse(operator))
    state = DirectState.of(HostFactors.of(matrix, method), matrix)
    return InverseLinearOperator(
        state, matrix.tags - {lx.unit_diagonal_tag} if keeps_tags else frozenset()
    )


@dataclasses.dataclass(frozen=True)
class _IncompleteLU:
    drop_tol: float
    fill_factor: float

    def factorize(self, structure: Structure, data: np.ndarray) -> Solve | None:
        options = {"drop_tol": self.drop_tol, "fill_factor": self.fill_factor}
        try:
            factors = spilu(structure.pattern.to_scipy(data, "csc"), **options)
        except RuntimeError:  # the factor is exactly singular
            return None
        return lambda right, transposed: factors.solve(right, "T" if transposed else "N")


@dataclasses.dataclass(frozen=True)
class _Multigrid:
    build: Callable[[sp.csr_matrix], Any]

    def factorize(self, structure: Structure, data: np.ndarray) -> Solve | None:
        cycle = self.build(sp.csr_matrix(structure.pattern.to_scipy(data))).aspreconditioner()

        def solve(right: np.ndarray, transposed: bool) -> np.ndarray:
            # The transpose of a Hermitian matrix is its conjugate.
            return cycle.dot(right.conj()).conj() if transposed else cycle.dot(right)

        return solve
