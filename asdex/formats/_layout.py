"""The shape of the result: one matrix, or jax's tree of blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Array, Shaped

from .._arguments import check_choice
from .._arrays import has_derivative, is_complex, on_device, size_of
from ..pattern import check_known, SparsityPattern
from ._bsr import BlockPattern
from ._formats import Block, FORMATS, maker


class Dtypes(NamedTuple):
    """The types of the rows of blocks and of the columns, and which of them a block has."""

    rows: tuple[jax.ShapeDtypeStruct, ...]
    columns: tuple[jax.ShapeDtypeStruct, ...]
    by_column: bool

    @property
    def are_equal(self) -> bool:
        """Whether all blocks have the dtype of all values."""
        dtypes = {one.dtype for one in (self.columns if self.by_column else self.rows)}
        return all(map(has_derivative, self.columns)) and len(dtypes) <= 1

    def cast(self, data: Array, row: int, column: int) -> Array:
        """The values of a block, which have a dtype for all blocks, in its own."""
        own = self.columns[column]
        if not self.by_column and has_derivative(own):
            own = self.rows[row]
        return (data.real if is_complex(data) and not is_complex(own) else data).astype(own.dtype)


class Layout(eqx.Module):
    """The blocks of a derivative, row by row of blocks; a bare block is one matrix outside of any tree."""

    blocks: tuple[tuple[Block, ...], ...] | Block
    output_format: str = eqx.field(static=True)

    @property
    def is_tree(self) -> bool:
        """Whether the result is a tree of blocks, as `jax.jacobian` gives, and not a bare matrix."""
        return not isinstance(self.blocks, Block)

    @property
    def dense_blocks(self) -> BlockPattern | None:
        """The dense blocks to read the values by, if there is one matrix, which is made of them."""
        alone = [self.blocks] if isinstance(self.blocks, Block) else sum(self.blocks, ())
        prepared = alone[0].prepared if len(alone) == 1 else None
        return prepared if isinstance(prepared, BlockPattern) else None

    def computation(self) -> Layout:
        """The part that `compute` needs: nothing of the patterns, whose arrays live on the host."""
        compute = FORMATS[self.output_format].compute

        def part(block: Block) -> Block:
            prepared = None if compute is None else block.prepared
            return dataclasses.replace(block, sparsity=None, prepared=prepared)

        blocks = jax.tree.map(part, self.blocks, is_leaf=lambda one: isinstance(one, Block))
        return Layout(blocks, self.output_format)

    def compute(self, data: Array, dtypes: Dtypes | None = None) -> Any:
        """What all values are in this format, by blocks: within a compiled function."""
        compute = FORMATS[self.output_format].compute or (lambda values, _: values)
        if isinstance(self.blocks, Block):
            return compute(data, self.blocks)
        if FORMATS[self.output_format].of_all:
            return data

        def computed(block: Block, i: int, j: int) -> Any:
            values = block.values(data)
            return compute(values if dtypes is None else dtypes.cast(values, i, j), block)

        return [[computed(one, i, j) for j, one in enumerate(r)] for i, r in enumerate(self.blocks)]

    def assembly(self, output_tree: Any = None, input_tree: Any = None) -> Callable[[Any], Any]:
        """A function of what `compute` returned: the derivative, a tree of trees as `jax.jacobian` gives.

        It **raises** `TypeError` if a NumPy or SciPy format is asked for inside a JAX transformation.
        """
        blocks, output_format = self.blocks, self.output_format
        if isinstance(blocks, Block):
            return maker(blocks, output_format)
        if FORMATS[output_format].of_all:
            return maker(blocks[0][0], output_format)
        makers = [[maker(block, output_format) for block in row] for row in blocks]
        if jtu.treedef_is_leaf(output_tree) and jtu.treedef_is_leaf(input_tree):
            ((make,),) = makers
            return lambda data: make(data[0][0])

        def assembled(data: Any) -> Any:
            rows = [
                input_tree.unflatten([make(one) for make, one in zip(*row, strict=True)])
                for row in zip(makers, data, strict=True)
            ]
            return output_tree.unflatten(rows)

        return assembled


def assemble(data: Shaped[Array, "..."], sparsity: SparsityPattern, output_format: str) -> Any:
    """The `(m, n)` matrix with the given values, `(nnz,)`, in the order of the pattern.

    **Raises:** `ValueError` for an unknown format, `TypeError` if a NumPy or SciPy format is asked for
    inside a JAX transformation.
    """
    check_choice("output_format", output_format, FORMATS)
    layout = layout_for(sparsity, False, True, output_format)
    return layout.assembly()(layout.compute(data))


def layout_for(
    sparsity: SparsityPattern, is_hessian: bool, flatten: bool, output_format: str
) -> Layout:
    """The blocks of a Jacobian or a Hessian, in a format.

    They are one `(m, n)` matrix if `flatten`, or if the shapes of inputs and outputs are unknown.
    """
    inputs = sparsity.input_avals
    outputs = inputs if is_hessian else sparsity.output_avals
    prepare = FORMATS[output_format].prepare
    if flatten or not (outputs and inputs):
        m, n = sparsity.shape
        return Layout(_prepared(Block(sparsity, None, (m,), (n,)), prepare), output_format)
    blocks = _blocks(sparsity, outputs, inputs)
    rows = tuple(tuple(_prepared(block, prepare) for block in row) for row in blocks)
    return Layout(rows, output_format)


def _prepared(block: Block, prepare: Callable[[Block], Any] | None) -> Block:
    if prepare is None:
        return block
    with jax.ensure_compile_time_eval():
        return dataclasses.replace(block, prepared=prepare(block))


def _blocks(
    sparsity: SparsityPattern,
    outputs: Sequence[jax.ShapeDtypeStruct],
    inputs: Sequence[jax.ShapeDtypeStruct],
) -> list[list[Block]]:
    """The blocks of a pattern between the given output and input leaves."""
    if len(outputs) == 1 and len(inputs) == 1:
        return [[Block(sparsity, None, outputs[0].shape, inputs[0].shape)]]
    check_known(sparsity, "A tree of blocks")
    row_stops = np.cumsum([0, *map(size_of, outputs)])
    col_stops = np.cumsum([0, *map(size_of, inputs)])
    row_leaf = np.searchsorted(row_stops, sparsity.rows, side="right") - 1
    col_leaf = np.searchsorted(col_stops, sparsity.cols, side="right") - 1

    def part(i: int, j: int) -> Block:
        (select,) = np.nonzero((row_leaf == i) & (col_leaf == j))
        nonzeros = SparsityPattern.from_coo(
            sparsity.rows[select] - int(row_stops[i]),
            sparsity.cols[select] - int(col_stops[j]),
            (size_of(outputs[i]), size_of(inputs[j])),
            input_avals=(inputs[j],),
            output_avals=(outputs[i],),
        )
        return Block(nonzeros, on_device(select, np.int32), outputs[i].shape, inputs[j].shape)

    return [[part(i, j) for j in range(len(inputs))] for i in range(len(outputs))]
