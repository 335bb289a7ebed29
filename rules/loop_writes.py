"""Loops that write to known places of what they carry, such as `y.at[i].set(...)` with a counter `i`.

All steps are analysed at once: what is known at each step is computed for all of them, and the body is mapped
over it. A place that is read holds what was last written to it, or what the carry held before the loop. A
carried value after a write of the same step is another operand of the body.
"""

import math
from collections.abc import Sequence
from itertools import compress
from typing import Any

import jax
import numpy as np
from scipy.sparse import csr_array, hstack

from asdex import Dependence, Value
from asdex.detection import compiled, Known, on_host, open_jaxpr, pairs_to_csr, size_of

from .flat_bodies import flat_body, with_counted_loops
from .known_steps import most_steps
from .last_writes import LastWrites, with_what_they_read
from .loop_bodies import facts_of, in_rows, LoopBody
from .loop_equations import Equations
from .loop_nests import Nest, State
from .loop_states import FEW_STEPS, KnownStates
from .loop_values import counts_of_whiles, MOST_COUNTED


_MOST_ELEMENTS = 1 << 22
"""Elements that all steps together may write or know: a body of whole arrays is analysed step by step."""


class _OneByOne(Exception):
    """The steps cannot be taken at once."""


def by_writes(loop: LoopBody, known: KnownStates) -> tuple[list[Value], list[Value]] | None:
    """The final carry and the stacked results of all steps; `None` where steps must be taken one by one."""
    steps = len(known.order) * most_steps(loop.body, FEW_STEPS)
    if steps < FEW_STEPS or open_jaxpr(loop.body).effects or not known.are_available:
        return None
    try:
        return _Steps(loop, known).results()
    except _OneByOne:
        return None


class _Steps:
    """All steps of a loop at once."""

    def __init__(self, loop: LoopBody, known: KnownStates):
        self.loop, self.known, self.order = loop, known, np.asarray(known.order, np.int64)
        self._limit()
        start, stop = len(loop.consts), len(loop.consts) + loop.num_carry
        are_known = [one is not None for one in known.operands]
        are_known[start:stop] = loop.kept
        places = [None if keep else place for place, keep in enumerate(loop.kept)]
        states: dict[Any, State] = {}
        try:
            body = flat_body(loop.body)
            equations = Equations(with_counted_loops(body, self._counted(body, are_known)))
            self.nest = Nest(equations, len(loop.consts), are_known, places, states)
        except Exception as error:  # a primitive that JAX cannot trace again
            raise _OneByOne from error
        self.states, self.columns = states, self.nest.columns()
        steps = max((math.prod(one.lengths) for one in self.columns), default=1) * len(self.order)
        if steps < FEW_STEPS:
            raise _OneByOne
        self._limit(sum(one.width for one in self.columns))

    def _limit(self, written: int = 0) -> None:
        """Give up if a step writes too many elements, together with those that are known at each step."""
        loop = self.loop
        avals = [variable.aval for variable in open_jaxpr(loop.body).invars[len(loop.consts) :]]
        are_known = [*loop.kept, *(value.known is not None for value in loop.scanned)]
        elements = written + sum(map(size_of, compress(avals, are_known)))
        if elements * len(self.order) > _MOST_ELEMENTS:
            raise _OneByOne

    def results(self) -> tuple[list[Value], list[Value]]:
        loop = self.loop
        targets, rows = self._split(self._structure())
        times = self._times()
        links = LastWrites(targets, times, rows.shape[1])
        if not links.are_unique:
            raise _OneByOne
        initial = loop.join_carry(loop.as_dependences(loop.initial))
        last = links.last(np.arange(initial.size), len(self.order))
        needed = np.ones(rows.shape, np.bool_)
        needed[:, : len(times)] = times == 0
        needed = needed.ravel()
        needed[last[last >= 0]] = True
        written = self._resolved(rows.reshape((rows.size,)), links, initial, needed)
        places = np.where(last >= 0, initial.size + last, np.arange(initial.size))
        carry = Dependence.join([initial, written]).take(places)
        step, column = np.nonzero((targets >= 0) & (times == 0))
        if step.size:
            read = targets[step, column], step * rows.shape[1] + column
            carry = carry | written.through(pairs_to_csr(*read, (initial.size, rows.size)))
        outputs = written.reshape(rows.shape).rearrange(lambda p: p[:, targets.shape[1] :])
        return self._carried(carry), self._stacked(outputs)

    def _carried(self, carry: Dependence) -> list[Value]:
        known = iter(self._known_carry[0])
        parts = self.loop.split_carry(carry, self.loop.as_dependences(self.loop.initial))
        triples = zip(parts, self.loop.kept, self.loop.supports, self.loop.avals, strict=False)
        return [
            Value(None, next(known)) if keep else Value(part, None, facts_of(mask, aval))
            for part, keep, mask, aval in triples
        ]

    def _stacked(self, outputs: Dependence) -> list[Value]:
        shapes = [aval.shape for aval in self.loop.avals[self.loop.num_carry :]]
        return [Value(one, None) for one in outputs.split(shapes)]

    @property
    def _known_carry(self) -> tuple[Sequence[Known], Sequence[Known]]:
        if self.known.carry is None:
            raise _OneByOne
        return self.known.carry

    def _counted(self, body: Any, known: Sequence[bool]) -> dict[int, int]:
        """How many steps the `while` loops of a flat body take at most, by their equations, and one more."""
        loops, counts = counts_of_whiles(body, known)
        if not loops:
            return {}
        left = iter(self._known_carry[1])
        first = [None if one is None else one[0] for one in self.known.operands]
        start, stop = len(self.loop.consts), len(self.loop.consts) + self.loop.num_carry
        first[start:stop] = [next(left).get() if keep else None for keep in self.loop.kept]
        axes = [None] * start + [0] * (len(first) - start)
        with on_host():
            mapped = jax.vmap(counts, in_axes=axes, axis_size=len(self.order))
            found = compiled(mapped, *first)(*first)
        return {
            id(eqn): int(np.max(one, initial=0)) + 1
            for eqn, one in zip(loops, found, strict=True)
            if np.max(one, initial=0) < MOST_COUNTED
        }

    def _structure(self) -> list[Value]:
        """The structure of all steps in terms of constants, of one carry for all, and of their slices."""
        loop, count = self.loop, len(self.order)
        inner = open_jaxpr(self.nest.body)
        axes = [None] * len(loop.consts) + [0 if keep else None for keep in loop.kept]
        axes += [0] * len(loop.scanned) + [None] * len(self.states)
        structs = [
            jax.ShapeDtypeStruct(
                v.aval.shape if axis is None else (count, *v.aval.shape), v.aval.dtype
            )
            for v, axis in zip((*inner.invars, *self.states), axes, strict=True)
        ]

        def step(*operands: Any) -> tuple[list[list[Any]], list[Any]]:
            width = len(inner.invars)
            return self.nest.rows(
                operands[:width], dict(zip(self.states, operands[width:], strict=True))
            )

        try:
            jaxpr = jax.make_jaxpr(jax.vmap(step, in_axes=axes, axis_size=count))(*structs)
        except Exception as error:  # a primitive that JAX cannot map
            raise _OneByOne from error
        results = (one for eqn in open_jaxpr(jaxpr).eqns for one in eqn.outvars)
        if any(size_of(one.aval) > 4 * _MOST_ELEMENTS for one in results):
            raise _OneByOne
        known = iter(self._known_carry[1])
        operands = [
            *(value if value.dependence is None else None for value in loop.consts),
            *(Value(None, next(known)) if keep else None for keep in loop.kept),
            *(
                None if follow else Value(None, None if one is None else Known.of(*one))
                for one, follow in zip(self.known.slices, loop.followed_slices, strict=True)
            ),
            *(None for _ in self.states),
        ]
        supports = [facts_of(*pair) for pair in zip(loop.supports, loop.avals, strict=False)]
        facts = [*(value.facts for value in loop.consts), *supports]
        facts += [None] * (len(operands) - len(facts))
        return loop.eqn.structure(jaxpr, operands, facts)

    def _split(self, values: Sequence[Value]) -> tuple[np.ndarray, Dependence]:
        """Where each step writes, and what all that it writes and returns reads: a row for each step."""
        count, stream = len(self.order), iter(values)
        targets, rows = [], []
        for column in self.columns:
            write, leading = column.write, (count, *column.lengths)
            update, *places = [next(stream) for _ in write.atoms]
            shape = (*leading, *write.atoms[0].aval.shape)
            rows.append(update.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
            steps = math.prod(leading)
            where = [one.reshape(steps, *one.shape[len(leading) :]) for one in map(_value, places)]
            found = write.targets(steps, where)
            found = np.where(found >= 0, found + self._start(write.place), -1)
            targets.append(found.reshape(count, -1))
        for aval, value in zip(self.loop.avals[self.loop.num_carry :], stream, strict=True):
            shape = (count, *aval.shape)
            rows.append(value.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
        empty = np.zeros((count, 0), np.int64)
        return np.concatenate([empty, *targets], axis=1), in_rows(rows, count)

    def _start(self, place: int) -> int:
        """Where a carried value starts among all of them that are followed."""
        pairs = zip(self.loop.kept[:place], self.loop.avals, strict=False)
        return sum(size_of(aval) for keep, aval in pairs if not keep)

    def _times(self) -> np.ndarray:
        """When a step writes each element; 0 if it is added to a sum."""
        times = [one.of_elements(one.times * (not one.adds)) for one in self.columns]
        return np.concatenate([np.zeros(0, np.int64), *times])

    def _starts(self, width: int) -> dict[Nest, np.ndarray]:
        """When each body starts, in which some of the elements of a step are written or returned."""
        columns = [*self.columns, *self.nest.outputs()]
        nests = {nest for one in columns for nest in one.starts} | {self.nest}
        starts = {nest: np.zeros(width, np.int64) for nest in nests}
        end = 0
        for column in columns:
            begin, end = end, end + column.width
            for nest, one in column.starts.items():
                starts[nest][begin:end] = column.of_elements(one)
        return starts

    def _resolved(
        self, rows: Dependence, links: LastWrites, initial: Dependence, needed: np.ndarray
    ) -> Dependence:
        """What the needed rows depend on, given what all rows read of a carry that changes step by step."""
        loop, count = self.loop, len(self.order)
        part, width = loop.part(rows, count), rows.size // max(count, 1)
        *_, end = loop.ends(count)
        states = [State(0, self.nest, 0), *self.states.values()]
        sizes = [initial.size, *(size_of(one.aval) for one in self.states)]
        firsts = [0, *(self._start(one.place) for one in self.states.values())]
        within = rows.restrict(end, end + sum(sizes[1:]))
        read = csr_array(hstack([part.carry.to_csr(sizes[0]), within.to_csr(sum(sizes[1:]))]))
        state = np.repeat(np.arange(len(states)), sizes)[read.indices]
        places = np.concatenate(
            [first + np.arange(n) for first, n in zip(firsts, sizes, strict=True)]
        )
        starts = self._starts(width)
        starts = np.array([starts[one.nest] + one.time for one in states])
        places = places[read.indices]
        reader = np.repeat(np.arange(rows.size), np.diff(read.indptr))
        step, column = np.divmod(reader, max(width, 1))
        last = links.last(places, step, starts[state, column])
        slices = [
            value.dependence.rearrange(lambda p: p[self.order])
            for value, follow in zip(loop.scanned, loop.followed_slices, strict=True)
            if follow and value.dependence is not None
        ]
        fixed = loop.join(loop.consts, loop.followed_consts)
        result = part.consts.substitute(fixed) | part.slices.substitute(Dependence.join(slices))
        first, later = last < 0, last >= 0
        before = pairs_to_csr(reader[first], places[first], (rows.size, initial.size))
        result = result | initial.through(before)
        return with_what_they_read(result, reader[later], last[later], needed)


def _value(place: Value) -> np.ndarray:
    """Where all steps write."""
    value = None if place.known is None else place.known.get_if_available()
    if value is None:
        raise _OneByOne
    return value
