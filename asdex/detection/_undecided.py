"""Values at a point that may be others next to it: the result of a comparison of equal numbers, say.

The value at the point stays known. What decides by it, such as a condition, keeps all sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

from .._arrays import has_derivative
from .._jaxprs import nested_jaxprs
from ._masks import everywhere, Mask
from ._registry import find_rule
from ._rule_facts import spread
from ._value import Value


if TYPE_CHECKING:
    from ._equation import Equation


def with_undecided(
    equation: Equation, values: Sequence[Value], returned: Sequence[Any] = ()
) -> list[Value]:
    """The results of an equation at a point, with the elements marked that are undecided.

    **Arguments:** `returned`: what the rule returned. Results of nested jaxprs that are `Value`s are marked.
    """
    varies = equation.on_tangents and any(operand.varies for operand in equation.operands)
    masks = _masks(equation)
    if returned and nested_jaxprs(equation):
        masks = [
            value.undecided if isinstance(one, Value) else mask
            for value, one, mask in zip(values, returned, masks, strict=True)
        ]
    return [
        value._replace(varies=varies)
        if mask is None or not mask.any()
        else value._replace(
            varies=varies, undecided=mask, facts=value.facts and value.facts.doubt_at(...)
        )
        for value, mask in zip(values, masks, strict=True)
    ]


def _masks(equation: Equation) -> Sequence[Mask | None]:
    rule, count = find_rule(equation.primitive), len(equation.out_avals)
    decide = None if rule is None else rule.functions.get("undecided")
    settled = all(operand.undecided is None for operand in equation.operands)
    if settled and (decide is None or not any(map(has_derivative, equation.in_avals))):
        return [None] * count
    marks = [equation.undecided(k) for k in range(len(equation.operands))]
    if decide is not None:
        found = decide(equation, *marks)
        return found if isinstance(found, list) else [found]
    everything = [everywhere(aval.shape) for aval in equation.out_avals]
    if rule is None or not rule.says_of_changes or nested_jaxprs(equation):
        return everything
    if any(equation.operands[k].undecided is not None for k in rule.steered_by(equation)):
        return everything
    return spread(equation, rule, marks)
