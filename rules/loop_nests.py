"""Bodies of loops with the loops inside them that write to the same carried values, and when they do.

Within a step of a body its writes are done one after the other, at times from 1 on. A loop inside takes as
much time as its body, as often as it has steps. So no two writes in a step of the outermost body are done at
the same time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from asdex.detection import evaluated, jaxpr_consts, open_jaxpr, rebind, scan_arity, size_of

from .loop_equations import changes_of, Equations
from .loop_places import Write, written
from .loop_values import are_in, known_carry, known_of_scan, known_variables


class State(NamedTuple):
    """What a carried value is within a step.

    **Attributes:**

    - `place`: the number of the carried value in the outermost body.
    - `nest`: the body whose steps it belongs to.
    - `time`: when it was written to last, in a step of that body.
    """

    place: int
    nest: Nest
    time: int


class Column(NamedTuple):
    """What a step of the outermost body writes or returns, as often as the loops around it do it.

    **Attributes:**

    - `write`: what writes it. A result is like what is written to all of a value.
    - `size`: the number of elements each time.
    - `lengths`: the lengths of these loops.
    - `starts`: when the bodies around it start, at each step of these loops.
    - `times`: when it is written, likewise.
    """

    write: Write
    size: int
    lengths: tuple[int, ...]
    starts: dict[Nest, np.ndarray]
    times: np.ndarray

    @property
    def adds(self) -> bool:
        """Whether it is added to a sum."""
        return self.write.sign != 0

    @property
    def width(self) -> int:
        return math.prod(self.lengths) * self.size

    def inside(self, nest: Nest, begin: np.ndarray) -> Column:
        """The same in all steps of a loop in a body, which start at these times."""
        begins = begin.reshape(-1, *(1 for _ in self.lengths))
        starts = {inner: begins + one for inner, one in self.starts.items()}
        return self._replace(
            lengths=(len(begin), *self.lengths),
            starts=starts | {nest: np.zeros((), np.int64)},
            times=begins + self.times,
        )

    def of_elements(self, times: np.ndarray) -> np.ndarray:
        """The times of all elements, from those of all steps."""
        return np.repeat(np.broadcast_to(times, self.lengths), self.size)


class Nest:
    """A body, its writes, and the loops within it that write.

    **Arguments:**

    - `num_consts`, `known`: how many of the operands are constants, and which of all operands are known.
    - `places`: the number of each carried value in the outermost body; `None` for those known, or unchanged.
    - `states`: of the carried values, by variables: those within this body are added.
    - `sums`: the places that are sums, which no body reads; by default all that this body does not read.

    **Attributes:** `writes`: those of the body itself. `span`: how much time a step takes.

    **Raises:** `NotImplementedError` if a loop inside reads one of the sums.
    """

    def __init__(
        self,
        equations: Equations,
        num_consts: int,
        known: Sequence[bool],
        places: Sequence[int | None],
        states: dict[Any, State],
        sums: Collection[int] | None = None,
    ):
        self.body, self._num_carry = equations.body, len(places)
        self.writes: list[Write] = []
        self._loops: dict[int, _Loop] = {}
        inner = open_jaxpr(self.body)
        triples = zip(places, inner.invars[num_consts:], inner.outvars, strict=False)
        pairs = {place: pair for place, *pair in triples if place is not None}
        variables = known_variables(self.body, known)
        added, chains, loops = changes_of(equations, variables, pairs, len(places), sums)
        placed = {id(eqn): place for place, chain in chains.items() for eqn, _ in chain}
        time = 0
        for eqn in inner.eqns:
            if id(eqn) in loops:
                loop = _Loop.of(eqn, equations, variables, loops[id(eqn)], states, added, time)
                self._loops[id(eqn)] = loop
                time += eqn.params["length"] * loop.nest.span
                for number, place in loops[id(eqn)].items():
                    states[eqn.outvars[number]] = State(place, self, time)
            elif id(eqn) in placed:
                time, place, (result,) = time + 1, placed[id(eqn)], eqn.outvars
                atoms = written(eqn, eqn.invars[1:])
                self.writes.append(Write(place, eqn, atoms, result.aval.shape, time=time))
                states[result] = State(place, self, time)
        for place, (before, after) in pairs.items():
            if place in added:
                self.writes += [
                    Write(place, eqn, atoms, before.aval.shape, sign)
                    for sign, eqn, atoms in added[place]
                    if id(eqn) not in loops
                ]
            elif after is not before and not chains[place]:
                self.writes.append(Write(place, None, [after], before.aval.shape, time=time + 1))
        self.span = time + 2

    def columns(self) -> list[Column]:
        """All writes in a step, with those of the loops inside."""
        return list(map(self._column, self.writes)) + [
            column.inside(self, loop.begin)
            for loop in self._loops.values()
            for column in loop.nest.columns()
        ]

    def outputs(self) -> list[Column]:
        """The further results of the body, some of which are those of loops inside."""
        further = {
            id(variable): column.inside(self, loop.begin)
            for loop in self._loops.values()
            for variable, column in zip(loop.further, loop.nest.outputs(), strict=True)
        }
        return [
            further.get(id(atom)) or self._column(Write(0, None, [atom], atom.aval.shape))
            for atom in open_jaxpr(self.body).outvars[self._num_carry :]
        ]

    def _column(self, write: Write) -> Column:
        zero = np.zeros((), np.int64)
        return Column(write, size_of(write.atoms[0].aval), (), {self: zero}, zero + write.time)

    def rows(
        self, operands: Sequence[Any], states: dict[Any, Any]
    ) -> tuple[list[list[Any]], list[Any]]:
        """What each of `columns` writes and where, and the further results of the body: its `outputs`.

        **Arguments:** `states`: the carried values after each write, by their variables.
        """
        inner, consts = open_jaxpr(self.body), jaxpr_consts(self.body)
        partial = {id(one.eqn): one for one in self.writes if one.is_partial}
        found: dict[int, Any] = {}

        def evaluate(eqn: Any, values: Sequence[Any]) -> Sequence[Any]:
            if id(eqn) in self._loops:
                results, found[id(eqn)] = self._loops[id(eqn)].results(values, states)
                return results
            if id(eqn) not in partial:
                return rebind(eqn, values)
            found[id(eqn)] = partial[id(eqn)].written(*values)
            return [states[eqn.outvars[0]]]

        made = [one.eqn.outvars[0] for one in partial.values()]
        made += [variable for loop in self._loops.values() for variable in loop.made]
        atoms = [atom for one in self.writes for atom in one.atoms]
        wanted = [*made, *atoms, *inner.outvars[self._num_carry :]]
        values = iter(evaluated(inner, consts, operands, evaluate, wanted)[len(made) :])
        rows = []
        for one in self.writes:
            own = [next(values) for _ in one.atoms]
            rows.append(found[id(one.eqn)] if one.is_partial else own)
        for number in self._loops:
            rows += found[number]
        return rows, list(values)


class _Loop(NamedTuple):
    """A loop inside.

    **Attributes:** `start`: when it does, in a step around it. `kept`: which carried values are known.
    """

    eqn: Any
    nest: Nest
    known: Sequence[bool]
    kept: Sequence[bool]
    made: Sequence[Any]
    start: int

    @staticmethod
    def of(
        eqn: Any,
        equations: Equations,
        variables: Collection[Any],
        places: dict[int, int],
        states: dict[Any, State],
        added: Collection[int],
        start: int,
    ) -> _Loop:
        num_consts, num_carry = scan_arity(eqn)
        known = are_in(variables, eqn.invars)
        kept = known_of_scan(eqn, known)[0][:num_carry]
        inside = equations.inside(eqn)
        flags = [*known[:num_consts], *kept, *known[num_consts + num_carry :]]
        numbers = [places.get(k) for k in range(num_carry)]
        sums = set(added) & set(places.values())
        nest = Nest(inside, num_consts, flags, numbers, states, sums)
        carried = open_jaxpr(inside.body).invars[num_consts:]
        states.update({carried[k]: State(place, nest, 0) for k, place in places.items()})
        made = [eqn.outvars[k] for k in places]
        return _Loop(eqn, nest, known, kept, made, start)

    @property
    def begin(self) -> np.ndarray:
        """When the step starts that takes each slice."""
        order = np.arange(self.eqn.params["length"])
        return self.start + self.nest.span * (order[::-1] if self.eqn.params["reverse"] else order)

    @property
    def further(self) -> Sequence[Any]:
        """The results that are not carried."""
        return self.eqn.outvars[len(self.kept) :]

    def results(
        self, operands: Sequence[Any], states: dict[Any, Any]
    ) -> tuple[list[Any], list[list[Any]]]:
        """The results; what all steps write and where."""
        num_consts, num_carry = scan_arity(self.eqn)
        end, length = num_consts + num_carry, self.eqn.params["length"]
        consts, initial, scanned = operands[:num_consts], operands[num_consts:end], operands[end:]
        known = [one if keep else None for one, keep in zip(operands, self.known, strict=True)]
        final, before = known_carry(
            self.eqn.params["jaxpr"],
            self.kept,
            known[:num_consts],
            known[num_consts:end],
            known[end:],
            *(self.eqn.params[name] for name in ("length", "reverse", "unroll")),
        )
        variables = open_jaxpr(self.nest.body).invars[num_consts:end]
        carried = [
            each if keep else states.get(variable, one)
            for keep, each, variable, one in zip(self.kept, before, variables, initial, strict=True)
        ]
        axes = [*(None for _ in consts), *(0 if keep else None for keep in self.kept)]
        axes += [0] * len(scanned)

        def step(*values: Any) -> tuple[list[list[Any]], list[Any]]:
            return self.nest.rows(values, states)

        rows, further = jax.vmap(step, in_axes=axes, axis_size=length)(*consts, *carried, *scanned)
        results = [
            last if keep else states.get(variable, one)
            for keep, last, variable, one in zip(
                self.kept, final, self.eqn.outvars, initial, strict=False
            )
        ]
        return [*results, *further], rows
