"""Loops."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import (
    as_dependence,
    everywhere,
    Facts,
    Known,
    nowhere,
    open_jaxpr,
    Probe,
    scan_arity,
    transitive_closure,
)

from .loop_bodies import facts_of, LoopBody
from .loop_maps import without_loop
from .loop_values import known_of_scan
from .loop_writes import by_writes
from .ties import differing


_FOLLOWED_STEPS = 10_000
"""Steps of a `while` with a known trip count that are followed one by one."""

_BLOCK = 1 << 21
"""Entries of the states that are held at a time, 8 MB; sparse powers of a body have no more than that."""

_MANY_STEPS = 32
"""Steps from which on the structure of a body is raised to a power."""


@register("scan")
def scan(eqn: Equation, *operands: Dependence) -> list[Value | Dependence]:
    """Applies `jaxpr` to `(constants, carry, slices)`, once for each slice of the scanned operands.

    The body is analysed once and its structure applied at each step. Where it uses values that are known at
    each step, such as a loop counter in an index, it is analysed anew at each step instead.
    """
    del operands
    loop = _scanned(eqn)
    length, backwards = eqn.params["length"], eqn.params["reverse"]
    order = range(length - 1, -1, -1) if backwards else range(length)
    carry, outputs = loop.at_point(order) or loop.run(order)
    stacked = [
        (_slice(one, slice(None, None, -1)) if backwards else one)._replace(facts=facts)
        for one, facts in zip(outputs, loop.facts_of_outputs(), strict=True)
    ]
    return [*carry, *stacked]


@register("while")
def while_(eqn: Equation, *operands: Dependence) -> list[Value]:
    """Applies `body_jaxpr` to the carry until `cond_jaxpr` is false.

    A trip count that depends on known values alone is followed. Otherwise any number of steps may be taken:
    the results are the transitive closure of the body's structure.
    """
    del operands
    split, loop = eqn.params["cond_nconsts"], _repeated(eqn)
    if eqn.at_point:
        found = loop.until(eqn.params["cond_jaxpr"], eqn.operands[:split])
        if found is not None:
            eqn.forbid("rev")
            return found
    loop.analyse()
    steps, knowns = loop.known_steps(eqn.params["cond_jaxpr"], eqn.operands[:split])
    results = loop.closure() if steps is None else loop.run(range(steps))[0]
    if not all(value.dependence is None or value.dependence.is_none for value in results):
        eqn.forbid("rev")
    if eqn.of_changes and steps is None:
        results = loop.with_any_number_of_steps(results, eqn.params["cond_jaxpr"], split)
    return [value._replace(known=known) for value, known in zip(results, knowns, strict=True)]


def _scanned(eqn: Equation) -> _Loop:
    return _Loop(eqn, eqn.params["jaxpr"], eqn.operands, *scan_arity(eqn))


def _repeated(eqn: Equation) -> _Loop:
    operands, num_consts = eqn.operands[eqn.params["cond_nconsts"] :], eqn.params["body_nconsts"]
    num_carry = len(operands) - num_consts
    return _Loop(eqn, eqn.params["body_jaxpr"], operands, num_consts, num_carry)


@scan.cause
@while_.cause
def passing_on(eqn: Equation) -> str:
    """A step reads results of the step before."""
    del eqn
    return "each step passes on what the steps before it have read"


@scan.zeros
@while_.zeros
def zeros_of_a_loop(eqn: Facts, *masks: np.ndarray) -> list[np.ndarray]:
    """What is zero in every step, of a loop on operands that depend on nothing."""
    del masks
    equation = eqn.equation()
    loop = _scanned(equation) if eqn.name == "scan" else _repeated(equation)
    loop.find_supports([False] * loop.num_carry)
    outputs = zip(loop.facts_of_outputs(), eqn.out_avals[loop.num_carry :], strict=True)
    return [
        *loop.supports,
        *(everywhere(aval.shape) if one is None else one.support() for one, aval in outputs),
    ]


scan.partly_known(known_of_scan)
scan.at_once(without_loop)
scan.changes(scan.dependence)
while_.changes(while_.dependence)


class _Loop(LoopBody):
    """A loop, whose steps are taken one by one or many at a time."""

    def at_point(self, order: Sequence[int]) -> tuple[list[Value], list[Value]] | None:
        """As `run`, step by step with the values that all have at a point; `None` unless they are known."""
        knowns = [value.known for value in (*self.consts, *self.initial, *self.scanned)]
        if not self.eqn.at_point or len(order) > _FOLLOWED_STEPS or None in knowns:
            return None
        self.find_supports([True] * self.num_carry)
        return self._interpreted(order)

    def until(self, condition: Any, consts: Sequence[Value]) -> list[Value] | None:
        """The carry of a `while` at a point, followed step by step; `None` unless the steps are known.

        Where the condition is undecided, the loop may end or go on.
        """
        carry, ends = self.initial, []
        for _ in range(_FOLLOWED_STEPS):
            (proceed,) = self.eqn.interpret(condition, [*consts, *carry])
            value = None if proceed.known is None else proceed.known.get_if_available()
            if value is None or value.any() != value.all():
                return None
            undecided = proceed.undecided is not None
            if undecided or not value.any():
                ends.append(carry)
            if not undecided and not value.any():
                return [
                    _any_of(*pair)
                    for pair in zip(zip(*ends, strict=True), self.avals, strict=False)
                ]
            carry = self.eqn.interpret(self.body, [*self.consts, *carry])
        return None

    def run(self, order: Sequence[int]) -> tuple[list[Value], list[Value]]:
        """The final carry, and all steps of each further result of the body, stacked."""
        self.analyse()
        if self.varies:
            return by_writes(self, order) or self._interpreted(order)
        only_carry = len(self.results) == self.num_carry and not any(self.followed_slices)
        if only_carry and len(order) >= _MANY_STEPS and self._reaches_many_inputs():
            return self._values(self._by_squaring(len(order))), []
        return self._in_blocks(np.asarray(order, np.int64))

    def _interpreted(self, order: Iterable[int]) -> tuple[list[Value], list[Value]]:
        carry, outputs, marks = self.initial, [], []
        for number in order:
            slices = [_slice(value, number) for value in self.scanned]
            values = self.eqn.interpret(self.body, [*self.consts, *carry, *slices])
            carry = values[: self.num_carry]
            results = self.as_dependences(values)[self.num_carry :]
            outputs.append([one.reshape((1, *one.shape)) for one in results])
            marks.append([value.undecided for value in values[self.num_carry :]])
        stacked = self._stacked(outputs)
        columns = zip(*marks, strict=True) if marks else [()] * len(stacked)
        return carry, [
            value._replace(undecided=_stacked_marks(column))
            for value, column in zip(stacked, columns, strict=True)
        ]

    def _in_blocks(self, order: np.ndarray) -> tuple[list[Value], list[Value]]:
        """All steps by the structure of the body, many at a time.

        A block starts from a carry, to which each step adds what it reads of constants and slices. Within the
        block each state is the union of what was added before, through powers of the structure: by doubling.
        """
        parts, initial = self.parts(), self.as_dependences(self.initial)
        fixed = self.join(self.consts, self.followed_consts)
        step = self.join_carry([part.carry for part in parts[: self.num_carry]])
        state = self.join_carry(initial)
        powers = _powers(step, len(order))
        outputs: list[list[Dependence]] = []
        start, same = 0, False
        while start < len(order) and not same:
            count = min(_block_length(powers, state), len(order) - start)
            slices = self._slices(order[start : start + count])
            added = [
                part.slices.substitute_each(slices) | part.consts.substitute(fixed)
                for part in parts
            ]
            states = _reached(state, self._join_carry_of(added, count), powers)
            before = states.rearrange(lambda p: p[:-1])
            outputs.append(
                [
                    part.carry.substitute_each(before) | one
                    for part, one in zip(parts, added, strict=True)
                ][self.num_carry :]
            )
            state = states.rearrange(lambda p: p[-1])
            last = states.rearrange(lambda p: p[-2])
            same = not any(self.followed_slices) and state.same_sets(last)
            start += count
        if start < len(order):  # all further steps are like the last one
            repeated = np.full(len(order) - start, -1)
            outputs.append([one.rearrange(lambda p: p[repeated]) for one in outputs[-1]])
        return self._values(self.split_carry(state, initial)), self._stacked(outputs)

    def _slices(self, numbers: np.ndarray) -> Dependence:
        """What the followed slices of some steps depend on, a row for each step."""
        rows = [
            value.dependence.rearrange(lambda p: p[numbers].reshape(len(numbers), -1))
            for value, follow in zip(self.scanned, self.followed_slices, strict=True)
            if follow and value.dependence is not None
        ]
        return Dependence.concatenate(rows, 1) if rows else Dependence.none((len(numbers), 0))

    def _join_carry_of(self, results: Sequence[Dependence], count: int) -> Dependence:
        """The carried ones of the stacked results of some steps that are followed, a row for each step."""
        rows = [
            one.reshape((count, one.size // max(count, 1)))
            for one, keep in zip(results, self.kept, strict=False)
            if not keep
        ]
        return Dependence.concatenate(rows, 1) if rows else Dependence.none((count, 0))

    def _stacked(self, outputs: Sequence[Sequence[Dependence]]) -> list[Value]:
        """The further results of all steps, from those of consecutive blocks."""
        avals = self.eqn.out_avals[self.num_carry :]
        if not outputs:
            return [Value(Dependence.none(aval.shape), None) for aval in avals]
        return [Value(Dependence.concatenate(one), None) for one in zip(*outputs, strict=True)]

    def _values(self, carry: Sequence[Dependence]) -> list[Value]:
        """The carry after the last step. What is known at each step of a loop around this one stays so."""
        pending = any(map(_pending, (*self.consts, *self.initial, *self.scanned)))
        return [
            Value(one, Probe() if keep and pending else None, facts_of(mask, aval))
            for one, keep, mask, aval in zip(
                carry, self.kept, self.supports, self.avals, strict=False
            )
        ]

    def _reaches_many_inputs(self) -> bool:
        """Whether the carry holds about as many inputs as elements, so that powers are not larger."""
        joined = self.join_carry(self.as_dependences(self.initial))
        return 4 * np.unique(joined.to_csr().indices).size >= joined.size

    def _by_squaring(self, steps: int) -> list[Dependence]:
        """The final carry, by repeated squaring of the body's structure.

        After `k` steps a carry `x` is `power(x) | from_consts`; two blocks of steps compose to one.
        """
        parts = self.parts()
        fixed = self.join(self.consts, self.followed_consts)
        power = self.join_carry([part.carry for part in parts])
        from_consts = self.join_carry([part.consts.substitute(fixed) for part in parts])
        initial = self.as_dependences(self.initial)
        state = self.join_carry(initial)
        while steps:
            if steps & 1:
                state = power.substitute(state) | from_consts
            steps >>= 1
            if steps:
                from_consts = from_consts | power.substitute(from_consts)
                power = power.substitute(power)
        return self.split_carry(state, initial)

    def known_steps(
        self, condition: Any, consts: Sequence[Value]
    ) -> tuple[int | None, list[Known | None]]:
        """The number of steps of a `while`, if its condition depends on known values alone.

        The second result is what is known of the carry after the last step.
        """
        state = [
            value if keep else Value.unknown()
            for value, keep in zip(self.initial, self.kept, strict=True)
        ]
        for steps in range(_FOLLOWED_STEPS):
            (proceed,) = self.eqn.interpret(condition, [*consts, *state])
            if proceed.known is None:
                break
            value = proceed.known.get_if_available()
            if value is None:  # known at each step of a loop around this one, but not here
                return None, [Probe() if keep else None for keep in self.kept]
            if value.any() != value.all():  # the loops of a batch, some of which are over
                break
            if not value.any():
                return steps, [one.known for one in state]
            state = self.eqn.interpret(self.body, [*self.consts, *state], self.kept)
        return None, [None] * self.num_carry

    def with_any_number_of_steps(
        self, results: Sequence[Value], condition: Any, split: int
    ) -> list[Value]:
        """The carry of a `while`, all of which changes that a step changes if the number of steps may."""
        (proceed,) = self.eqn.interpret(condition, [*self.eqn.operands[:split], *results])
        if proceed.dependence is None:
            return list(results)
        inner = open_jaxpr(self.body)
        carried = inner.invars[len(self.consts) :]
        touched = [new is not old for new, old in zip(inner.outvars, carried, strict=True)]
        return [
            Value(as_dependence(everywhere(aval.shape)), None) if is_touched else value
            for value, aval, is_touched in zip(results, self.avals, touched, strict=True)
        ]

    def closure(self) -> list[Value]:
        """The carry after any number of steps, none included."""
        parts = self.parts()
        fixed = self.join(self.consts, self.followed_consts)
        initial = self.as_dependences(self.initial)
        start = self.join_carry(
            [one | part.consts.substitute(fixed) for one, part in zip(initial, parts, strict=True)]
        )
        reached = transitive_closure(self.join_carry([part.carry for part in parts]))
        results = self.split_carry(reached.substitute(start), initial)
        triples = zip(results, self.supports, self.avals, strict=False)
        return [Value(one, None, facts_of(mask, aval)) for one, mask, aval in triples]


def _any_of(ends: Sequence[Value], aval: Any) -> Value:
    """A value that is one of some at a point."""
    if len(ends) == 1:
        return ends[0]
    dependence = reduce(operator.or_, (one.as_dependence(aval) for one in ends))
    return Value(dependence, None, undecided=differing(ends, aval))


def _pending(value: Value) -> bool:
    return value.known is not None and value.known.is_pending


def _stacked_marks(marks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Which elements of stacked values are undecided."""
    shapes = {mask.shape for mask in marks if mask is not None}
    if not shapes:
        return None
    (shape,) = shapes
    return np.stack([nowhere(shape) if mask is None else mask for mask in marks])


def _slice(value: Value, number: int | slice) -> Value:
    dependence = value.dependence
    if dependence is not None:
        dependence = dependence.rearrange(lambda p: p[number])
    known = None if value.known is None or isinstance(number, slice) else value.known.item(number)
    undecided = None if value.undecided is None else value.undecided[number]
    return value._replace(dependence=dependence, known=known, facts=None, undecided=undecided)


def _powers(step: Dependence, count: int) -> list[Dependence]:
    """The structures of 1, 2, 4, ... steps: as many as `count` steps need, while they are sparse."""
    powers = [step]
    while 2 ** len(powers) <= count:
        last = powers[-1]
        if last.nnz**2 > _BLOCK * max(last.size, 1):
            break
        powers.append(last.substitute(last))
        if not powers[-1].nnz:
            break
    return powers


def _block_length(powers: Sequence[Dependence], state: Dependence) -> int:
    """Steps that are applied at a time: as many as the powers reach, while their sets fit into a block."""
    fitting = max(_BLOCK // max(state.size, state.nnz, 1), 1)
    return fitting if not powers[-1].nnz else min(2 ** len(powers), fitting)


def _reached(state: Dependence, added: Dependence, powers: Sequence[Dependence]) -> Dependence:
    """The carry before each of some steps and after the last one, a row each."""
    states = Dependence.concatenate([state.reshape((1, state.size)), added])
    for number, power in enumerate(powers):
        shift = 2**number
        if shift >= states.shape[0] or not power.nnz:
            break
        moved = power.substitute_each(states.rearrange(lambda p, shift=shift: p[:-shift]))
        states = states | Dependence.concatenate(
            [Dependence.none((shift, state.size)), moved.reshape((-1, state.size))]
        )
    return states
