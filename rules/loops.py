"""Loops over slices, and what all loops share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import Deferred, everywhere, Facts, nowhere, scan_arity

from .loop_bodies import facts_of, in_rows, LoopBody, slice_of
from .loop_maps import without_loop
from .loop_powers import block_length, powers_of, reached
from .loop_states import are_alike, FEW_STEPS, KnownStates
from .loop_values import known_of_scan
from .loop_writes import by_writes


FOLLOWED_STEPS = 10_000
"""Steps of a `while` with a known trip count that are followed one by one."""

_TRIED = 4
"""Steps of a loop of few that are taken one by one before it is asked whether the others are alike: a first
step may be all that a loop ever does."""

_MANY_STEPS = 32
"""Steps from which on the structure of a body is raised to a power."""


@register("scan")
def scan(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """Applies `jaxpr` to `(constants, carry, slices)`, once for each slice of the scanned operands.

    The body is analysed once and its structure applied at each step. Where values matter that are known at
    each step, such as a loop counter in an index, it is analysed anew at each step instead.
    """
    del operands
    loop = _scanned(eqn)
    length, backwards = eqn.params["length"], eqn.params["reverse"]
    order = range(length - 1, -1, -1) if backwards else range(length)
    followed = loop.at_point(order)
    carry, outputs = followed or loop.run(order)
    stacked = [
        (slice_of(one, slice(None, None, -1)) if backwards else one)._replace(facts=facts)
        for one, facts in zip(outputs, loop.facts_of_outputs(), strict=True)
    ]
    return loop.marked([*carry, *stacked], followed is not None)


def _scanned(eqn: Equation) -> Loop:
    return Loop(eqn, eqn.params["jaxpr"], eqn.operands, *scan_arity(eqn))


@scan.cause
def passing_on(eqn: Equation) -> str:
    """A step reads results of the step before."""
    del eqn
    return "each step passes on what the steps before it have read"


@scan.zeros
def zeros_of_a_scan(eqn: Facts, *masks: np.ndarray) -> list[np.ndarray]:
    """What is zero in every step, of a loop on operands that depend on nothing."""
    del masks
    return _scanned(eqn.equation()).zeros()


scan.partly_known(known_of_scan)
scan.at_once(without_loop)
scan.changes(scan.dependence)


class Loop(LoopBody):
    """A loop, whose steps are taken one by one or many at a time."""

    def at_point(self, order: Sequence[int]) -> tuple[list[Value], list[Value]] | None:
        """As `run`, step by step with the values that all have at a point; `None` unless they are known."""
        knowns = [value.known for value in (*self.consts, *self.initial, *self.scanned)]
        if not self.eqn.at_point or len(order) > FOLLOWED_STEPS or None in knowns:
            return None
        self.find_supports([True] * self.num_carry)
        return self._interpreted(order)

    def marked(self, results: Sequence[Value], followed: bool) -> Sequence[Value | Dependence]:
        """The results, as dependences if it was not followed at a point: then none of them is marked."""
        if followed or not self.eqn.at_point:
            return results
        pairs = zip(results, self.eqn.out_avals, strict=True)
        return [value.as_dependence(aval) for value, aval in pairs]

    def zeros(self) -> list[np.ndarray]:
        """What is zero in every step, where all operands depend on nothing."""
        self.find_supports([False] * self.num_carry)
        outputs = zip(self.facts_of_outputs(), self.eqn.out_avals[self.num_carry :], strict=True)
        return [
            *self.supports,
            *(everywhere(aval.shape) if one is None else one.support() for one, aval in outputs),
        ]

    def run(self, order: Sequence[int]) -> tuple[list[Value], list[Value]]:
        """The final carry, and all steps of each further result of the body, stacked."""
        self.analyse()
        notes = self.eqn.notes
        if self.is_preview and not notes.get("alike"):
            return self._preview()
        states = KnownStates(self, order)
        if not self.varies or notes.get("alike", len(order) >= FEW_STEPS):
            notes["alike"] = not self.varies or are_alike(self, states)
            if notes["alike"]:
                return self._by_structure(order)
        return by_writes(self, states) or self._one_by_one(order)

    def _one_by_one(self, order: Sequence[int]) -> tuple[list[Value], list[Value]]:
        """A few steps one by one, and then the others, unless these are alike."""
        first, others = order[:_TRIED], order[_TRIED:]
        carry, outputs = self._interpreted(first)
        if not others:
            return carry, outputs
        rest, notes = copy(self), self.eqn.notes
        rest.initial = carry
        may_be_alike = len(others) >= 2 * _TRIED and notes.get("alike", True)
        notes["alike"] = alike = may_be_alike and are_alike(rest, KnownStates(rest, others))
        carry, more = rest._by_structure(others) if alike else rest._interpreted(others)
        stacked = [
            Dependence.concatenate([one.dependence for one in pair if one.dependence is not None])
            for pair in zip(outputs, more, strict=True)
        ]
        return carry, [Value(one, None) for one in stacked]

    def _by_structure(self, order: Sequence[int]) -> tuple[list[Value], list[Value]]:
        """All steps, by the structure that the body has at each of them."""
        only_carry = len(self.results) == self.num_carry and not any(self.followed_slices)
        if only_carry and len(order) >= _MANY_STEPS and self._reaches_many_inputs():
            return self._values(self._by_squaring(len(order))), []
        return self._in_blocks(np.asarray(order, np.int64))

    def _preview(self) -> tuple[list[Value], list[Value]]:
        """Results that may depend on all that the operands do."""
        operands = [value.dependence for value in (*self.consts, *self.initial, *self.scanned)]
        every = Dependence.join([one for one in operands if one is not None]).reduce((0,))
        results = [every.broadcast_to(aval.shape) for aval in self.eqn.out_avals]
        initial = self.as_dependences(self.initial)
        carry = [
            before if keep else after
            for before, keep, after in zip(initial, self.kept, results, strict=False)
        ]
        return self._values(carry), [Value(one, None) for one in results[self.num_carry :]]

    def _interpreted(self, order: Iterable[int]) -> tuple[list[Value], list[Value]]:
        carry, outputs, marks = self.initial, [], []
        for number in order:
            slices = [slice_of(value, number) for value in self.scanned]
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
        powers = powers_of(step, len(order))
        outputs: list[list[Dependence]] = []
        start, same = 0, False
        while start < len(order) and not same:
            count = min(block_length(powers, state), len(order) - start)
            slices = self._slices(order[start : start + count])
            added = [
                part.slices.substitute_each(slices) | part.consts.substitute(fixed)
                for part in parts
            ]
            pairs = zip(added, self.kept, strict=False)
            carried = in_rows([one for one, keep in pairs if not keep], count)
            states = reached(state, carried, powers)
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
        pairs = zip(self.scanned, self.followed_slices, strict=True)
        followed = [value.dependence for value, follow in pairs if follow]
        slices = [one.rearrange(lambda p: p[numbers]) for one in followed if one is not None]
        return in_rows(slices, len(numbers))

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
            Value(one, Deferred() if keep and pending else None, facts_of(mask, aval))
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


def _pending(value: Value) -> bool:
    return value.known is not None and value.known.is_pending


def _stacked_marks(marks: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Which elements of stacked values are undecided."""
    shapes = {mask.shape for mask in marks if mask is not None}
    if not shapes:
        return None
    (shape,) = shapes
    return np.stack([nowhere(shape) if mask is None else mask for mask in marks])
