"""A jaxpr as a flat list of equations on numbered variables, of which any part can be evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.core import Tracer

from ..._jaxprs import inlined_jaxpr, is_literal, is_predictable, jaxpr_consts, open_jaxpr, rebind
from ..._versions import mesh_axes
from ...detection import find_rule


class Step(NamedTuple):
    """An equation, the variables that it reads, and those that it computes."""

    eqn: Any
    reads: tuple[int, ...]
    makes: tuple[int, ...]

    @property
    def active(self) -> list[int]:
        """What it reads that depends on the differentiated inputs."""
        return [variable for variable in self.reads if depends(variable)]


Bind = Callable[[Step, Sequence[Any]], Sequence[Any]]
"""Computes the results of a step from what it reads."""


def rebound(step: Step, operands: Sequence[Any]) -> Sequence[Any]:
    """The results of a step as its equation computes them."""
    return rebind(step.eqn, operands)


class Program:
    """A closed jaxpr with the calls of `jax.jit` inlined, and without what its results do not need.

    What depends on the differentiated inputs is numbered from zero, these inputs first, in the order of the
    program; everything else from -1 downwards. So the numbers do not tell what is a constant in one trace and
    computed in another.

    **Arguments:**

    - `differentiated`: the positions of these inputs among all inputs.
    - `at_once`: whether loops whose steps do not wait for one another take all of them at once.

    **Attributes:**

    - `inputs`, `outputs`: the variables of the inputs and of the outputs.
    - `constants`: the values of the constants, which may be traced; `literals`: which of them are literals.
    - `steps`: what is computed, and what is done beside that, such as to print, in order.
    - `avals`: shape and dtype of each variable.
    """

    def __init__(self, jaxpr: Any, differentiated: Sequence[int], *, at_once: bool = False):
        inner, self._at_once = open_jaxpr(jaxpr), at_once
        self.avals: dict[int, Any] = {}
        self.constants: dict[int, Any] = {}
        self.literals: set[int] = set()
        self._moving = self._fixed = 0
        self.steps: list[Step] = []
        first = {
            position: self._variable(inner.invars[position], True) for position in differentiated
        }
        self.inputs = tuple(
            first[number] if number in first else self._variable(variable, False)
            for number, variable in enumerate(inner.invars)
        )
        self.outputs = tuple(self._inline(jaxpr, self.inputs))
        self.steps = self.between((), self.outputs, acting=(False, True))

    def _variable(self, atom: Any, moves: bool) -> int:
        if moves:
            number, self._moving = self._moving, self._moving + 1
        else:
            self._fixed -= 1
            number = self._fixed
        self.avals[number] = atom.aval
        return number

    def _constant(self, atom: Any, value: Any) -> int:
        number = self._variable(atom, False)
        self.constants[number] = value
        return number

    def _inline(self, jaxpr: Any, operands: Sequence[int]) -> list[int]:
        inner = open_jaxpr(jaxpr)
        numbers = dict(zip(inner.invars, operands, strict=True))
        for variable, value in zip(inner.constvars, jaxpr_consts(jaxpr), strict=True):
            numbers[variable] = self._constant(variable, value)

        def read(atom: Any) -> int:
            if not is_literal(atom):
                return numbers[atom]
            number = self._constant(atom, atom.val)
            self.literals.add(number)
            return number

        for eqn in inner.eqns:
            reads = tuple(map(read, eqn.invars))
            called = inlined_jaxpr(eqn) or self._without_loop(eqn, reads)
            if called is None:
                moves = any(map(depends, reads))
                makes = tuple(self._variable(one, moves) for one in eqn.outvars)
                self.steps.append(Step(eqn, reads, makes))
            else:
                makes = self._inline(called, reads)
            numbers.update(zip(eqn.outvars, makes, strict=True))
        return [read(atom) for atom in inner.outvars]

    def _without_loop(self, eqn: Any, reads: Sequence[int]) -> Any | None:
        rule = find_rule(eqn.primitive) if self._at_once else None
        if rule is None or "at_once" not in rule.functions or not any(map(depends, reads)):
            return None
        function = rule.functions["at_once"](eqn, [not depends(one) for one in reads])
        if function is None:
            return None
        return jax.make_jaxpr(function)(*(atom.aval for atom in eqn.invars))

    @property
    def fixed(self) -> Sequence[int]:
        """The variables that do not depend on the differentiated inputs."""
        return range(-1, self._fixed - 1, -1)

    @property
    def effects(self) -> bool:
        """Whether it does more than compute its outputs."""
        return any(step.eqn.effects for step in self.steps)

    @property
    def varies_over_mesh(self) -> bool:
        """Whether it is a part of `jax.shard_map` and has values of which each device has its own."""
        return any(map(mesh_axes, self.avals.values()))

    def known(self, inputs: Iterable[int]) -> set[int]:
        """The variables that follow from these inputs alone, wherever and whenever they are evaluated."""
        found = {one for one, value in self.constants.items() if not isinstance(value, Tracer)}
        found.update(inputs)
        for step in self.steps:
            if found.issuperset(step.reads) and is_predictable(step.eqn):
                found.update(step.makes)
        return found

    def between(
        self, given: Iterable[int], wanted: Iterable[int], *, acting: Collection[bool] = ()
    ) -> list[Step]:
        """The steps that compute the wanted variables from the given ones, in order.

        Those as well that do more than return results and depend on the differentiated inputs, if `acting`
        holds `True`, or do not, if it holds `False`.
        """
        given = {*given, *self.constants}
        needed = {*wanted} - given
        chosen = []
        for step in reversed(self.steps):
            acts = step.eqn.effects and bool(step.active) in acting
            if acts or not needed.isdisjoint(step.makes):
                chosen.append(step)
                needed.update(variable for variable in step.reads if variable not in given)
        return chosen[::-1]

    def unseeded(self) -> list[int]:
        """The results that do not depend on the differentiated inputs, and variables that what does reads."""
        read = [variable for step in self.steps if step.active for variable in step.reads]
        wanted = dict.fromkeys((*read, *self.outputs))
        return [one for one in wanted if not depends(one) and one not in self.constants]

    def evaluate(
        self,
        given: Mapping[int, Any],
        wanted: Sequence[int],
        *,
        acting: Collection[bool] = (),
        bind: Bind = rebound,
    ) -> list[Any]:
        """The values of the wanted variables from those of the inputs, and of others that are given."""
        values = {**self.constants, **given}
        for step in self.between(given, wanted, acting=acting):
            results = bind(step, [values[variable] for variable in step.reads])
            for variable, result in zip(step.makes, results, strict=True):
                values.setdefault(variable, result)
        return [values[variable] for variable in wanted]

    @property
    def digest(self) -> str:
        """Equal for programs that do the same with their differentiated inputs."""
        lines = [repr(list(map(_described, self.outputs)))]
        for step in self.steps:
            if step.active:
                types = [(self.avals[one].shape, str(self.avals[one].dtype)) for one in step.makes]
                reads = list(map(_described, step.reads))
                given = {k: v for k, v in sorted(step.eqn.params.items()) if _is_plain(v)}
                lines.append(repr((step.eqn.primitive.name, reads, step.makes, types, given)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def depends(variable: int) -> bool:
    """Whether the value of a variable depends on the differentiated inputs."""
    return variable >= 0


def _is_plain(value: Any) -> bool:
    """Whether equal parameters are printed alike: numbers, names and tuples of such are."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)


def _described(variable: int) -> int | None:
    return variable if depends(variable) else None
