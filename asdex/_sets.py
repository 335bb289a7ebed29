"""Sets of integers, as compressed rows: which of them are equal, parts of them, and their transpose."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32, UInt64


Sets = tuple[Any, Any]
"""Where each set starts, `(sets + 1,)`, and the members of one set after the other, ascending."""


def equal_sets(sets: Sets) -> Int32[np.ndarray, " sets"]:
    """Return for each set the number of the first that is equal to it; empty sets equal none."""
    indptr, _ = sets
    _, first, kind = np.unique(hashes(sets), return_index=True, return_inverse=True)
    first = first[kind].astype(np.int32)
    lengths = np.diff(indptr)
    numbers = np.arange(len(first), dtype=np.int32)
    # Hashes collide as good as never; a set whose hash does is left on its own.
    repeats = np.flatnonzero(first < numbers)
    same = (lengths[repeats] == lengths[first[repeats]]) & (lengths[repeats] > 0)
    first[repeats[~same]] = repeats[~same]
    repeats = repeats[same]
    _, left = take_sets(sets, repeats)
    _, right = take_sets(sets, first[repeats])
    differs = np.flatnonzero(left != right)
    wrong = repeats[np.searchsorted(np.cumsum(lengths[repeats]), differs, side="right")]
    first[wrong] = wrong
    return first


def hashes(sets: Sets) -> UInt64[np.ndarray, " sets"]:
    """Return a sum of random numbers for each set, 0 for empty ones."""
    indptr, indices = sets
    size = int(indices.max(initial=-1)) + 1
    numbers = np.random.default_rng(0).integers(0, 2**64, size, dtype=np.uint64)
    result = np.zeros(len(indptr) - 1, np.uint64)
    nonempty = np.diff(indptr) > 0
    if len(indices):
        result[nonempty] = np.add.reduceat(numbers[indices], indptr[:-1][nonempty])
    return result


def take_sets(sets: Sets, chosen: Int[np.ndarray, " k"]) -> Sets:
    """Return some of the sets."""
    indptr, indices = sets
    lengths = indptr[chosen + 1] - indptr[chosen]
    return np.concatenate([[0], np.cumsum(lengths)]), indices[ranges(indptr[chosen], lengths)]


def ranges(starts: Int[np.ndarray, " k"], lengths: Int[np.ndarray, " k"]) -> Int[np.ndarray, " l"]:
    """Return the numbers from each start on, one range after the other."""
    stops = np.cumsum(lengths)
    return np.arange(stops[-1] if len(stops) else 0) + np.repeat(starts - stops + lengths, lengths)


def transpose_order(
    indptr: np.ndarray, indices: np.ndarray, num_cols: int
) -> tuple[np.ndarray, np.ndarray]:
    """Order the nonzeros of a compressed-row pattern by column, by a counting sort in linear time.

    **Returns:** `starts` `(num_cols + 1,)`, the start of each column, and `order` `(nnz,)`, the
    positions of the nonzeros of column 0, then of column 1, and so on, by ascending row. If the
    pattern is structurally symmetric, `order[k]` is also the position of the mirror image of the
    k-th nonzero.
    """
    positions = np.arange(len(indices), dtype=indptr.dtype)
    shape = (len(indptr) - 1, num_cols)
    by_column = sp.csr_array((positions, indices, indptr), shape=shape).tocsc()
    return by_column.indptr, by_column.data
