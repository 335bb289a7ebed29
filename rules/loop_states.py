"""What is known at each step of a loop, and whether it matters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from asdex import Value
from asdex.detection import is_key, item_of, Known

from .known_steps import available, computed_at_once, most_steps
from .loop_bodies import LoopBody, slice_of
from .loop_values import known_carry


FEW_STEPS = 64
"""Steps that are analysed one by one in less time than it takes to compile the known part of a body."""

_FEWER_STEPS = 3
"""Steps that are analysed one by one in about the time that it takes to find out whether they are alike."""


class KnownStates:
    """What is known at all steps of a loop, which are taken in some order."""

    def __init__(self, loop: LoopBody, order: Sequence[int]):
        self.loop, self.order = loop, order

    @cached_property
    def are_available(self) -> bool:
        """Whether all that is known can be computed here."""
        values = [*self.loop.initial, *self.loop.scanned]
        return all([value.known is None or value.known.is_available for value in values])

    @cached_property
    def slices(self) -> list[list[Any] | None]:
        """What the known slices may be, in the order of the steps."""
        order = np.asarray(self.order, np.int64)
        found = map(available, self.loop.scanned)
        return [None if one is None else [array[order] for array in one] for one in found]

    @cached_property
    def operands(self) -> list[list[Any] | None]:
        """What the known operands may be."""
        return [*map(available, (*self.loop.consts, *self.loop.initial)), *self.slices]

    @cached_property
    def carry(self) -> tuple[Sequence[Known], Sequence[Known]] | None:
        """The known carried values after the last step, and those before each step, with their alternates.

        `None` if they cannot be computed, or if rounding decides something.
        """
        loop, count = self.loop, len(self.order)
        start, stop = len(loop.consts), len(loop.consts) + loop.num_carry
        unroll = loop.eqn.params.get("unroll", 1)

        def run(*operands: Any) -> tuple[Sequence[Any], Sequence[Any]]:
            parts = operands[:start], operands[start:stop], operands[stop:]
            return known_carry(loop.body, loop.kept, *parts, count, unroll=unroll)

        known = computed_at_once(loop.eqn, run, self.operands)
        return None if known is None else (known[: len(known) // 2], known[len(known) // 2 :])

    def before(self, step: int) -> Sequence[Value] | None:
        """The carry before a step, known as far as it is kept; `None` if that cannot be computed."""
        loop = self.loop
        if not (step and any(loop.kept)):
            return loop.initial
        if not self.are_available or self.carry is None:
            return None
        known = iter(self.carry[1])
        return [
            Value(None, item_of(next(known), step)) if keep else value
            for value, keep in zip(loop.initial, loop.kept, strict=True)
        ]

    def sparsest(self) -> list[int]:
        """For each known operand, the step at which most elements of its slice are zero."""
        arrays = [one[0] for one in self.slices if one is not None and not is_key(one[0])]
        slices = (array.reshape(len(array), -1) for array in arrays)
        return [int(np.count_nonzero(one, axis=1).argmin()) for one in slices]


def are_alike(loop: LoopBody, states: KnownStates) -> bool:
    """Whether what is known does not matter at the first, the middle, the last and the sparsest step.

    The structure of the body holds at all steps. At worst it has entries that some of the others lack.
    """
    count = len(states.order)
    if count <= _FEWER_STEPS:
        return False
    for step in sorted({0, count // 2, count - 1, *states.sparsest()}):
        carry = states.before(step)
        if carry is None:
            return False
        slices = [slice_of(value, states.order[step]) for value in loop.scanned]
        results = loop.structure(carry, slices)
        if not _same(loop, results) and not step and most_steps(loop.body, 2) > 1:
            loop.analyse()  # what was cut short may now be known to have steps that are alike
        if not _same(loop, results):
            return False
    return True


def _same(loop: LoopBody, results: Sequence[Value]) -> bool:
    """Whether results of the body have the structure that holds at all steps."""
    pairs = zip(loop.as_dependences(results), loop.as_dependences(loop.results), strict=True)
    return all(one.same_sets(other) for one, other in pairs)
