"""Loops that write to known places of what they carry, such as `y.at[i].set(...)` with a counter `i`.

All steps are analysed at once: what is known at each step is computed for all of them, and the body is mapped
over it. A place that is read holds what was last written to it, or what the carry held before the loop.
"""

from collections.abc import Sequence
from itertools import compress
from typing import Any

import jax
import numpy as np

from asdex import Dependence, Value
from asdex.detection import (
    are_equal,
    boolean_product,
    has_derivative,
    in_three,
    is_key,
    Known,
    on_host,
    open_jaxpr,
    pairs_to_csr,
    size_of,
)

from .loop_bodies import facts_of, in_rows, LoopBody
from .loop_places import Write, writes
from .loop_values import known_carry, of_all_steps


_FEW_STEPS = 64
"""Steps that are analysed one by one in less time than it takes to compile the known part of a body."""

_MOST_ELEMENTS = 1 << 22
"""Elements that all steps together may write or know: a body of whole arrays is analysed step by step."""


class _OneByOne(Exception):
    """The steps cannot be taken at once."""


def by_writes(loop: LoopBody, order: Sequence[int]) -> tuple[list[Value], list[Value]] | None:
    """The final carry and the stacked results of all steps; `None` where steps must be taken one by one."""
    found = writes(open_jaxpr(loop.body), len(loop.consts), loop.kept)
    if not _FEW_STEPS <= len(order) <= _MOST_ELEMENTS // max(_elements(loop, found), 1):
        return None
    known = [value.known for value in (*loop.initial, *loop.scanned) if value.known is not None]
    if open_jaxpr(loop.body).effects or not all([one.is_available for one in known]):
        return None
    if any(is_key(one.raw()) for one in known):
        return None
    try:
        return _Steps(loop, np.asarray(order, np.int64), found).results()
    except _OneByOne:
        return None


def _elements(loop: LoopBody, found: Sequence[Write]) -> int:
    """The elements that a step writes, and those whose values are known at each step."""
    avals = [variable.aval for variable in open_jaxpr(loop.body).invars[len(loop.consts) :]]
    are_known = [*loop.kept, *(value.known is not None for value in loop.scanned)]
    return sum(map(size_of, compress(avals, are_known))) + sum(
        size_of(one.atoms[0].aval) for one in found
    )


class _Steps:
    """All steps of a loop at once."""

    def __init__(self, loop: LoopBody, order: np.ndarray, writes: Sequence[Write]):
        self.loop, self.order, self.writes = loop, order, writes
        self.inner = open_jaxpr(loop.body)
        self.slices = [
            None if value.known is None else [one[order] for one in value.known.all_values()]
            for value in loop.scanned
        ]

    def results(self) -> tuple[list[Value], list[Value]]:
        loop, count = self.loop, len(self.order)
        final, before = self._known_carry()
        values = self._structure(before)
        targets, rows = self._split(values)
        adds = self._adding(targets.shape[1])
        replaced = (targets >= 0) & ~adds
        keys = np.where(replaced, targets * count + np.arange(count)[:, None], -1)
        links = _Links(keys, rows.shape[1], count)
        if not links.are_unique:
            raise _OneByOne
        initial = loop.join_carry(loop.as_dependences(loop.initial))
        written = self._resolved(rows.reshape((rows.size,)), links, initial)
        last = links.last(np.arange(initial.size), np.full(initial.size, count))
        places = np.where(last >= 0, initial.size + last, np.arange(initial.size))
        carry = Dependence.join([initial, written]).take(places)
        if adds.any():
            step, column = np.nonzero((targets >= 0) & adds)
            read = targets[step, column], step * rows.shape[1] + column
            carry = carry | written.through(pairs_to_csr(*read, (initial.size, rows.size)))
        outputs = written.reshape(rows.shape).rearrange(lambda p: p[:, targets.shape[1] :])
        return self._carried(carry, final), self._stacked(outputs)

    def _carried(self, carry: Dependence, final: Sequence[Known]) -> list[Value]:
        known = iter(final)
        parts = self.loop.split_carry(carry, self.loop.as_dependences(self.loop.initial))
        triples = zip(parts, self.loop.kept, self.loop.supports, self.loop.avals, strict=False)
        return [
            Value(None, next(known)) if keep else Value(part, None, facts_of(mask, aval))
            for part, keep, mask, aval in triples
        ]

    def _stacked(self, outputs: Dependence) -> list[Value]:
        shapes = [aval.shape for aval in self.loop.avals[self.loop.num_carry :]]
        return [Value(one, None) for one in outputs.split(shapes)]

    def _known_carry(self) -> tuple[Sequence[Known], Sequence[Known]]:
        """The known carried values after the last step, and those before each step, with their alternates."""
        loop, count = self.loop, len(self.order)
        operands = [*map(_available, (*loop.consts, *loop.initial)), *self.slices]
        given = [one for one in operands if one is not None]
        start, stop = len(loop.consts), len(loop.consts) + loop.num_carry

        def run(*arrays: Any) -> tuple[Sequence[Any], Sequence[Any]]:
            left = iter(arrays)
            filled = [None if one is None else next(left) for one in operands]
            parts = filled[:start], filled[start:stop], filled[stop:]
            return known_carry(loop.body, loop.kept, *parts, count)

        try:
            with on_host():
                agree, found = in_three(
                    run, [[one[k % len(one)] for one in given] for k in range(3)]
                )
        except Exception as error:  # what does not run on the host
            raise _OneByOne from error
        if not agree:
            raise _OneByOne
        known = list(map(_with_alternates, found))
        return known[: len(known) // 2], known[len(known) // 2 :]

    def _structure(self, before: Sequence[Known]) -> list[Value]:
        """The structure of all steps in terms of constants, of one carry for all, and of their slices."""
        loop, inner = self.loop, self.inner
        written = [atom for write in self.writes for atom in write.atoms]
        wanted = [*written, *inner.outvars[loop.num_carry :]]
        axes = [None] * len(loop.consts) + [0 if keep else None for keep in loop.kept]
        axes += [0] * len(loop.scanned)
        structs = [
            jax.ShapeDtypeStruct(
                v.aval.shape if axis is None else (len(self.order), *v.aval.shape), v.aval.dtype
            )
            for v, axis in zip(inner.invars, axes, strict=True)
        ]
        mapped = of_all_steps(loop.body, wanted, axes, len(self.order))
        try:
            jaxpr = jax.make_jaxpr(mapped)(*structs)
        except Exception as error:  # a primitive that JAX cannot map
            raise _OneByOne from error
        known = iter(before)
        operands = [
            *(value if value.dependence is None else None for value in loop.consts),
            *(Value(None, next(known)) if keep else None for keep in loop.kept),
            *(
                None if follow else Value(None, None if one is None else Known.of(*one))
                for one, follow in zip(self.slices, loop.followed_slices, strict=True)
            ),
        ]
        supports = [facts_of(*pair) for pair in zip(loop.supports, loop.avals, strict=False)]
        facts = [*(value.facts for value in loop.consts), *supports, *(None for _ in loop.scanned)]
        return loop.eqn.structure(jaxpr, operands, facts)

    def _split(self, values: Sequence[Value]) -> tuple[np.ndarray, Dependence]:
        """Where each step writes, and what all that it writes and returns reads: a row for each step."""
        count, stream = len(self.order), iter(values)
        sizes = [
            0 if keep else size_of(aval)
            for keep, aval in zip(self.loop.kept, self.loop.avals, strict=False)
        ]
        targets, rows = [], []
        for write in self.writes:
            update, *places = [next(stream) for _ in write.atoms]
            shape = (count, *write.atoms[0].aval.shape)
            rows.append(update.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
            found = write.targets(count, [_value(one) for one in places])
            found = np.where(found >= 0, found + sum(sizes[: write.place]), -1)
            targets.append(found.reshape(count, -1))
        for aval, value in zip(self.loop.avals[self.loop.num_carry :], stream, strict=True):
            shape = (count, *aval.shape)
            rows.append(value.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
        empty = np.zeros((count, 0), np.int64)
        return np.concatenate([empty, *targets], axis=1), in_rows(rows, count)

    def _adding(self, width: int) -> np.ndarray:
        """Which of the elements that a step writes are added to a sum."""
        flags = [np.full(size_of(one.atoms[0].aval), one.sign != 0) for one in self.writes]
        return np.concatenate([np.zeros(0, np.bool_), *flags])[:width]

    def _resolved(self, rows: Dependence, links: "_Links", initial: Dependence) -> Dependence:
        """What all that is written depends on, given what it reads of a carry that changes step by step."""
        loop, count = self.loop, len(self.order)
        part = loop.part(rows, count)
        read = part.carry.to_csr(initial.size)
        reader = np.repeat(np.arange(rows.size), np.diff(read.indptr))
        step = reader // max(rows.size // count, 1)
        last = links.last(read.indices, step)
        slices = [
            value.dependence.rearrange(lambda p: p[self.order])
            for value, follow in zip(loop.scanned, loop.followed_slices, strict=True)
            if follow and value.dependence is not None
        ]
        fixed = loop.join(loop.consts, loop.followed_consts)
        result = part.consts.substitute(fixed) | part.slices.substitute(Dependence.join(slices))
        first, later = last < 0, last >= 0
        before = pairs_to_csr(reader[first], read.indices[first], (rows.size, initial.size))
        result = result | initial.through(before)
        written = pairs_to_csr(reader[later], last[later], (rows.size, rows.size))
        while written.nnz:
            result = result | result.through(written)
            written = boolean_product(written, written)
        return result


class _Links:
    """Finds for a place and a step the last write to that place before that step."""

    def __init__(self, keys: np.ndarray, width: int, count: int):
        row = np.arange(count)[:, None] * width + np.arange(keys.shape[1])
        valid = keys >= 0
        order = np.argsort(keys[valid], kind="stable")
        self._keys, self._rows, self._count = keys[valid][order], row[valid][order], count

    @property
    def are_unique(self) -> bool:
        """Whether no step writes twice to one place."""
        return bool((np.diff(self._keys) > 0).all())

    def last(self, places: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The row of the last write to each place before each step; -1 if there is none."""
        places = places.astype(np.int64)
        found = np.searchsorted(self._keys, places * self._count + steps) - 1
        if not self._keys.size:
            return found
        same = (found >= 0) & (self._keys[found] // self._count == places)
        return np.where(same, self._rows[found], -1)


def _available(value: Value) -> list[np.ndarray] | None:
    """What a value may be that is known here."""
    if value.dependence is not None or value.known is None:
        return None
    return value.known.all_values() or None


def _with_alternates(found: Sequence[Any]) -> Known:
    """A value, with what it is where rounding differs."""
    value, *others = found
    if all(are_equal(one, value) for one in others):
        return Known.of(value)
    if not has_derivative(value):  # a decision that rounding may turn
        raise _OneByOne
    return Known.of(value, *others)


def _value(place: Value) -> np.ndarray:
    """Where all steps write."""
    value = None if place.known is None else place.known.get_if_available()
    if value is None:
        raise _OneByOne
    return value
