"""Values at a point that may be others next to it: the result of a comparison of equal numbers, say.

The value at the point stays known. What decides by it, such as a condition, keeps all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

from ..._arrays import has_derivative
from ..._jaxprs import EquationView, nested_jaxprs, open_jaxpr
from .._registry import find_rule
from ..dependence import everywhere, Mask
from ..facts import results_reading
from ._value import Value


if TYPE_CHECKING:
    from ._equation import Equation


def with_undecided(
    equation: Equation, values: Sequence[Value], returned: Sequence[Any] = ()
) -> list[Value]:
    """The results of an equation at a point, with the elements marked that are undecided.

    **Arguments:** `returned`: what the rule returned. Results of nested jaxprs that are `Value`s are marked.
    """
    varies = any(operand.varies for operand in equation.operands)
    inside = nested_jaxprs(equation) and [isinstance(one, Value) for one in returned]
    masks = [value.undecided for value in values] if inside and all(inside) else _masks(equation)
    return [
        value._replace(varies=varies)
        if mask is None or not mask.any()
        else value._replace(
            varies=varies, undecided=mask, facts=value.facts and value.facts.doubt_at(...)
        )
        for value, mask in zip(values, masks, strict=True)
    ]


def may_be_undecided(equation: Equation) -> bool:
    """Whether an operand is undecided, or varies where something decides by its value."""
    return not _is_settled(equation) or (_varies(equation) and _jumps(equation))


def _is_settled(equation: Equation) -> bool:
    return all(operand.undecided is None for operand in equation.operands)


def _masks(equation: Equation) -> Sequence[Mask | None]:
    if not may_be_undecided(equation):
        return [None] * len(equation.out_avals)
    rule = find_rule(equation.primitive)
    marks = [equation.undecided(k) for k in range(len(equation.operands))]
    decide = None if rule is None else rule.functions.get("undecided")
    if decide is not None:
        found = decide(equation, *marks)
        return found if isinstance(found, list) else [found]
    everything = [everywhere(aval.shape) for aval in equation.out_avals]
    if _is_settled(equation) and not (nested_jaxprs(equation) or _steers(equation)):
        pairs = zip(equation.out_avals, everything, strict=True)
        return [None if has_derivative(aval) else mask for aval, mask in pairs]
    if rule is None or not rule.says_of_changes or nested_jaxprs(equation):
        return everything
    if any(equation.operands[k].undecided is not None for k in rule.steered_by(equation)):
        return everything
    return results_reading(equation, rule, marks)


def _jumps(equation: EquationView) -> bool:
    """Whether anything in an equation decides by floating-point values, so that results may jump."""
    inner = nested_jaxprs(equation)
    if inner:
        return any(_jumps(EquationView(one)) for jaxpr in inner for one in open_jaxpr(jaxpr).eqns)
    rule = find_rule(equation.primitive)
    decides = rule is not None and "undecided" in rule.functions
    decides = decides or not all(map(has_derivative, equation.out_avals))
    return (decides and any(map(has_derivative, equation.in_avals))) or _steers(equation)


def _steers(equation: EquationView) -> bool:
    """Whether floating-point values decide where elements go."""
    rule = find_rule(equation.primitive)
    steering = () if rule is None else rule.steered_by(equation)
    return any(has_derivative(equation.in_avals[k]) for k in steering)


def _varies(equation: Equation) -> bool:
    """Whether a floating-point operand depends on what is differentiated."""
    return any(
        has_derivative(aval) and (one.varies or not one.as_dependence(aval).is_none)
        for one, aval in zip(equation.operands, equation.in_avals, strict=True)
    )
