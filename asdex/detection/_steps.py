"""The equations of a jaxpr that its wanted results need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .._jaxprs import is_literal


class _Step(NamedTuple):
    """An equation, which of its results are used, and the variables that nothing reads after it."""

    eqn: Any
    needed: list[bool]
    dying: list[Any]


def live_steps(jaxpr: Any, wanted: Sequence[bool]) -> Iterator[_Step]:
    """The equations that the wanted results need, in order: dead code is never evaluated."""
    live = {
        atom
        for atom, want in zip(jaxpr.outvars, wanted, strict=True)
        if want and not is_literal(atom)
    }
    steps: list[_Step] = []
    for eqn in reversed(jaxpr.eqns):
        needed = [variable in live for variable in eqn.outvars]
        if not any(needed):
            continue
        read = {atom for atom in eqn.invars if not is_literal(atom)}
        dying = [*(read - live), *(v for v in eqn.outvars if v not in live)]
        live |= read
        steps.append(_Step(eqn, needed, dying))
    return reversed(steps)
