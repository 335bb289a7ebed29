"""Repeated colors in the rows of a pattern, which decide where a nonzero can be read."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jaxtyping import Array, Bool, Int, Integer

from .._pattern import column_order, SparsityPattern
from .._sets import parts


_MASK_BITS = 32
_MAX_MASKS = 4


def any_repeated(
    indptr: Int[np.ndarray, " num_groups+1"], colors: Integer[np.ndarray, " nnz"]
) -> bool:
    """Return whether some group holds a color twice, in O(nnz).

    **Arguments:** `indptr`: where each group starts in `colors`. `colors`: the nonnegative colors
    of the members of group 0, then of group 1, and so on.
    """
    num_colors = int(colors.max(initial=-1)) + 1
    if num_colors > _MASK_BITS * _MAX_MASKS:
        return bool(np.any(repeated(indptr, colors)))
    starts = np.append(indptr[:-1][np.diff(indptr) > 0], len(colors))
    for first in range(0, num_colors, _MASK_BITS):
        # Only half of the bits of a word, so that the sum of a group cannot overflow into a wrong result.
        bits = np.zeros(num_colors, np.int64)
        window = bits[first : first + _MASK_BITS]
        window[:] = np.left_shift(1, np.arange(len(window)))
        for begin, end in parts(starts):
            members = bits[colors[starts[begin] : starts[end]]]
            at = starts[begin:end] - starts[begin]
            if np.any(np.add.reduceat(members, at) != np.bitwise_or.reduceat(members, at)):
                return True
    return False


def repeated(
    indptr: Int[np.ndarray, " num_groups+1"], colors: Integer[np.ndarray, " nnz"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the members of groups whose color another member of the group has, in O(nnz).

    **Arguments:** as for `any_repeated`.
    """
    nnz, num_colors = len(colors), int(colors.max(initial=-1)) + 1
    if num_colors > 2 * nnz:
        colors = np.unique(colors, return_inverse=True)[1]
        num_colors = int(colors.max(initial=-1)) + 1
    # Two counting sorts: by color, and then, keeping that order, by group.
    members = np.arange(nnz, dtype=np.int32 if nnz <= np.iinfo(np.int32).max else np.int64)
    by_group = sp.csr_array((members, colors, indptr), shape=(len(indptr) - 1, num_colors))
    ordered = by_group.tocsc().tocsr()
    same = ordered.indices[1:] == ordered.indices[:-1]
    starts = ordered.indptr[1:-1]
    same[starts[(starts > 0) & (starts < nnz)] - 1] = False
    result = np.zeros(nnz, bool)
    places = np.asarray(ordered.data, members.dtype)
    result[places[1:][same]] = True
    result[places[:-1][same]] = True
    return result


def read_from_column(
    sparsity: SparsityPattern, column_colors: Integer[np.ndarray, " n"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (i, j) for which no other column of j's color has a nonzero in row i.

    They can be read from products with groups of columns. Columns of color -1 are in no group.
    """
    rows, cols, column_colors = known_or_traced(sparsity.rows, sparsity.cols, column_colors)
    colors = column_colors[cols]
    return (colors >= 0) & ~_repeated_in_rows(sparsity, rows, colors + 1)


def read_from_row(
    sparsity: SparsityPattern, row_colors: Integer[np.ndarray, " m"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (i, j) for which no other row of i's color has a nonzero in column j."""
    starts, order = column_order(sparsity)
    colors = np.asarray(row_colors)[np.asarray(sparsity.rows)][order]
    result = np.empty(sparsity.nnz, bool)
    result[order] = (colors >= 0) & ~repeated(starts, colors + 1)
    return result


def spoke_entries(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) of a star-colored pattern whose row v has w's color more than once.

    Then v is the hub of a two-colored star, and the edge to w is one of its spokes. The sum of row
    v over w's color has other terms than H[v, w], so H[v, w] must be read as H[w, v].
    """
    rows, cols, colors = known_or_traced(sparsity.rows, sparsity.cols, colors)
    return _repeated_in_rows(sparsity, rows, colors[cols])


def known_or_traced(*arrays: Any) -> tuple[Any, ...]:
    """Return the arrays as NumPy arrays, or as JAX arrays if a transformation traces one of them."""
    traced = any(isinstance(array, Tracer) for array in arrays)
    return tuple(map(jnp.asarray if traced else np.asarray, arrays))


def _repeated_in_rows(sparsity: SparsityPattern, rows: Any, colors: Any) -> Any:
    """The same as `repeated`, for the rows of a pattern as groups."""
    if isinstance(colors, Tracer):
        return _repeated_while_traced(rows, colors)
    return repeated(sparsity.indptr, colors)


def _repeated_while_traced(
    rows: Int[Array, " nnz"], colors: Int[Array, " nnz"]
) -> Bool[Array, " nnz"]:
    """The same as `repeated`, by sorting."""
    order = jnp.lexsort((colors, rows))
    same = (jnp.diff(rows[order]) == 0) & (jnp.diff(colors[order]) == 0)
    with_neighbor = jnp.pad(same, (0, 1)) | jnp.pad(same, (1, 0))
    return jnp.zeros(len(rows), bool).at[order].set(with_neighbor[: len(rows)])
