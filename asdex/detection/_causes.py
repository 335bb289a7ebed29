"""Why the results of an equation depend on so much: what explanations say beside the line of code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ._equation import Equation


Cause = Callable[[Equation], str]

_C = TypeVar("_C", bound=Cause)

_CAUSES: dict[str, Cause] = {}
_MOST_NAMES = 3


def register_cause(*primitives: str) -> Callable[[_C], _C]:
    """Register how to say why the results of some primitives depend on so much.

    The function gets an `Equation` and returns half a sentence such as "the index comes from args[1]", or ""
    where there is nothing to say.
    """

    def decorate(cause: _C) -> _C:
        for name in primitives:
            if name in _CAUSES:
                raise ValueError(f"Primitive '{name}' already has a cause.")
            _CAUSES[name] = cause
        return cause

    return decorate


def cause_of(equation: Equation) -> str:
    """Why the results of an equation depend on so much; "" where only its operands are to blame."""
    if equation.origin == "dense":
        return "it has no rule"
    cause = _CAUSES.get(equation.name)
    return "" if cause is None else cause(equation)


def unless_known(
    equation: Equation, operands: Sequence[int], what: str, verb: str = "comes from"
) -> str:
    """Say of operands that are not known which arguments they come from; "" if all of them are known.

    **Arguments:**

    - `operands`: their positions.
    - `what`, `verb`: what stands before the names of the arguments, such as "the index" and "comes from".
    """
    unknown = [k for k in operands if equation.known(k) is None]
    if not unknown:
        return ""
    names = sorted(set().union(*(equation.operands[k].comes_from for k in unknown)))
    return f"{what} {verb} {_joined(names)}" if names else f"{what} is not known"


def _joined(names: list[str]) -> str:
    if len(names) > _MOST_NAMES:
        rest = len(names) - _MOST_NAMES + 1
        names = [*names[: _MOST_NAMES - 1], f"{rest} other arguments"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
