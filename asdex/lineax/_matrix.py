"""A sparse matrix as a linear operator of lineax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Inexact, Int32, Shaped

from .._arrays import has_derivative, on_device
from ..pattern import PatternLike
from ._spaces import dtype_of, flat_structure, FlatStructure, length, ravel, unflatten, unravel
from ._structure import Structure


class KnownPatternOperator(lx.AbstractLinearOperator):
    """An operator with a known pattern between known spaces."""

    structure: Structure = eqx.field(static=True)
    input_structure: FlatStructure = eqx.field(static=True)
    output_structure: FlatStructure = eqx.field(static=True)
    tags: frozenset[object] = eqx.field(static=True)

    def in_structure(self) -> Any:
        return unflatten(self.input_structure)

    def out_structure(self) -> Any:
        return unflatten(self.output_structure)


class SparseMatrixLinearOperator(KnownPatternOperator):
    """A matrix as an operator that stores only the nonzeros, like a sparse `lineax.MatrixLinearOperator`.

    `lineax.linearise` and `lineax.materialise` convert an `asdex.lineax.SparseJacobianLinearOperator` to one.
    A product with a vector costs `nnz` multiplications. The operator is known to be diagonal, tridiagonal or
    triangular from its pattern.

    **Attributes:**

    - `data`: `(nnz,)` values, in the order of the pattern.
    - `structure`: the pattern, a static field.
    - `tags`: the given tags of lineax.
    """

    data: Inexact[Array, " nnz"]
    rows: Int32[Array, " nnz"]
    cols: Int32[Array, " nnz"]

    def __init__(
        self,
        data: Shaped[Array, " nnz"],
        pattern: PatternLike | Structure,
        tags: object | Iterable[object] = (),
        *,
        input_structure: Any = None,
        output_structure: Any = None,
    ):
        """**Arguments:**

        - `data`: `(nnz,)` values, in the order of the pattern.
        - `pattern`: an `asdex.SparsityPattern` of shape `(m, n)`, whose arrays must be known.
        - `tags`: tags of lineax, such as `lineax.symmetric_tag`, which are not checked.
        - `input_structure`, `output_structure`: pytrees of `jax.ShapeDtypeStruct`s with `n` and `m` elements.
            By default these are vectors.

        **Raises:**

        `ValueError` if a size does not fit.
        """
        self.structure = pattern if isinstance(pattern, Structure) else Structure(pattern)
        data = jnp.asarray(data)
        self.data = data if has_derivative(data) else data.astype(float)
        if data.shape != (self.structure.nnz,):
            raise ValueError(
                f"Expected data of shape {(self.structure.nnz,)}, one value per nonzero, got {data.shape}."
            )
        m, n = self.structure.shape
        self.input_structure = self._space(input_structure, n)
        self.output_structure = self._space(output_structure, m)
        self.tags = as_tags(tags)
        self.rows = on_device(self.structure.rows)
        self.cols = on_device(self.structure.cols)

    def _space(self, structure: Any, size: int) -> FlatStructure:
        if structure is None:
            structure = jax.ShapeDtypeStruct((size,), self.data.dtype)
        flat = flat_structure(structure)
        if length(flat) != size:
            raise ValueError(
                f"Expected a structure with {size} elements, as the pattern of shape {self.structure.shape} "
                f"has, got {length(flat)} in {structure}."
            )
        return flat

    def mv(self, vector: Any) -> Any:
        """The product with a vector."""
        return unravel(self.multiply(ravel(vector, self.input_structure)), self.output_structure)

    def multiply(self, vector: Inexact[Array, " n"]) -> Inexact[Array, " m"]:
        """The same as `mv`, but between flat vectors."""
        with jax.numpy_dtype_promotion("standard"):
            terms = self.data * vector.at[self.cols].get(mode="promise_in_bounds")
        rows, m = self.rows, self.structure.shape[0]
        return jax.ops.segment_sum(terms, rows, m, indices_are_sorted=True)

    def as_matrix(self) -> Inexact[Array, "m n"]:
        """The dense matrix."""
        dtype = dtype_of(self.input_structure, self.output_structure)
        zeros = jnp.zeros(self.structure.shape, dtype)
        nonzeros = zeros.at[self.rows, self.cols]
        return nonzeros.set(self.data.astype(dtype), unique_indices=True, mode="promise_in_bounds")

    def transpose(self) -> SparseMatrixLinearOperator:
        """The transposed matrix; the same operator if it is symmetric."""
        if lx.is_symmetric(self):
            return self
        structure, order = self.structure.transposition
        return SparseMatrixLinearOperator(
            self.data.at[order].get(mode="promise_in_bounds", unique_indices=True),
            structure,
            lx.transpose_tags(self.tags),
            input_structure=self.out_structure(),
            output_structure=self.in_structure(),
        )

    def conjugate(self) -> SparseMatrixLinearOperator:
        """The matrix with conjugated values."""
        return self.with_data(jnp.conj(self.data))

    def adjoint(self) -> SparseMatrixLinearOperator:
        """The conjugated transpose."""
        return self.conjugate().transpose()

    def with_data(
        self, data: Inexact[Array, " nnz"], tags: Iterable[object] | None = None
    ) -> SparseMatrixLinearOperator:
        """The operator with other values, and other tags if they are given."""
        return matrix_like(self, data, self.structure, self.tags if tags is None else tags)

    def diagonal(self, offset: int = 0) -> Inexact[Array, " length"]:
        """The main diagonal, or the one that is `offset` above it, with zeros outside the pattern."""
        positions = self.structure.diagonal_positions(offset)
        return self.data.at[positions].get(mode="fill", fill_value=0)


def matrix_like(
    operator: lx.AbstractLinearOperator,
    data: Array,
    structure: Structure,
    tags: Iterable[object] | None = None,
) -> SparseMatrixLinearOperator:
    """A matrix between the spaces of an operator, with its properties unless tags are given."""
    tags = tags_of(operator) if tags is None else tags
    spaces = {
        "input_structure": operator.in_structure(),
        "output_structure": operator.out_structure(),
    }
    return SparseMatrixLinearOperator(data, structure, tags, **spaces)


def is_symmetric(operator: Any) -> bool:
    """Whether tags or the pattern say that a sparse operator is symmetric."""
    same = operator.input_structure == operator.output_structure
    return is_symmetric_by(operator.tags, dtype_of(operator.input_structure)) or (
        same and operator.structure.is_diagonal
    )


def as_tags(tags: object | Iterable[object]) -> frozenset[object]:
    """One tag or several as a set."""
    return frozenset(tags) if isinstance(tags, Iterable) else frozenset([tags])


def is_symmetric_by(tags: frozenset[object], dtype: Any) -> bool:
    """Whether the tags say that A = Aᵀ; definite matrices are Hermitian, so symmetric if they are real."""
    if lx.symmetric_tag in tags or lx.diagonal_tag in tags:
        return True
    definite = lx.positive_semidefinite_tag in tags or lx.negative_semidefinite_tag in tags
    return definite and not jnp.issubdtype(dtype, jnp.complexfloating)


def tags_of(operator: lx.AbstractLinearOperator) -> frozenset[object]:
    """The properties of an operator that lineax's functions report, as tags."""
    checks = {
        lx.is_symmetric: lx.symmetric_tag,
        lx.is_positive_semidefinite: lx.positive_semidefinite_tag,
        lx.is_negative_semidefinite: lx.negative_semidefinite_tag,
        lx.has_unit_diagonal: lx.unit_diagonal_tag,
    }
    return frozenset(tag for check, tag in checks.items() if check(operator))
