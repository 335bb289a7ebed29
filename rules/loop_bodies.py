"""Bodies of loops: what a step reads of constants, carry and slices, and what is sure of every step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from asdex import Dependence, Equation, Value
from asdex.detection import (
    Deferred,
    everywhere,
    Facts,
    is_everywhere,
    item_of,
    open_jaxpr,
    Rule,
    same_places,
    simplified,
    size_of,
    support_of,
)

from .maybe_known import may_stay_known


_ROUNDS = 4
"""How often a body is evaluated before nothing is said about the zeros of what it carries."""


class Part(NamedTuple):
    """What one result of the body reads of the constants, of the carry and of the slices."""

    consts: Dependence
    carry: Dependence
    slices: Dependence


class LoopBody:
    """The body of a loop with its operands, and its structure.

    **Attributes:**

    - `is_counted`: whether it is known how often the body is evaluated.
    - `varies`: whether the body must be analysed anew at each step.
    - `is_preview`: whether a loop around this one will be, so that nobody reads what this one depends on.
    """

    is_counted = True

    def __init__(
        self, eqn: Equation, body: Any, operands: Sequence[Value], num_consts: int, num_carry: int
    ):
        self.eqn, self.body, self.num_carry = eqn, body, num_carry
        self.consts = list(operands[:num_consts])
        self.initial = list(operands[num_consts : num_consts + num_carry])
        self.scanned = list(operands[num_consts + num_carry :])
        self.avals = [variable.aval for variable in open_jaxpr(body).outvars]
        self.slices = [
            _facts_of_slices(value, aval)
            for value, aval in zip(self.scanned, self._scanned_avals(), strict=True)
        ]

    def analyse(self) -> None:
        """Find the carried values that stay known, and the body's structure in terms of the others."""
        consts = [None if value.dependence is not None else value for value in self.consts]
        scanned = [self._assumed(value) for value in self.scanned]
        carried = [self._assumed(value) for value in self.initial]
        # A carried value that is known but does not stay so is followed like one that is not known.
        given = (*consts, *carried, *scanned)
        known = [value is not None and value.known is not None for value in given]
        stay = may_stay_known(self.body, known, len(consts), self.num_carry)
        carried = [value if may else None for value, may in zip(carried, stay, strict=True)]
        while True:
            results = self._structure([*consts, *carried, *scanned])
            stays = [value.known is not None for value in results[: self.num_carry]]
            lost = [old is not None and not stay for old, stay in zip(carried, stays, strict=True)]
            if not any(lost):
                break
            carried = [None if gone else old for old, gone in zip(carried, lost, strict=True)]
        self.kept = [value is not None for value in carried]
        self.followed_consts = [value is None for value in consts]
        self.followed_slices = [value is None for value in scanned]
        asked = [
            actual.known
            for assumed, actual in zip(
                (*carried, *scanned), (*self.initial, *self.scanned), strict=True
            )
            if _asked(assumed) and actual.known is not None
        ]
        # Values that are known only at each step of a loop around this one make that loop vary instead.
        self.varies = bool(asked) and all([known.is_available for known in asked])
        self.is_preview = any(
            deferred.asked and deferred.decides
            for value in (*self.consts, *self.initial, *self.scanned)
            if value.known is not None
            for deferred in value.known.deferred
        )
        self.results = results

    def _assumed(self, value: Value) -> Value | None:
        """What the analysis of a body may assume of an operand that differs from step to step."""
        if value.dependence is not None:
            return None
        is_known = value.known is not None and value.undecided is None
        known = Deferred(self.is_counted) if is_known else None
        return value._replace(known=known, facts=None, undecided=None)

    def _structure(self, operands: Sequence[Value | None]) -> list[Value]:
        """The structure of the body, given what is zero in every step."""
        self.find_supports([value is not None for value in operands[len(self.consts) :]])
        return self._with_facts(operands)

    def _with_facts(self, operands: Sequence[Value | None]) -> list[Value]:
        carried = [facts_of(*pair) for pair in zip(self.supports, self.avals, strict=False)]
        facts = [*(value.facts for value in self.consts), *carried, *self.slices]
        return self.eqn.structure(self.body, operands, facts)

    def structure(self, carry: Sequence[Value], slices: Sequence[Value]) -> list[Value]:
        """The structure of the body at a step, before which the carry is known as far as it is kept."""
        pairs = (
            *zip(self.consts, self.followed_consts, strict=True),
            *zip(carry, (not keep for keep in self.kept), strict=True),
            *zip(slices, self.followed_slices, strict=True),
        )
        return self._with_facts([None if follow else value for value, follow in pairs])

    def find_supports(self, known: Sequence[bool]) -> None:
        """Find where the carry may be nonzero before some step: the least fixed point from where it starts.

        **Arguments:**

        - `known`: which of the carried values are known at each step, and need no such facts.
        """
        avals = self.avals[: self.num_carry]
        self.supports = [
            everywhere(aval.shape) if skip else support_of(value, aval)
            for value, aval, skip in zip(self.initial, avals, known, strict=False)
        ]
        for _ in range(_ROUNDS):
            if all(map(is_everywhere, self.supports)):
                return
            before = self.supports
            self.supports = [
                simplified(old | support_of(value, aval), aval.shape)
                for old, value, aval in zip(before, self._facts_after(), avals, strict=False)
            ]
            if all(map(np.array_equal, self.supports, before)):
                return
        self.supports = [everywhere(aval.shape) for aval in avals]

    def _facts_after(self) -> list[Value]:
        """The results of any step, as far as facts go, from where the carry before it may be nonzero."""
        carried = [facts_of(*pair) for pair in zip(self.supports, self.avals, strict=False)]
        operands = [
            *(value._replace(dependence=None) for value in self.consts),
            *(Value(None, None, facts) for facts in (*carried, *self.slices)),
        ]
        return self.eqn.interpret(self.body, operands)

    def facts_of_outputs(self) -> list[Facts | None]:
        """Facts about the results of all steps, stacked along a leading axis."""
        outputs = self.avals[self.num_carry :]
        if not outputs:
            return []
        results = self._facts_after()[self.num_carry :]
        stacked = self.eqn.out_avals[self.num_carry :]
        return [
            None
            if value.known is None and value.facts is None
            else Facts.by(_STACKED, [value], [inside], aval)
            for value, inside, aval in zip(results, outputs, stacked, strict=True)
        ]

    def _scanned_avals(self) -> Sequence[Any]:
        return self.eqn.in_avals[len(self.eqn.in_avals) - len(self.scanned) :]

    def parts(self) -> list[Part]:
        return list(map(self.part, self.as_dependences(self.results)))

    def part(self, one: Dependence, steps: int = 1) -> Part:
        """What a structure of the body, on the slices of so many steps, reads of each kind of operand."""
        a, b, c = self.ends(steps)
        return Part(one.restrict(0, a), one.restrict(a, b), one.restrict(b, c))

    def ends(self, steps: int) -> tuple[int, int, int]:
        """Where the constants, the carry and the slices of so many steps end, among the followed operands."""
        changing = [not keep for keep in self.kept]
        followed = [*self.followed_consts, *changing, *self.followed_slices]
        variables = open_jaxpr(self.body).invars
        sizes = [size_of(v.aval) * follow for v, follow in zip(variables, followed, strict=True)]
        start = len(self.consts)
        a, b = sum(sizes[:start]), sum(sizes[: start + self.num_carry])
        return a, b, b + steps * sum(sizes[start + self.num_carry :])

    def join(self, values: Sequence[Value], followed: Sequence[bool]) -> Dependence:
        chosen = [
            value.dependence for value, follow in zip(values, followed, strict=True) if follow
        ]
        return Dependence.join([one for one in chosen if one is not None])

    def join_carry(self, carry: Sequence[Dependence]) -> Dependence:
        return Dependence.join(
            [one for one, keep in zip(carry, self.kept, strict=True) if not keep]
        )

    def split_carry(self, joined: Dependence, initial: Sequence[Dependence]) -> list[Dependence]:
        """The carried values that `_join_carry` joined, and the others as they were."""
        pairs = list(zip(initial, self.kept, strict=True))
        parts = iter(joined.split([one.shape for one, keep in pairs if not keep]))
        return [one if keep else next(parts) for one, keep in pairs]

    def as_dependences(self, values: Sequence[Value]) -> list[Dependence]:
        return [value.as_dependence(aval) for value, aval in zip(values, self.avals, strict=False)]


def in_rows(values: Sequence[Dependence], count: int) -> Dependence:
    """Arrays of several steps as one, with a row for each step."""
    rows = [one.reshape((count, one.size // max(count, 1))) for one in values]
    return Dependence.concatenate([Dependence.none((count, 0)), *rows], 1)


def _asked(value: Value | None) -> bool:
    return value is not None and isinstance(value.known, Deferred) and value.known.asked


def facts_of(mask: np.ndarray, aval: Any) -> Facts | None:
    return None if is_everywhere(mask) else Facts.of_support(mask, aval)


def _facts_of_slices(value: Value, aval: Any) -> Facts | None:
    """Facts about each slice of an array along its leading axis."""
    if value.facts is None or value.known is not None:
        return None
    mask = np.asarray(support_of(value, aval).any(axis=0))
    return facts_of(simplified(mask, mask.shape), jax.ShapeDtypeStruct(mask.shape, aval.dtype))


def slice_of(value: Value, number: int | slice) -> Value:
    """A slice of an array along its leading axis, with what is known of it, or several of them."""
    dependence = value.dependence
    if dependence is not None:
        dependence = dependence.rearrange(lambda p: p[number])
    known = (
        None if value.known is None or isinstance(number, slice) else item_of(value.known, number)
    )
    facts = None if value.facts is None else value.facts.doubt_at(number)
    undecided = None if value.undecided is None else value.undecided[number]
    return value._replace(dependence=dependence, known=known, facts=facts, undecided=undecided)


_STACKED = Rule(same_places)
_STACKED.zeros(lambda eqn, mask: np.broadcast_to(mask, eqn.aval.shape))
