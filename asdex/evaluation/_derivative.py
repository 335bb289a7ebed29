"""The callables that `asdex.jacobian` and `asdex.hessian` return."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Int

from .._arguments import (
    check_arity,
    check_callable,
    check_inputs,
    check_outputs,
    differentiated,
    normalize_argnums,
    Samples,
)
from ..coloring import ColoredPattern
from ..decompression import (
    block_decompressor,
    ConstantDecompressor,
    Decompressor,
    decompressor_for,
    RowBlockDecompressor,
    SubsetDecompressor,
)
from ..detection import reads_numbers
from ..display import cost_at_elements, is_known
from ..formats import Layout, layout_for, RowBlockLayout
from ..formats.partition import RowOrder
from ..pattern import check_known, chosen_nonzeros, SparsityPattern
from ._assembly import assembly
from ._assumed_constants import AssumedConstants
from ._compiled import evaluate_prepared
from ._guard import Guard
from ._kernel import colors_of, Kernel, Options, Result, Static
from ._kinds import check_coloring, HESSIAN, JACOBIAN, Kind
from ._options import COMPRESSED, EvaluationOptions
from ._signature import Signature
from ._spread_rows import Spread
from .elements import Elements


class SparseDerivative(eqx.Module):
    """A function that evaluates a sparse Jacobian or Hessian.

    It is a pytree: `f` is a subtree, so that a model inside stays trainable and replaceable, and the index
    arrays are leaves. A plain call compiles itself, once per shapes and dtypes; inside `jax.jit` and other
    transformations it is traced like any function. It compares and hashes by identity.

    **Attributes:**

    - `f`: the differentiated function.
    - `coloring`: an `asdex.ColoredPattern` of the whole matrix; the one in use, unless there is:
    - `per_call`: where constant entries are reused, the coloring of those that each call computes.
    - `elements`: how it is computed at the elements of `f`, if it is.
    - `num_constant`: how many entries are reused.
    - `spread`: how rows and columns are spread over devices, if they are.
    - `guard`: what verifies each call, if anything does.

    The arrays of the other fields are the device's copies of what the coloring in use has on the host.
    """

    f: Callable[..., Any]
    coloring: ColoredPattern
    colors: Int[Array, " vertices"]
    row_colors: Int[Array, " m"] | None
    decompressor: Decompressor | None
    layout: Layout | RowBlockLayout | None
    options: Options
    signature: Signature | None = eqx.field(static=True)
    assumed: AssumedConstants = eqx.field(static=True)
    per_call: ColoredPattern | None = None
    elements: Elements | None = None
    spread: Spread | None = eqx.field(static=True, default=None)
    guard: Guard | None = None

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """What is called as this is; JAX names programs after it, for printing many elements takes long."""
        return self.f

    @functools.cached_property  # Equinox 0.11 stores it in copies, which a property would not take
    def __name__(self) -> str:
        return getattr(self.f, "__name__", type(self.f).__name__)

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", type(self.f).__name__)
        parts = [name, repr(self.coloring)]
        if self.elements is not None and is_known(self.elements.coloring):
            counts = self.elements.coloring, self.elements.count
            parts.append(cost_at_elements(*counts, self.coloring))
        return f"SparseDerivative({', '.join(parts)})"

    @property
    def num_constant(self) -> int:
        reads = self.decompressor
        whole = reads.decompressor if isinstance(reads, SubsetDecompressor) else reads
        return whole.num_constant if isinstance(whole, ConstantDecompressor) else 0

    @property
    def sparsity(self) -> SparsityPattern:
        """The pattern of the entries that are returned: that of the coloring, or a triangle of it."""
        whole, reads = self.coloring.sparsity, self.decompressor
        if not isinstance(reads, SubsetDecompressor):
            return whole
        return chosen_nonzeros(whole, np.asarray(reads.positions))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate at `args`, which are those of `f`.

        **Returns:**

        The derivative; with the value `(value, derivative)`, with the gradient too
        `(value, gradient, derivative)`, with auxiliary data `(derivative, aux)`, with both
        `((value, aux), ...)`; with `verify="flag"` one item more at the end, whether the derivative is right.

        **Raises:**

        `ValueError` or `TypeError` if the differentiated arguments differ from the coloring's in tree, shape
        or dtype, if any argument differs from the sample in tree, shape, or (where it is no array or
        floating-point number) value, or if `f` has another output size or shape; `ValueError` if `f` was
        replaced by a function that differs in more than floating-point leaves, which inside a transformation
        is noticed only where its leaves are not traced; `TypeError` for a NumPy or SciPy format inside a
        transformation. With constant entries, `TypeError` for results of another dtype.
        """
        return evaluate_prepared(self, _prepare, args, kwargs)


def _prepare(
    derivative: SparseDerivative, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Kernel, Callable[[Static], Callable[[Result], Any]]]:
    """Check a call's arguments; return what evaluates it, and what makes the user's result of the rest."""
    options, sparsity = derivative.options, derivative.coloring.sparsity
    if derivative.signature is not None:
        derivative.signature.check(args, kwargs)
    check_arity(args, options.argnums)
    argnums = normalize_argnums(options.argnums, len(args))
    at = Samples(tuple(args), kwargs), argnums, options.has_aux
    derivative.assumed.check(derivative.f, lambda: reads_numbers(derivative.f, *at))
    inputs = differentiated(args, argnums)
    check_inputs(inputs, sparsity.input_avals, sparsity.n)
    derivative = _spread_as(derivative, args)
    options, layout = derivative.options, derivative.layout
    kernel = Kernel(
        derivative.f,
        derivative.colors,
        derivative.row_colors,
        derivative.decompressor,
        options,
        None if layout is None else layout.computation(),
        derivative.spread if derivative.elements is None else derivative.elements.part,
        None if derivative.elements is None else derivative.elements.rest,
        derivative.guard,
    )
    return kernel, functools.partial(assembly, derivative, inputs.tree)


def _spread_as(derivative: SparseDerivative, args: Sequence[Any]) -> SparseDerivative:
    """The same derivative with rows spread as arguments are sharded, if only its samples were not."""
    coloring, layout, options = derivative.coloring, derivative.layout, derivative.options
    other = (derivative.spread, derivative.per_call, derivative.elements, derivative.guard)
    read_in_part = isinstance(derivative.decompressor, SubsetDecompressor | ConstantDecompressor)
    if (
        any(one is not None for one in (*other, options.batches.mesh))
        or read_in_part
        or not (isinstance(layout, Layout) and coloring.recovery == "direct" and is_known(coloring))
    ):
        return derivative
    whole = EvaluationOptions(
        output_format=layout.output_format,
        has_aux=options.has_aux,
        holomorphic=options.holomorphic,
        allow_int=options.allow_int,
        chunk_size=options.batches.size,
        flatten=not layout.is_tree,
    )
    spread = whole.spread_as(args, coloring.sparsity)
    if spread is whole:
        return derivative
    kind = HESSIAN if options.is_hessian else JACOBIAN
    made = evaluate(derivative.f, coloring, spread, kind, derivative.signature)
    returned = {"with_value": options.with_value, "with_gradient": options.with_gradient}
    return dataclasses.replace(made, options=dataclasses.replace(made.options, **returned))


def evaluate(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    options: EvaluationOptions,
    kind: Kind,
    signature: Signature | None = None,
) -> SparseDerivative:
    """The callable behind every public function.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for the other kind of
    derivative.
    """
    check_callable(f)
    check_coloring(coloring, kind)
    if kind is JACOBIAN:
        check_outputs(coloring.sparsity.output_avals)
    sparsity, is_hessian = coloring.sparsity, kind is HESSIAN
    spread = None if options.rows is None else options.rows.spread(sparsity, is_hessian)
    colors, row_colors = colors_of(coloring, spread)
    layout = decompressor = None
    if spread is not None:
        layout, decompressor = _row_blocks(coloring, spread, options)
    elif options.output_format == "row_blocks":
        raise ValueError(
            'Expected rows that are spread over devices for output_format="row_blocks". Pass `mesh` and '
            "`row_axis`, or samples that are sharded over a mesh."
        )
    elif options.output_format != COMPRESSED:
        if options.triangle is None:
            layout = layout_for(sparsity, is_hessian, options.flatten, options.output_format)
        blocks = None if layout is None else layout.dense_blocks
        decompressor = (
            decompressor_for(coloring) if blocks is None else block_decompressor(coloring, blocks)
        )
    return SparseDerivative(
        f=f,
        coloring=coloring,
        colors=colors,
        row_colors=row_colors,
        decompressor=decompressor,
        layout=layout,
        options=Options(
            mode=coloring.mode,
            shape=sparsity.shape if spread is None else spread.shape,
            output_avals=() if is_hessian or spread else sparsity.output_avals,
            num_colors=coloring.num_colors,
            num_row_colors=coloring.num_row_colors,
            argnums=sparsity.argnums,
            has_aux=options.has_aux,
            holomorphic=options.holomorphic,
            allow_int=options.allow_int,
            batches=options.batches,
        ),
        signature=signature,
        assumed=AssumedConstants.of(f),
        spread=spread,
    )


def _row_blocks(
    coloring: ColoredPattern, spread: Spread, options: EvaluationOptions
) -> tuple[RowBlockLayout, RowBlockDecompressor]:
    """What reads the values of row blocks, and what is made of them.

    **Raises:** `ValueError` for recovery by substitution.
    """
    if coloring.recovery == "substitution":
        raise ValueError(
            "Expected a coloring with direct recovery for rows that are spread over devices, got one by "
            'substitution, where entries follow from others anywhere. Use recovery="direct".'
        )
    sparsity = coloring.sparsity
    order = RowOrder.of(sparsity.rows, spread.rows)
    layout = RowBlockLayout.of(
        sparsity, order, spread.columns, options.flatten, options.output_format
    )
    return layout, RowBlockDecompressor(coloring, order, spread.rows, spread.columns)


def with_value(derivative: SparseDerivative, gradient: bool = False) -> SparseDerivative:
    """The same derivative, to be returned with the function's value, and with its gradient."""
    options = dataclasses.replace(derivative.options, with_value=True, with_gradient=gradient)
    return dataclasses.replace(derivative, options=options)


def in_triangle(derivative: SparseDerivative, options: EvaluationOptions) -> SparseDerivative:
    """The same Hessian, of which only the entries of a triangle are returned.

    **Raises:** `TypeError` for a traced coloring.
    """
    if options.triangle is None:
        return derivative
    sparsity, reads = derivative.coloring.sparsity, derivative.decompressor
    check_known(sparsity, "A triangle")
    assert reads is not None
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    kept = rows >= cols if options.triangle == "lower" else rows <= cols
    layout = layout_for(
        chosen_nonzeros(sparsity, kept), True, options.flatten, options.output_format
    )
    return dataclasses.replace(
        derivative, decompressor=SubsetDecompressor(reads, kept), layout=layout
    )
