"""What the interpreter did, kept for explanations."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from ._equation import Equation
from ._value import Value


@dataclass(eq=False)
class Record:
    """An equation that was propagated.

    - `source`: the user's line.
    - `results`: what its rule returned.
    - `inner`: the equations that its rule propagated, such as those of the body of a loop.
    - `place`: tells the equation from others that the same rule, or the whole program, propagates.
    - `count`: how often it was propagated within the same rule; the others were replaced by this one.
    """

    equation: Equation
    source: str
    place: Hashable
    results: list[Value] = field(default_factory=list)
    inner: dict[Hashable, Record] = field(default_factory=dict)
    count: int = 1


class Recorder:
    """The equations that were propagated, in the order of the program.

    A body that a loop's rule propagates step by step is kept once, as it was at the last step: what is kept
    does not grow with the number of steps.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._open: list[Record] = []

    def enter(self, equation: Equation, place: Hashable) -> Record:
        """Note an equation; `place` tells it from others that the same rule propagates."""
        record = Record(equation, equation.source, place)
        if self._open:
            siblings = self._open[-1].inner
            if (before := siblings.get(place)) is not None:
                record.count += before.count
            siblings[place] = record
        else:
            self.records.append(record)
        self._open.append(record)
        return record

    def leave(self, record: Record, results: Sequence[Value]) -> None:
        while self._open.pop() is not record:
            pass  # an equation whose rule failed, which another rule has caught
        record.results.extend(results)
