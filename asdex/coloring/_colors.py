"""Arrays of colors: how many there are, and which of them occur twice in a group."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jaxtyping import Array, Bool, Int, Int32, Integer

from .._sets import parts
from ..pattern import SparsityPattern


Colors = Int32[np.ndarray, " num_vertices"]

_MASK_BITS = 32
_MAX_MASKS = 4


def count(colors: Integer[np.ndarray, " k"]) -> int:
    """Return the number of colors, which are numbered from 0."""
    return int(colors.max(initial=-1)) + 1


def groups_with_repeats(
    indptr: Int[np.ndarray, " num_groups+1"],
    members: Int[np.ndarray, " nnz"],
    colors: Integer[np.ndarray, " vertices"],
) -> Bool[np.ndarray, " num_groups"]:
    """Mark the groups that hold a color twice, in O(nnz).

    **Arguments:** `indptr`: where each group starts in `members`. `members`: the vertices of group 0, then
    of group 1, and so on. `colors`: nonnegative.
    """
    num_colors, occupied = count(colors), indptr[1:] > indptr[:-1]
    starts = np.append(indptr[:-1][occupied], len(members))
    found = np.zeros(len(starts) - 1, bool)
    if num_colors > _MASK_BITS * _MAX_MASKS:
        found[:] = np.logical_or.reduceat(repeated(indptr, colors[members]), starts[:-1])
    else:
        for first in range(0, num_colors, _MASK_BITS):
            # Half of the bits of a word, so that the sum of a group cannot overflow into a wrong result.
            bits = np.zeros(num_colors, np.int64)
            window = bits[first : first + _MASK_BITS]
            window[:] = np.left_shift(1, np.arange(len(window)))
            of_vertices = bits[colors]
            for begin, end in parts(starts):
                own = of_vertices[members[starts[begin] : starts[end]]]
                at = starts[begin:end] - starts[begin]
                once = np.add.reduceat(own, at) == np.bitwise_or.reduceat(own, at)
                found[begin:end] |= ~once
    result = np.zeros(len(occupied), bool)
    result[occupied] = found
    return result


def repeated(
    indptr: Int[np.ndarray, " num_groups+1"], colors: Integer[np.ndarray, " nnz"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the members of groups whose color another member of the group has, in O(nnz).

    **Arguments:** `indptr`: where each group starts in `colors`. `colors`: those of the members of group 0,
    then of group 1, and so on.
    """
    nnz, num_colors = len(colors), count(colors)
    if num_colors > 2 * nnz:
        colors = np.unique(colors, return_inverse=True)[1]
        num_colors = count(colors)
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


def repeated_in_rows(sparsity: SparsityPattern, rows: Any, colors: Any) -> Any:
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
