"""Loops."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import (
    as_dependence,
    everywhere,
    Facts,
    is_everywhere,
    Known,
    Mask,
    Probe,
    Rule,
    same_places,
    scan_arity,
    simplified,
    support_of,
    transitive_closure,
)


_FOLLOWED_STEPS = 10_000
"""Steps of a `while` with a known trip count that are followed one by one."""

_ROUNDS = 8
"""How often a body is evaluated before nothing is said about the zeros of what it carries."""

_MANY_STEPS = 32
"""Steps from which on the structure of a body is raised to a power."""


@register("scan")
def scan(eqn: Equation, *operands: Dependence) -> list[Value | Dependence]:
    """Applies `jaxpr` to `(constants, carry, slices)`, once for each slice of the scanned operands.

    The body is analysed once and its structure applied at each step. Where it uses values that are known at
    each step, such as a loop counter in an index, it is analysed anew at each step instead.
    """
    del operands
    num_consts, num_carry = scan_arity(eqn)
    loop = _Loop(eqn, eqn.params["jaxpr"], eqn.operands, num_consts, num_carry)
    length, backwards = eqn.params["length"], eqn.params["reverse"]
    carry, outputs = loop.run(range(length - 1, -1, -1) if backwards else range(length))
    stacked = [
        Value(_stack(column[::-1] if backwards else column, aval.shape), None, facts)
        for column, aval, facts in zip(
            outputs, eqn.out_avals[num_carry:], loop.facts_of_outputs(), strict=True
        )
    ]
    return [*carry, *stacked]


@register("while")
def while_(eqn: Equation, *operands: Dependence) -> list[Value]:
    """Applies `body_jaxpr` to the carry until `cond_jaxpr` is false.

    A trip count that depends on known values alone is followed. Otherwise any number of steps may be taken:
    the results are the transitive closure of the body's structure.
    """
    split = eqn.params["cond_nconsts"]
    body_consts = eqn.params["body_nconsts"]
    num_carry = len(operands) - split - body_consts
    loop = _Loop(eqn, eqn.params["body_jaxpr"], eqn.operands[split:], body_consts, num_carry)
    steps, knowns = loop.known_steps(eqn.params["cond_jaxpr"], eqn.operands[:split])
    results = loop.closure() if steps is None else loop.run(range(steps))[0]
    if not all(value.dependence is None or value.dependence.is_none for value in results):
        eqn.forbid("rev")
    if eqn.of_changes and steps is None:
        results = loop.with_any_number_of_steps(results, eqn.params["cond_jaxpr"], split)
    return [value._replace(known=known) for value, known in zip(results, knowns, strict=True)]


@scan.cause
@while_.cause
def passing_on(eqn: Equation) -> str:
    """A step reads results of the step before."""
    del eqn
    return "each step passes on what the steps before it have read"


@scan.zeros
@while_.zeros
def zeros_of_a_loop(eqn: Facts, *masks: Mask) -> list[Mask]:
    """What is zero in every step, of a loop on operands that depend on nothing."""
    del masks
    equation = eqn.equation()
    values = (scan if eqn.name == "scan" else while_)(equation, *equation.dependences())
    return [support_of(value, aval) for value, aval in zip(values, eqn.out_avals, strict=True)]


scan.changes(scan.dependence)
while_.changes(while_.dependence)


class _Part(NamedTuple):
    """What one result of the body reads of the constants, of the carry and of the slices."""

    consts: Dependence
    carry: Dependence
    slices: Dependence


class _Loop:
    """The body of a loop with its operands, and the structure of the body."""

    def __init__(
        self, eqn: Equation, body: Any, operands: Sequence[Value], num_consts: int, num_carry: int
    ):
        self.eqn, self.body, self.num_carry = eqn, body, num_carry
        self.consts = list(operands[:num_consts])
        self.initial = list(operands[num_consts : num_consts + num_carry])
        self.scanned = list(operands[num_consts + num_carry :])
        self.avals = [variable.aval for variable in getattr(body, "jaxpr", body).outvars]
        self._analyse()

    def _analyse(self) -> None:
        """Find the carried values that stay known, and the body's structure in terms of the others."""
        consts = [None if value.dependence is not None else value for value in self.consts]
        scanned = [_probe(value) for value in self.scanned]
        carried = [_probe(value) for value in self.initial]
        # A carried value that is known but does not stay so is followed like one that is not known.
        carried = [
            value if value is not None and value.known is not None else None for value in carried
        ]
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
            for probe, actual in zip(
                (*carried, *scanned), (*self.initial, *self.scanned), strict=True
            )
            if _asked(probe) and actual.known is not None
        ]
        # Values that are known only at each step of a loop around this one make that loop vary instead.
        self.varies = bool(asked) and all([known.is_available for known in asked])
        self.results = results

    def _structure(self, operands: Sequence[Value | None]) -> list[Value]:
        """The structure of the body, given what is zero in every step."""
        kept = [value is not None for value in operands[len(self.consts) :][: self.num_carry]]
        slices = [
            _facts_of_slices(value, aval)
            for value, aval in zip(self.scanned, self._scanned_avals(), strict=True)
        ]
        self.supports = self._supports(kept, slices)
        self.slices = slices
        carried = [_facts_of(*pair) for pair in zip(self.supports, self.avals, strict=False)]
        facts = [*(value.facts for value in self.consts), *carried, *slices]
        return self.eqn.structure(self.body, operands, facts)

    def _supports(self, kept: Sequence[bool], slices: Sequence[Facts | None]) -> list[Mask]:
        """Where the carry may be nonzero before some step: the least fixed point from where it starts."""
        avals = self.avals[: self.num_carry]
        initial = [
            everywhere(aval.shape) if keep else support_of(value, aval)
            for value, aval, keep in zip(self.initial, avals, kept, strict=True)
        ]
        supports = initial
        for _ in range(_ROUNDS):
            if all(map(is_everywhere, supports)):
                return supports
            results = self._facts_after(supports, slices)
            reached = [
                simplified(old | support_of(value, aval), aval.shape)
                for old, value, aval in zip(supports, results, avals, strict=False)
            ]
            if all(map(np.array_equal, reached, supports)):
                return supports
            supports = reached
        return [everywhere(aval.shape) for aval in avals]

    def _facts_after(self, supports: Sequence[Mask], slices: Sequence[Facts | None]) -> list[Value]:
        """The results of any step, as far as facts go, from where the carry before it may be nonzero."""
        carried = [_facts_of(*pair) for pair in zip(supports, self.avals, strict=False)]
        operands = [
            *(value._replace(dependence=None) for value in self.consts),
            *(Value(None, None, facts) for facts in (*carried, *slices)),
        ]
        return self.eqn.interpret(self.body, operands)

    def facts_of_outputs(self) -> list[Facts | None]:
        """Facts about the results of all steps, stacked along a leading axis."""
        outputs = self.avals[self.num_carry :]
        if not outputs:
            return []
        results = self._facts_after(self.supports, self.slices)[self.num_carry :]
        stacked = self.eqn.out_avals[self.num_carry :]
        return [
            None
            if value.known is None and value.facts is None
            else Facts.by(_STACKED, [value], [inside], aval)
            for value, inside, aval in zip(results, outputs, stacked, strict=True)
        ]

    def _scanned_avals(self) -> Sequence[Any]:
        return self.eqn.in_avals[len(self.eqn.in_avals) - len(self.scanned) :]

    def run(self, order: Sequence[int]) -> tuple[list[Value], list[list[Dependence]]]:
        """The final carry, and for each further result of the body its dependences step by step."""
        if self.varies:
            return self._interpreted(order)
        only_carry = len(self.results) == self.num_carry and not any(self.followed_slices)
        if only_carry and len(order) >= _MANY_STEPS and self._reaches_many_inputs():
            return self._values(self._by_squaring(len(order))), []
        return self._applied(order)

    def _interpreted(self, order: Iterable[int]) -> tuple[list[Value], list[list[Dependence]]]:
        carry, outputs = self.initial, []
        for number in order:
            slices = [_slice(value, number) for value in self.scanned]
            values = self.eqn.interpret(self.body, [*self.consts, *carry, *slices])
            carry = values[: self.num_carry]
            outputs.append(self._as_dependences(values)[self.num_carry :])
        return carry, self._columns(outputs)

    def _applied(self, order: Sequence[int]) -> tuple[list[Value], list[list[Dependence]]]:
        parts = self._parts()
        fixed = self._join(self.consts, self.followed_consts)
        from_consts = [part.consts.substitute(fixed) for part in parts]
        carry = self._as_dependences(self.initial)
        outputs: list[list[Dependence]] = []
        for number in order:
            slices = self._join([_slice(v, number) for v in self.scanned], self.followed_slices)
            joined = self._join_carry(carry)
            results = [
                start | part.carry.substitute(joined) | part.slices.substitute(slices)
                for start, part in zip(from_consts, parts, strict=True)
            ]
            previous, carry = carry, results[: self.num_carry]
            outputs.append(results[self.num_carry :])
            if not any(self.followed_slices) and _unchanged(previous, carry, len(outputs)):
                break
        outputs.extend(outputs[-1:] * (len(order) - len(outputs)))
        return self._values(carry), self._columns(outputs)

    def _values(self, carry: Sequence[Dependence]) -> list[Value]:
        """The carry after the last step. What is known at each step of a loop around this one stays so."""
        pending = any(map(_pending, (*self.consts, *self.initial, *self.scanned)))
        return [
            Value(one, Probe() if keep and pending else None, _facts_of(mask, aval))
            for one, keep, mask, aval in zip(
                carry, self.kept, self.supports, self.avals, strict=False
            )
        ]

    def _columns(self, outputs: Sequence[Sequence[Dependence]]) -> list[list[Dependence]]:
        """The outputs of all steps, one list for each further result: empty lists for no steps."""
        further = range(len(self.avals) - self.num_carry)
        return [[step[number] for step in outputs] for number in further]

    def _reaches_many_inputs(self) -> bool:
        """Whether the carry holds about as many inputs as elements, so that powers are not larger."""
        joined = self._join_carry(self._as_dependences(self.initial))
        return 4 * np.unique(joined.to_csr().indices).size >= joined.size

    def _by_squaring(self, steps: int) -> list[Dependence]:
        """The final carry, by repeated squaring of the body's structure.

        After `k` steps a carry `x` is `power(x) | from_consts`; two blocks of steps compose to one.
        """
        parts = self._parts()
        fixed = self._join(self.consts, self.followed_consts)
        power = self._join_carry([part.carry for part in parts])
        from_consts = self._join_carry([part.consts.substitute(fixed) for part in parts])
        initial = self._as_dependences(self.initial)
        state = self._join_carry(initial)
        while steps:
            if steps & 1:
                state = power.substitute(state) | from_consts
            steps >>= 1
            if steps:
                from_consts = from_consts | power.substitute(from_consts)
                power = power.substitute(power)
        return self._split_carry(state, initial)

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
            if not value:
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
        inner = getattr(self.body, "jaxpr", self.body)
        carried = inner.invars[len(self.consts) :]
        touched = [new is not old for new, old in zip(inner.outvars, carried, strict=True)]
        return [
            Value(as_dependence(everywhere(aval.shape)), None) if is_touched else value
            for value, aval, is_touched in zip(results, self.avals, touched, strict=True)
        ]

    def closure(self) -> list[Value]:
        """The carry after any number of steps, none included."""
        parts = self._parts()
        fixed = self._join(self.consts, self.followed_consts)
        initial = self._as_dependences(self.initial)
        start = self._join_carry(
            [one | part.consts.substitute(fixed) for one, part in zip(initial, parts, strict=True)]
        )
        reached = transitive_closure(self._join_carry([part.carry for part in parts]))
        results = self._split_carry(reached.substitute(start), initial)
        triples = zip(results, self.supports, self.avals, strict=False)
        return [Value(one, None, _facts_of(mask, aval)) for one, mask, aval in triples]

    def _split_carry(self, joined: Dependence, initial: Sequence[Dependence]) -> list[Dependence]:
        """The carried values that `_join_carry` joined, and the others as they were."""
        results, offset = [], 0
        for one, keep in zip(initial, self.kept, strict=True):
            size = 0 if keep else one.size
            window = slice(offset, offset + size)
            part = joined.rearrange(lambda p, w=window: p[w])
            results.append(one if keep else part.reshape(one.shape))
            offset += size
        return results

    def _parts(self) -> list[_Part]:
        counts = (
            self._count(self.consts, self.followed_consts, 0),
            self._count(self.initial, [not keep for keep in self.kept], len(self.consts)),
            self._count(self.scanned, self.followed_slices, len(self.consts) + self.num_carry),
        )
        a, b, c = (int(stop) for stop in np.cumsum(counts))
        return [
            _Part(one.restrict(0, a), one.restrict(a, b), one.restrict(b, c))
            for one in self._as_dependences(self.results)
        ]

    def _count(self, values: Sequence[Value], followed: Sequence[bool], first: int) -> int:
        invars = getattr(self.body, "jaxpr", self.body).invars[first : first + len(values)]
        sizes = [int(np.prod(variable.aval.shape, dtype=np.int64)) for variable in invars]
        return sum(size for size, follow in zip(sizes, followed, strict=True) if follow)

    def _join(self, values: Sequence[Value], followed: Sequence[bool]) -> Dependence:
        chosen = [
            value.dependence for value, follow in zip(values, followed, strict=True) if follow
        ]
        return Dependence.join([one for one in chosen if one is not None])

    def _join_carry(self, carry: Sequence[Dependence]) -> Dependence:
        return Dependence.join(
            [one for one, keep in zip(carry, self.kept, strict=True) if not keep]
        )

    def _as_dependences(self, values: Sequence[Value]) -> list[Dependence]:
        return [value.as_dependence(aval) for value, aval in zip(values, self.avals, strict=False)]


def _probe(value: Value) -> Value | None:
    """What the analysis of a body may assume of an operand that differs from step to step."""
    if value.dependence is not None:
        return None
    return value._replace(known=None if value.known is None else Probe(), facts=None)


def _facts_of(mask: Mask, aval: Any) -> Facts | None:
    return None if is_everywhere(mask) else Facts.of_support(mask, aval)


def _facts_of_slices(value: Value, aval: Any) -> Facts | None:
    """Facts about each slice of an array along its leading axis."""
    if value.facts is None or value.known is not None:
        return None
    mask = np.asarray(support_of(value, aval).any(axis=0))
    return _facts_of(simplified(mask, mask.shape), jax.ShapeDtypeStruct(mask.shape, aval.dtype))


_STACKED = Rule(same_places)
_STACKED.zeros(lambda eqn, mask: np.broadcast_to(mask, eqn.aval.shape))


def _asked(value: Value | None) -> bool:
    return value is not None and isinstance(value.known, Probe) and value.known.asked


def _pending(value: Value) -> bool:
    return value.known is not None and value.known.is_pending


def _slice(value: Value, number: int) -> Value:
    dependence = value.dependence
    if dependence is not None:
        dependence = dependence.rearrange(lambda p: p[number])
    known = None if value.known is None else value.known.item(number)
    return value._replace(dependence=dependence, known=known, facts=None)


def _stack(column: Sequence[Dependence], shape: tuple[int, ...]) -> Dependence:
    if not column:
        return Dependence.none(shape)
    return Dependence.concatenate([one.reshape((1, *shape[1:])) for one in column])


def _unchanged(previous: Sequence[Dependence], carry: Sequence[Dependence], steps: int) -> bool:
    """Whether all further steps give the same; sets are compared only at powers of two."""
    pairs = list(zip(previous, carry, strict=True))
    if all(old.same_terms(new) for old, new in pairs):
        return True
    return steps & (steps - 1) == 0 and all(old.same_sets(new) for old, new in pairs)
