"""How far a detection is, counted in equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._source import short_source
from .._versions import source_line


class Counter:
    """The equations that have been evaluated, and the one that is.

    `total` counts those of the function, calls followed; it is called when it is needed. What rules evaluate
    in their turn, such as the body of a loop, is counted apart.
    """

    def __init__(self, total: Callable[[], int]):
        self._total: Callable[[], int] | int = total
        self._done = 0
        self._inner = 0
        self._open: list[Any] = []

    def enter(self, eqn: Any) -> None:
        """A rule begins."""
        if not self._open:
            self._inner = 0
        self._open.append(eqn)

    def leave(self) -> None:
        """It ends, or fails."""
        self._open.pop()

    def count(self) -> None:
        """An equation has been evaluated."""
        if self._open:
            self._inner += 1
        else:
            self._done += 1

    def __str__(self) -> str:
        """What is known now; read while another thread counts."""
        if not isinstance(self._total, int):
            self._total = self._total()
        text = f"{self._done:,}/{self._total:,} equations"
        for eqn in self._open[:1]:
            text += f", now {eqn.primitive.name}"
            if source := source_line(eqn):
                text += f" at {short_source(source)}"
            if self._inner:
                text += f", {self._inner:,} inside"
        return text
