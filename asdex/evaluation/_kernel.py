"""What is compiled: the function, the colors and the decompressor, from arguments to values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Int

from .._arguments import Argnums, Inputs
from .._arrays import on_device, ravel, size_of, struct_of, unravel
from .._function import as_scalar, AtArguments
from ..coloring import ColoredPattern
from ..decompression import Decompressor
from ..formats import Dtypes, Layout, RowBlockLayout
from ._call_checks import check_kinds_of_inputs, check_output
from ._guard import Guard
from ._spread_rows import Spread, SpreadAtArguments
from .elements import Part, PartAtArguments
from .passes import Batches, gradient_along, Passes, pull_back, push_and_pull, push_forward, zeros


def colors_of(
    coloring: ColoredPattern, spread: Spread | None = None
) -> tuple[Int[Array, " vertices"], Int[Array, " m"] | None]:
    """The colors of the columns or of the rows; and those of the rows, if both are colored."""
    by_column, by_row = coloring.column_colors, coloring.row_colors
    both = by_column is not None and by_row is not None
    if spread is not None:
        of_rows = None if by_row is None else spread.rows.put_elements(by_row, -1)
        if by_column is None:
            assert of_rows is not None
            return of_rows, None
        return spread.columns.put_elements(by_column, -1), of_rows
    colors = on_device(by_row if by_column is None else by_column)
    return colors, on_device(by_row) if both else None


class Options(eqx.Module):
    """How a derivative is computed."""

    mode: str = eqx.field(static=True)
    shape: tuple[int, int] = eqx.field(static=True)
    output_avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True)
    num_colors: int = eqx.field(static=True)
    num_row_colors: int = eqx.field(static=True)
    argnums: Argnums = eqx.field(static=True)
    has_aux: bool = eqx.field(static=True)
    holomorphic: bool = eqx.field(static=True)
    allow_int: bool = eqx.field(static=True)
    batches: Batches = eqx.field(static=True)
    with_value: bool = eqx.field(static=True, default=False)
    with_gradient: bool = eqx.field(static=True, default=False)

    @property
    def is_hessian(self) -> bool:
        return "over" in self.mode


class Static(eqx.Module):
    """What a call finds out that is no array: the tree of the output, and the rest of the auxiliary data."""

    output_tree: Any = eqx.field(static=True)
    aux: Any = eqx.field(static=True)


class Result(NamedTuple):
    """The arrays that one call computes.

    - `data`: the values of the nonzeros, as the layout has them, or the compressed matrix.
    - `output`, `gradient`: the value of the function, and the leaves of its gradient, if they were asked for.
    - `aux`: those among the auxiliary data.
    - `agrees`: whether a guard agrees, if there is one.
    """

    data: Any
    output: Any
    gradient: Any
    aux: Any
    agrees: Any = None


class Shared(NamedTuple):
    """What all passes of a call share: the output, the arrays among the auxiliary data, the gradient."""

    output: Any
    aux: Any
    gradient: Any = ()


class Kernel(eqx.Module):
    """The arrays and options that a call needs, without the host's copy of the pattern."""

    f: Any
    colors: Int[Array, " vertices"]
    row_colors: Int[Array, " m"] | None
    decompressor: Decompressor | None
    options: Options
    layout: Layout | RowBlockLayout | None = None
    part: Part | Spread | None = eqx.field(static=True, default=None)
    rest: Kernel | None = None
    guard: Guard | None = None

    def __call__(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], passes: Passes | None = None
    ) -> tuple[Result, Static]:
        """Evaluate at `args` with `passes`, by default new ones."""
        specs = self.part.specs if isinstance(self.part, Spread) else None
        results = None if specs is None else (Result(*specs, PartitionSpec()), PartitionSpec())
        evaluate = self.options.batches.gathered(Kernel._evaluate, results)
        return evaluate(self, args, kwargs, passes or Passes(self.options.batches))

    def _evaluate(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], passes: Passes
    ) -> tuple[Result, Static]:
        options = self.options
        at = AtArguments(self.f, args, kwargs, options.argnums, options.has_aux)
        inputs = at.inputs
        check_kinds_of_inputs(inputs, options)
        part = None if self.part is None else self.part.at(at)
        call = _Call(part or at, options)
        B, shared = self._compress(call, list(map(jnp.asarray, call.at.leaves)), passes)
        if self.rest is not None:
            rest = dataclasses.replace(self.rest, f=self.f)
            B = B, rest(args, kwargs)[0].data
        data: Any = B if self.decompressor is None else self.decompressor(B)
        agrees = None
        if self.guard is not None:
            whole = dataclasses.replace(options, shape=self.guard.shape, output_avals=())
            agrees = self.guard(data, _Call(at, whole), inputs, options.mode)
        if part is not None:
            output, gradient = part.of_whole(shared.output, shared.gradient)
            shared = shared._replace(output=output, gradient=gradient)
        if self.layout is not None:
            data = self.layout.compute(data, _dtypes(shared.output, inputs, options))
        output = shared.output if options.with_value else None
        gradient = None
        if options.with_gradient:  # zeros of jax's own kind where there is no derivative
            gradient = inputs.complete(
                shared.gradient, lambda leaf: np.zeros(np.shape(leaf), jax.dtypes.float0)
            )
        static = Static(jtu.tree_structure(shared.output), call.aux_static)
        return Result(data, output, gradient, shared.aux, agrees), static

    def _compress(self, call: _Call, leaves: list[Array], passes: Passes) -> tuple[Any, Shared]:
        options, inputs = self.options, call.at.inputs
        count = options.num_colors
        if not (leaves and count):
            return self._without_passes(call, leaves)
        colors = self.colors
        if options.mode != "rev":
            colors = _differentiable_part(colors, inputs)
        coloring = (colors, count)
        match options.mode:
            case "fwd":
                return push_forward(call.leaves, leaves, coloring, passes)
            case "rev":
                B, aux = pull_back(call.leaves, leaves, coloring, passes)
            case "bidirectional":
                assert self.row_colors is not None
                columns = (colors, count - options.num_row_colors)
                rows = (self.row_colors, options.num_row_colors)
                (forward, reverse), aux = push_and_pull(call.leaves, leaves, columns, rows, passes)
                return (forward, _all_columns(reverse, inputs)), aux
            case "fwd_over_rev":
                B, aux = push_forward(call.gradient, leaves, coloring, passes)
            case "rev_over_fwd":
                B, aux = gradient_along(call.scalar, leaves, coloring, passes)
                if options.with_gradient:
                    aux = aux._replace(gradient=call.gradient(*leaves)[0])
            case _:
                B, aux = pull_back(call.gradient, leaves, coloring, passes)
        return _all_columns(B, inputs), aux

    def _without_passes(self, call: _Call, leaves: list[Array]) -> tuple[Any, Shared]:
        """As `_compress`, for a derivative that is zero everywhere.

        The function is evaluated if its value or auxiliary data are asked for. Otherwise only types are.
        """
        options = self.options
        function: Any = call.scalar if options.is_hessian else call.leaves
        if options.with_gradient and leaves:
            function = call.gradient
        wanted = options.with_value or options.has_aux
        outputs, shared = function(*leaves) if wanted else jax.eval_shape(function, *leaves)
        counts = options.num_colors, options.num_row_colors
        return zeros(options.mode, options.shape, counts, outputs, leaves), shared


def _dtypes(output: Any, inputs: Inputs, options: Options) -> Dtypes | None:
    """Those that jax gives to blocks: by `jax.jacfwd` of the output, by `jax.jacrev` of the input; and of
    the input where it is an integer, which has zero derivatives."""
    columns = tuple(inputs.avals)
    outputs = tuple(map(struct_of, jtu.tree_leaves(output)))
    rows = columns if options.is_hessian else outputs
    dtypes = Dtypes(rows, columns, by_column=options.mode == "rev")
    return None if dtypes.are_equal else dtypes


class _Call:
    """The functions of the differentiated leaves that the passes follow."""

    def __init__(self, at: AtArguments | PartAtArguments | SpreadAtArguments, options: Options):
        self.at, self.options = at, options
        self.aux_static: Any = None

    def leaves(self, *moved: Any) -> tuple[list[Any], Shared]:
        """The leaves of the output."""
        shared = self._evaluate(moved)
        flat = [_as_array(leaf) for leaf in jtu.tree_leaves(shared.output)]
        check_output(flat, self.options)
        return flat, shared

    def scalar(self, *moved: Any) -> tuple[Any, Shared]:
        """The output as a scalar."""
        shared = self._evaluate(moved)
        return as_scalar(shared.output), shared

    def gradient(self, *moved: Any) -> tuple[list[Any], Shared]:
        """The gradient of `scalar` with respect to each leaf."""
        numbers = tuple(range(len(moved)))
        gradient = jax.grad(
            self.scalar, argnums=numbers, has_aux=True, holomorphic=self.options.holomorphic
        )
        leaves, shared = gradient(*moved)
        kept = list(leaves) if self.options.with_gradient else ()
        return list(leaves), shared._replace(gradient=kept)

    def _evaluate(self, moved: Sequence[Any]) -> Shared:
        output, aux = self.at(*moved)
        arrays, self.aux_static = eqx.partition(aux, eqx.is_array)
        return Shared(output, arrays)


def _as_array(leaf: Any) -> Array:
    struct_of(leaf)  # refuses what is neither an array nor a number
    return jnp.asarray(leaf)


def _differentiable_part(colors: Array, inputs: Inputs) -> Array:
    """The colors of the elements that have a derivative."""
    kept = inputs.differentiable
    if len(kept) == len(inputs.leaves):
        return colors  # which may be known, unlike what is computed inside a trace
    parts = unravel(colors, inputs.avals)
    return ravel([parts[i] for i in kept])


def _all_columns(B: Array, inputs: Inputs) -> Array:
    """Insert zero columns for the leaves without derivatives."""
    sizes = [size_of(inputs.avals[i]) for i in inputs.differentiable]
    if len(sizes) == len(inputs.leaves):
        return B

    def zero_columns(leaf: Any) -> Array:
        return jnp.zeros((B.shape[0], np.size(leaf)), B.dtype)

    parts = jnp.split(B, np.cumsum(sizes)[:-1], axis=1)
    return jnp.concatenate(inputs.complete(parts, zero_columns), axis=1)
