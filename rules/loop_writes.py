"""Loops that write to known places of what they carry, such as `y.at[i].set(...)` with a counter `i`.

All steps are analysed at once: what is known at each step is computed for all of them, and the body is mapped
over it. A place that is read holds what was last written to it, or what the carry held before the loop.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.sparse as sp
from jax import lax

from asdex import Dependence, Value
from asdex.detection import (
    boolean_product,
    EquationView,
    is_key,
    is_literal,
    jaxpr_consts,
    Known,
    literal_value,
    live_steps,
    on_host,
    open_jaxpr,
    rebind,
    size_of,
)

from .indexing import overwrites, scatter_targets, window_sizes
from .loop_bodies import facts_of, LoopBody, Part


_FEW_STEPS = 64
"""Steps that are analysed one by one in less time than it takes to compile the known part of a body."""

_MOST_ELEMENTS = 1 << 22
"""Elements that all steps together may write or know: a body of whole arrays is analysed step by step."""


class _OneByOne(Exception):
    """The steps cannot be taken at once."""


class _Write(NamedTuple):
    """What a step writes to one of the carried values.

    - `eqn`: the equation of the body that writes to a part; `None` for all of it.
    - `atoms`: what is written, then where; empty if nothing is.
    - `shape`: of the carried value.
    """

    eqn: Any
    atoms: Sequence[Any]
    shape: tuple[int, ...]


def by_writes(loop: LoopBody, order: Sequence[int]) -> tuple[list[Value], list[Dependence]] | None:
    """The final carry and the stacked results of all steps; `None` where steps must be taken one by one."""
    writes = _writes(loop)
    if not _FEW_STEPS <= len(order) <= _MOST_ELEMENTS // max(_elements(loop, writes), 1):
        return None
    known = [value.known for value in (*loop.initial, *loop.scanned) if value.known is not None]
    if open_jaxpr(loop.body).effects or not all([one.is_available for one in known]):
        return None
    if any(is_key(one.raw()) for one in known):
        return None
    try:
        return _Steps(loop, np.asarray(order, np.int64), writes).results()
    except _OneByOne:
        return None


def _elements(loop: LoopBody, writes: Sequence[_Write]) -> int:
    """The elements that a step writes, and those whose values are known at each step."""
    avals = [variable.aval for variable in open_jaxpr(loop.body).invars[len(loop.consts) :]]
    values = zip(avals, (*loop.initial, *loop.scanned), strict=True)
    known = sum(size_of(aval) for aval, value in values if value.known is not None)
    return known + sum(size_of(atom.aval) for one in writes for atom in one.atoms[:1])


def _writes(loop: LoopBody) -> list[_Write]:
    """The writes to the carried values that are followed."""
    inner = open_jaxpr(loop.body)
    carried = inner.invars[len(loop.consts) :][: loop.num_carry]
    used = [atom for eqn in inner.eqns for atom in eqn.invars] + list(inner.outvars)
    maker = {variable: eqn for eqn in inner.eqns for variable in eqn.outvars}
    writes = []
    for before, after, keep in zip(carried, inner.outvars, loop.kept, strict=False):
        if keep:
            continue
        eqn = None if is_literal(after) else maker.get(after)
        if eqn is not None and _places(eqn, before) and sum(atom is after for atom in used) == 1:
            is_scatter = eqn.primitive.name == "scatter"
            atoms = [eqn.invars[2], eqn.invars[1]] if is_scatter else eqn.invars[1:]
            writes.append(_Write(eqn, atoms, before.aval.shape))
        else:
            atoms = [] if after is before else [after]
            writes.append(_Write(None, atoms, before.aval.shape))
    return writes


def _places(eqn: Any, carried: Any) -> bool:
    """Whether an equation replaces some elements of a carried variable."""
    view = EquationView(eqn)
    replaces = view.name == "dynamic_update_slice" or overwrites(view)
    return replaces and eqn.invars[0] is carried


class _Steps:
    """All steps of a loop at once."""

    def __init__(self, loop: LoopBody, order: np.ndarray, writes: Sequence[_Write]):
        self.loop, self.order, self.writes = loop, order, writes
        self.inner = open_jaxpr(loop.body)
        self.slices = [
            None if value.known is None else np.asarray(value.known.raw())[order]
            for value in loop.scanned
        ]

    def results(self) -> tuple[list[Value], list[Dependence]]:
        loop, count = self.loop, len(self.order)
        final, before = self._known_carry()
        values = self._structure(before)
        targets, rows = self._split(values)
        keys = np.where(targets >= 0, targets * count + np.arange(count)[:, None], -1)
        links = _Links(keys, rows.shape[1], count)
        if not links.are_unique:
            raise _OneByOne
        initial = loop.join_carry(loop.as_dependences(loop.initial))
        written = self._resolved(rows.reshape((rows.size,)), links, initial)
        last = links.last(np.arange(initial.size), np.full(initial.size, count))
        places = np.where(last >= 0, initial.size + last, np.arange(initial.size))
        carry = Dependence.join([initial, written]).take(places)
        outputs = written.reshape(rows.shape).rearrange(lambda p: p[:, targets.shape[1] :])
        return self._carried(carry, final), self._stacked(outputs)

    def _carried(self, carry: Dependence, final: Sequence[Any]) -> list[Value]:
        known = iter(final)
        parts = self.loop.split_carry(carry, self.loop.as_dependences(self.loop.initial))
        triples = zip(parts, self.loop.kept, self.loop.supports, self.loop.avals, strict=False)
        return [
            Value(None, Known.of(next(known))) if keep else Value(part, None, facts_of(mask, aval))
            for part, keep, mask, aval in triples
        ]

    def _stacked(self, outputs: Dependence) -> list[Dependence]:
        results, start = [], 0
        for aval in self.loop.avals[self.loop.num_carry :]:
            window = slice(start, start + math.prod(aval.shape))
            one = outputs.rearrange(lambda p, w=window: p[:, w])
            results.append(one.reshape((len(self.order), *aval.shape)))
            start = window.stop
        return results

    def _known_carry(self) -> tuple[Sequence[Any], Sequence[np.ndarray]]:
        """The known carried values after the last step, and those before each step."""
        loop, inner = self.loop, self.inner
        wanted = [*loop.kept, *(False for _ in loop.avals[loop.num_carry :])]
        steps = list(live_steps(inner, wanted))
        # What is known follows from known operands alone, also where an equation has others besides.
        fixed = {
            v: np.zeros(v.aval.shape, v.aval.dtype) for v in inner.invars if not is_key(v.aval)
        }
        fixed |= dict(zip(inner.constvars, jaxpr_consts(loop.body), strict=True))
        fixed |= {
            variable: value.known.raw()
            for variable, value in zip(inner.invars, loop.consts, strict=False)
            if value.known is not None and value.known.is_available
        }
        carried = inner.invars[len(loop.consts) :][: loop.num_carry]
        carried = [one for one, keep in zip(carried, loop.kept, strict=True) if keep]
        scanned = inner.invars[len(inner.invars) - len(loop.scanned) :]
        scanned = {v: one for v, one in zip(scanned, self.slices, strict=True) if one is not None}

        def step(carry: Sequence[Any], slices: dict[str, Any]) -> tuple[list[Any], Sequence[Any]]:
            values = fixed | dict(zip(scanned, slices.values(), strict=True))
            values |= dict(zip(carried, carry, strict=True))

            def read(atom: Any) -> Any:
                return literal_value(atom) if is_literal(atom) else values[atom]

            for eqn, _, _ in steps:
                results = rebind(eqn, [read(atom) for atom in eqn.invars])
                values.update(zip(eqn.outvars, results, strict=True))
            after = [v for v, keep in zip(inner.outvars, loop.kept, strict=False) if keep]
            return [read(atom) for atom in after], carry

        initial = [
            v.known.raw() for v, k in zip(loop.initial, loop.kept, strict=True) if k and v.known
        ]
        named = {str(number): one for number, one in enumerate(scanned.values())}
        try:
            with on_host():
                run = jax.jit(lambda: lax.scan(step, initial, named, length=len(self.order)))
                final, before = run()
        except Exception as error:  # what does not run on the host
            raise _OneByOne from error
        return final, [np.asarray(one) for one in before]

    def _structure(self, before: Sequence[np.ndarray]) -> list[Value]:
        """The structure of all steps in terms of constants, of one carry for all, and of their slices."""
        loop, inner = self.loop, self.inner
        written = [atom for write in self.writes for atom in write.atoms]
        wanted = [*written, *inner.outvars[loop.num_carry :]]
        skipped = [write.eqn for write in self.writes if write.eqn is not None]

        def body(*operands: Any) -> list[Any]:
            values = dict(zip(inner.constvars, jaxpr_consts(loop.body), strict=True))
            values |= dict(zip(inner.invars, operands, strict=True))

            def read(atom: Any) -> Any:
                return literal_value(atom) if is_literal(atom) else values[atom]

            for eqn in inner.eqns:
                if not any(eqn is one for one in skipped):
                    results = rebind(eqn, [read(atom) for atom in eqn.invars])
                    values.update(zip(eqn.outvars, results, strict=True))
            return [read(atom) for atom in wanted]

        axes = [None] * len(loop.consts) + [0 if keep else None for keep in loop.kept]
        axes += [0] * len(loop.scanned)
        structs = [
            jax.ShapeDtypeStruct(
                v.aval.shape if axis is None else (len(self.order), *v.aval.shape), v.aval.dtype
            )
            for v, axis in zip(inner.invars, axes, strict=True)
        ]
        mapped = jax.vmap(body, in_axes=axes, axis_size=len(self.order))
        try:
            jaxpr = jax.make_jaxpr(mapped)(*structs)
        except Exception as error:  # a primitive that JAX cannot map
            raise _OneByOne from error
        known = iter(before)
        operands = [
            *(value if value.dependence is None else None for value in loop.consts),
            *(Value(None, Known.of(next(known))) if keep else None for keep in loop.kept),
            *(
                None if follow else Value(None, None if one is None else Known.of(one))
                for one, follow in zip(self.slices, loop.followed_slices, strict=True)
            ),
        ]
        supports = [facts_of(*pair) for pair in zip(loop.supports, loop.avals, strict=False)]
        facts = [*(value.facts for value in loop.consts), *supports, *(None for _ in loop.scanned)]
        return loop.eqn.structure(jaxpr, operands, facts)

    def _split(self, values: Sequence[Value]) -> tuple[np.ndarray, Dependence]:
        """Where each step writes, and what all that it writes and returns reads: a row for each step."""
        count, offset, stream = len(self.order), 0, iter(values)
        targets, rows = [], []
        for write in self.writes:
            offset += math.prod(write.shape)
            if not write.atoms:
                continue
            update, *places = [next(stream) for _ in write.atoms]
            shape = (count, *write.atoms[0].aval.shape)
            rows.append(update.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
            found = _targets(write, shape, [_value(one) for one in places])
            found = np.where(found >= 0, found + offset - math.prod(write.shape), -1)
            targets.append(found.reshape(count, -1))
        for aval, value in zip(self.loop.avals[self.loop.num_carry :], stream, strict=True):
            shape = (count, *aval.shape)
            rows.append(value.as_dependence(jax.ShapeDtypeStruct(shape, np.float32)))
        flat = [one.reshape((count, one.size // count)) for one in rows]
        empty = np.zeros((count, 0), np.int64)
        joined = Dependence.concatenate(flat, 1) if flat else Dependence.none((count, 0))
        return np.concatenate([empty, *targets], axis=1), joined

    def _resolved(self, rows: Dependence, links: "_Links", initial: Dependence) -> Dependence:
        """What all that is written depends on, given what it reads of a carry that changes step by step."""
        loop, count = self.loop, len(self.order)
        part = self._part(rows)
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
        before = _links_of(reader[first], read.indices[first], (rows.size, initial.size))
        result = result | initial.through(before)
        written = _links_of(reader[later], last[later], (rows.size, rows.size))
        while written.nnz:
            result = result | result.through(written)
            written = boolean_product(written, written)
        return result

    def _part(self, rows: Dependence) -> Part:
        loop, count = self.loop, len(self.order)
        sizes = [math.prod(variable.aval.shape) for variable in self.inner.invars]
        split = len(loop.consts), len(loop.consts) + loop.num_carry
        consts = sum(s for s, f in zip(sizes[: split[0]], loop.followed_consts, strict=True) if f)
        carry = sum(
            s for s, keep in zip(sizes[split[0] : split[1]], loop.kept, strict=True) if not keep
        )
        slices = sum(s for s, f in zip(sizes[split[1] :], loop.followed_slices, strict=True) if f)
        a, b, c = consts, consts + carry, consts + carry + count * slices
        return Part(rows.restrict(0, a), rows.restrict(a, b), rows.restrict(b, c))


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


def _value(place: Value) -> np.ndarray:
    """Where all steps write."""
    value = None if place.known is None else place.known.get_if_available()
    if value is None:
        raise _OneByOne
    return value


def _targets(write: _Write, shape: tuple[int, ...], places: Sequence[np.ndarray]) -> np.ndarray:
    """The flat place in a carried array that each update of each step goes to; -1 for none."""
    size = math.prod(write.shape)
    if write.eqn is None:
        return np.broadcast_to(np.arange(size).reshape(write.shape), shape)
    if write.eqn.primitive.name == "scatter":
        numbers = write.eqn.params["dimension_numbers"]
        later = numbers._replace(
            update_window_dims=tuple(axis + 1 for axis in numbers.update_window_dims),
            scatter_indices_batching_dims=tuple(
                axis + 1 for axis in numbers.scatter_indices_batching_dims
            ),
        )
        sizes = window_sizes(write.shape, shape[1:], numbers)
        return scatter_targets(write.shape, sizes, places[0], later, write.eqn.params["mode"])
    result = np.zeros((shape[0], *[1] * len(write.shape)), np.int64)
    for axis, (n, start) in enumerate(zip(write.shape, places, strict=True)):
        window = shape[axis + 1]
        first = np.clip(start.astype(np.int64), 0, n - window).reshape(-1, *[1] * len(write.shape))
        along = np.arange(window).reshape([-1 if k == axis + 1 else 1 for k in range(len(shape))])
        result = result * n + first + along
    return result


def _links_of(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> sp.csr_array:
    ones = np.ones(rows.size, np.bool_)
    return sp.csr_array(sp.coo_array((ones, (rows, cols)), shape=shape))
