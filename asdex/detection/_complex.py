"""Real and imaginary parts of complex values, followed apart through primitives that keep them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from .._arrays import is_complex
from ._dependence import Dependence
from ._equation import Equation
from ._registry import find_rule
from ._results import results_of
from ._value import Value


class Parts(NamedTuple):
    """What the real part of an array depends on, and what its imaginary part does."""

    real: Dependence
    imag: Dependence


_R = TypeVar("_R", bound=Callable[..., Any])

_RULES: dict[str, Callable[..., Any]] = {}


def register_parts(*primitives: str) -> Callable[[_R], _R]:
    """Register how the parts of a primitive's results follow from those of its operands.

    The rule gets the equation and the `Parts` of each operand: a real operand has no imaginary part, and both
    parts of a complex one of which no more is known depend on the same. It returns one `Parts` per result, a
    single one or a list, or `NotImplemented` where it can say nothing.
    """

    def decorate(rule: _R) -> _R:
        for name in primitives:
            if name in _RULES:
                raise ValueError(f"Primitive '{name}' already has a rule for parts.")
            _RULES[name] = rule
        return rule

    return decorate


def keep_parts(*primitives: str) -> None:
    """Register primitives that do the same to real and to imaginary parts, by their sparsity rules."""
    register_parts(*primitives)(_apart)


def _apart(eqn: Equation, *operands: Parts) -> Any:
    rule: Any = find_rule(eqn.primitive)
    halves = [results_of(eqn, rule(eqn, *half)) for half in zip(*operands, strict=True)]
    return [Parts(*pair) for pair in zip(*halves, strict=True)]


def by_parts(equation: Equation) -> list[Dependence] | None:
    """The results of an equation whose operands' parts are known apart; else `None`."""
    rule = _RULES.get(equation.name)
    if rule is None or not any(map(is_complex, (*equation.in_avals, *equation.out_avals))):
        return None
    pairs = list(zip(equation.operands, equation.in_avals, strict=True))
    operands = [value.dependence for value, aval in pairs if is_complex(aval)]
    mixed = [one for one in operands if one is not None]
    if mixed and all(one.parts is None for one in mixed):
        return None
    results = rule(equation, *(_parts_of(value, aval) for value, aval in pairs))
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
