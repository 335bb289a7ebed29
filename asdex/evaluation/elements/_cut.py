"""Where a function stops to copy its inputs, and from where on it is linear."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from ..._arrays import has_derivative, is_complex
from ..._jaxprs import is_literal, literal_value
from ...detection import Dependence, find_rule, Interpreter, Known, seeded, Traced, Value
from ._program import Atom, depends, Program, Step


@dataclasses.dataclass(frozen=True)
class Cut:
    """What cuts a program into copies of its inputs, a function of these, and a linear rest.

    **Attributes:**

    - `digest`: that of the program.
    - `copies`: variables whose elements are copies of inputs, up to something that is added.
    - `results`: variables that depend on copies, and that the outputs depend on linearly; `None` where the
        rest is not cut off.
    """

    digest: str
    copies: tuple[int, ...]
    results: tuple[int, ...] | None = None


def read(atom: Atom, values: Mapping[int, Value]) -> Value:
    return Value(None, Known.of(literal_value(atom))) if is_literal(atom) else values[atom]


def evaluated(interpreter: Interpreter, step: Step, values: Mapping[int, Value]) -> list[Value]:
    """The results of a step."""
    operands = [read(atom, values) for atom in step.reads]
    return interpreter.evaluate(step.eqn, operands, [True] * len(step.makes))


class Copies:
    """How far a program only copies its inputs.

    **Attributes:**

    - `values`: those of the variables that do not depend on the inputs, and of copies.
    - `sources`: for each copy that something else is computed from, the input of each element, or -1.
    - `are_multiple`: whether some of these hold an input several times, as elements do that share it.
    """

    def __init__(self, program: Program, traced: Traced, interpreter: Interpreter):
        self.program, self.interpreter = program, interpreter
        self.values = {
            number: interpreter.constant(value) for number, value in program.constants.items()
        }
        self.values.update(zip(program.inputs, seeded(traced), strict=True))
        self.sources: dict[int, Int[np.ndarray, " size"]] = {}
        self.are_multiple = False
        for step in program.steps:
            self._follow(step)
        for atom in program.outputs:
            self._end(atom)

    @property
    def all_sources(self) -> Int[np.ndarray, " size"]:
        """The inputs of the elements of all copies, one copy after the other."""
        return np.concatenate([np.zeros(0, np.int32), *self.sources.values()])

    @property
    def size(self) -> int:
        """The number of elements of all copies."""
        return sum(map(len, self.sources.values()))

    def _follow(self, step: Step) -> None:
        moving = [k for k, atom in enumerate(step.reads) if depends(atom)]
        if not moving or self._copies(step, moving):
            results = evaluated(self.interpreter, step, self.values)
            if not moving or all(map(is_copy, results)):
                for variable, value in zip(step.makes, results, strict=True):
                    self._keep(variable, value)
                return
        for k in moving:
            self._end(step.reads[k])

    def _copies(self, step: Step, moving: list[int]) -> bool:
        """Whether a step moves elements of copies, and changes no derivatives."""
        read = [step.reads[k] for k in moving]
        if not all(atom in self.values for atom in read):
            return False
        if not all(is_real(self.program.avals[variable]) for variable in (*read, *step.makes)):
            return False
        name, rule = step.eqn.primitive.name, find_rule(step.eqn.primitive)
        if rule is not None and rule.moves:
            return True
        return (name == "add" and len(moving) == 1) or (name in _SHIFTS and moving == [0])

    def _keep(self, variable: int, value: Value) -> None:
        if value.dependence is None:
            self.values[variable] = value
            return
        sources = sources_of(value.dependence)
        if np.bincount(sources[sources >= 0]).max(initial=0) > 1:
            self.are_multiple = True
            self.sources[variable] = sources
        else:
            self.values[variable] = value

    def _end(self, atom: Atom) -> None:
        """Something else than a copy is computed of what may be one."""
        value = None if is_literal(atom) else self.values.get(atom)
        if value is not None and value.dependence is not None:
            self.sources.setdefault(atom, sources_of(value.dependence))


_SHIFTS = ("sub", "convert_element_type")
"""Primitives of whose first operand the derivative is one."""


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
