"""Index sets built part by part: nothing but the result is ever as large as the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise

import numpy as np
from jaxtyping import Int, Int32, Int64


Part = tuple[Int[np.ndarray, " rows"], Int32[np.ndarray, " entries"]]
"""The sizes of some consecutive sets, and their members, one set after the other."""


Admits = Callable[[int], bool]
"""Whether index sets may have so many members."""

_limit: ContextVar[Admits | None] = ContextVar("asdex_limit", default=None)


class TooManyEntries(MemoryError):
    """Index sets that have, one by one, at least `count` members."""

    def __init__(self, count: int):
        super().__init__(f"at least {count:,} entries")
        self.count = count


@contextmanager
def limited(limit: Admits | None) -> Iterator[None]:
    """Within this context `TooManyEntries` is raised before index sets with more members are stored."""
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


def check_count(at_most: int, at_least: Callable[[], int]) -> None:
    """Refuse to store sets of too many members; `at_least` is asked for only where it matters."""
    limit = _limit.get()
    if limit is not None and not limit(at_most) and not limit(count := at_least()):
        raise TooManyEntries(count)


def cut(sizes: Int[np.ndarray, " rows"], part: int) -> list[slice]:
    """Cut rows into parts whose sizes add up to about `part`."""
    ends = np.cumsum(sizes, dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    if total <= part:
        return [slice(0, len(sizes))]
    places = np.searchsorted(ends, np.arange(part, total, part)) + 1
    return [slice(*pair) for pair in pairwise(np.unique([0, *places.tolist(), len(sizes)]))]


def collected(
    parts: Iterable[Part], rows: int, at_most: int
) -> tuple[Int64[np.ndarray, " rows+1"], Int32[np.ndarray, " k"]]:
    """`indptr` and `indices` of all parts, one after the other: of `rows` sets with `at_most` members.

    The members go into one array, as large as the parts so far let expect.
    """
    indptr = np.zeros(rows + 1, np.int64)
    indices: Int32[np.ndarray, " k"] = np.empty(0, np.int32)
    done = total = 0
    for sizes, members in parts:
        end = total + members.size
        check_count(end, lambda count=end: count)
        indptr[done + 1 : done + 1 + len(sizes)] = sizes
        if len(sizes) == rows:
            indices = members
        else:
            if end > indices.size:
                expected = end * rows // (done + len(sizes))
                enough = min(at_most, max(expected, 2 * indices.size))
                before, indices = indices[:total], np.empty(max(end, enough), np.int32)
                indices[:total] = before
            indices[total:end] = members
        done, total = done + len(sizes), end
    indices = indices[:total] if 4 * total >= 3 * indices.size else indices[:total].copy()
    return np.cumsum(indptr, out=indptr), indices
