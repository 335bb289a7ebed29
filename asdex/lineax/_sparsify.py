"""Operators of lineax whose pattern is known, as sparse matrices."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jaxtyping import Array

from ..pattern import SparsityPattern
from ._jacobian import SparseJacobianLinearOperator, TransposedJacobianLinearOperator
from ._matrix import matrix_like, SparseMatrixLinearOperator, tags_of
from ._spaces import dtype_of, flat_structure
from ._structure import product, Structure, union


@functools.singledispatch
def to_sparse(operator: lx.AbstractLinearOperator) -> SparseMatrixLinearOperator:
    """The operator as a sparse matrix.

    **Raises:** `TypeError` if its pattern is not known.
    """
    raise TypeError(
        f"Expected an operator whose pattern is known, got a {type(operator).__name__}. Use "
        "`asdex.lineax.SparseJacobianLinearOperator` in place of lineax's, or the solver "
        "`asdex.lineax.SparseLinearSolver(coloring)`, which takes the pattern from a coloring."
    )


@to_sparse.register
def _(operator: SparseMatrixLinearOperator) -> SparseMatrixLinearOperator:
    return operator


@to_sparse.register(SparseJacobianLinearOperator)
@to_sparse.register(TransposedJacobianLinearOperator)
def _(operator: Any) -> SparseMatrixLinearOperator:
    return operator.to_matrix()


@to_sparse.register(lx.DiagonalLinearOperator)
@to_sparse.register(lx.IdentityLinearOperator)
def _(operator: Any) -> SparseMatrixLinearOperator:
    n = operator.in_size()
    dtype = dtype_of(flat_structure(operator.in_structure()))
    every = np.arange(n, dtype=np.int32)
    pattern = SparsityPattern(every, every, (operator.out_size(), n))
    return matrix_like(operator, lx.diagonal(operator).astype(dtype), Structure(pattern))


@to_sparse.register
def _(operator: lx.TridiagonalLinearOperator) -> SparseMatrixLinearOperator:
    n = operator.in_size()
    every = np.arange(n)
    rows = np.concatenate([every, every[1:], every[:-1]])
    cols = np.concatenate([every, every[:-1], every[1:]])
    order = np.lexsort((cols, rows))
    data = jnp.concatenate(lx.tridiagonal(operator))[order]
    return matrix_like(operator, data, Structure(SparsityPattern.from_coo(rows, cols, (n, n))))


@to_sparse.register
def _(operator: lx.TaggedLinearOperator) -> SparseMatrixLinearOperator:
    matrix = to_sparse(operator.operator)
    return matrix.with_data(matrix.data, matrix.tags | operator.tags)


def _scaled(scale: Callable[[Array, Any], Array]) -> Callable[[Any], SparseMatrixLinearOperator]:
    def convert(operator: Any) -> SparseMatrixLinearOperator:
        matrix = to_sparse(operator.operator)
        with jax.numpy_dtype_promotion("standard"):
            data = scale(matrix.data, operator).astype(matrix.data.dtype)
        return matrix.with_data(data, tags_of(operator))

    return convert


to_sparse.register(lx.MulLinearOperator)(_scaled(lambda data, op: data * op.scalar))
to_sparse.register(lx.DivLinearOperator)(_scaled(lambda data, op: data / op.scalar))
to_sparse.register(lx.NegLinearOperator)(_scaled(lambda data, op: -data))


@to_sparse.register
def _(operator: lx.AddLinearOperator) -> SparseMatrixLinearOperator:
    a, b = to_sparse(operator.operator1), to_sparse(operator.operator2)
    structure, in_a, in_b = union(a.structure, b.structure)
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(a.data, b.data)
    data = jnp.zeros(structure.nnz, dtype)
    data = data.at[in_a].add(a.data.astype(dtype), unique_indices=True)
    data = data.at[in_b].add(b.data.astype(dtype), unique_indices=True)
    return matrix_like(operator, data, structure)


@to_sparse.register
def _(operator: lx.ComposedLinearOperator) -> SparseMatrixLinearOperator:
    a, b = to_sparse(operator.operator1), to_sparse(operator.operator2)
    matrix = multiply(a, b)
    return matrix.with_data(matrix.data, tags_of(operator))


def multiply(
    a: SparseMatrixLinearOperator, b: SparseMatrixLinearOperator
) -> SparseMatrixLinearOperator:
    """The product of two sparse matrices."""
    structure, first, second, into = product(a.structure, b.structure)
    with jax.numpy_dtype_promotion("standard"):
        terms = a.data[first] * b.data[second]
    data = jax.ops.segment_sum(terms, into, structure.nnz)
    return SparseMatrixLinearOperator(
        data,
        structure,
        input_structure=b.in_structure(),
        output_structure=a.out_structure(),
    )
