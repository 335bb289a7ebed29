"""The functions of lineax for the operators of asdex, answered from their patterns and tags."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import jax.tree_util as jtu
import lineax as lx

from ._jacobian import SparseJacobianLinearOperator, TransposedJacobianLinearOperator
from ._matrix import is_symmetric, is_symmetric_by, SparseMatrixLinearOperator
from ._preconditioners import InverseLinearOperator
from ._spaces import dtype_of, ravel, unravel


_LAZY = (SparseJacobianLinearOperator, TransposedJacobianLinearOperator)
_ALL = (*_LAZY, SparseMatrixLinearOperator)


def _register(function: Any, classes: tuple[type, ...], implementation: Any) -> None:
    for one in classes:
        function.register(one)(implementation)


def _to_matrix(operator: Any) -> SparseMatrixLinearOperator:
    return operator if isinstance(operator, SparseMatrixLinearOperator) else operator.to_matrix()


def _materialise(operator: Any) -> lx.AbstractLinearOperator:
    """lineax's operator for the pattern if it has one, otherwise the sparse matrix."""
    same = operator.input_structure == operator.output_structure
    if same and lx.is_diagonal(operator):
        diagonal = unravel(lx.diagonal(operator), operator.input_structure)
        return lx.DiagonalLinearOperator(diagonal)
    # lineax's tridiagonal operator maps only between vectors.
    is_vector = same and jtu.treedef_is_leaf(operator.input_structure[1])
    if is_vector and len(operator.input_structure[0][0].shape) == 1 and lx.is_tridiagonal(operator):
        return lx.TridiagonalLinearOperator(*lx.tridiagonal(operator))
    return _to_matrix(operator)


def _diagonal(operator: Any) -> Any:
    if isinstance(operator, _LAZY) and lx.is_diagonal(operator):
        ones = jtu.tree_map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), operator.in_structure())
        return ravel(operator.mv(ones), operator.output_structure)
    return _to_matrix(operator).diagonal()


def _tridiagonal(operator: Any) -> tuple[Any, Any, Any]:
    matrix = _to_matrix(operator)
    return matrix.diagonal(), matrix.diagonal(-1), matrix.diagonal(1)


def _conj(operator: Any) -> SparseMatrixLinearOperator:
    return _to_matrix(operator).conjugate()


_register(lx.linearise, _ALL, _to_matrix)
_register(lx.materialise, _ALL, _materialise)
_register(lx.diagonal, _ALL, _diagonal)
_register(lx.tridiagonal, _ALL, _tridiagonal)
_register(lx.conj, _ALL, _conj)
_register(lx.is_symmetric, _ALL, is_symmetric)
for _check, _tag in (
    (lx.has_unit_diagonal, lx.unit_diagonal_tag),
    (lx.is_positive_semidefinite, lx.positive_semidefinite_tag),
    (lx.is_negative_semidefinite, lx.negative_semidefinite_tag),
):
    _register(
        _check, (*_ALL, InverseLinearOperator), lambda operator, tag=_tag: tag in operator.tags
    )

for _unchanged in (lx.linearise, lx.materialise):
    _register(_unchanged, (InverseLinearOperator,), lambda operator: operator)
_register(lx.conj, (InverseLinearOperator,), InverseLinearOperator.conj)
_register(
    lx.is_symmetric,
    (InverseLinearOperator,),
    lambda operator: is_symmetric_by(
        operator.tags, dtype_of(operator.state.matrix.input_structure)
    ),
)
for _check, _tags, _by_pattern in (
    (lx.is_diagonal, {lx.diagonal_tag}, lambda one: one.is_diagonal),
    (lx.is_tridiagonal, {lx.diagonal_tag, lx.tridiagonal_tag}, lambda one: one.is_tridiagonal),
    (lx.is_lower_triangular, {lx.lower_triangular_tag}, lambda one: one.is_lower_triangular),
    (lx.is_upper_triangular, {lx.upper_triangular_tag}, lambda one: one.is_upper_triangular),
):
    _register(
        _check,
        _ALL,
        lambda operator, tags=_tags, by_pattern=_by_pattern: (
            not tags.isdisjoint(operator.tags) or by_pattern(operator.structure)
        ),
    )
    _kept = _tags - {lx.tridiagonal_tag}  # the inverse of a tridiagonal matrix is full
    _register(
        _check,
        (InverseLinearOperator,),
        lambda operator, tags=_kept: not tags.isdisjoint(operator.tags),
    )
