"""Which elements of values change, where that is the question and not which derivatives can be nonzero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

from .._registry import Rule
from ..dependence import as_dependence, Dependence, everywhere
from ._results import results_of
from ._value import Value


if TYPE_CHECKING:
    from ._equation import Equation


def changing(aval: Any) -> Value:
    """A value that changes everywhere with the one input of a question of changes."""
    return Value(as_dependence(everywhere(getattr(aval, "shape", ()))), None)


def changes(equation: Equation, rule: Rule | None) -> Sequence[Dependence | Value]:
    """Which elements change with an operand: by the rule if it says so of values, else all of them."""
    everything = [changing(aval) for aval in equation.out_avals]
    if rule is None:
        return everything
    if not rule.says_of_changes:
        return everything
    function = rule.functions.get("changes")
    operands = equation.dependences()
    if function is None:
        if not all(operands[number].is_none for number in rule.steered_by(equation)):
            return everything
        function = rule
    results = function(equation, *operands)
    return everything if results is NotImplemented else results_of(equation, results)
