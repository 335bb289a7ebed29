"""Loops that end by a condition."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import (
    as_dependence,
    Deferred,
    everywhere,
    Facts,
    Known,
    open_jaxpr,
    transitive_closure,
)

from .known_steps import available, computed_at_once
from .loop_bodies import facts_of
from .loop_values import count_of_while, MOST_COUNTED
from .loops import FOLLOWED_STEPS, Loop, passing_on
from .ties import differing


@register("while")
def while_(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
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
    pairs = zip(results, knowns, strict=True)
    return loop.marked([value._replace(known=known) for value, known in pairs], followed=False)


def _repeated(eqn: Equation) -> _While:
    operands, num_consts = eqn.operands[eqn.params["cond_nconsts"] :], eqn.params["body_nconsts"]
    num_carry = len(operands) - num_consts
    return _While(eqn, eqn.params["body_jaxpr"], operands, num_consts, num_carry)


@while_.zeros
def zeros_of_a_while(eqn: Facts, *masks: np.ndarray) -> list[np.ndarray]:
    """What is zero in every step, of a loop on operands that depend on nothing."""
    del masks
    return _repeated(eqn.equation()).zeros()


while_.cause(passing_on)
while_.changes(while_.dependence)


_MOST_ENDS = 10
"""A loop that may end after more numbers of steps is not followed: once its state is undecided, so are mostly
all later ends. A least-squares solver by the dogleg method: 23 s with 100 ends, 2.5 s with 10."""


_FEW_STEPS = 64
"""Steps that are taken one by one in less time than it takes to compile a loop."""


class _While(Loop):
    """A loop that ends by a condition on its carry."""

    is_counted = False

    def until(self, condition: Any, consts: Sequence[Value]) -> list[Value] | None:
        """The carry of a `while` at a point, followed step by step; `None` unless the steps are known.

        Where the condition is undecided, the loop may end or go on.
        """
        carry, ends = self.initial, []
        for _ in range(FOLLOWED_STEPS):
            (proceed,) = self.eqn.interpret(condition, [*consts, *carry])
            value = None if proceed.known is None else proceed.known.get_if_available()
            if value is None or value.any() != value.all():
                return None
            undecided = proceed.undecided is not None
            if undecided or not value.any():
                ends.append(carry)
            if len(ends) > _MOST_ENDS:
                return None
            if not undecided and not value.any():
                return [
                    _any_of(*pair)
                    for pair in zip(zip(*ends, strict=True), self.avals, strict=False)
                ]
            carry = self.eqn.interpret(self.body, [*self.consts, *carry])
        return None

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
        for steps in range(FOLLOWED_STEPS):
            if steps == _FEW_STEPS and (found := self._counted()) is not None:
                return found
            (proceed,) = self.eqn.interpret(condition, [*consts, *state])
            if proceed.known is None or proceed.undecided is not None:
                break
            value = proceed.known.get_if_available()
            if value is None:  # known at each step of a loop around this one, but not here
                return None, [Deferred() if keep else None for keep in self.kept]
            if value.any() != value.all():  # the loops of a batch, some of which are over
                break
            if not value.any():
                return steps, [one.known for one in state]
            state = self.eqn.interpret(self.body, [*self.consts, *state], self.kept)
        return None, [None] * self.num_carry

    def _counted(self) -> tuple[int, list[Known | None]] | None:
        """As `known_steps`, in one program."""
        operands = list(map(available, self.eqn.operands))
        found = count_of_while(self.eqn, [one is not None for one in operands])
        if found is None:
            return None
        carried, count = found
        results = computed_at_once(
            self.eqn, lambda *all_: count(*(one for one in all_ if one is not None)), operands
        )
        if results is None or results[0].get() == MOST_COUNTED:
            return None
        steps, *known = results
        left = iter(known)
        last = [next(left) if found else None for found in carried]
        return int(steps.get()), [
            one if keep else None for one, keep in zip(last, self.kept, strict=True)
        ]

    def _interpreted(self, order: Iterable[int]) -> tuple[list[Value], list[Value]]:
        order = list(order)
        return super()._interpreted(order) if len(order) <= FOLLOWED_STEPS else (self.closure(), [])

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
