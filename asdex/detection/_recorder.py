"""What the interpreter did, kept for explanations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ._equation import Equation
from ._value import Value


class Record(NamedTuple):
    """An equation that was propagated, its results, its source, and how many rules it is nested in."""

    equation: Equation
    source: str
    results: list[Value]
    depth: int


class Recorder:
    """The equations that were propagated, in the order of the program."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._depth = 0

    def enter(self, equation: Equation) -> Record:
        record = Record(equation, equation.source, [], self._depth)
        self.records.append(record)
        self._depth += 1
        return record

    def leave(self, record: Record, results: Sequence[Value]) -> None:
        self._depth -= 1
        record.results.extend(results)
