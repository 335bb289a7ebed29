"""A jaxpr as a flat list of equations on numbered variables, of which any part can be evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..._jaxprs import inlined_jaxpr, is_literal, jaxpr_consts, open_jaxpr, rebind


Atom = Any
"""The number of a variable, or a literal."""


class Step(NamedTuple):
    """An equation, the atoms that it reads, and the variables that it computes."""

    eqn: Any
    reads: tuple[Atom, ...]
    makes: tuple[int, ...]


class Program:
    """A closed jaxpr with the calls of `jax.jit` inlined, and without what the outputs do not need.

    What depends on the differentiated inputs is numbered from zero, these inputs first, in the order of the
    program; everything else from -1 downwards. So the numbers do not tell what is a constant in one trace and
    computed in another.

    **Arguments:**

    - `differentiated`: the positions of these inputs among all inputs.

    **Attributes:**

    - `inputs`: the variables of the inputs; `constants`: the values of the constants.
    - `steps`: what is computed, in order; `outputs`: the atoms of the outputs.
    - `acts`: whether it does more than compute its outputs, such as to print.
    - `avals`: shape and dtype of each variable; `output_avals`: those of the outputs.
    """

    def __init__(self, jaxpr: Any, differentiated: Sequence[int]):
        inner = open_jaxpr(jaxpr)
        self.avals: dict[int, Any] = {}
        self.constants: dict[int, Any] = {}
        self._moving = self._fixed = 0
        self._all_steps: list[Step] = []
        self.output_avals = [atom.aval for atom in inner.outvars]
        first = {
            position: self._variable(inner.invars[position], True) for position in differentiated
        }
        self.inputs = tuple(
            first[number] if number in first else self._variable(variable, False)
            for number, variable in enumerate(inner.invars)
        )
        self.outputs = tuple(self._inline(jaxpr, self.inputs))
        self.steps = self._all_steps
        self.acts = any(step.eqn.effects for step in self.steps)
        self.steps = self.between((), self.outputs)

    def _variable(self, variable: Any, moves: bool) -> int:
        if moves:
            number, self._moving = self._moving, self._moving + 1
        else:
            self._fixed -= 1
            number = self._fixed
        self.avals[number] = variable.aval
        return number

    def _inline(self, jaxpr: Any, operands: Sequence[Atom]) -> list[Atom]:
        inner = open_jaxpr(jaxpr)
        numbers: dict[Any, Atom] = dict(zip(inner.invars, operands, strict=True))
        for variable, value in zip(inner.constvars, jaxpr_consts(jaxpr), strict=True):
            numbers[variable] = self._variable(variable, False)
            self.constants[numbers[variable]] = value

        def read(atom: Any) -> Atom:
            return atom if is_literal(atom) else numbers[atom]

        for eqn in inner.eqns:
            reads = tuple(map(read, eqn.invars))
            called = inlined_jaxpr(eqn)
            if called is None:
                moves = any(map(depends, reads))
                makes = tuple(self._variable(one, moves) for one in eqn.outvars)
                self._all_steps.append(Step(eqn, reads, makes))
            else:
                makes = self._inline(called, reads)
            numbers.update(zip(eqn.outvars, makes, strict=True))
        return [read(atom) for atom in inner.outvars]

    def between(self, given: Collection[int], wanted: Iterable[Atom]) -> list[Step]:
        """The steps that compute the wanted atoms from the given variables, in order."""
        needed = {atom for atom in wanted if not is_literal(atom)}.difference(given)
        chosen = []
        for step in reversed(self.steps):
            if needed.isdisjoint(step.makes):
                continue
            chosen.append(step)
            needed.update(atom for atom in step.reads if not is_literal(atom) and atom not in given)
        return chosen[::-1]

    def evaluate(self, given: Mapping[int, Any], wanted: Sequence[Atom]) -> list[Any]:
        """The values of the wanted atoms from those of the inputs, and of other variables that are given."""
        values = {**self.constants, **given}

        def read(atom: Atom) -> Any:
            return atom.val if is_literal(atom) else values[atom]

        for step in self.between(given, wanted):
            results = rebind(step.eqn, list(map(read, step.reads)))
            for variable, result in zip(step.makes, results, strict=True):
                values.setdefault(variable, result)
        return list(map(read, wanted))

    @property
    def digest(self) -> str:
        """Equal for programs that do the same with their differentiated inputs."""
        lines = [repr(list(map(_described, self.outputs)))]
        for step in self.steps:
            if any(map(depends, step.reads)):
                types = [(self.avals[one].shape, str(self.avals[one].dtype)) for one in step.makes]
                reads = list(map(_described, step.reads))
                given = {k: v for k, v in sorted(step.eqn.params.items()) if _is_plain(v)}
                lines.append(repr((step.eqn.primitive.name, reads, step.makes, types, given)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def depends(atom: Atom) -> bool:
    """Whether the value of an atom depends on the differentiated inputs."""
    return not is_literal(atom) and atom >= 0


def _is_plain(value: Any) -> bool:
    """Whether equal parameters are printed alike: numbers, names and tuples of such are."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)


def _described(atom: Atom) -> int | None:
    return atom if depends(atom) else None
