"""The callables that `asdex.jacobian` and `asdex.hessian` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Int

from .._arguments import (
    check_arity,
    check_inputs,
    differentiated,
    normalize_argnums,
)
from ..coloring import ColoredPattern
from ..decompression import (
    block_decompressor,
    BLOCK_FORMATS,
    ConstantDecompressor,
    Decompressor,
    decompressor_for,
    OutputFormat,
)
from ._compiled import evaluate_prepared
from ._devices import batches
from ._kernel import Kernel, Options
from ._layout import Layout, layout_of, matrix_layout
from ._origin import Origin
from ._processes import agreed
from ._signature import Signature


_JACOBIAN_MODES = ("fwd", "rev", "bidirectional")
_HESSIAN_MODES = ("fwd_over_rev", "rev_over_fwd", "rev_over_rev")


class SparseDerivative(eqx.Module):
    """A function that evaluates a sparse Jacobian or Hessian.

    It is a pytree: `f` is a subtree, so that a model inside stays trainable and replaceable, and the index
    arrays are leaves. A plain call compiles itself, once per shapes and dtypes; inside `jax.jit` and other
    transformations it is traced like any function. It compares and hashes by identity.

    **Attributes:**

    - `f`: the differentiated function.
    - `coloring`: an `asdex.ColoredPattern` of the whole matrix; the one in use, unless there is:
    - `per_call`: where constant entries are reused, the coloring of those that each call computes.
    - `num_constant`: how many entries are reused.
    """

    f: Callable[..., Any]
    coloring: ColoredPattern
    colors: Int[Array, " vertices"]
    row_colors: Int[Array, " m"] | None
    decompressor: Decompressor | None
    layout: Layout | None
    options: Options
    output_format: str = eqx.field(static=True)
    signature: Signature | None = eqx.field(static=True)
    per_call: ColoredPattern | None = None
    origin: Origin | None = eqx.field(static=True, default=None)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __repr__(self) -> str:
        name = getattr(self.f, "__qualname__", type(self.f).__name__)
        return f"SparseDerivative({name}, {self.coloring!r})"

    @property
    def num_constant(self) -> int:
        reads = self.decompressor
        return reads.num_constant if isinstance(reads, ConstantDecompressor) else 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate at `args`, which are those of `f`.

        **Returns:**

        The derivative; with the value `(value, derivative)`, with auxiliary data `(derivative, aux)`, with
        both `((value, aux), derivative)`.

        **Raises:**

        `ValueError` or `TypeError` if the differentiated arguments differ from the coloring's in tree, shape
        or dtype, if any argument differs from the sample in tree, shape, or (where it is no array or
        floating-point number) value, or if `f` has another output size or shape; `TypeError` for a NumPy or
        SciPy format inside a transformation. With constant entries, `ValueError` if `f` was replaced, and
        `TypeError` for results of another dtype.
        """
        options, layout = self.options, self.layout
        result, input_tree = evaluate_prepared(self, _prepare, args, kwargs)
        derivative = result.data
        if layout is not None:
            rows = input_tree if options.is_hessian else result.output_tree.value
            # Called through the class: Equinox builds a new object for each bound method.
            derivative = Layout.assemble(
                layout, derivative, self.output_format, rows, input_tree, result.dtypes.value
            )
        aux = eqx.combine(result.aux_arrays, result.aux_static.value) if options.has_aux else None
        match options.with_value, options.has_aux:
            case True, True:
                return (result.output, aux), derivative
            case True, False:
                return result.output, derivative
            case False, True:
                return derivative, aux
            case _:
                return derivative


def _prepare(
    derivative: SparseDerivative, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Kernel, Any]:
    """Check a call's arguments; return what evaluates it, and the tree of the differentiated arguments."""
    options, sparsity = derivative.options, derivative.coloring.sparsity
    if derivative.signature is not None:
        derivative.signature.check(args, kwargs)
    if derivative.origin is not None:
        derivative.origin.check(derivative.f)
    check_arity(args, options.argnums)
    inputs = differentiated(args, normalize_argnums(options.argnums, len(args)))
    check_inputs(inputs, sparsity.input_avals, sparsity.n)
    kernel = Kernel(
        derivative.f, derivative.colors, derivative.row_colors, derivative.decompressor, options
    )
    return kernel, inputs.tree


def make_derivative(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    *,
    hessian: bool,
    compressed: bool,
    with_value: bool,
    output_format: OutputFormat = "bcoo",
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    signature: Signature | None = None,
) -> SparseDerivative:
    """The callable behind every public function.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for the other kind of
    derivative, or if an option has a value that is not allowed.
    """
    check_callable(f)
    _check_coloring(coloring, hessian)
    check_options(output_format=output_format)
    batched = batches(chunk_size, mesh, axis)
    coloring = agreed(coloring, mesh)
    sparsity = coloring.sparsity
    options = Options(
        mode=coloring.mode,
        shape=sparsity.shape,
        output_avals=() if hessian else sparsity.output_avals,
        num_colors=coloring.num_colors,
        num_row_colors=coloring.num_row_colors,
        argnums=sparsity.argnums,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
        batches=batched,
        with_value=with_value,
    )
    with jax.ensure_compile_time_eval():
        colors = jnp.asarray(coloring.colors)
        row_colors = None if coloring.row_colors is None else jnp.asarray(coloring.row_colors)
    outputs = sparsity.input_avals if hessian else sparsity.output_avals
    known = bool(outputs and sparsity.input_avals)
    layout = (
        layout_of(sparsity, outputs, sparsity.input_avals) if known else matrix_layout(sparsity)
    )
    if output_format in BLOCK_FORMATS:
        layout = layout.with_nodes()
    return SparseDerivative(
        f=f,
        coloring=coloring,
        colors=colors,
        row_colors=row_colors,
        decompressor=None if compressed else _decompressor(coloring, layout),
        layout=None if compressed else layout,
        options=options,
        output_format=output_format,
        signature=signature,
    )


def _decompressor(coloring: ColoredPattern, layout: Layout) -> Decompressor:
    whole = layout.whole
    if whole is None or whole.blocks is None:
        return decompressor_for(coloring)
    return block_decompressor(coloring, whole.blocks)


def check_options(
    *,
    output_format: str = "bcoo",
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    constant: str = "recompute",
    **others: bool,
) -> None:
    """Refuse options that can be told to be wrong before any work is done."""
    del others
    if constant not in ("recompute", "reuse"):
        raise ValueError(f"Expected `constant` to be 'recompute' or 'reuse', got {constant!r}.")
    if output_format not in get_args(OutputFormat):
        raise ValueError(
            f"Expected `output_format` to be one of {', '.join(map(repr, get_args(OutputFormat)))}, got "
            f"{output_format!r}."
        )
    batches(chunk_size, mesh, axis)


def check_callable(f: Any) -> None:
    if not callable(f):
        raise TypeError(
            f"Expected a function, got {type(f).__name__}. The function comes first: asdex.jacobian(f, x)."
        )


def _check_coloring(coloring: Any, hessian: bool) -> None:
    if not isinstance(coloring, ColoredPattern):
        raise TypeError(
            f"Expected an asdex.ColoredPattern, got {type(coloring).__name__}. Make one with "
            f"asdex.{'hessian' if hessian else 'jacobian'}_coloring or ..._coloring_from_sparsity."
        )
    expected = _HESSIAN_MODES if hessian else _JACOBIAN_MODES
    if coloring.mode not in expected:
        what = "Hessian" if hessian else "Jacobian"
        raise ValueError(
            f"Expected a coloring for a {what}, with mode {', '.join(map(repr, expected))}, got mode "
            f"{coloring.mode!r}. Use asdex.{what.lower()}_coloring."
        )
