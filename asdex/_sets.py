"""Sets of integers as compressed rows: equal sets, parts of them, and their transpose."""

from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32, Int64, UInt64


_PART = 100_000  # members
Sets = tuple[Any, Any]
"""The start of each set, `(sets + 1,)`, and the ascending members of one set after the other."""


def equal_sets(sets: Sets) -> Int32[np.ndarray, " sets"]:
    """Return for each set the number of the first set that is equal to it; an empty set equals no other."""
    indptr, indices = sets
    first = _first_equal(hashes(sets))
    # Hashes almost never collide; a set whose hash does is equal only to itself.
    lengths = np.diff(indptr)
    differs = (lengths != lengths[first]) | (lengths == 0)
    wrong = [np.flatnonzero(differs)]
    first[wrong[0]] = wrong[0]
    shifts = indptr[:-1] - indptr[first]
    for begin, end in parts(indptr):
        start, stop = indptr[begin], indptr[end]
        positions = np.arange(start, stop) - np.repeat(shifts[begin:end], lengths[begin:end])
        differs = start + np.flatnonzero(indices[start:stop] != indices[positions])
        if len(differs):
            wrong.append(np.searchsorted(indptr, differs, side="right") - 1)
    alone = np.concatenate(wrong)
    first[alone] = alone
    return first


def _first_equal(marks: UInt64[np.ndarray, " k"]) -> Int32[np.ndarray, " k"]:
    """Return for each mark the place of the first mark that is equal to it."""
    numbers = np.arange(len(marks), dtype=np.int32)
    table = np.empty(4 * len(marks) + 1, np.int32)
    slots = marks % np.uint64(len(table))
    table[slots[::-1]] = numbers[::-1]
    first = table[slots]
    # The other marks have the slot of an earlier mark.
    others = np.flatnonzero(marks[first] != marks)
    _, places, kinds = np.unique(marks[others], return_index=True, return_inverse=True)
    first[others] = others[places[kinds]]
    return first


def hashes(sets: Sets) -> UInt64[np.ndarray, " sets"]:
    """Return a hash of each set, which is a sum of scattered numbers, and 0 for empty sets."""
    indptr, indices = sets
    result = np.zeros(len(indptr) - 1, np.uint64)
    nonempty = np.flatnonzero(np.diff(indptr))
    starts = np.append(indptr[nonempty], len(indices))
    for begin, end in parts(starts):
        members = _scatter(indices[starts[begin] : starts[end]])
        result[nonempty[begin:end]] = np.add.reduceat(members, starts[begin:end] - starts[begin])
    return result


def _scatter(numbers: Int[np.ndarray, " k"]) -> UInt64[np.ndarray, " k"]:
    """Mix the bits of numbers as Steele, Lea and Flood do.

    "Fast splittable pseudorandom number generators" (OOPSLA 2014).
    """
    z = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def parts(indptr: Int[np.ndarray, " sets+1"]) -> list[tuple[int, int]]:
    """Cut sets into parts whose members fit into the cache, since new memory costs more than arithmetic.

    **Returns:** the first set of each part, and the first set after it.
    """
    cuts = np.searchsorted(indptr[:-1], np.arange(0, indptr[-1], _PART))
    return list(pairwise(np.unique(np.append(cuts, len(indptr) - 1)).tolist()))


def run_bounds(values: Int[np.ndarray, " k"]) -> Int64[np.ndarray, " runs+1"]:
    """Return where each run of equal values starts, and the number of all values."""
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([np.zeros(min(len(values), 1), np.int64), starts, [len(values)]])


def take_sets(sets: Sets, chosen: Int[np.ndarray, " k"]) -> Sets:
    """Return some of the sets."""
    indptr, indices = sets
    lengths = indptr[chosen + 1] - indptr[chosen]
    return np.concatenate([[0], np.cumsum(lengths)]), indices[ranges(indptr[chosen], lengths)]


def ranges(starts: Int[np.ndarray, " k"], lengths: Int[np.ndarray, " k"]) -> Int[np.ndarray, " l"]:
    """Return consecutive numbers from each start on, one range after the other."""
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
