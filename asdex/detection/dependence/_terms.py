"""The terms of a dependency array, and the few operations that must look at the sets behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._sets import equal_sets
from ._index_sets import boolean_product, IndexSets, pairs_to_csr, unique_keys
from ._limited_sets import check_count, collected, cut, Part


_SHARING_PAYS: Final = 4
"""Look for equal sets where the sets to build have on average more than this many elements."""

_PART: Final = 1 << 19
"""Pairs of an element and an input that are sorted at a time."""

_WELL_FILLED: Final = 8
"""A table is faster than sorting where one in so many of its cells is filled."""

_SAMPLE: Final = 64
"""Elements compared before two row maps are compared in full."""


class Term(NamedTuple):
    """One row of `pool` for each element of an array; `-1` for the empty set."""

    rows: NDArray[np.int32]
    pool: IndexSets

    def flat(self) -> Term:
        return Term(self.rows.reshape(-1), self.pool)

    def take(self, positions: NDArray, nowhere: NDArray[np.bool_] | None) -> Term:
        """The rows at flat `positions`, and `-1` where `nowhere`."""
        if 0 in self.rows.strides and not any(self.rows.strides):
            rows = np.broadcast_to(self.rows[(0,) * self.rows.ndim], positions.shape)
        else:
            rows = self.rows.reshape(-1)[positions]
        if nowhere is not None:
            rows = np.where(nowhere, np.int32(-1), rows)
        return Term(rows, self.pool)


def merge_into(terms: list[Term], new: Term) -> None:
    """Add `new` to a union in place, into an existing term if no element has two different rows."""
    for number, old in enumerate(terms):
        if old.pool is new.pool and (merged := _merged(old.rows, new.rows)) is not None:
            terms[number] = Term(merged, old.pool)
            return
    terms.append(new)


def _merged(a: NDArray[np.int32], b: NDArray[np.int32]) -> NDArray[np.int32] | None:
    if a is b:
        return a
    if a.size > 4 * _SAMPLE:
        stride = a.size // _SAMPLE
        if _conflict(a.flat[::stride], b.flat[::stride]):
            return None
    if _conflict(a, b):
        return None
    return np.maximum(a, b)


def _conflict(a: NDArray[np.int32], b: NDArray[np.int32]) -> bool:
    return bool(((a != b) & (a >= 0) & (b >= 0)).any())


def gather_sets(owners: NDArray, rows: NDArray, pool: IndexSets, count: int) -> list[Term]:
    """For each of `count` owners, the union of the sets `rows[k]` with `owners[k]` equal to it."""
    valid = rows >= 0
    if not valid.all():
        owners, rows = owners[valid], rows[valid]
    if not rows.size:
        return []
    matrix = pairs_to_csr(owners, rows, (count, pool.count))
    lengths = np.diff(matrix.indptr)
    if lengths.max() == 1:
        single = np.full(count, -1, np.int32)
        single[lengths == 1] = matrix.indices
        return [Term(single, pool)]
    target = np.where(lengths > 0, np.arange(count, dtype=np.int32), np.int32(-1))
    if not pool.is_identity:
        first, group = np.unique(equal_sets((matrix.indptr, matrix.indices)), return_inverse=True)
        if first.size < count:
            target = np.where(lengths > 0, group, -1).astype(np.int32)
            matrix = matrix[first]
        matrix = boolean_product(matrix, pool.to_csr())
    return [Term(target, IndexSets.from_csr(matrix))]


def compact(shape: tuple[int, ...], terms: Sequence[Term]) -> list[Term]:
    """The same sets in at most two terms.

    Terms in which many elements share long sets, such as the broadcast of a sum, are merged apart from the
    others: written out for each element they could be as large as a dense matrix.
    """
    if not int(np.prod(shape)):
        return []
    shared = [_is_shared(term) for term in terms]
    groups = (
        [term for term, one in zip(terms, shared, strict=True) if one is kind]
        for kind in (False, True)
    )
    return [
        _merged_group(shape, group) if len(group) > 1 else group[0] for group in groups if group
    ]


def _is_shared(term: Term) -> bool:
    if term.pool.is_identity or term.pool.indices is None:
        return False
    rows = term.rows
    return _written_out(rows, term.pool) > _SHARING_PAYS * (term.pool.indices.size + rows.size)


def _written_out(rows: NDArray[np.int32], pool: IndexSets) -> int:
    """The number of pairs (element, input)."""
    return int(pool.lengths(rows[rows >= 0]).sum())


def without_broadcasts(terms: Sequence[Term], ndim: int) -> list[Term]:
    """One slice along the axes along which all terms repeat."""
    inner = tuple(
        slice(0, 1) if all(t.rows.strides[axis] == 0 for t in terms) else slice(None)
        for axis in range(ndim)
    )
    return [Term(term.rows[inner], term.pool) for term in terms]


def _merged_group(shape: tuple[int, ...], terms: Sequence[Term]) -> Term:
    """The union of several terms as one."""
    terms = without_broadcasts(terms, len(shape))
    small = terms[0].rows.shape
    flat = [term.flat() for term in terms]
    group: NDArray = np.arange(flat[0].rows.size, dtype=np.int32)
    pairs = sum(_written_out(term.rows, term.pool) for term in flat)
    if pairs > _SHARING_PAYS * len(flat) * group.size:
        grouped = unique_keys([term.rows for term in flat])
        if grouped is not None:
            first, group = grouped
            flat = [Term(term.rows[first], term.pool) for term in flat]
    indptr, indices = term_entries(flat, flat[0].rows.size)
    pool = IndexSets(indptr.size - 1, flat[0].pool.width, indptr, indices)
    rows = np.where(np.diff(indptr)[group] > 0, group, -1).astype(np.int32)
    return Term(np.broadcast_to(rows.reshape(small), shape), pool)


def term_entries(terms: Sequence[Term], count: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """`indptr` and `indices` of the union of flat terms over `count` elements, sorted and unique."""
    if not terms:
        return np.zeros(count + 1, np.int64), np.zeros(0, np.int32)
    sizes = _sizes(terms, np.add)
    check_count(int(sizes.sum()), lambda: fewest_entries(terms))
    return collected(_parts(terms, sizes), count, int(sizes.sum()))


def count_entries(terms: Sequence[Term]) -> int:
    """The number of entries of the union of flat terms, none of which is kept."""
    return sum(indices.size for _, indices in _parts(terms, _sizes(terms, np.add))) if terms else 0


def fewest_entries(terms: Sequence[Term]) -> int:
    """A lower bound on the number of entries of the union of flat terms, which reads no set."""
    return int(_sizes(terms, np.maximum).sum()) if terms else 0


def _sizes(terms: Sequence[Term], combine: np.ufunc) -> NDArray[np.int64]:
    """For each element the sizes of its sets, combined over all terms; bounds, of the identity's."""
    combined = combine.reduce([int(term.pool.is_identity) for term in terms])
    result = np.full(terms[0].rows.size, combined, np.int64)
    for rows, pool in terms:
        if pool.is_identity:
            continue
        combine(result, np.where(rows >= 0, pool.lengths(rows), 0), out=result)
    return result


def _parts(terms: Sequence[Term], sizes: NDArray[np.int64]) -> Iterator[Part]:
    for part in cut(sizes, _PART):
        yield _union([Term(term.rows[part], term.pool) for term in terms])


def _union(terms: Sequence[Term]) -> Part:
    """The sizes and the members of the unions of flat terms, sorted and unique."""
    if all(term.pool.is_identity for term in terms):
        return _identity_entries(np.stack([term.rows for term in terms], axis=1))
    owners, items = [], []
    for rows, pool in terms:
        valid = np.flatnonzero(rows >= 0).astype(np.int32)
        owner, item = pool.expand(valid, rows[valid])
        owners.append(owner)
        items.append(item)
    count, width = terms[0].rows.size, max(term.pool.width for term in terms)
    if len(terms) == 1:
        return np.bincount(owners[0], minlength=count), items[0]
    if _WELL_FILLED * sum(map(len, owners)) > count * width:
        table = np.zeros((count, width), np.bool_)
        for pair in zip(owners, items, strict=True):
            table[pair] = True
        everything = np.broadcast_to(np.arange(width, dtype=np.int32), table.shape)
        return np.count_nonzero(table, axis=1), everything[table]
    matrix = pairs_to_csr(np.concatenate(owners), np.concatenate(items), (count, width))
    return np.diff(matrix.indptr), matrix.indices.astype(np.int32, copy=False)


def _identity_entries(columns: NDArray[np.int32]) -> Part:
    """The entries of a `(count, terms)` table of columns, in which `-1` marks no entry."""
    if columns.shape[1] > 1:
        columns.sort(axis=1)
    valid = columns >= 0
    valid[:, 1:] &= columns[:, 1:] != columns[:, :-1]
    return valid.sum(axis=1), columns[valid]
