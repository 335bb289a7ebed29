"""What the interpreter carries for each variable."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._dependence import Dependence
from ._facts import Facts
from ._known import Known


class Value(NamedTuple):
    """The dependence of a variable (`None`: on nothing), its value and facts about it (`None`: not known).

    `comes_from` names the arguments that it is computed from, for explanations; other runs leave it empty.
    """

    dependence: Dependence | None
    known: Known | None
    facts: Facts | None = None
    comes_from: frozenset[str] = frozenset()

    @staticmethod
    def unknown() -> Value:
        return Value(None, None)

    def as_dependence(self, aval: Any) -> Dependence:
        if self.dependence is None:
            return Dependence.none(getattr(aval, "shape", ()))
        return self.dependence
