"""The shape of the result: one matrix, or jax's tree of blocks."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jax.experimental.sparse import BCOO
from jaxtyping import Array, Int32

from .._arrays import size_of
from .._block_pattern import BlockPattern
from .._pattern import SparsityPattern
from ..decompression import assemble, check_known


class Dtypes(NamedTuple):
    """The dtypes of the rows of blocks and of the columns, and which of them a block has."""

    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    by_column: bool

    @property
    def are_equal(self) -> bool:
        """Whether all blocks have the dtype of all values."""
        floating = all(jnp.issubdtype(dtype, np.inexact) for dtype in self.columns)
        return floating and len(set(self.columns if self.by_column else self.rows)) <= 1

    def cast(self, data: Array, row: int, column: int) -> Array:
        """The values of a block, which have a dtype for all blocks, in its own."""
        dtype = self.columns[column]
        if not self.by_column and jnp.issubdtype(dtype, np.inexact):
            dtype = self.rows[row]
        real = jnp.iscomplexobj(data) and not jnp.issubdtype(dtype, np.complexfloating)
        return (data.real if real else data).astype(dtype)


class Block(eqx.Module):
    """The derivative of one output leaf by one input leaf: a part of the nonzeros.

    `select` are the positions of the block's values among all values (`None`: all of them), `indices` the
    `(nnz, ndim)` indices of a BCOO of shape `shape`, `blocks` the nonzero blocks, where a format needs them.
    """

    sparsity: SparsityPattern
    select: Int32[Array, " nnz"] | None
    indices: Int32[Array, "nnz ndim"]
    shape: tuple[int, ...] = eqx.field(static=True)
    blocks: BlockPattern | None = None

    def values(self, data: Array) -> Array:
        """The values of this block, out of those of all."""
        return data if self.select is None else data[self.select]

    def assemble(self, values: Array, output_format: str) -> Any:
        if output_format == "bcoo":
            # Initializing a BCOO would take as long as a small Jacobian.
            return jtu.tree_unflatten(_bcoo_tree(self.shape), (values, self.indices))
        matrix = assemble(values, self.sparsity, output_format, self.blocks)
        if output_format in ("dense", "numpy_dense"):
            return matrix.reshape(self.shape)
        return matrix


@functools.cache
def _bcoo_tree(shape: tuple[int, ...]) -> Any:
    with jax.ensure_compile_time_eval():
        # Placed rather than computed, which would compile something.
        arrays = jax.device_put((np.zeros(0, np.float32), np.zeros((0, len(shape)), np.int32)))
        empty = BCOO(arrays, shape=shape, indices_sorted=True, unique_indices=True)
    return jtu.tree_structure(empty)


class Layout(eqx.Module):
    """The blocks of a derivative, row by row of blocks; a bare block is one matrix outside of any tree."""

    blocks: tuple[tuple[Block, ...], ...] | Block

    def with_nodes(self) -> Layout:
        """The same layout, prepared for formats of dense blocks."""
        if isinstance(self.blocks, Block):
            return Layout(_with_nodes(self.blocks))
        return Layout(tuple(tuple(map(_with_nodes, row)) for row in self.blocks))

    @property
    def is_tree(self) -> bool:
        """Whether the result is a tree of blocks, as `jax.jacobian` gives, and not a bare matrix."""
        return not isinstance(self.blocks, Block)

    @property
    def whole(self) -> Block | None:
        """The only block, if it is the only one."""
        if isinstance(self.blocks, Block):
            return self.blocks
        return self.blocks[0][0] if [len(row) for row in self.blocks] == [1] else None

    def assemble(
        self,
        data: Array,
        output_format: str,
        output_tree: Any,
        input_tree: Any,
        dtypes: Dtypes | None = None,
    ) -> Any:
        """The derivative in the format asked for: a tree of trees of blocks, as `jax.jacobian` gives.

        `"data"` gives all values in pattern order, in one dtype.
        """
        if output_format == "data":
            return data
        if isinstance(self.blocks, Block):
            return self.blocks.assemble(data, output_format)

        def assembled(block: Block, i: int, j: int) -> Any:
            # Called through the class: Equinox builds a new object for each bound method.
            values = Block.values(block, data)
            values = values if dtypes is None else dtypes.cast(values, i, j)
            return Block.assemble(block, values, output_format)

        rows = [
            input_tree.unflatten([assembled(block, i, j) for j, block in enumerate(row)])
            for i, row in enumerate(self.blocks)
        ]
        return output_tree.unflatten(rows)


def _with_nodes(block: Block) -> Block:
    check_known(block.sparsity, "A format of dense blocks")
    return dataclasses.replace(block, blocks=BlockPattern.from_sparsity(block.sparsity))


def layout_for(sparsity: SparsityPattern, is_hessian: bool, flatten: bool) -> Layout:
    """The blocks of a Jacobian or a Hessian; one `(m, n)` matrix if `flatten`, or if shapes are unknown."""
    inputs = sparsity.input_avals
    outputs = inputs if is_hessian else sparsity.output_avals
    if flatten or not (outputs and inputs):
        m, n = sparsity.shape
        return Layout(_block(sparsity, None, (m,), (n,), (m, n)))
    return layout_of(sparsity, outputs, inputs)


def layout_of(
    sparsity: SparsityPattern,
    outputs: Sequence[jax.ShapeDtypeStruct],
    inputs: Sequence[jax.ShapeDtypeStruct],
) -> Layout:
    """The blocks of a pattern between the given output and input leaves."""
    if len(outputs) == 1 and len(inputs) == 1:
        shape = (*outputs[0].shape, *inputs[0].shape)
        return Layout(((_block(sparsity, None, outputs[0].shape, inputs[0].shape, shape),),))
    check_known(sparsity, "A tree of blocks")
    row_stops = np.cumsum([0, *map(size_of, outputs)])
    col_stops = np.cumsum([0, *map(size_of, inputs)])
    row_leaf = np.searchsorted(row_stops, sparsity.rows, side="right") - 1
    col_leaf = np.searchsorted(col_stops, sparsity.cols, side="right") - 1
    return Layout(
        tuple(
            tuple(
                _part(
                    sparsity,
                    (row_leaf == i) & (col_leaf == j),
                    int(row_stops[i]),
                    int(col_stops[j]),
                    a,
                    b,
                )
                for j, b in enumerate(inputs)
            )
            for i, a in enumerate(outputs)
        )
    )


def _part(
    sparsity: SparsityPattern,
    mask: np.ndarray,
    row: int,
    col: int,
    output: jax.ShapeDtypeStruct,
    inputs: jax.ShapeDtypeStruct,
) -> Block:
    (select,) = np.nonzero(mask)
    part = SparsityPattern.from_coo(
        sparsity.rows[select] - row,
        sparsity.cols[select] - col,
        (size_of(output), size_of(inputs)),
        input_avals=(inputs,),
        output_avals=(output,),
    )
    shape = (*output.shape, *inputs.shape)
    return _block(part, select.astype(np.int32), output.shape, inputs.shape, shape)


def _block(
    sparsity: SparsityPattern,
    select: np.ndarray | None,
    rows: tuple[int, ...],
    cols: tuple[int, ...],
    shape: tuple[int, ...],
) -> Block:
    xp = jnp if isinstance(sparsity.rows, Tracer) else np
    axes = [*_unravel(sparsity.rows, rows), *_unravel(sparsity.cols, cols)]
    indices = (
        xp.stack(axes, axis=1).astype(np.int32) if axes else xp.zeros((sparsity.nnz, 0), np.int32)
    )
    with jax.ensure_compile_time_eval():
        return Block(
            sparsity, None if select is None else jnp.asarray(select), jnp.asarray(indices), shape
        )


def _unravel(positions: Any, shape: tuple[int, ...]) -> Sequence[Any]:
    if len(shape) < 2:
        return (positions,) * len(shape)
    xp = jnp if isinstance(positions, Tracer) else np
    return xp.unravel_index(positions, shape)
