"""Real and imaginary parts of complex values, followed apart through primitives that keep them apart."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..._arrays import is_complex
from .._registry import find_rule
from ..dependence import Dependence
from ._equation import Equation
from ._results import results_of
from ._value import Value


class Parts(NamedTuple):
    """What the real part of an array depends on, and what its imaginary part does."""

    real: Dependence
    imag: Dependence


def _apart(eqn: Equation, *operands: Parts) -> Any:
    rule: Any = find_rule(eqn.primitive)
    returned = [rule(eqn, *half) for half in zip(*operands, strict=True)]
    if any(one is NotImplemented for one in returned):
        return NotImplemented
    halves = [results_of(eqn, one) for one in returned]
    return [Parts(*pair) for pair in zip(*halves, strict=True)]


def by_parts(equation: Equation) -> list[Dependence] | None:
    """The results of an equation whose operands' parts are known apart; else `None`."""
    if not any(map(is_complex, (*equation.in_avals, *equation.out_avals))):
        return None
    rule = find_rule(equation.primitive)
    function = None if rule is None else rule.functions.get("parts")
    if function is None and (rule is None or not (rule.moves or rule.is_linear(equation))):
        return None
    pairs = list(zip(equation.operands, equation.in_avals, strict=True))
    operands = [value.dependence for value, aval in pairs if is_complex(aval)]
    mixed = [one for one in operands if one is not None]
    if mixed and all(one.parts is None for one in mixed):
        return None
    results = (function or _apart)(equation, *(_parts_of(value, aval) for value, aval in pairs))
    if results is NotImplemented:
        return None
    results = [results] if isinstance(results, Parts) else results
    return [
        Dependence.of_parts(*parts) if is_complex(aval) else without_parts(parts.real)
        for parts, aval in zip(results, equation.out_avals, strict=True)
    ]


def _parts_of(value: Value, aval: Any) -> Parts:
    dependence = value.as_dependence(aval)
    if dependence.parts is not None:
        return Parts(*dependence.parts)
    return Parts(dependence, dependence if is_complex(aval) else Dependence.none(dependence.shape))


def without_parts(dependence: Dependence) -> Dependence:
    """The same sets, of which a rule may make what it wants."""
    if dependence.parts is None:
        return dependence
    return Dependence(dependence.shape, dependence.terms)
