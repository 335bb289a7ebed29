"""Where a function stops to copy its inputs, and from where on it is linear."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from ..._arrays import has_derivative, is_complex
from ..._jaxprs import EquationView
from ...detection import Dependence, find_rule, Interpreter, Known, seeded, Traced, Value
from .._program import depends, Program, Step


@dataclasses.dataclass(frozen=True)
class Cut:
    """What cuts a program into copies of its inputs, a function of these, and a linear rest.

    **Attributes:**

    - `digest`: that of the program.
    - `copies`: variables whose elements are copies of inputs, up to something that is added. Those that are
        equal in every call stand together.
    - `results`: variables that depend on copies, and that the outputs depend on linearly; `None` where the
        rest is not cut off.
    """

    digest: str
    copies: tuple[tuple[int, ...], ...]
    results: tuple[int, ...] | None = None


def evaluated(interpreter: Interpreter, step: Step, values: Mapping[int, Value]) -> list[Value]:
    """The results of a step."""
    operands = [values[variable] for variable in step.reads]
    return interpreter.evaluate(step.eqn, operands, [True] * len(step.makes))


def spread(groups: Iterable[Sequence[int]], values: Iterable[Any]) -> dict[int, Any]:
    """For each variable of each group, the value of the group."""
    pairs = zip(groups, values, strict=True)
    return {variable: value for group, value in pairs for variable in group}


class Copies:
    """How far a program only copies its inputs.

    **Attributes:**

    - `values`: those of the variables that do not depend on the inputs, and of copies.
    - `sources`: for each copy that something else is computed from, the input of each element, or -1.
    - `equal`: for each of these, all variables that are the same copy.
    - `are_multiple`: whether some of these hold an input several times, as elements do that share it.
    """

    def __init__(self, program: Program, traced: Traced, interpreter: Interpreter):
        self.program, self.interpreter = program, interpreter
        self.values = {
            number: self._constant(number, value) for number, value in program.constants.items()
        }
        self.values.update(zip(program.inputs, seeded(traced), strict=True))
        self.sources: dict[int, Int[np.ndarray, " size"]] = {}
        self.equal: dict[int, list[int]] = {}
        self.are_multiple = False
        self._shifted: set[int] = set()
        self._first: dict[Any, int] = {}
        for step in program.steps:
            self._follow(step)
        for variable in program.outputs:
            self._end(variable)

    @property
    def all_sources(self) -> Int[np.ndarray, " size"]:
        """The inputs of the elements of all copies, one copy after the other."""
        return np.concatenate([np.zeros(0, np.int32), *self.sources.values()])

    @property
    def size(self) -> int:
        """The number of elements of all copies."""
        return sum(map(len, self.sources.values()))

    def _constant(self, variable: int, value: Any) -> Value:
        if variable not in self.program.literals:
            return self.interpreter.constant(value)
        return Value(None, Known.of(np.asarray(value, self.program.avals[variable].dtype)))

    def _follow(self, step: Step) -> None:
        moving = [k for k, atom in enumerate(step.reads) if depends(atom)]
        if not moving or self._copies(step, moving):
            results = evaluated(self.interpreter, step, self.values)
            if not moving or all(map(is_copy, results)):
                read = [step.reads[k] for k in moving]
                if moving and not (_moves(step) and self._shifted.isdisjoint(read)):
                    self._shifted.update(step.makes)
                for variable, value in zip(step.makes, results, strict=True):
                    self._keep(variable, value)
                return
        for k in moving:
            self._end(step.reads[k])

    def _copies(self, step: Step, moving: list[int]) -> bool:
        """Whether a step moves elements of copies, and changes no derivatives."""
        if not all(atom in self.values for atom in step.moving) or not self.is_structured(step):
            return False
        name = step.eqn.primitive.name
        return (
            _moves(step)
            or (name == "add" and len(moving) == 1)
            or (name in _SHIFTS and moving == [0])
        )

    def is_structured(self, step: Step) -> bool:
        """Whether a step on real numbers takes them to the same places in every call."""
        avals, rule = self.program.avals, find_rule(step.eqn.primitive)
        if rule is None or not all(is_real(avals[one]) for one in (*step.moving, *step.makes)):
            return False
        steering = {step.reads[number] for number in rule.steered_by(EquationView(step.eqn))}
        steering.update(variable for variable in step.reads if not is_real(avals[variable]))
        return all(map(self.is_known, steering))

    def is_known(self, variable: int) -> bool:
        """Whether a variable that does not depend on the inputs has a value that is known."""
        return not depends(variable) and self.values[variable].known is not None

    def _keep(self, variable: int, value: Value) -> None:
        if value.dependence is None:
            self.values[variable] = value
            return
        sources = sources_of(value.dependence)
        if np.bincount(sources[sources >= 0]).max(initial=0) > 1:
            self.are_multiple = True
            self._add(variable, sources)
        else:
            self.values[variable] = value

    def _end(self, variable: int) -> None:
        """Something else than a copy is computed of what may be one."""
        value = self.values.get(variable)
        if value is not None and value.dependence is not None:
            self._add(variable, sources_of(value.dependence))

    def _add(self, variable: int, sources: Int[np.ndarray, " size"]) -> None:
        """Add a copy, unless it is one of those before."""
        if any(variable in same for same in self.equal.values()):
            return
        aval = self.program.avals[variable]
        pure = variable not in self._shifted and sources.min(initial=0) >= 0
        key = (aval.shape, aval.dtype, sources.tobytes()) if pure else variable
        first = self._first.setdefault(key, variable)
        self.equal.setdefault(first, []).append(variable)
        self.sources.setdefault(first, sources)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The variables of each copy."""
        return tuple(map(tuple, self.equal.values()))

    @property
    def variables(self) -> set[int]:
        """Those of all copies."""
        return set().union(*self.groups)


_SHIFTS = ("sub", "convert_element_type")
"""Primitives of whose first operand the derivative is one."""


def _moves(step: Step) -> bool:
    """Whether each element of the results is an element of an operand."""
    rule = find_rule(step.eqn.primitive)
    if rule is None or step.eqn.primitive.name not in ("select_n", "scatter"):
        return rule is not None and rule.moves
    return rule.is_linear(EquationView(step.eqn))  # a scatter with another combiner is not


def is_real(aval: Any) -> bool:
    return has_derivative(aval) and not is_complex(aval)


def is_copy(value: Value) -> bool:
    """Whether each element depends on one input at most."""
    terms = () if value.dependence is None else value.dependence.terms
    return len(terms) <= 1 and all(term.pool.is_identity for term in terms)


def sources_of(copy: Dependence) -> Int[np.ndarray, " size"]:
    """The input that each element of a copy depends on, or -1."""
    if copy.is_none:
        return np.full(copy.size, -1, np.int32)
    return np.broadcast_to(copy.terms[0].rows, copy.shape).reshape(-1)
