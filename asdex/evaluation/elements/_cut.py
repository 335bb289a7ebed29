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
from ..passes import depends, Program, Step


@dataclasses.dataclass(frozen=True)
class Cut:
    """What cuts a program into copies of its inputs, a function of these, and a linear rest.

    **Attributes:**

    - `digest`: that of the program.
    - `copies`: variables each of whose elements follows from one input. Those that are equal in every call
        stand together.
    - `degree`: that of the polynomials of the inputs that the copies are for derivatives: 0 where each is its
        input, up to a constant, 1 where some are scaled, and 2 in a Hessian where some are not linear.
    - `results`: variables that depend on copies, and that the outputs depend on linearly; `None` where the
        rest is not cut off.
    """

    digest: str
    copies: tuple[tuple[int, ...], ...]
    degree: int
    results: tuple[int, ...] | None = None


def evaluated(interpreter: Interpreter, step: Step, values: Mapping[int, Value]) -> list[Value]:
    """The results of a step."""
    operands = [values[variable] for variable in step.reads]
    return interpreter.evaluate(step.eqn, operands, [True] * len(step.makes))


def by_variable(groups: Iterable[Sequence[int]], values: Iterable[Any]) -> dict[int, Any]:
    """For each variable of each group, the value of the group."""
    pairs = zip(groups, values, strict=True)
    return {variable: value for group, value in pairs for variable in group}


class Copies:
    """How far a program only copies its inputs, or functions of single inputs.

    **Arguments:**

    - `is_hessian`: whether second derivatives of these functions matter.

    **Attributes:**

    - `values`: those of the variables that do not depend on the inputs, and of copies.
    - `sources`: for each copy that something else is computed from, the input of each element, or -1.
    - `equal`: for each of these, all variables that are the same copy.
    - `are_multiple`: whether some of these hold an input several times, as elements do that share it.
    """

    def __init__(
        self, program: Program, traced: Traced, interpreter: Interpreter, *, is_hessian: bool
    ):
        self.program, self.interpreter, self._is_hessian = program, interpreter, is_hessian
        self.values = {
            number: self._constant(number, value) for number, value in program.constants.items()
        }
        self.values.update(zip(program.inputs, seeded(traced), strict=True))
        self.sources: dict[int, Int[np.ndarray, " size"]] = {}
        self.equal: dict[int, list[int]] = {}
        self.are_multiple = False
        self._shifted: set[int] = set()
        self._scaled: set[int] = set()
        self._curved: set[int] = set()
        self._follows_from: dict[int, set[int]] = {}
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
        active = step.active
        if all(one in self.values for one in active):
            copies = self._copies(step)
            if not active or copies or self._is_of_single_inputs(step):
                results = evaluated(self.interpreter, step, self.values)
                if not active or all(map(is_copy, results)):
                    self._note(step, copies)
                    for variable, value in zip(step.makes, results, strict=True):
                        self._keep(variable, value)
                    return
        for variable in active:
            self._end(variable)

    def _copies(self, step: Step) -> bool:
        """Whether a step moves elements of copies, and changes no derivatives."""
        places = [k for k, variable in enumerate(step.reads) if depends(variable)]
        if not places or not self.is_structured(step):
            return False
        name = step.eqn.primitive.name
        return (
            _moves(step)
            or (name == "add" and len(places) == 1)
            or (name in _SHIFTS and places == [0])
        )

    def _is_of_single_inputs(self, step: Step) -> bool:
        """Whether a step may compute each element from one copy, as scaling does, or has no derivative."""
        rule, avals = find_rule(step.eqn.primitive), self.program.avals
        if not any(has_derivative(avals[one]) for one in step.makes):
            return True
        if rule is None or any(is_complex(avals[one]) for one in step.active):
            return False
        if rule.in_place:
            return all(is_real(avals[one]) for one in step.makes)
        return step.eqn.primitive.name in _PUTS and self.is_linear(step)

    def _note(self, step: Step, copies: bool) -> None:
        """Note whether copies have the inputs' values or are scaled, and what they follow from in place.

        What is computed in place belongs to the elements, unless it is moved to them afterwards.
        """
        rule, active = find_rule(step.eqn.primitive), step.active
        if not (copies and _moves(step) and self._shifted.isdisjoint(active)):
            self._shifted.update(step.makes)
        if not (copies and self._scaled.isdisjoint(active)):
            self._scaled.update(step.makes)
            if not self._curved.isdisjoint(active) or not (copies or self.is_linear(step)):
                self._curved.update(step.makes)
        if (
            rule is not None
            and rule.in_place
            and not (copies and self._follows_from.keys().isdisjoint(active))
        ):
            sources = set().union(*(self._follows_from.get(one, {one}) for one in active))
            self._follows_from.update(dict.fromkeys(step.makes, sources))

    def is_structured(self, step: Step) -> bool:
        """Whether a step takes real numbers, or complex ones, to the same places in every call."""
        avals, rule = self.program.avals, find_rule(step.eqn.primitive)
        taken = [avals[one] for one in (*step.active, *step.makes)]
        if rule is None or not (all(map(is_real, taken)) or all(map(is_complex, taken))):
            return False
        steering = {step.reads[number] for number in rule.steered_by(EquationView(step.eqn))}
        steering.update(one for one in step.reads if not has_derivative(avals[one]))
        return all(map(self.is_known, steering))

    def is_linear(self, step: Step) -> bool:
        """Whether the results are linear in what is active, with one structure in all calls."""
        rule = find_rule(step.eqn.primitive)
        if rule is None or not self.is_structured(step):
            return False
        if step.eqn.primitive.name == "convert_element_type":
            return True
        return rule.is_linear(EquationView(step.eqn)) or is_product(step)

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
        for one in self._follows_from.get(variable, (variable,)):
            value = self.values.get(one)
            if value is not None and value.dependence is not None:
                self._add(one, sources_of(value.dependence))

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

    @property
    def degree(self) -> int:
        """That of a `Cut`."""
        if self._is_hessian and not self._curved.isdisjoint(self.variables):
            return 2
        return int(not self._scaled.isdisjoint(self.variables))


_SHIFTS = ("sub", "convert_element_type")
"""Primitives of whose first operand the derivative is one."""


_PUTS = ("scatter-add", "scatter-sub")
"""Primitives that put copies between other values where these are added."""


def is_product(step: Step) -> bool:
    """Whether a step multiplies what moves by what does not."""
    places = [k for k, variable in enumerate(step.reads) if depends(variable)]
    rule = find_rule(step.eqn.primitive)
    return rule is not None and len(places) == 1 and places[0] in rule.linear_in


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
