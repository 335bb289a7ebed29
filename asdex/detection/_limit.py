"""The largest number of entries that detection stores, and what it says where there are more."""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Final, TypeVar

from .._errors import PatternTooLargeError
from .._memory import available_memory
from .dependence import limited, TooManyEntries
from .interpreter import Equation, Value


_BYTES: Final = 16
"""Memory per entry: 8 for its row and column, and as much again for what is done with them."""

_FEW: Final = 1 << 20
"""Entries that fit always: to ask the system for its memory takes 0.4 ms, a small detection 2 ms."""

_T = TypeVar("_T")


class Limit:
    """The largest number of entries: the caller's, or as many as fit into the memory that is there.

    **Raises:** `ValueError` if the caller's is none.
    """

    def __init__(self, max_nnz: int | None):
        try:
            self._given = max_nnz if max_nnz is None else operator.index(max_nnz)
        except TypeError:
            self._given = -1
        if self._given is not None and self._given < 0:
            raise ValueError(f"Expected `max_nnz` to be a number of entries, got {max_nnz!r}.")

    def admits(self, count: int) -> bool:
        return (self._given is None and count <= _FEW) or count <= self.max_nnz

    @cached_property
    def max_nnz(self) -> int:
        return available_memory() // _BYTES if self._given is None else self._given

    @property
    def _reason(self) -> str:
        if self._given is not None:
            return f"max_nnz={self.max_nnz:,}"
        memory = self.max_nnz * _BYTES / 2**30
        return f"{self.max_nnz:,}, which fit into {memory:.1f} GiB of memory"

    def keep(
        self,
        function: Callable[[], _T],
        shape: tuple[int, int],
        again: Callable[[FirstLarge], object],
    ) -> _T:
        """Call a function that may store no more entries than this, and say whence they come if it would.

        **Arguments:**

        - `shape`: that of the matrix whose pattern is detected.
        - `again`: propagates everything once more, and reports to a recorder.

        **Raises:** `PatternTooLargeError`, also where memory ends before the limit is reached.
        """
        try:
            with limited(self.admits):
                return function()
        except MemoryError as error:
            if isinstance(error, PatternTooLargeError):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what was stored so far
            count = error.count if isinstance(error, TooManyEntries) else 0
        first = FirstLarge(self.max_nnz)
        with limited(self.admits), suppress(MemoryError):
            again(first)
        raise PatternTooLargeError(self._message(shape, max(count, first.count), first))

    def _message(self, shape: tuple[int, int], count: int, first: FirstLarge) -> str:
        least = f"has {count:,} entries or more"
        problem = f"{least}; the limit is {self._reason}"
        if count <= self.max_nnz:
            problem = f"does not fit into memory. It {least}"
        place = f" It became so large in {first.place}." if first.place else ""
        return (
            f"The pattern of the {shape[0]:,} × {shape[1]:,} matrix, or one on the way to it, {problem}."
            f"{place} Let fewer inputs reach each result there (asdex.explain, on a smaller problem, says "
            "how they do), make an argument of its own of what all results share, such as a sum, or take a "
            f"dense derivative (jax.jacobian). A larger max_nnz allows more, at {_BYTES} bytes an entry."
        )


class FirstLarge:
    """A recorder that keeps the first equation whose results have more than `limit` entries.

    If there is none, the one with the most entries. Entries are counted without storing any.
    """

    def __init__(self, limit: int):
        self.count = 0
        self.place = ""
        self._limit = limit

    def enter(self, equation: Equation, place: Hashable) -> Equation:
        del place
        return equation

    def leave(self, record: Equation, results: Sequence[Value]) -> None:
        count = sum(one.dependence.at_least for one in results if one.dependence is not None)
        if self.count <= self._limit and count > self.count:
            self.count = count
            self.place = f"'{record.name}' at {record.source}"
