"""Decompressors: how the nonzeros are read from the compressed matrix `B`.

A decompressor is built once from a pattern and its colors, and knows neither how the colors were
found nor how `B` is computed. It is a single gather: every nonzero is one entry of `B`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Integer, Shaped

from .._pattern import SparsityPattern
from ..coloring._counts import spoke_entries


class Decompressor(eqx.Module):
    """Reads the nonzeros of a matrix from its compressed form `B`.

    **Attributes:**

    - `index`: where each nonzero stands in `B`: one int32 array `(nnz,)` of positions in the
      flattened `B`, or a color and a position array where `B` is too large for flat int32 indices.
    - `compressed_shape`: `(num_colors, length)`, the shape of `B`.
    """

    index: eqx.AbstractVar[tuple[Int[Array, " nnz"], ...]]
    compressed_shape: eqx.AbstractVar[tuple[int, int]]

    def __call__(self, B: Shaped[Array, "num_colors length"]) -> Shaped[Array, " nnz"]:
        """Return the values of the nonzeros, in the order of the pattern.

        **Arguments:** `B`: the compressed matrix, of shape `compressed_shape` and any dtype.

        **Returns:** `(nnz,)` values of the dtype of `B`.

        **Raises:** `ValueError` if `B` has another shape.
        """
        if B.shape != self.compressed_shape:
            raise ValueError(
                f"Expected a compressed matrix of shape {self.compressed_shape}, one row per "
                f"color, got {B.shape}. Stack the derivative passes along the leading axis, in the "
                "order of the colors, and use `jax.vmap` for batches."
            )
        if len(self.index) == 1:
            (flat,) = self.index
            return B.reshape(-1).at[flat].get(mode="promise_in_bounds")
        return B.at[self.index].get(mode="promise_in_bounds")


class ColumnDecompressor(Decompressor):
    """Reads J[i, j] as `B[colors[j], i]` from `B` `(num_colors, m)`, where `B[c] = J @ seed_c`.

    `seed_c` is 1 on the columns of color c (Curtis, Powell and Reid 1974).
    """

    index: tuple[Int[Array, " nnz"], ...]
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
    ):
        """**Arguments:** an `(m, n)` pattern, a coloring `(n,)` of its columns, its color count."""
        self.compressed_shape = (num_colors, sparsity.m)
        self.index = _index(*read_columns(sparsity, colors), self.compressed_shape)


class RowDecompressor(Decompressor):
    """Reads J[i, j] as `B[colors[i], j]` from `B` `(num_colors, n)`, where `B[c] = seed_c @ J`.

    `seed_c` is 1 on the rows of color c.
    """

    index: tuple[Int[Array, " nnz"], ...]
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " m"], num_colors: int
    ):
        """**Arguments:** an `(m, n)` pattern, a coloring `(m,)` of its rows, its color count."""
        self.compressed_shape = (num_colors, sparsity.n)
        self.index = _index(*read_rows(sparsity, colors), self.compressed_shape)


class StarDecompressor(Decompressor):
    """Reads a symmetric H from `B` `(num_colors, n)`, where `B[c] = H @ seed_c`.

    `seed_c` is 1 on the vertices of color c of a star coloring. H[v, w] is `B[colors[w], v]`, or,
    if v has another neighbor of w's color, `B[colors[v], w]` (direct recovery: Coleman and Moré
    1984; Gebremedhin, Manne and Pothen, SIAM Review 47, 2005, section 4).
    """

    index: tuple[Int[Array, " nnz"], ...]
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
    ):
        """**Arguments:** an `(n, n)` pattern, a star coloring `(n,)` of it, its color count."""
        self.compressed_shape = (num_colors, sparsity.n)
        self.index = _index(*read_stars(sparsity, colors, num_colors), self.compressed_shape)


def read_columns(sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"]):
    """Return the color and the position in `B` `(num_colors, m)` of each nonzero."""
    rows, cols, colors = map(np.asarray, (sparsity.rows, sparsity.cols, colors))
    return colors[cols], rows


def read_rows(sparsity: SparsityPattern, colors: Integer[np.ndarray, " m"]):
    """Return the color and the position in `B` `(num_colors, n)` of each nonzero."""
    rows, cols, colors = map(np.asarray, (sparsity.rows, sparsity.cols, colors))
    return colors[rows], cols


def read_stars(sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int):
    """Return the color and the position in `B` `(num_colors, n)` of each nonzero."""
    rows, cols, colors = map(np.asarray, (sparsity.rows, sparsity.cols, colors))
    mirrored = spoke_entries(sparsity, colors, num_colors)
    return colors[np.where(mirrored, rows, cols)], np.where(mirrored, cols, rows)


def _index(
    color: Int[np.ndarray, " nnz"], position: Int[np.ndarray, " nnz"], shape: tuple[int, int]
) -> tuple[Int[Array, " nnz"], ...]:
    num_colors, length = shape
    if num_colors * length <= np.iinfo(np.int32).max:
        parts = (color.astype(np.int32) * np.int32(length) + position.astype(np.int32),)
    else:
        parts = (color, position)
    with jax.ensure_compile_time_eval():  # concrete also where a trace is under way
        return tuple(jnp.asarray(part, jnp.int32) for part in parts)
