"""Repair of a column coloring that is valid except in a few rows."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from ..._sets import run_bounds, take_sets
from ...pattern import SparsityPattern
from .._colors import groups_with_repeats


_MAX_REPAIRED = 62
_SEAM = 0.4  # a larger part of the matrix is no seam


class RowGroups(NamedTuple):
    """The columns in the nonempty rows of a pattern, row after row; `indptr` holds the start of each."""

    indptr: Int[np.ndarray, " groups+1"]
    columns: Int[np.ndarray, " nnz"]

    @property
    def number(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> Int[np.ndarray, " groups"]:
        return np.diff(self.indptr)

    @property
    def longest(self) -> int:
        return int(self.lengths.max(initial=0))

    def conflicts(self, colors: Int32[np.ndarray, " n"]) -> Int[np.ndarray, " conflicts"]:
        """Return the groups that contain a color twice."""
        return np.flatnonzero(groups_with_repeats(self.indptr, self.columns, colors))

    def take(self, groups: Int[np.ndarray, " k"]) -> "RowGroups":
        """Return some of the groups."""
        return RowGroups(*take_sets(self, groups))


def row_groups(sparsity: SparsityPattern) -> RowGroups:
    """Return the nonempty rows of a pattern."""
    return RowGroups(run_bounds(sparsity.rows), sparsity.cols)


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
    broken = groups.conflicts(colors)
    if not len(broken):
        return colors
    if max_colors > _MAX_REPAIRED or len(broken) > _SEAM * groups.number:
        return None
    seam = np.zeros(len(colors), bool)
    seam[groups.take(broken).columns] = True
    touched = np.flatnonzero(np.logical_or.reduceat(seam[groups.columns], groups.indptr[:-1]))
    repaired = _fill(groups.take(touched), colors.copy(), seam, max_colors)
    if repaired is None or len(groups.conflicts(repaired)):
        return None
    return repaired


def _fill(
    groups: RowGroups,
    colors: Int32[np.ndarray, " n"],
    missing: Bool[np.ndarray, " n"],
    max_colors: int,
) -> Int32[np.ndarray, " n"] | None:
    group, starts = np.repeat(np.arange(groups.number), groups.lengths), groups.indptr[:-1]
    while np.any(missing):
        bits = np.where(missing, 0, np.int64(1) << colors.astype(np.int64))
        used = np.bitwise_or.reduceat(bits[groups.columns], starts)
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
