"""Decompression block by block, where each nonzero block is a window of the compressed matrix."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, Shaped

from .._arrays import on_device
from ..coloring import ColoredPattern
from ..coloring.recoverability import read_across
from ..formats import BlockPattern
from ._api import decompressor_for
from ._decompressors import check_shape, Decompressor, Gather, take


class WindowDecompressor(Decompressor):
    """Reads each `(b_r, b_c)` block from a window of `B`, where the colors of a node are consecutive.

    A block that is read from the colors of its rows is a window of `B`. A block that is read from the
    colors of its columns is a transposed window. There is one index per block instead of one per nonzero.

    **Attributes:**

    - `starts`: int32 `(num_blocks, 2)`, the first color and the first position of each window.
    - `transposed`: whether each window is to be transposed; `None` if `all_transposed` holds for all.
    - `all_transposed`: whether all windows are to be transposed.
    - `window`: the shape of the windows.
    - `compressed_shape`: `(num_colors, length)`, the shape of `B`.
    """

    starts: Int[Array, "num_blocks 2"]
    transposed: Bool[Array, " num_blocks"] | None
    all_transposed: bool = eqx.field(static=True)
    window: tuple[int, int] = eqx.field(static=True)
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __call__(
        self, B: Shaped[Array, "num_colors length"]
    ) -> Shaped[Array, "num_blocks b_r b_c"]:
        """Return the values of the blocks, in the order of block rows.

        **Raises:** `ValueError` if `B` has another shape.
        """
        check_shape(B, self.compressed_shape)
        windows = lax.gather(
            B,
            self.starts,
            _WHOLE_WINDOWS,
            slice_sizes=self.window,
            mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
        )
        if self.transposed is None:
            return windows.swapaxes(1, 2) if self.all_transposed else windows
        return jnp.where(self.transposed[:, None, None], windows.swapaxes(1, 2), windows)


_WHOLE_WINDOWS = lax.GatherDimensionNumbers(
    offset_dims=(1, 2), collapsed_slice_dims=(), start_index_map=(0, 1)
)


class _Arranged(Decompressor):
    """Reads the values of nonzeros, and arranges them by blocks, by `order` if they are not in that order."""

    nonzeros: Decompressor
    order: Int[Array, " nnz"] | None
    shape: tuple[int, ...] = eqx.field(static=True)
    compressed_shape: Any = eqx.field(static=True)

    def __call__(self, B):
        values = self.nonzeros(B)
        return (values if self.order is None else take(values, (self.order,))).reshape(self.shape)


def block_decompressor(coloring: ColoredPattern, blocks: BlockPattern) -> Decompressor:
    """Return a function that reads the values of the blocks, `(num_blocks, b_r, b_c)`, from `B`."""
    decompressor = _windows(coloring, blocks)
    if decompressor is not None:
        return decompressor
    nonzeros, order = decompressor_for(coloring), None
    with jax.ensure_compile_time_eval():
        if isinstance(nonzeros, Gather) and nonzeros.index:
            index = tuple(part[blocks.order.ravel()] for part in nonzeros.index)
            nonzeros = eqx.tree_at(lambda one: one.index, nonzeros, index)
        else:
            order = blocks.order.ravel()
    return _Arranged(
        nonzeros=nonzeros,
        order=order,
        shape=blocks.order.shape,
        compressed_shape=nonzeros.compressed_shape,
    )


def _windows(coloring: ColoredPattern, blocks: BlockPattern) -> WindowDecompressor | None:
    """Return the windows of the blocks; `None` if some block is not a window."""
    if coloring.mode == "bidirectional" or coloring.recovery != "direct":
        return None
    if blocks.components == "first" or not blocks.num_blocks:
        return None
    indices, indptr = np.asarray(blocks.indices), np.asarray(blocks.indptr)
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    transposed = _read_by_columns(coloring, blocks)
    if transposed is None:
        return None
    by_color = np.where(transposed, indices, rows)
    by_place = np.where(transposed, rows, indices)
    all_transposed = bool(np.all(transposed))
    height, width = blocks.block_shape
    window = (width, height) if all_transposed else (height, width)
    colors = np.asarray(coloring.colors).reshape(-1, window[0])
    consecutive = np.all(colors == colors[:, :1] + np.arange(window[0]), axis=1)
    if not np.all(consecutive[by_color]):
        return None
    starts = np.stack([colors[by_color, 0], by_place * window[1]], axis=1)
    return WindowDecompressor(
        starts=on_device(starts, np.int32),
        transposed=on_device(transposed) if np.any(transposed) != all_transposed else None,
        all_transposed=all_transposed,
        window=window,
        compressed_shape=(coloring.num_colors, blocks.shape[0 if all_transposed else 1]),
    )


def _read_by_columns(
    coloring: ColoredPattern, blocks: BlockPattern
) -> Bool[np.ndarray, " num_blocks"] | None:
    """Return which blocks are read from the colors of their columns; `None` if a block is read from both."""
    if not coloring.symmetric:
        return np.full(blocks.num_blocks, coloring.mode != "rev")
    if blocks.block_shape[0] != blocks.block_shape[1]:
        return None
    across = read_across(coloring.sparsity, coloring.colors, coloring.chosen_stars)
    mirrored = across[np.asarray(blocks.order)]
    some = np.any(mirrored, axis=(1, 2))
    uniform = np.array_equal(some, np.all(mirrored, axis=(1, 2)))
    return np.logical_not(some) if uniform else None
