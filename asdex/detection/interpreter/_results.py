"""Checks of what a rule returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._registry import describe_rule, find_rule
from ..dependence import Dependence
from ._equation import Equation
from ._value import Value


def results_of(equation: Equation, returned: Any) -> list[Dependence | Value]:
    """What the rule of an equation returned, as one `Dependence` or `Value` per result.

    **Raises:** `TypeError` if it returned something else, `ValueError` if it returned too many or too few.
    """
    if isinstance(returned, Dependence | Value):
        returned = [returned]
    count = len(equation.out_avals)
    if not isinstance(returned, Sequence) or isinstance(returned, str):
        raise TypeError(_complaint(equation, _name(returned)))
    if len(returned) != count:
        results = f"{len(returned)} results where the primitive has {count}"
        raise ValueError(_complaint(equation, results))
    for number, result in enumerate(returned):
        if not isinstance(result, Dependence | Value):
            raise TypeError(_complaint(equation, f"{_name(result)} for result {number}"))
    return list(returned)


def checked(equation: Equation, aval: Any, result: Dependence | Value, follows: bool) -> Value:
    """A result as a `Value`, without a dependence where there is none, or can be none (unless `follows`).

    **Raises:** `ValueError` if its shape is not that of the equation's result.
    """
    value = result if isinstance(result, Value) else Value(result, None)
    dependence = value.dependence
    if dependence is None or not follows:
        return value._replace(dependence=None)
    if dependence.shape != tuple(aval.shape):
        shapes = (
            f"a Dependence of shape {dependence.shape} for a result of shape {tuple(aval.shape)}"
        )
        raise ValueError(_complaint(equation, shapes))
    return value._replace(dependence=None) if dependence.is_none else value


def _complaint(equation: Equation, returned: str) -> str:
    shapes = [tuple(getattr(aval, "shape", ())) for aval in equation.out_avals]
    one = "one Dependence" if len(shapes) == 1 else f"a list of {len(shapes)} Dependences"
    rule = find_rule(equation.primitive)
    where = "" if rule is None else f", {describe_rule(rule)},"
    return (
        f"The rule of '{equation.name}'{where} returned {returned}. It must return {one} of shape "
        f"{', '.join(map(str, shapes))}, or NotImplemented to leave the equation to asdex."
    )


def _name(returned: Any) -> str:
    if returned is None:
        return "nothing (is a `return` missing?)"
    return f"a value of type {type(returned).__name__}"
