"""Patterns with equal parts, such as those of a batch, of which only one copy of each part is colored."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32

from ..._sets import equal_sets, Sets, take_sets
from ...pattern import SparsityPattern


_SAMPLED = 1000  # nonzeros that tell a batch from other patterns
_GAIN = 2  # by which the nonzeros must become fewer


class Copies(NamedTuple):
    """A pattern whose rows and columns fall into parts without common nonzeros, many of them equal.

    A coloring of one copy of each part gives a coloring of all parts, with as many colors.

    **Attributes:**

    - `pattern`: one copy of each part, without empty rows and columns; symmetric if the whole is.
    - `grid`: the shapes of the arrays whose elements are the columns of the copy; empty if unknown.
    - `places`: for each column, the equal column of `pattern`; -1 for columns without nonzeros.
    """

    pattern: SparsityPattern
    grid: tuple[tuple[int, ...], ...]
    places: Int32[np.ndarray, " n"]

    def expand(self, colors: Int32[np.ndarray, " k"]) -> Int32[np.ndarray, " n"]:
        """Return the coloring of all columns that follows from a coloring of one copy of each part."""
        return np.where(self.places >= 0, colors[self.places], 0).astype(np.int32)

    def contract(self, colors: Int32[np.ndarray, " n"]) -> Int32[np.ndarray, " k"]:
        """Return the colors of one copy of each part."""
        result = np.empty(self.pattern.n, np.int32)
        occupied = np.flatnonzero(self.places >= 0)[::-1]
        result[self.places[occupied]] = colors[occupied]
        return result


def find_copies(
    sparsity: SparsityPattern, grid: Sequence[tuple[int, ...]], symmetric: bool
) -> Copies | None:
    """Return one copy of each of the different parts of a pattern, if most parts are copies of others.

    Two kinds of parts are found. Parts may have consecutive numbers, as in a batch along a leading axis. Or
    the numbers of the parts may alternate, as in a batch along a trailing axis. If there are both, the copies
    with the fewest nonzeros count. It takes O(nnz) for such patterns, and O(m) or less for others.

    **Arguments:** `sparsity`: an `(m, n)` pattern. `grid`: the shapes of the arrays to which the columns
    belong. `symmetric`: whether rows are to be numbered like columns; the pattern must then be
    structurally symmetric.
    """
    fewest: Copies | None = None
    for items, trailing in _batches(sparsity, grid) if sparsity.nnz else ():
        rows, rank = (sparsity.indptr, sparsity.cols), None
        if items is not None:
            ordered = _by_item(sparsity, items, symmetric)
            if ordered is None:
                continue
            rows, rank = ordered
        found = _one_of_each(rows, sparsity.n)
        if found is not None and (fewest is None or found[0].nnz < fewest.pattern.nnz):
            pattern, places = found
            if rank is not None:
                places = places[rank]
            fewest = Copies(pattern, _grid_of_one(grid, pattern.n, trailing), places)
    return fewest


def _batches(
    sparsity: SparsityPattern, grid: Sequence[tuple[int, ...]]
) -> Iterator[tuple[Int[np.ndarray, " n"] | None, bool]]:
    """Yield possible batches: the item of each column, and whether the numbers of the items alternate.

    `None` stands for items whose columns have consecutive numbers.
    """
    yield None, False
    sizes = [int(np.prod(shape)) for shape in grid]
    starts = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes) if grid else 0
    within = np.arange(sparsity.n) - starts
    if grid and all(shape and size for shape, size in zip(grid, sizes, strict=True)):
        leading, trailing = ({shape[axis] for shape in grid} for axis in (0, -1))
        if len(grid) > 1 and len(leading) == 1 and max(leading) > 1:
            yield within // np.repeat([size // max(leading) for size in sizes], sizes), False
        if len(trailing) == 1 and max(trailing) > 1:
            yield within % max(trailing), True
    if sparsity.m == sparsity.n:
        some = _some(sparsity.nnz)
        period = int(np.gcd.reduce(np.abs(sparsity.cols[some] - sparsity.rows[some])))
        if period > 1:
            yield np.arange(sparsity.n) % period, True


def _some(nnz: int) -> Int[np.ndarray, " k"]:
    return np.linspace(0, nnz - 1, min(_SAMPLED, nnz)).astype(np.int64)


def _by_item(
    sparsity: SparsityPattern, items: Int[np.ndarray, " n"], symmetric: bool
) -> tuple[Sets, Int[np.ndarray, " n"]] | None:
    """Number rows and columns item after item; `None` if a row has columns of several items.

    **Returns:** the columns of each row, and the new number of each column.
    """
    some = _some(sparsity.nnz)
    first = np.searchsorted(sparsity.rows, sparsity.rows[some])
    if np.any(items[sparsity.cols[some]] != items[sparsity.cols[first]]):
        return None
    indptr = sparsity.indptr
    of_row = np.zeros(sparsity.m, np.int64)
    nonempty = np.flatnonzero(np.diff(indptr))
    of_row[nonempty] = items[sparsity.cols[indptr[nonempty]]]
    if np.any(items[sparsity.cols] != of_row[sparsity.rows]):
        return None
    if symmetric and np.any(of_row[nonempty] != items[nonempty]):
        return None
    rank = np.empty(sparsity.n, np.int32)
    rank[np.argsort(items, kind="stable")] = np.arange(sparsity.n)
    order = np.argsort(items if symmetric else of_row, kind="stable")
    return take_sets((indptr, rank[sparsity.cols]), order), rank


def _one_of_each(rows: Sets, n: int) -> tuple[SparsityPattern, Int32[np.ndarray, " n"]] | None:
    """Cut a pattern into consecutive parts without common rows or columns, and keep one copy of each.

    **Returns:** the pattern of one copy of each part, and the position of each column in it.
    """
    indptr, cols = rows
    nonempty = np.flatnonzero(np.diff(indptr))
    reach = np.maximum.accumulate(cols[indptr[nonempty + 1] - 1])
    ahead = np.minimum.accumulate(cols[indptr[nonempty]][::-1])[::-1]
    cuts = np.append(0, np.flatnonzero(reach[:-1] < ahead[1:]) + 1)
    if len(cuts) < _GAIN:
        return None
    lengths = np.diff(indptr)[nonempty]
    col_starts = ahead[cuts].astype(np.int32)
    parts = np.append(indptr[nonempty[cuts]], len(cols)), cols
    first = _first_alike(parts, np.append(cuts, len(nonempty)), lengths, col_starts)
    kept = np.flatnonzero(first == np.arange(len(cuts)))
    indptr_kept, cols_kept = take_sets(parts, kept)
    if _GAIN * indptr_kept[-1] > len(cols):
        return None
    number = np.zeros(n, np.int32)
    number[cols_kept] = 1
    number = np.cumsum(number, dtype=np.int32) - 1
    part = np.zeros(n, np.int32)
    part[col_starts[1:]] = 1
    part = np.cumsum(part)
    stands_for = np.arange(n) + (col_starts[first] - col_starts)[part]
    occupied = np.zeros(n, bool)
    occupied[cols] = True
    places = np.full(n, -1, np.int32)
    places[occupied] = number[stands_for[occupied]]
    _, lengths_kept = take_sets((np.append(cuts, len(nonempty)), lengths), kept)
    rows_kept = np.repeat(np.arange(len(lengths_kept), dtype=np.int32), lengths_kept)
    shape = (len(lengths_kept), int(number[-1]) + 1)
    return SparsityPattern(rows_kept, number[cols_kept], shape), places


def _first_alike(
    parts: Sets,
    rows: Int[np.ndarray, " parts+1"],
    lengths: Int[np.ndarray, " rows"],
    col_starts: Int[np.ndarray, " parts"],
) -> Int[np.ndarray, " parts"]:
    """Return for each part the first part that has rows of the same lengths, with the same columns.

    **Arguments:** `parts`: the columns in each part. `lengths`: the number of columns in each row. `rows`:
    where the rows of each part start in `lengths`. `col_starts`: the first column of each part.
    """
    starts, cols = parts
    # If all parts are alike, no hashes are needed: 2 ms instead of 7 ms for 1,000 parts of 244 nonzeros.
    if np.ptp(np.diff(starts)) == np.ptp(np.diff(rows)) == 0:
        columns = cols.reshape(len(col_starts), -1) - col_starts[:, None]
        counts = lengths.reshape(len(col_starts), -1)
        if np.all(columns == columns[0]) and np.all(counts == counts[0]):
            return np.zeros(len(col_starts), np.int64)
    columns = cols - np.repeat(col_starts, np.diff(starts))
    row = np.arange(len(lengths)) - np.repeat(rows[:-1], np.diff(rows))
    keys = np.repeat(row, lengths) * (int(columns.max()) + 1) + columns
    return equal_sets((starts, keys))


def _grid_of_one(
    grid: Sequence[tuple[int, ...]], size: int, trailing: bool
) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the arrays of one item, if they have `size` elements."""
    for axes in range(1, max(map(len, grid), default=0)):
        shapes = tuple(shape[:-axes] if trailing else shape[axes:] for shape in grid)
        if all(shapes) and sum(int(np.prod(shape)) for shape in shapes) == size:
            return shapes
    return ()
