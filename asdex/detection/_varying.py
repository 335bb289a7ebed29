"""Which elements of a value can differ from one call of a function to the next.

Other than in a sparsity pattern, what counts is the value and not its derivative: `abs(x)` has the derivative
`sign(x)`, which does not depend on `x` as far as derivatives go, and yet changes with it.

For each element of each variable two bits are carried: whether it may change, and whether it may be nonzero.
A product with something that is always zero does not change. A primitive without a rule changes everywhere if
anything that it reads may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from jax.core import Tracer

from .._arrays import is_floating, is_key
from .._jaxprs import (
    call_jaxpr,
    EquationView,
    is_literal,
    is_predictable,
    jaxpr_consts,
    literal_value,
    live_steps,
    open_jaxpr,
)
from .._versions import binder
from ._dependence import Dependence
from ._equation import Equation
from ._interpreter import Interpreter
from ._known import Evaluation, Known
from ._masks import as_dependence, as_mask, intersection, Mask, simplified
from ._registry import load_plugins
from ._value import Value
from ._variation import Variation


class Step(EquationView):
    """One equation of a jaxpr, as rules for variations see it."""

    def __init__(
        self,
        eqn: Any,
        operands: Sequence[Variation],
        needed: Sequence[bool],
        variations: Variations,
    ):
        super().__init__(eqn)
        self._variations = variations
        self.operands, self.needed = tuple(operands), tuple(needed)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return tuple(self.out_avals[0].shape)

    def varies(self, index: int) -> Mask | None:
        """Which elements of operand `index` may change."""
        return self.operands[index].varies

    def nonzero(self, index: int) -> Mask | None:
        """Which elements of operand `index` may be nonzero; `None` if nothing is known of that."""
        return self.operands[index].nonzero(self.in_avals[index])

    def supports(self, indices: Iterable[int]) -> list[Mask] | None:
        """Which elements of these operands may be nonzero; `None` if nothing is known of one of them."""
        chosen = list(indices)
        unknown = (
            self.operands[k].support is None and self.operands[k].known is None for k in chosen
        )
        if any(unknown):  # before any value is computed
            return None
        masks = [mask for k in chosen if (mask := self.nonzero(k)) is not None]
        return masks if len(masks) == len(chosen) else None

    def known(self, index: int) -> np.ndarray | None:
        """The value of operand `index`, if it depends on constants alone."""
        known = self.operands[index].known
        if known is None or is_key(self.in_avals[index]):
            return None
        return known.get_if_available()

    def spread(
        self,
        rule: Callable[..., Any],
        masks: Sequence[Mask | None],
        knowns: Sequence[Known | None] | None = None,
    ) -> list[Mask | None]:
        """Which elements of the results read, by a sparsity rule, the marked elements of the operands.

        **Arguments:**

        - `rule`: a rule such as those in the registry, which must be exact about values.
        - `masks`: one per operand.
        - `knowns`: what the rule may know of the operands; by default what is known of them.
        """
        if all(mask is None for mask in masks):
            return [None] * len(self.out_avals)
        if knowns is None:
            knowns = [operand.known for operand in self.operands]
        values = [
            Value(None if mask is None else as_dependence(mask), known)
            for mask, known in zip(masks, knowns, strict=True)
        ]
        equation = Equation(self._eqn, values, self.needed, self._variations.interpreter)
        operands = [
            value.as_dependence(aval) for value, aval in zip(values, self.in_avals, strict=True)
        ]
        results = rule(equation, *operands)
        return [as_mask(one) for one in ([results] if isinstance(results, Dependence) else results)]

    def run(
        self, jaxpr: Any, operands: Sequence[Variation], needed: Sequence[bool] | None = None
    ) -> list[Variation]:
        """Evaluate a nested jaxpr."""
        return self._variations.run(jaxpr, operands, needed)

    def expand(self, function: Callable[..., Any]) -> list[Variation]:
        """Evaluate a JAX function of the operands in place of the equation."""
        equation = Equation(self._eqn, (), self.needed, self._variations.interpreter)
        return self.run(equation.trace(function), self.operands)


Result = Variation | Sequence[Variation]
_R = TypeVar("_R", bound=Callable[[Step], Result])

_RULES: dict[str, Callable[[Step], Result]] = {}


def register_variation(*primitives: str) -> Callable[[_R], _R]:
    """Register how the results of a primitive vary with its operands.

    The rule gets a `Step`, and returns one `Variation` per result: a single one, or a sequence. It must not
    call something constant that may change, whatever the operands that are said to vary do.
    """

    def decorate(rule: _R) -> _R:
        for name in primitives:
            if name in _RULES:
                raise ValueError(f"Primitive '{name}' already has a rule for variations.")
            _RULES[name] = rule
        return rule

    return decorate


def varying_results(jaxpr: Any, *, captured: str = "constant") -> list[Mask]:
    """Which elements of the results of a closed jaxpr may change when its inputs do.

    **Arguments:**

    - `captured`: `"unknown"` lets captured floating-point arrays change too, `"constant"` does not.
    """
    load_plugins()
    inputs = [Variation.unknown(variable.aval) for variable in open_jaxpr(jaxpr).invars]
    results = Variations(captured).run(jaxpr, inputs)
    return [
        np.zeros(aval.shape, np.bool_) if one.varies is None else one.varies
        for one, aval in zip(results, (v.aval for v in open_jaxpr(jaxpr).outvars), strict=True)
    ]


class Variations:
    """Evaluates jaxprs on `Variation`s."""

    def __init__(self, captured: str = "constant"):
        self.captured = captured
        self.interpreter = Interpreter()

    def run(
        self, jaxpr: Any, operands: Sequence[Variation], needed: Sequence[bool] | None = None
    ) -> list[Variation]:
        """Evaluate a jaxpr, closed or without constants; results that are not needed are unspecified."""
        inner = open_jaxpr(jaxpr)
        wanted = [True] * len(inner.outvars) if needed is None else list(needed)
        environment: dict[Any, Variation] = dict(zip(inner.invars, operands, strict=True))
        for variable, const in zip(inner.constvars, jaxpr_consts(jaxpr), strict=True):
            environment[variable] = self._constant(const, variable.aval)

        def read(atom: Any) -> Variation:
            if is_literal(atom):
                return Variation(None, known=Known.of(literal_value(atom)))
            return environment[atom]

        for eqn, used, dying in live_steps(inner, wanted):
            results = self._evaluate(eqn, [read(atom) for atom in eqn.invars], used)
            environment.update(zip(eqn.outvars, results, strict=True))
            for variable in dying:
                environment.pop(variable, None)
        return [
            read(atom) if want else Variation.unknown(atom.aval)
            for atom, want in zip(inner.outvars, wanted, strict=True)
        ]

    def _constant(self, value: Any, aval: Any) -> Variation:
        """A captured constant. One that an outer transformation traces may change."""
        hidden = self.captured == "unknown" and is_floating(value)
        if hidden or isinstance(value, Tracer):
            return Variation.unknown(aval)
        return Variation(None, known=Known.of(value))

    def _evaluate(
        self, eqn: Any, operands: list[Variation], needed: list[bool]
    ) -> Sequence[Variation]:
        inner = call_jaxpr(eqn)
        if inner is not None:
            return self.run(inner, operands, needed)
        avals = [variable.aval for variable in eqn.outvars]
        if not is_predictable(eqn):
            return [Variation.unknown(aval) for aval in avals]
        knowns = [operand.known for operand in operands if operand.known is not None]
        if len(knowns) == len(operands):
            bind = binder(eqn.primitive, eqn.params)
            outputs = Evaluation(bind, knowns, eqn.primitive.multiple_results).outputs(len(avals))
            return [Variation(None, known=output) for output in outputs]
        rule = _RULES.get(eqn.primitive.name)
        if rule is None:
            steady = all(operand.varies is None for operand in operands)
            return [Variation(None) if steady else Variation.unknown(aval) for aval in avals]
        results = rule(Step(eqn, operands, needed, self))
        results = [results] if isinstance(results, Variation) else results
        return [_settled(one, aval) for one, aval in zip(results, avals, strict=True)]


def _settled(result: Variation, aval: Any) -> Variation:
    """What is always zero does not change."""
    varies, support, known = result
    if support is not None:
        varies = intersection((varies, support), aval.shape)
    return Variation(simplified(varies), support, known)
