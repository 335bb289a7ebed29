"""Bidirectional coloring: some nonzeros are read from groups of columns, the others from rows."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from .._pattern import SparsityPattern
from ._greedy import Partition
from ._orders import Order
from ._search import Budget, color, count


_MOST_SPLITS = 48
_TRIED_SPLITS = 3


class Bicoloring(NamedTuple):
    """Colors `(n,)` of the columns and `(m,)` of the rows; -1 for those that nothing is read from."""

    columns: Int32[np.ndarray, " n"]
    rows: Int32[np.ndarray, " m"]

    @property
    def num_colors(self) -> int:
        return count(self.columns) + count(self.rows)


class Split(NamedTuple):
    """Which nonzeros to read from groups of rows, and how few colors might do."""

    by_row: Bool[np.ndarray, " nnz"]
    bound: int


def color_both(sparsity: SparsityPattern, budget: Budget, order: Order | None = None) -> Bicoloring:
    """Color rows and columns together, such that each nonzero can be read from one of its two.

    Dense rows force a color on every column that they touch. They are peeled off: read by products
    with groups of rows, while all other rows are read by products with groups of columns; or
    columns are, the other way round. How many to peel is decided by a scan over their lengths with
    the lower bounds of both parts; the best few splits are colored. (Star bicoloring: Hossain and
    Steihaug 1998; Coleman and Verma 1998; Gebremedhin, Manne and Pothen, SIAM Review 47, 2005,
    section 6.)
    """
    best = None
    for split in best_splits(sparsity):
        if best is None or split.bound < best.num_colors:
            colored = Bicoloring(
                _color_part(_part(sparsity, ~split.by_row), budget, order),
                _color_part(_part(sparsity, split.by_row).T, budget, order),
            )
            if best is None or colored.num_colors < best.num_colors:
                best = colored
    assert best is not None
    return best


def best_splits(sparsity: SparsityPattern) -> list[Split]:
    """Return the splits that promise fewest colors, the best first.

    A split is by the length of the rows, or of the columns: the longest ones are peeled.
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


def bidirectional_bound(sparsity: SparsityPattern) -> int:
    """Return a number of colors that every bidirectional coloring needs.

    A product holds at most max(m, n) numbers, and each nonzero is one of them.
    """
    return -(-sparsity.nnz // max(sparsity.m, sparsity.n, 1))


def _scan(sparsity: SparsityPattern) -> list[tuple[int, int]]:
    """Return pairs of a number of rows to peel, the longest first, and a bound on the colors."""
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
        result.append((number, rest + int(overlap.max(initial=0))))
        start = end
    return result


def _rank(rows: Int32[np.ndarray, " nnz"], m: int) -> Int[np.ndarray, " m"]:
    """The place of each row among all, the longest first."""
    rank = np.empty(m, np.int64)
    rank[np.argsort(-np.bincount(rows, minlength=m), kind="stable")] = np.arange(m)
    return rank


def _part(sparsity: SparsityPattern, kept: Bool[np.ndarray, " nnz"]) -> SparsityPattern:
    return SparsityPattern(sparsity.rows[kept], sparsity.cols[kept], sparsity.shape)


def _color_part(
    part: SparsityPattern, budget: Budget, order: Order | None
) -> Int32[np.ndarray, " n"]:
    """Color the columns; -1 where there is nothing."""
    colors = color(Partition(part), budget, order)
    occupied: Int[np.ndarray, " n"] = np.bincount(part.cols, minlength=part.n)
    return np.where(occupied > 0, colors, -1).astype(np.int32)
