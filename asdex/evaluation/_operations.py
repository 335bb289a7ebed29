"""A traced function as a list of operations, any part of which can be evaluated on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jax.core import Tracer

from .._jaxprs import inlined_jaxpr, is_literal, is_predictable, jaxpr_consts, open_jaxpr, rebind


class Origin(NamedTuple):
    """What a value depends on: on nothing but what is known before the call, and on the seed."""

    known: bool
    seeded: bool


class Step(NamedTuple):
    """An equation, the numbers of its operands and results, and what the results depend on."""

    eqn: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    origin: Origin


class StraightLine(NamedTuple):
    """Operations on numbered values, one after the other.

    **Attributes:**

    - `steps`: the operations, none of which is a call of `jax.jit` on values of different origins.
    - `constants`: the values of literals and of captured arrays, which may be traced, by number.
    - `origins`: what each of the values depends on.
    - `inputs`, `outputs`: the numbers of the function's arguments and results.
    """

    steps: list[Step]
    constants: dict[int, Any]
    origins: list[Origin]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def unseeded(self) -> list[int]:
        """The values that do not depend on the seed and are results or read by what does."""
        read = [number for step in self.steps if step.origin.seeded for number in step.inputs]
        return [
            number
            for number in dict.fromkeys((*read, *self.outputs))
            if not self.origins[number].seeded and number not in self.constants
        ]

    def steps_between(
        self, given: Iterable[int], wanted: Iterable[int], *, acting: bool | None = None
    ) -> list[Step]:
        """The steps that `wanted` needs where the values numbered in `given` are there already.

        If `acting` is not `None`, those as well that do more than return results and depend on the seed
        (`True`), or do not (`False`).
        """
        there = {*given, *self.constants}
        needed, steps = {*wanted} - there, []
        for step in reversed(self.steps):
            acts = step.eqn.effects and step.origin.seeded is acting
            if acts or not needed.isdisjoint(step.outputs):
                steps.append(step)
                needed.update(number for number in step.inputs if number not in there)
        return steps[::-1]

    def evaluate(
        self, given: Mapping[int, Any], wanted: Sequence[int], *, acting: bool | None = None
    ) -> list[Any]:
        """The values numbered in `wanted`, from those in `given`, by `steps_between`."""
        values = {**self.constants, **given}
        for step in self.steps_between(given, wanted, acting=acting):
            results = rebind(step.eqn, [values[number] for number in step.inputs])
            for number, result in zip(step.outputs, results, strict=True):
                values.setdefault(number, result)
        return [values[number] for number in wanted]


def straight_line(jaxpr: Any, origins: Sequence[Origin]) -> StraightLine:
    """The operations of a closed jaxpr with arguments of the given origins.

    Captured arrays and literals are known, unless they are traced.
    """
    builder = _Builder()
    inputs = tuple(map(builder.number, origins))
    outputs = builder.inline(jaxpr, inputs)
    return StraightLine(builder.steps, builder.constants, builder.origins, inputs, outputs)


class _Builder:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.constants: dict[int, Any] = {}
        self.origins: list[Origin] = []

    def number(self, origin: Origin) -> int:
        """The number of a new value."""
        self.origins.append(origin)
        return len(self.origins) - 1

    def constant(self, value: Any) -> int:
        number = self.number(Origin(known=not isinstance(value, Tracer), seeded=False))
        self.constants[number] = value
        return number

    def inline(self, jaxpr: Any, inputs: Sequence[int]) -> tuple[int, ...]:
        """Add the equations of a closed jaxpr on values with the given numbers; those of its results."""
        inner = open_jaxpr(jaxpr)
        numbers = dict(zip(inner.invars, inputs, strict=True))
        consts = map(self.constant, jaxpr_consts(jaxpr))
        numbers.update(zip(inner.constvars, consts, strict=True))

        def read(atom: Any) -> int:
            return self.constant(atom.val) if is_literal(atom) else numbers[atom]

        for eqn in inner.eqns:
            results = self._results(eqn, tuple(map(read, eqn.invars)))
            numbers.update(zip(eqn.outvars, results, strict=True))
        return tuple(map(read, inner.outvars))

    def _results(self, eqn: Any, inputs: tuple[int, ...]) -> tuple[int, ...]:
        origins = [self.origins[number] for number in inputs]
        called = inlined_jaxpr(eqn)
        if called is not None and len(set(origins)) > 1:
            return self.inline(called, inputs)
        origin = Origin(
            known=all(one.known for one in origins) and is_predictable(eqn),
            seeded=any(one.seeded for one in origins),
        )
        outputs = tuple(self.number(origin) for _ in eqn.outvars)
        self.steps.append(Step(eqn, inputs, outputs, origin))
        return outputs
