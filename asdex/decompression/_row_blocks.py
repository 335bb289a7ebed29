"""Decompression where the rows of the matrix are spread over devices: each reads those that it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Int32, Shaped

from .._versions import shard_map
from ..coloring import ColoredPattern
from ..coloring.recoverability import read_from_column
from ..formats.partition import Exchange, Located, Partition, plan_exchange, RowOrder
from ._decompressors import check_shape, Decompressor, read_columns, read_rows, read_stars


_NOWHERE = np.int32(np.iinfo(np.int32).max)


class RowBlockDecompressor(Decompressor):
    """Reads the nonzeros of each device's rows from its part of `B`, and from what others send of theirs.

    With colors of the columns all of them are in the device's part. With colors of rows or stars, those in a
    column of another device are sent. `B` is one matrix or, in bidirectional mode, a pair. Its columns are
    spread as outputs or inputs are.

    **Attributes:**

    - `index`: int32 `(devices * length,)`, where each nonzero is found in the device's part, as a vector, and
      in what it receives behind that. Filled up with places past the end, where zeros are read.
    - `exchange`: what is sent.
    """

    index: Int32[Array, " size"]
    exchange: Exchange
    compressed_shape: Any = eqx.field(static=True)
    partition: Partition = eqx.field(static=True)

    def __init__(
        self, coloring: ColoredPattern, order: RowOrder, rows: Partition, columns: Partition
    ):
        """**Arguments:** `order`: of the nonzeros. `rows`, `columns`: how outputs and inputs are spread."""
        reads, starts, shapes = _reads(coloring, rows, columns), [0], []
        for _, partition, count in reads:
            starts.append(starts[-1] + count * partition.length)
            shapes.append((count, partition.devices * partition.length))

        def locate(device: int) -> Located:
            own = order.of_device(device)
            owner = entry = np.zeros((), np.int32)
            for start, (read, partition, _) in zip(starts, reads, strict=False):
                chosen, color, position = read(own)
                has, place = partition.locate(position)
                owner = np.where(chosen, has, owner)
                there = start + color.astype(np.int64) * partition.length + place
                entry = np.where(chosen, there, entry)
            return owner, entry

        self.exchange, found = plan_exchange(rows, locate, starts[-1])
        self.index = order.put(found, _NOWHERE)
        self.compressed_shape = tuple(shapes) if len(shapes) > 1 else shapes[0]
        self.partition = rows

    def __call__(self, B: Any) -> Shaped[Array, " size"]:
        pairs = isinstance(B, tuple)
        matrices = B if pairs else (B,)
        shapes = self.compressed_shape if pairs else (self.compressed_shape,)
        for matrix, shape in zip(matrices, shapes, strict=True):
            check_shape(matrix, shape)
        if not math.prod(self.index.shape):
            return jnp.zeros(0, matrices[0].dtype)

        def read(parts: Sequence[Array], index: Array, sent: Sequence[Array]) -> Array:
            part = jnp.concatenate([one.reshape(-1) for one in parts])
            values = part.at[index].get(mode="fill", fill_value=0)
            if not sent:
                return values
            # Both are read and one is taken: that needs no copy of the part with the others behind it.
            others = self.exchange(part, sent).at[index - len(part)].get(mode="fill", fill_value=0)
            return jnp.where(index < len(part), values, others)

        spread = self.partition.spec
        columns = PartitionSpec(None, *spread)
        local = shard_map(read, self.partition.mesh, (columns, spread, spread), spread)
        return local(matrices, self.index, self.exchange.sent)


_Read = Callable[[Any], tuple[Any, np.ndarray, np.ndarray]]
"""Of some nonzeros: which are read from a compressed matrix, and their colors and positions in it."""


def _reads(
    coloring: ColoredPattern, rows: Partition, columns: Partition
) -> list[tuple[_Read, Partition, int]]:
    """For each compressed matrix: what is read, how its columns are spread, and its number of colors."""
    sparsity, count = coloring.sparsity, coloring.num_colors
    by_column, by_row = coloring.column_colors, coloring.row_colors
    if coloring.symmetric:
        colors, positions = read_stars(sparsity, coloring.colors, coloring.chosen_stars)
        return [(lambda own: (True, colors[own], positions[own]), columns, count)]

    def reader(read: Callable[..., Any], colors: np.ndarray, chosen: np.ndarray) -> _Read:
        return lambda own: (
            chosen[own],
            *read(sparsity.rows[own], sparsity.cols[own], colors),
        )

    every = np.broadcast_to(True, sparsity.nnz)
    if by_row is None:
        return [(reader(read_columns, coloring.colors, every), rows, count)]
    if by_column is None:
        return [(reader(read_rows, by_row, every), columns, count)]
    chosen, of_rows = read_from_column(sparsity, by_column), coloring.num_row_colors
    return [
        (reader(read_columns, by_column, chosen), rows, count - of_rows),
        (reader(read_rows, by_row, ~chosen), columns, of_rows),
    ]
