"""The formats of a derivative whose rows are spread over devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np
from jax.experimental.sparse import BCOO, BCSR
from jaxtyping import Array, Shaped

from .._arguments import check_choice
from ..pattern import SparsityPattern
from ._formats import coordinates
from ._row_blocks import RowBlockPattern, RowBlocks
from .partition import Partition, RowOrder


class RowBlockLayout(eqx.Module):
    """One matrix of row blocks; stands in for a `Layout`.

    **Attributes:**

    - `prepared`: what the format needs besides the values: arrays that are spread as they are.
    - `devices`: how many blocks there are.
    - `is_tree`: whether gradients are returned as trees.
    """

    prepared: Any
    output_format: str = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    devices: int = eqx.field(static=True)
    is_tree: bool = eqx.field(static=True)

    dense_blocks = None

    @classmethod
    def of(
        cls,
        sparsity: SparsityPattern,
        order: RowOrder,
        columns: Partition,
        flatten: bool,
        output_format: str,
    ) -> RowBlockLayout:
        """**Arguments:** `order`: that of the nonzeros. `columns`: how the inputs are spread.

        **Raises:** `ValueError` for a format that cannot be spread.
        """
        check_choice("output_format", output_format, ROW_BLOCK_FORMATS)
        rows, shape, prepared = order.partition, sparsity.shape, None
        if output_format == "bcoo":
            leaves = rows.shapes, columns.shapes
            if flatten or any(len(shapes) > 1 for shapes in leaves):
                leaves = [(shape[0],)], [(shape[1],)]
            shape = (*leaves[0][0], *leaves[1][0])
            shapes = leaves[0][0], leaves[1][0]

            def indices(device: int) -> np.ndarray:
                own = order.of_device(device)
                return coordinates(sparsity.rows[own], sparsity.cols[own], *shapes)

            prepared = order.put(indices, shape, len(shape))
        elif output_format == "bcsr":
            shape, prepared = (rows.devices, rows.length, sparsity.n), _compressed(sparsity, order)
        elif output_format == "row_blocks":
            prepared = RowBlockPattern.of(sparsity, order, columns)
        return cls(prepared, output_format, shape, rows.devices, not flatten)

    def computation(self) -> RowBlockLayout:
        """The part that `compute` needs."""
        return RowBlockLayout(None, self.output_format, self.shape, self.devices, self.is_tree)

    def compute(self, data: Shaped[Array, " size"], dtypes: Any = None) -> Array:
        """What the values are in this format: within a compiled function."""
        del dtypes
        return data.reshape(self.devices, -1) if self.output_format == "bcsr" else data

    def assembly(self, output_tree: Any = None, input_tree: Any = None) -> Callable[[Any], Any]:
        """A function of what `compute` returned: the derivative."""
        prepared, shape = self.prepared, self.shape
        return {
            "data": lambda data: data,
            "bcoo": lambda data: BCOO((data, prepared), shape=shape),
            "bcsr": lambda data: BCSR((data, *prepared), shape=shape),
            "row_blocks": lambda data: RowBlocks(data, prepared, input_tree, output_tree),
        }[self.output_format]


ROW_BLOCK_FORMATS = ("bcoo", "bcsr", "data", "row_blocks")


def _compressed(sparsity: SparsityPattern, order: RowOrder) -> tuple[Array, Array]:
    """The columns and the starts of the rows of each block, `(devices, ...)`."""
    rows = order.partition

    def columns(device: int) -> np.ndarray:
        return order.filled(sparsity.cols[order.of_device(device)], sparsity.n)[None]

    def starts(device: int) -> np.ndarray:
        _, places = rows.locate(sparsity.rows[order.of_device(device)])
        counts = np.bincount(places, minlength=rows.length)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)[None]

    return rows.put(columns, (1, order.length)), rows.put(starts, (1, rows.length + 1))
