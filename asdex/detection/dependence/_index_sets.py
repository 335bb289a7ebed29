"""Immutable pools of index sets, the storage behind `asdex.Dependence`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..._sets import ranges
from ._limited_sets import check_count, collected, cut


_DENSE_ADVANTAGE: Final = 100
"""How many terms of a product BLAS adds in the time that a sparse product needs for one."""

_PART: Final = 1 << 22
"""Cells of a dense part, or terms of a sparse one, from which on a product is done part by part."""

_DENSE_CELLS: Final = 1 << 26
"""Largest number of cells of a dense factor or result."""


class IndexSets:
    """A pool of `count` sets of input indices below `width`, in compressed sparse row form.

    Row `r` is the sorted set `indices[indptr[r]:indptr[r + 1]]`. The identity pool, in which row `r` is
    `{r}`, stores no arrays at all: `indptr` and `indices` are `None`.
    """

    __slots__ = ("count", "indices", "indptr", "width")

    def __init__(
        self,
        count: int,
        width: int,
        indptr: NDArray[np.int64] | None,
        indices: NDArray[np.int32] | None,
    ):
        self.count = count
        self.width = width
        self.indptr = indptr
        self.indices = indices

    @staticmethod
    @functools.cache
    def identity(count: int) -> IndexSets:
        """The pool in which row `r` is `{r}`; one object per size, so that terms are recognised."""
        return IndexSets(count, count, None, None)

    @staticmethod
    def from_csr(matrix: sp.csr_array) -> IndexSets:
        """The rows of a matrix, of which these sets take possession."""
        indptr = matrix.indptr.astype(np.int64, copy=False)
        return IndexSets(*dimensions(matrix), indptr, matrix.indices.astype(np.int32, copy=False))

    @staticmethod
    def concatenate(pools: Sequence[IndexSets]) -> IndexSets:
        """The rows of all pools, one pool after the other."""
        total = sum(pool.count if pool.indices is None else pool.indices.size for pool in pools)
        check_count(total, lambda: total)
        matrices = [pool.to_csr() for pool in pools]
        return IndexSets.from_csr(sp.csr_array(sp.vstack(matrices, format="csr")))

    @property
    def is_identity(self) -> bool:
        return self.indptr is None

    def lengths(self, rows: NDArray) -> NDArray[np.int64]:
        """The sizes of the sets `rows` (all of them valid rows)."""
        if self.indptr is None:
            return np.ones(rows.shape, np.int64)
        return self.indptr[rows + 1] - self.indptr[rows]

    def expand(self, owners: NDArray, rows: NDArray) -> tuple[NDArray, NDArray[np.int32]]:
        """Pairs `(owner, input)` for every element of every set `rows[k]`, owned by `owners[k]`."""
        if self.indptr is None or self.indices is None:
            return owners, rows.astype(np.int32, copy=False)
        starts = self.indptr[rows]
        lengths = self.indptr[rows + 1] - starts
        return np.repeat(owners, lengths), self.indices[ranges(starts, lengths)]

    def to_csr(self) -> sp.csr_array:
        """The pool as a boolean `(count, width)` matrix."""
        shape = (self.count, self.width)
        if self.indptr is None:
            everyone = np.arange(self.count)
            return pairs_to_csr(everyone, everyone, shape)
        assert self.indices is not None
        data = np.ones(self.indices.size, np.bool_)
        return sp.csr_array((data, self.indices, self.indptr), shape=shape)


def dimensions(matrix: sp.csr_array) -> tuple[int, int]:
    """The shape of a matrix (SciPy's annotations allow it to be unknown)."""
    rows, columns = cast(tuple[int, int], matrix.shape)
    return rows, columns


def pairs_to_csr(owners: NDArray, items: NDArray, shape: tuple[int, int]) -> sp.csr_array:
    """The boolean matrix with entries at `(owners, items)`: sorted rows, duplicates merged."""
    data = np.ones(owners.size, np.bool_)
    matrix = sp.coo_array((data, (owners, items)), shape=shape).tocsr()
    matrix.sum_duplicates()
    return sp.csr_array(matrix)


def boolean_product(left: sp.csr_array, right: sp.csr_array) -> sp.csr_array:
    """The structure of `left @ right`.

    Boolean data keep SciPy's sums boolean, where an 8-bit sum would wrap to zero. Well-filled factors go
    through BLAS, whose sums of ones are positive whenever there is a term.
    """
    (rows, inner), (_, width) = dimensions(left), dimensions(right)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(right.indptr)[left.indices])])
    work = np.diff(starts[left.indptr])
    fits = max(rows * inner, inner * width, rows * width) <= _DENSE_CELLS
    if fits and rows * inner * width < _DENSE_ADVANTAGE * starts[-1]:
        parts, times = cut(np.full(rows, max(inner, width)), _PART), _times_table(right)
    else:
        parts, times = cut(work, _PART), lambda part: _times(part, right)
    products = (times(left if len(parts) == 1 else left[part]) for part in parts)
    members = ((np.diff(one.indptr), one.indices) for one in products)
    indptr, indices = collected(members, rows, int(starts[-1]))
    return sp.csr_array((np.ones(indices.size, np.bool_), indices, indptr), shape=(rows, width))


def united(left: sp.csr_array, right: sp.csr_array) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """`indptr` and `indices` of the union of two canonical boolean matrices."""
    sizes = np.diff(left.indptr) + np.diff(right.indptr)
    unions = (sp.csr_array(left[part] + right[part]) for part in cut(sizes, _PART))
    members = ((np.diff(one.indptr), one.indices) for one in unions)
    return collected(members, sizes.size, int(sizes.sum()))


def _times(left: Any, right: sp.csr_array) -> sp.csr_array:
    product = sp.csr_array(left @ right)
    product.sort_indices()
    return product


def _times_table(right: sp.csr_array) -> Callable[[Any], sp.csr_array]:
    table = right.astype(np.float32).toarray()
    return lambda left: sp.csr_array(left.astype(np.float32).toarray() @ table > 0)


def unique_keys(columns: list[NDArray]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Group equal tuples `(columns[0][k], columns[1][k], ...)`.

    **Returns** the index of one representative per group and each element's group, or `None` in the
    (never yet seen) case that the 64-bit hash behind it is not injective on these tuples.
    """
    keys = np.zeros(columns[0].size, np.uint64)
    for column in columns:
        keys = _mix(keys * np.uint64(0x9E3779B97F4A7C15) + column.astype(np.uint64))
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if all(np.array_equal(column[first][group], column) for column in columns):
        return first, group
    return None


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a 64-bit bijection."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
