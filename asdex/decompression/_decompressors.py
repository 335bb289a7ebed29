"""Decompressors, which read the nonzeros from the compressed matrix `B`.

A decompressor is built once from a pattern and its colors. It does not depend on how the colors were
found, or on how `B` is computed. With direct recovery it is a gather: every nonzero is one entry of `B`.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Int, Integer, Shaped

from .._arrays import on_device
from ..coloring import StarSet
from ..coloring.recoverability import known_or_traced, read_across, read_from_column
from ..pattern import SparsityPattern


class Decompressor(eqx.Module):
    """Reads the nonzeros of a matrix from its compressed form `B`.

    Decompressors compare and hash by identity, as functions do.

    **Attributes:** `compressed_shape`: the shape of `B`.
    """

    compressed_shape: eqx.AbstractVar[Any]

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @abc.abstractmethod
    def __call__(self, B: Any) -> Shaped[Array, " nnz"]:
        """Return the values of the nonzeros, in the order of the pattern.

        **Arguments:** `B`: the compressed matrix, of shape `compressed_shape` and any dtype.

        **Returns:** `(nnz,)` values of the dtype of `B`.

        **Raises:** `ValueError` if `B` has another shape.
        """


class Gather(Decompressor):
    """Reads each nonzero from one place of one matrix.

    `index` holds the place of each nonzero in `B`: one int32 array `(nnz,)` of positions in the flattened
    `B`, or an array of colors and an array of positions if `B` is too large for flat int32 indices. It has no
    array where `B` holds nothing but the nonzeros in their order, such as a full row.
    """

    index: tuple[Int[Array, " nnz"], ...]
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __call__(self, B: Shaped[Array, "num_colors length"]) -> Shaped[Array, " nnz"]:
        check_shape(B, self.compressed_shape)
        return take(B, self.index)


class ColumnDecompressor(Gather):
    """Reads J[i, j] as `B[colors[j], i]` from `B` `(num_colors, m)`, where `B[c] = J @ seed_c`.

    `seed_c` is 1 on the columns of color c (Curtis, Powell and Reid 1974).
    """

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
    ):
        """**Arguments:** an `(m, n)` pattern, a coloring `(n,)` of its columns, the number of colors."""
        self.compressed_shape = (num_colors, sparsity.m)
        entries = known_or_traced(sparsity.rows, sparsity.cols, colors)
        self.index = _index(*read_columns(*entries), self.compressed_shape)


class RowDecompressor(Gather):
    """Reads J[i, j] as `B[colors[i], j]` from `B` `(num_colors, n)`, where `B[c] = seed_c @ J`.

    `seed_c` is 1 on the rows of color c.
    """

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " m"], num_colors: int
    ):
        """**Arguments:** an `(m, n)` pattern, a coloring `(m,)` of its rows, the number of colors."""
        self.compressed_shape = (num_colors, sparsity.n)
        entries = known_or_traced(sparsity.rows, sparsity.cols, colors)
        self.index = _index(*read_rows(*entries), self.compressed_shape)


class StarDecompressor(Gather):
    """Reads a symmetric H from `B` `(num_colors, n)`, where `B[c] = H @ seed_c`.

    `seed_c` is 1 on the vertices of color c of a star coloring. H[v, w] is `B[colors[w], v]`. If v
    has another neighbor of w's color, it is `B[colors[v], w]` instead. This is direct recovery
    (Coleman and Moré 1984; Gebremedhin, Manne and Pothen, SIAM Review 47, 2005, section 4). With a
    star set, H[v, w] and H[w, v] are both read from the hub's color, in the spoke's row.
    """

    def __init__(
        self,
        sparsity: SparsityPattern,
        colors: Integer[np.ndarray, " n"],
        num_colors: int,
        star_set: StarSet | None = None,
    ):
        """**Arguments:** an `(n, n)` pattern, a star coloring `(n,)` of it, the number of colors, and the
        hubs if they are chosen already.

        **Raises:** `asdex.InvalidColoringError` for hubs from whose colors the entries cannot be read."""
        self.compressed_shape = (num_colors, sparsity.n)
        self.index = _index(*read_stars(sparsity, colors, star_set), self.compressed_shape)


class BidirectionalDecompressor(Decompressor):
    """Reads J[i, j] as `F[column_colors[j], i]` or `R[row_colors[i], j]` from `B = (F, R)`.

    `F` `(column colors, m)` holds the products of J with groups of columns, and `R` `(row colors, n)` the
    products of groups of rows with J. A nonzero is read from `F` if no other column of its color has a
    nonzero in its row, and otherwise from `R` (Coleman and Verma 1998; Hossain and Steihaug 1998).
    """

    from_columns: Bool[Array, " nnz"]
    column_index: tuple[Int[Array, " nnz"], ...]
    row_index: tuple[Int[Array, " nnz"], ...]
    compressed_shape: tuple[tuple[int, int], tuple[int, int]] = eqx.field(static=True)

    def __init__(
        self,
        sparsity: SparsityPattern,
        column_colors: Integer[np.ndarray, " n"],
        row_colors: Integer[np.ndarray, " m"],
        num_column_colors: int,
        num_row_colors: int,
    ):
        """**Arguments:** an `(m, n)` pattern, the colors of its columns `(n,)` and rows `(m,)`, -1 for
        those without a color, and the numbers of colors."""
        self.compressed_shape = ((num_column_colors, sparsity.m), (num_row_colors, sparsity.n))
        by_column = read_from_column(sparsity, column_colors)
        # Nonzeros that are read from the other matrix point at the first place.
        rows, cols = sparsity.rows, sparsity.cols
        color, position = read_columns(*known_or_traced(rows, cols, column_colors))
        of_columns = color * by_column, position * by_column
        color, position = read_rows(*known_or_traced(rows, cols, row_colors))
        of_rows = color * ~by_column, position * ~by_column
        self.column_index = _index(*of_columns, self.compressed_shape[0])
        self.row_index = _index(*of_rows, self.compressed_shape[1])
        self.from_columns = on_device(by_column)

    def __call__(
        self, B: tuple[Shaped[Array, "column_colors m"], Shaped[Array, "row_colors n"]]
    ) -> Shaped[Array, " nnz"]:
        forward, reverse = B
        check_shape(forward, self.compressed_shape[0])
        check_shape(reverse, self.compressed_shape[1])
        if not len(reverse):
            return take(forward, self.column_index)
        if not len(forward):
            return take(reverse, self.row_index)
        return jnp.where(
            self.from_columns, take(forward, self.column_index), take(reverse, self.row_index)
        )


def check_shape(B: Shaped[Array, "num_colors length"], expected: tuple[int, int]) -> None:
    """Raise if a compressed matrix does not have the given shape.

    **Raises:** `ValueError`.
    """
    if B.shape != expected:
        raise ValueError(
            f"Expected a compressed matrix of shape {expected}, one row per color, got {B.shape}. "
            "Stack the derivative passes along the leading axis, in the order of the colors, and use "
            "`jax.vmap` for batches."
        )


def take(B: Array, index: tuple[Int[Array, " nnz"], ...]) -> Shaped[Array, " nnz"]:
    if not index:
        return B.reshape(-1)
    if len(index) != 1:
        return B.at[index].get(mode="promise_in_bounds")
    (flat,) = index
    if not flat.size:  # jax 0.6 cannot gather from an empty array
        return jnp.zeros(0, B.dtype)
    # `.at` would also handle negative indices.
    return jax.lax.gather(B.reshape(-1), flat[:, None], _ONE_BY_ONE, (1,), mode="promise_in_bounds")


_ONE_BY_ONE = jax.lax.GatherDimensionNumbers(
    offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,)
)


def read_columns(
    rows: Shaped[Any, " nnz"], cols: Shaped[Any, " nnz"], colors: Shaped[Any, " n"]
) -> tuple[Any, Any]:
    """Return the color and the position in `B` `(num_colors, m)` of each nonzero, by colors of columns."""
    return colors[cols], rows


def read_rows(
    rows: Shaped[Any, " nnz"], cols: Shaped[Any, " nnz"], colors: Shaped[Any, " m"]
) -> tuple[Any, Any]:
    """Return the color and the position in `B` `(num_colors, n)` of each nonzero, by colors of rows."""
    return colors[rows], cols


def read_stars(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], star_set: StarSet | None
):
    """Return the color and the position in `B` `(num_colors, n)` of each nonzero."""
    rows, cols, colors = known_or_traced(sparsity.rows, sparsity.cols, colors)
    mirrored = read_across(sparsity, colors, star_set)
    there, position = (cols - rows) * ~mirrored + rows, (cols - rows) * mirrored + rows
    return colors[there], position


def _index(
    color: Int[np.ndarray, " nnz"], position: Int[np.ndarray, " nnz"], shape: tuple[int, int]
) -> tuple[Int[Array, " nnz"], ...]:
    num_colors, length = shape
    if len(color) == num_colors * length and not isinstance(color, Tracer):
        places = np.asarray(color, np.int64) * length + np.asarray(position)
        if np.array_equal(places, np.arange(len(places))):
            return ()
    if num_colors * length <= np.iinfo(np.int32).max:
        parts = (color.astype(np.int32) * np.int32(length) + position.astype(np.int32),)
    else:
        parts = (color, position)
    return tuple(on_device(part, np.int32) for part in parts)
