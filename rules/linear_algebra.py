"""Matrix factorizations, triangular and tridiagonal systems.

All of them act on the last two axes and keep the leading ones apart. What an element of a factor reads is
taken from the derivative that JAX uses, not from the algorithm: Murray, *Differentiation of the Cholesky
decomposition*, arXiv:1602.07527; Walter and Lehmann, *On evaluating higher-order derivatives of the QR
decomposition of tall matrices with full column rank*; de Hoog, Anderssen and Lukas, *Differentiation of
matrix functionals using triangular factorization*, Math. Comp. 80 (2011).
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax import lax

from asdex import Dependence, Equation, register, zero_derivative
from asdex.detection import (
    as_dependence,
    as_mask,
    connected_components,
    evaluate,
    everywhere,
    on_host,
    pairs_to_csr,
    transitive_closure,
)


_ROUNDINGS = 16
"""Units in the last place, times the number of unknowns, by which elements that may be pivots differ."""

zero_derivative("lu_pivots_to_permutation")


@register("eigh", "eig", "svd", "schur", "hessenberg", "tridiagonal", "cholesky_update")
def dense_factorization(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Factors each element of which reads the whole matrix: eigenvalues, singular vectors, ...

    A stack of matrices of shape `(b, n, n)` gives `b` dense blocks.
    """
    batch = len(eqn.in_avals[0].shape) - 2
    return [_each_reads_all(operands, aval.shape, batch) for aval in eqn.out_avals]


@register("cholesky")
def cholesky(eqn: Equation, matrix: Dependence) -> Dependence:
    """Lower triangular `L` with `L Lᵀ = matrix`: `L[i, j]` reads the leading block `[:i + 1, :j + 1]`.

    JAX differentiates with respect to both triangles. Unknowns that no chain of nonzeros connects stay apart.
    """
    lower = np.tri(*eqn.out_avals[0].shape[-2:], dtype=bool)
    together = _connected(eqn, matrix)
    rows = matrix.accumulate(-1)
    if together is not None:
        rows, lower = rows.keep(together), lower & together
    return rows.accumulate(-2).keep(lower)


@register("lu")
def lu(eqn: Equation, matrix: Dependence) -> list[Dependence]:
    """`L` and `U` in one array, pivots, permutation: column `j` of the first reads the columns up to `j`.

    Pivoting may bring any row to any place, in a square matrix as far as chains of nonzeros connect them.
    Pivots and permutation are integers.
    """
    factors, *permutations = eqn.out_avals
    together = _connected(eqn, matrix)
    result = _columns_of(_leading_columns(matrix), factors.shape)
    if together is not None:
        columns = matrix.accumulate(-1).keep(together).reduce([-2])
        result = _columns_of(columns, factors.shape).keep(together)
    return [result, *(Dependence.none(aval.shape) for aval in permutations)]


@lu.undecided
def tied_pivots(eqn: Equation, undecided: np.ndarray) -> list[np.ndarray]:
    """All of a matrix in which two elements may be a pivot: up to rounding, a factor is one then."""
    value = eqn.value(0)
    if value is None:
        return [everywhere(aval.shape) for aval in eqn.out_avals]
    with on_host():
        factors = np.abs(np.asarray(evaluate(lax.linalg.lu, [value])[0]))
    size = max(value.shape[-2:])
    limit = 1 - _ROUNDINGS * size * float(jnp.finfo(factors.dtype).eps)
    below = np.tri(*value.shape[-2:], k=-1, dtype=bool)
    several = (undecided | (below & ~(factors < limit))).any((-2, -1))
    return [
        np.broadcast_to(
            np.expand_dims(several, tuple(range(several.ndim, len(aval.shape)))), aval.shape
        )
        for aval in eqn.out_avals
    ]


@cholesky.zeros
@lu.zeros
def zeros_between_components(eqn: Any, matrix: np.ndarray) -> list[np.ndarray]:
    """Factors are zero between unknowns that no chain of nonzeros connects."""
    together = _components(matrix)
    lower = np.tri(*matrix.shape[-2:], dtype=bool) if eqn.name == "cholesky" else True
    factor = everywhere(matrix.shape) if together is None else together & lower
    return [factor, *(everywhere(aval.shape) for aval in eqn.out_avals[1:])]


def _connected(eqn: Equation, matrix: Dependence) -> np.ndarray | None:
    """Which pairs of unknowns a chain of nonzeros connects; `None` where all are or may be.

    Elements outside of the components must not depend on anything either: with their derivatives they would
    connect what their values keep apart.
    """
    together = _components(eqn.nonzero(0))
    return None if together is None or matrix.keep(~together).nnz else together


def _components(nonzero: np.ndarray) -> np.ndarray | None:
    """For square matrices a mask of the pairs in one connected component; `None` if that is all of them."""
    *batch, rows, columns = nonzero.shape
    if rows != columns or nonzero.all():
        return None
    entry, row, col = np.nonzero(nonzero.reshape(-1, rows, rows))
    graph = pairs_to_csr(
        entry * rows + row, entry * rows + col, (nonzero.size // max(rows, 1),) * 2
    )
    label = connected_components(graph)[1].reshape(*batch, rows)
    together = label[..., :, None] == label[..., None, :]
    return None if together.all() else together


@register("qr")
def qr(eqn: Equation, matrix: Dependence) -> list[Dependence]:
    """`Q`, `R` and with `pivoting` a permutation: column `j` of both reads the columns up to `j`.

    Right of a square part, `R[i, j]` is a product of column `i` of `Q` and column `j` of the matrix. The
    further columns of a full `Q` read the whole matrix, and so do all elements after pivoting.
    """
    avals = eqn.out_avals
    batch = matrix.ndim - 2
    whole = [_each_reads_all([matrix], aval.shape, batch) for aval in avals]
    upper = ~np.tri(*avals[1].shape[-2:], k=-1, dtype=bool)
    if eqn.params.get("pivoting"):
        return [whole[0], whole[1].keep(upper), *whole[2:]]
    thin = min(matrix.shape[-2:])
    columns = matrix.reduce([-2])
    leading = columns.rearrange(lambda p: p[..., :thin]).accumulate(-1)
    q = whole[0].keep(np.arange(avals[0].shape[-1]) >= thin) | _columns_of(leading, avals[0].shape)
    r = _columns_of(leading, avals[1].shape)
    if thin < columns.shape[-1]:
        products = _as_rows(leading) | _columns_of(columns, avals[1].shape)
        r = Dependence.where(np.arange(columns.shape[-1]) < thin, r, products)
    return [q, r.keep(upper)]


@register("householder_product")
def householder_product(eqn: Equation, reflectors: Dependence, factors: Dependence) -> Dependence:
    """The first columns of the product of reflections: column `j` reads the reflectors up to `j`.

    Reflector `k` is what `reflectors` holds below the diagonal in column `k`, with factor `factors[k]`.
    """
    shape = eqn.out_avals[0].shape
    count = factors.shape[-1]
    below = np.tri(*shape[-2:], k=-1, dtype=bool) & (np.arange(shape[-1]) < count)
    padded = factors.rearrange(lambda p: _padded(p, shape[-1]))
    return _columns_of((reflectors.keep(below).reduce([-2]) | padded).accumulate(-1), shape)


@register("ormqr")
def ormqr(
    eqn: Equation, reflectors: Dependence, factors: Dependence, matrix: Dependence
) -> Dependence:
    """The product of the orthogonal `Q` of a QR factorization and a matrix, from the left or the right.

    From the left, column `j` reads column `j` of the matrix, and all reflectors.
    """
    shape = eqn.out_avals[0].shape
    q = _each_reads_all([reflectors, factors], shape, len(shape) - 2)
    return q | matrix.mix([-2 if eqn.params["left"] else -1])


@register("symmetric_product")
def symmetric_product(eqn: Equation, a: Dependence, c: Dependence) -> Dependence:
    """`alpha * a @ aᵀ + beta * c` for a symmetric `c`: `[i, j]` reads the rows `i` and `j` of `a`.

    Only one triangle of `c` is read, for both triangles of the result.
    """
    del eqn
    rows = a.reduce([-1])
    return _as_rows(rows) | _columns_of(rows, c.shape) | c | _transposed(c)


@register("triangular_solve")
def triangular_solve(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`x` with `op(a) x = b` or, unless `left_side`, `x op(a) = b`, for a triangular `a`.

    Forward substitution: row `i` of `x` reads the rows up to `i` of `b`, column by column, and the rows up
    to `i` of the triangle. Backward substitution reads the rows from `i` on. Unless `left_side`, read
    columns for rows. `[[p, 0], [q, r]] x = [s, t]` gives `x[0]` from `p, s` and `x[1]` from all.

    Where the triangle is always zero, `x[i]` reads only the rows that its equation leads to: with `q = 0`,
    `x[1]` reads `r, t`.
    """
    left, transposed = eqn.params["left_side"], eqn.params["transpose_a"]
    lower, unit = eqn.params["lower"], eqn.params["unit_diagonal"]
    triangle = np.tri(a.shape[-1], k=-1 if unit else 0, dtype=bool)
    triangle = triangle if lower else triangle.T
    a = a.keep(triangle)
    backward = (lower == transposed) == left
    axis = -2 if left else -1
    # The equations of a left solve are the rows of op(a).
    rows = a.reduce([-1 if left != transposed else -2])
    nonzero = eqn.nonzero(0) & triangle
    # Without a gap next to the diagonal all rows lead to one another.
    if not nonzero.diagonal(-1 if lower else 1, -2, -1).all():
        equations = nonzero.swapaxes(-1, -2) if left == transposed else nonzero
        if left:
            return _reached(equations, _as_rows(rows) | b)
        return _transposed(_reached(equations, _as_rows(rows) | _transposed(b)))
    rows = rows.accumulate(-1, reverse=backward)
    matrix = _as_rows(rows) if left else _columns_of(rows, b.shape)
    return matrix | b.accumulate(axis, reverse=backward)


@triangular_solve.zeros
def triangular_solve_zeros(eqn: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A row of the solution is zero where all right-hand sides that it reads are."""
    return as_mask(triangular_solve(eqn, Dependence.none(a.shape), as_dependence(b)))


@triangular_solve.cause
def triangular_matrix(eqn: Equation) -> str:
    """The structure of a matrix is that of its zeros."""
    return (
        eqn.unless_known((0,), "the matrix", "is not constant but comes from")
        or "the constant matrix connects the unknowns"
    )


@register("tridiagonal_solve")
def tridiagonal_solve(
    eqn: Equation, lower: Dependence, diagonal: Dependence, upper: Dependence, b: Dependence
) -> Dependence:
    """The solution of tridiagonal systems: column `j` reads column `j` of `b`, and the whole matrix.

    The first element of `lower` and the last of `upper` lie outside of the matrix.
    """
    del eqn
    inside = np.arange(diagonal.shape[-1]) > 0
    matrix = (lower.keep(inside) | diagonal | upper.keep(inside[::-1])).reduce([-1])
    return matrix.reshape((*matrix.shape, 1, 1)) | b.mix([-2])


def factorization(eqn: Equation) -> str:
    """Factors read the whole matrix or its leading part."""
    return "it mixes the elements of each {}×{} matrix".format(*eqn.in_avals[0].shape[-2:])


for _rule in (dense_factorization, cholesky, lu, qr, householder_product, ormqr, tridiagonal_solve):
    _rule.cause(factorization)


def _reached(equations: np.ndarray, b: Dependence) -> Dependence:
    """Row `i` of the solution reads row `i` of `b`, and the rows that the equations lead to from there."""
    *batch, size, columns = b.shape
    count = math.prod(batch)
    entry, row, col = np.nonzero(equations.reshape(count, size, size))
    direct = Dependence.from_csr(
        pairs_to_csr(entry * size + row, entry * size + col, (count * size, count * size)),
        (count * size,),
    )
    reach = sp.coo_array(transitive_closure(direct).to_csr(count * size))
    pairs = (end[:, None] * columns + np.arange(columns) for end in (reach.row, reach.col))
    rows, cols = map(np.ravel, pairs)
    return b.through(pairs_to_csr(rows, cols, (b.size, b.size)), b.shape)


def _transposed(matrix: Dependence) -> Dependence:
    return matrix.rearrange(lambda p: p.swapaxes(-1, -2))


def _each_reads_all(operands, shape: tuple[int, ...], batch: int) -> Dependence:
    """An array of `shape`, each of whose elements reads all of its batch entry in all operands."""
    union = Dependence.none(shape[:batch])
    for operand in operands:
        union = union | operand.reduce(range(batch, operand.ndim))
    return union.reshape((*shape[:batch], *[1] * (len(shape) - batch))).broadcast_to(shape)


def _leading_columns(matrix: Dependence) -> Dependence:
    """For each column `j`, the columns up to `j`; in a wide matrix, those of the square part and itself."""
    columns, square = matrix.reduce([-2]), matrix.shape[-2]
    if columns.shape[-1] <= square:
        return columns.accumulate(-1)
    leading = columns.rearrange(lambda p: p[..., :square]).accumulate(-1)
    further = columns.rearrange(lambda p: p[..., square:])
    if square:
        further = further | leading.rearrange(lambda p: p[..., -1:])
    return Dependence.concatenate([leading, further], axis=columns.ndim - 1)


def _columns_of(columns: Dependence, shape: tuple[int, ...]) -> Dependence:
    """A matrix of `shape` in whose column `j` each element is `columns[..., j]`, or nothing beyond them."""
    cut = columns.rearrange(lambda p: _padded(p, shape[-1])[..., None, :])
    return cut.broadcast_to(shape)


def _as_rows(rows: Dependence) -> Dependence:
    """A matrix of one column, to be broadcast, whose row `i` is `rows[..., i]`."""
    return rows.reshape((*rows.shape, 1))


def _padded(positions: np.ndarray, width: int) -> np.ndarray:
    """Cut or extended to `width` columns, the new ones reading from nowhere."""
    missing = max(width - positions.shape[-1], 0)
    widths = [(0, 0)] * (positions.ndim - 1) + [(0, missing)]
    return np.pad(positions, widths, constant_values=-1)[..., :width]
