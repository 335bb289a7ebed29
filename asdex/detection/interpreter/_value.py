"""What the interpreter carries for each variable."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..dependence import Dependence, Mask
from ..facts import Facts
from ..known import Known


class Value(NamedTuple):
    """The dependence of a variable (`None`: on nothing), its value and facts about it (`None`: not known).

    `comes_from` names the arguments that it is computed from, for explanations; other runs leave it empty.
    At a point, `undecided` marks the elements whose value may be another one next to it, and within a
    derivative `varies` says of a primal whether its value depends on what is differentiated.
    """

    dependence: Dependence | None
    known: Known | None
    facts: Facts | None = None
    comes_from: frozenset[str] = frozenset()
    undecided: Mask | None = None
    varies: bool = False

    @staticmethod
    def unknown() -> Value:
        return Value(None, None)

    def as_dependence(self, aval: Any) -> Dependence:
        if self.dependence is None:
            return Dependence.none(getattr(aval, "shape", ()))
        return self.dependence
