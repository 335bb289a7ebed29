"""The Jacobian of a function at a point, as a lazy linear operator that knows its pattern."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Inexact

from .._arguments import check_inputs, differentiated
from .._detect_and_color import jacobian_coloring
from ..coloring import ColoredPattern, JacobianMode
from ._compression import Compression
from ._matrix import as_tags, KnownPatternOperator, matrix_like, SparseMatrixLinearOperator
from ._spaces import as_inexact, dtype_of, flat_structure, length


class SparseJacobianLinearOperator(KnownPatternOperator):
    """The Jacobian of `fn` at `x`, as an operator that knows the pattern of its nonzeros.

    It is like a `lineax.JacobianLinearOperator`, but is materialised by one pass per color of its coloring.

    `mv` computes a Jacobian-vector product, and `mv` of the transpose computes a vector-Jacobian product.
    `lineax.linearise` computes the nonzeros, and returns an `asdex.lineax.SparseMatrixLinearOperator`,
    whose products are cheap. Use it for iterative solvers that take more steps than there are colors.
    `lineax.materialise` returns lineax's diagonal or tridiagonal operator for such patterns, and otherwise
    the sparse matrix. The operator is known to be diagonal, tridiagonal or triangular from its pattern,
    without tags.

    **Attributes:**

    - `structure`: the pattern, a static field.
    - `tags`: the given tags of lineax.
    """

    fn: Callable[..., Any]
    x: Any
    args: Any
    compression: Compression

    def __init__(
        self,
        fn: Callable[..., Any],
        x: Any,
        args: Any = None,
        tags: object | Iterable[object] = (),
        *,
        coloring: ColoredPattern | None = None,
        mode: JacobianMode | None = None,
    ):
        """**Arguments:**

        - `fn`: a function of `x` and `args`, as in lineax, or only of `x`.
        - `x`: the point at which to differentiate, an array or a pytree of arrays.
        - `args`: the second argument of `fn`.
        - `tags`: tags of lineax, such as `lineax.positive_semidefinite_tag`, which are not checked. A
            coloring with `symmetric=True` counts as `lineax.symmetric_tag`.
        - `coloring`: the coloring of the Jacobian, from `asdex.jacobian_coloring(fn, x, args)`. By default
            the pattern is detected and colored here, each time an operator is made.
        - `mode`: as for `asdex.jacobian`.

        **Raises:**

        `ValueError` or `TypeError` if the coloring was made for inputs of other shapes or dtypes than `x`,
        or if it is traced.
        """
        x = as_inexact(x)
        rest = (args,) if args is not None or _takes_two(fn) else ()
        if coloring is None:
            coloring = jacobian_coloring(fn, x, *rest, mode=mode or "auto")
        self.compression = Compression.of(coloring)
        sparsity = coloring.sparsity
        check_inputs(differentiated((x,), 0), sparsity.input_avals, sparsity.n)
        self.structure = self.compression.structure
        # As in lineax: `linear_solve` refuses functions that close over traced values.
        self.fn = eqx.filter_closure_convert(fn, x, *rest)
        self.x, self.args = x, rest
        self.input_structure = flat_structure(x)
        self.output_structure = flat_structure(eqx.filter_eval_shape(fn, x, *rest))
        if length(self.output_structure) != sparsity.m:
            raise ValueError(
                f"Expected a function with {sparsity.m} outputs, the rows of the coloring's pattern, got "
                f"{length(self.output_structure)}. Make a coloring for this function."
            )
        symmetric = {lx.symmetric_tag} if coloring.symmetric else set()
        self.tags = as_tags(tags) | symmetric

    def mv(self, vector: Any) -> Any:
        """The product with a vector, by one pass."""
        if self.compression.kernel.options.mode != "rev":
            return jax.jvp(self._at, (self.x,), (vector,))[1]
        # The function may have no forward mode.
        transposed = jax.linear_transpose(self.pull_back, self.out_structure())
        return transposed(vector)[0]

    def pull_back(self, vector: Any) -> Any:
        """The product of the transpose with a vector, by one pass."""
        return jax.vjp(self._at, self.x)[1](vector)[0]

    def to_matrix(self) -> SparseMatrixLinearOperator:
        """The sparse matrix of the nonzeros, by one pass per color."""
        is_complex = jnp.issubdtype(dtype_of(self.input_structure), jnp.complexfloating)
        data = self.compression(self.fn, self.x, *self.args, holomorphic=bool(is_complex))
        return matrix_like(self, data, self.structure, self.tags)

    def as_matrix(self) -> Inexact[Array, "m n"]:
        """The dense matrix, by one pass per color."""
        return self.to_matrix().as_matrix()

    def transpose(self) -> lx.AbstractLinearOperator:
        """The transposed Jacobian, which is lazy as well; the same operator if it is symmetric."""
        return self if lx.is_symmetric(self) else TransposedJacobianLinearOperator(self)

    def _at(self, x: Any) -> Any:
        return self.fn(x, *self.args)


class TransposedJacobianLinearOperator(KnownPatternOperator):
    """The result of `asdex.lineax.SparseJacobianLinearOperator.transpose`."""

    operator: SparseJacobianLinearOperator

    def __init__(self, operator: SparseJacobianLinearOperator):
        self.operator = operator
        self.structure, _ = operator.structure.transposition
        self.input_structure = operator.output_structure
        self.output_structure = operator.input_structure
        self.tags = lx.transpose_tags(operator.tags)

    def mv(self, vector: Any) -> Any:
        return self.operator.pull_back(vector)

    def to_matrix(self) -> SparseMatrixLinearOperator:
        return self.operator.to_matrix().transpose()

    def as_matrix(self) -> Inexact[Array, "n m"]:
        return self.to_matrix().as_matrix()

    def transpose(self) -> SparseJacobianLinearOperator:
        return self.operator


def _takes_two(fn: Callable[..., Any]) -> bool:
    """Whether a function takes the `args` of lineax's convention."""
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(None)
    except TypeError:
        return True
    return False
