"""Repair of a column coloring that is valid except in a few rows."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from .._pattern import SparsityPattern


_BITS = 32  # half a word: a sum of less than 2**31 such bits cannot overflow
_MAX_REPAIRED = 62
_SEAM = 0.4  # a larger part of the matrix is no seam


class RowGroups(NamedTuple):
    """The columns of a pattern, row after row; `starts` holds the start of each nonempty row."""

    columns: Int[np.ndarray, " nnz"]
    starts: Int[np.ndarray, " groups"]

    @property
    def lengths(self) -> Int[np.ndarray, " groups"]:
        return np.diff(self.starts, append=len(self.columns))

    @property
    def longest(self) -> int:
        return int(self.lengths.max(initial=0))

    @property
    def numbers(self) -> Int[np.ndarray, " nnz"]:
        """The group of each entry."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    def conflicts(
        self, colors: Int32[np.ndarray, " n"], num_colors: int
    ) -> Int[np.ndarray, " conflicts"]:
        """Return the groups that contain a color twice."""
        if not len(self.starts) or not num_colors:
            return self.starts[:0]
        own = [self._repeats(colors, first) for first in range(0, num_colors, _BITS)]
        return np.flatnonzero(np.logical_or.reduce(own))

    def _repeats(self, colors: Int32[np.ndarray, " n"], first: int) -> Bool[np.ndarray, " groups"]:
        """Whether each group contains a color from `first` on twice, so that their bits overlap."""
        shift = colors - first
        inside = (shift >= 0) & (shift < _BITS)
        bits = np.where(inside, np.int64(1) << np.where(inside, shift, 0).astype(np.int64), 0)
        bits = bits[self.columns]
        together = np.bitwise_or.reduceat(bits, self.starts)
        return np.add.reduceat(bits, self.starts) != together

    def take(self, groups: Int[np.ndarray, " k"]) -> "RowGroups":
        """Return some of the groups."""
        lengths = self.lengths[groups]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        places = np.repeat(self.starts[groups] - starts, lengths) + np.arange(lengths.sum())
        return RowGroups(self.columns[places], starts)


def row_groups(sparsity: SparsityPattern) -> RowGroups:
    """Return the nonempty rows of a pattern."""
    starts = np.flatnonzero(sparsity.rows[1:] != sparsity.rows[:-1]) + 1
    return RowGroups(sparsity.cols, np.concatenate([[0] * (sparsity.nnz > 0), starts]).astype(int))


def repair(
    groups: RowGroups, colors: Int32[np.ndarray, " n"], max_colors: int
) -> Int32[np.ndarray, " n"] | None:
    """Recolor the columns in groups with conflicts, first-fit, as a parallel greedy coloring does.

    All uncolored columns take their least free color at once. Where several clash, the one that comes
    first in a fixed pseudorandom order keeps its color, and the others try again (Gebremedhin and
    Manne, "Scalable parallel graph coloring algorithms", Concurrency 12, 2000).

    **Returns:** a valid coloring, or `None` if it needs more than `max_colors` colors or if too
    large a part of the rows has conflicts.
    """
    broken = groups.conflicts(colors, int(colors.max(initial=-1)) + 1)
    if not len(broken):
        return colors
    if max_colors > _MAX_REPAIRED or len(broken) > _SEAM * len(groups.starts):
        return None
    seam = np.zeros(len(colors), bool)
    seam[groups.take(broken).columns] = True
    touched = np.flatnonzero(np.logical_or.reduceat(seam[groups.columns], groups.starts))
    repaired = _fill(groups.take(touched), colors.copy(), seam, max_colors)
    if repaired is None or len(groups.conflicts(repaired, max_colors)):
        return None
    return repaired


def _fill(
    groups: RowGroups,
    colors: Int32[np.ndarray, " n"],
    missing: Bool[np.ndarray, " n"],
    max_colors: int,
) -> Int32[np.ndarray, " n"] | None:
    group = groups.numbers
    while np.any(missing):
        bits = np.where(missing, 0, np.int64(1) << colors.astype(np.int64))
        used = np.bitwise_or.reduceat(bits[groups.columns], groups.starts)
        open_entries = np.flatnonzero(missing[groups.columns])
        open_entries = open_entries[np.argsort(groups.columns[open_entries], kind="stable")]
        columns, first = np.unique(groups.columns[open_entries], return_index=True)
        forbidden = np.bitwise_or.reduceat(used[group[open_entries]], first)
        free = ~forbidden & (forbidden + 1)
        if np.any(free >= np.int64(1) << max_colors):
            return None
        colors[columns] = np.log2(free.astype(float)).astype(np.int32)
        by_rank = open_entries[np.argsort(_rank(groups.columns[open_entries]), kind="stable")]
        keys = group[by_rank] * max_colors + colors[groups.columns[by_rank]]
        _, winners = np.unique(keys, return_index=True)
        lost = np.ones(len(by_rank), bool)
        lost[winners] = False
        missing[columns] = False
        missing[groups.columns[by_rank[lost]]] = True
    return colors


def _rank(columns: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """A pseudorandom order of columns (Fibonacci hashing), in which chains of neighbors are short."""
    return columns.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(16)
