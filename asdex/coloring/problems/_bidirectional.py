"""The problem of coloring columns and rows together: each nonzero is read from a column or from a row."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from ...pattern import chosen_nonzeros, SparsityPattern
from .._checks import check_coloring_bidirectional
from .._colored_pattern import ColoredPattern
from .._colors import Colors, count
from ._columns import Columns, Rows
from ._problem import GraphProblem, Problem


_MOST_SPLITS = 48
_TRIED_SPLITS = 3


class Bicoloring(NamedTuple):
    """Colors `(n,)` of the columns and `(m,)` of the rows; -1 for those from which nothing is read."""

    columns: Int32[np.ndarray, " n"]
    rows: Int32[np.ndarray, " m"]

    @property
    def num_colors(self) -> int:
        return count(self.columns) + count(self.rows)


class Split(NamedTuple):
    """The nonzeros to read from groups of rows, and a lower bound on the colors that this takes."""

    by_row: Bool[np.ndarray, " nnz"]
    bound: int

    @property
    def takes_both(self) -> bool:
        """Whether there is something to read from rows, and something from columns."""
        return bool(self.by_row.any() and not self.by_row.all())


class Bidirectional(Problem):
    """The columns and rows of a pattern, of which each nonzero needs one that sets it apart.

    All columns that have a nonzero in a dense row need different colors. So dense rows are peeled
    off: they are read from products with groups of rows, and all other rows are read from products
    with groups of columns. Dense columns are peeled off in the same way, with rows and columns
    exchanged. A scan over the lengths of the rows, with the lower bounds of both parts, decides how
    many to peel. The best few splits are colored. (Star bicoloring: Hossain and Steihaug 1998;
    Coleman and Verma 1998; Gebremedhin, Manne and Pothen, SIAM Review 47, 2005, section 6.)
    """

    def __init__(self, sparsity: SparsityPattern, splits: Sequence[Split] | None = None):
        self.sparsity = sparsity
        self._splits = splits

    @functools.cached_property
    def lower_bound(self) -> int:
        """A product holds at most max(m, n) numbers, and each nonzero is one number of some product."""
        return -(-self.sparsity.nnz // max(self.sparsity.m, self.sparsity.n, 1))

    @functools.cached_property
    def splits(self) -> Sequence[Split]:
        """The splits to try; by default those with the least lower bounds, the best first."""
        return best_splits(self.sparsity) if self._splits is None else self._splits

    @functools.cached_property
    def has_conflicts(self) -> bool:
        """Whether neither all columns nor all rows may have the same color."""
        return Columns(self.sparsity).has_conflicts and Rows(self.sparsity).has_conflicts

    def solve(self, color: Callable[[GraphProblem], Colors]) -> Bicoloring:
        if not self.has_conflicts:
            return self._in_one_group()
        best = None
        for split in self.splits:
            if best is None or split.bound < best.num_colors:
                colored = Bicoloring(
                    _color_part(chosen_nonzeros(self.sparsity, ~split.by_row), color),
                    _color_part(chosen_nonzeros(self.sparsity, split.by_row).T, color),
                )
                if best is None or colored.num_colors < best.num_colors:
                    best = colored
        assert best is not None
        return best

    def _in_one_group(self) -> Bicoloring:
        """One group of all columns, or else of all rows, from which everything is read."""
        colors = Bicoloring(*(np.full(size, -1, np.int32) for size in self.sparsity.shape[::-1]))
        if Columns(self.sparsity).has_conflicts:
            colors.rows[self.sparsity.rows] = 0
        else:
            colors.columns[self.sparsity.cols] = 0
        return colors

    def colored(self, colors: Bicoloring, mode: str = "bidirectional") -> ColoredPattern:
        if self.has_conflicts:
            check_coloring_bidirectional(self.sparsity, colors.columns, colors.rows)
        return ColoredPattern(
            self.sparsity,
            column_colors=colors.columns,
            row_colors=colors.rows,
            num_colors=colors.num_colors,
            mode=mode,
            lower_bound=self.lower_bound,
            num_row_colors=count(colors.rows),
        )


def best_splits(sparsity: SparsityPattern) -> list[Split]:
    """Return the splits with the least lower bounds, the best first.

    A split peels off the longest rows, or the longest columns.
    """
    by_rows, by_columns = _scan(sparsity), _scan(sparsity.T)
    promising = sorted(
        [(bound, 0, number) for number, bound in by_rows]
        + [(bound, 1, number) for number, bound in by_columns]
    )
    row_rank, column_rank = _rank(sparsity.rows, sparsity.m), _rank(sparsity.cols, sparsity.n)
    return [
        Split(
            column_rank[sparsity.cols] >= number if along else row_rank[sparsity.rows] < number,
            bound,
        )
        for bound, along, number in promising[:_TRIED_SPLITS]
    ]


def _scan(sparsity: SparsityPattern) -> list[tuple[int, int]]:
    """Return pairs: a number of rows to peel, the longest first, and a lower bound on the colors."""
    rank = _rank(sparsity.rows, sparsity.m)
    falling = -np.sort(-np.bincount(sparsity.rows, minlength=sparsity.m))
    # All rows that are longer than some length.
    numbers = np.concatenate([[0], np.flatnonzero(falling[:-1] > falling[1:]) + 1])
    if len(numbers) > _MOST_SPLITS:
        few = np.geomspace(1, len(numbers), _MOST_SPLITS).astype(np.int64) - 1
        numbers = numbers[np.unique(few)]
    peeled = np.searchsorted(numbers, rank, side="right")[sparsity.rows]  # at which number
    by_number = np.argsort(peeled, kind="stable")
    ends = np.searchsorted(peeled[by_number], np.arange(len(numbers)), side="right").tolist()
    overlap, start, result = np.zeros(sparsity.n, np.int64), 0, []
    for number, end in zip(numbers.tolist(), ends, strict=True):
        np.add.at(overlap, sparsity.cols[by_number[start:end]], 1)
        rest = int(falling[number]) if number < len(falling) else 0
        if rest or not number:  # else all rows are peeled, as when no column is
            result.append((number, rest + int(overlap.max(initial=0))))
        start = end
    return result


def _rank(rows: Int32[np.ndarray, " nnz"], m: int) -> Int[np.ndarray, " m"]:
    """The place of each row in the order of descending lengths."""
    rank = np.empty(m, np.int64)
    rank[np.argsort(-np.bincount(rows, minlength=m), kind="stable")] = np.arange(m)
    return rank


def _color_part(
    part: SparsityPattern, color: Callable[[GraphProblem], Colors]
) -> Int32[np.ndarray, " n"]:
    """Color the columns; empty columns get color -1."""
    occupied: Int[np.ndarray, " n"] = np.bincount(part.cols, minlength=part.n)
    return np.where(occupied > 0, color(Columns(part)), -1).astype(np.int32)
