"""The equations of a jaxpr that its wanted results need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .._versions import call_jaxpr, is_literal, open_jaxpr


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


def num_steps(jaxpr: Any, wanted: Sequence[bool] | None = None) -> int:
    """How many equations of a jaxpr are evaluated for the wanted results, those of its calls included."""
    inner = open_jaxpr(jaxpr)
    total = 0
    for eqn, needed, _ in live_steps(inner, wanted or [True] * len(inner.outvars)):
        called = call_jaxpr(eqn)
        total += 1 if called is None else 1 + num_steps(called, needed)
    return total
