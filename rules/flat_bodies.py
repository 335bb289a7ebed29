"""Bodies of loops without calls and branches.

`where(p, y.at[i].set(a), y)` is `y.at[where(p, i, -1)].set(a, mode="drop")`: a write that a condition guards
goes nowhere where the condition is false. The branches of a `cond` that write to one array do so in turn.
"""

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from asdex.detection import (
    call_jaxpr,
    EquationView,
    evaluated,
    has_derivative,
    jaxpr_consts,
    may_collide,
    open_jaxpr,
    rebind,
)

from .indexing import overwrites, window_sizes


_DROP = lax.GatherScatterMode.FILL_OR_DROP


def flat_body(body: Any) -> Any:
    """The same jaxpr without calls and branches, with the writes of branches one after the other."""
    return _traced(body, _Flattening())


def with_counted_loops(body: Any, most: dict[int, int]) -> Any:
    """The same flat jaxpr, with `while` loops as `scan`s.

    **Arguments:** `most`: how many steps loops take at most, by the identities of their equations.
    """

    def evaluate(eqn: Any, operands: Sequence[Any]) -> Sequence[Any]:
        steps = most.get(id(eqn))
        return rebind(eqn, operands) if steps is None else _counted(eqn, operands, steps)

    return _traced(body, evaluate)


def _counted(eqn: Any, operands: Sequence[Any], steps: int) -> Sequence[Any]:
    """The results of a `while`, in so many steps, of which those after the end change nothing."""
    first = eqn.params["cond_nconsts"]
    second = first + eqn.params["body_nconsts"]

    def step(carry: list[Any], _: None) -> tuple[list[Any], None]:
        (goes_on,) = _evaluated(eqn.params["cond_jaxpr"], [*operands[:first], *carry], rebind)
        after = _evaluated(eqn.params["body_jaxpr"], [*operands[first:second], *carry], rebind)
        pairs = zip(carry, after, strict=True)
        return [lax.select_n(goes_on, old, new) for old, new in pairs], None

    return lax.scan(step, list(operands[second:]), None, length=steps)[0]


def scatter_of_windows(rank: int) -> lax.ScatterDimensionNumbers:
    """How a `scatter` reads the index vector that `dynamic_update_slice` takes."""
    axes = tuple(range(rank))
    return lax.ScatterDimensionNumbers(axes, (), axes)


class _Writing(NamedTuple):
    """A value as another one to which an equation writes.

    **Attributes:**

    - `before`: that other value.
    - `adds`: whether it adds to what is there.
    - `write`: writes the same to any value, everywhere or where a condition holds.
    """

    before: Any
    adds: bool
    write: Callable[..., Any]


class _Flattening:
    """Evaluates equations, and knows of each result what has been written to what."""

    def __init__(self) -> None:
        # Values are kept, so that their numbers stay their own.
        self._writings: dict[int, tuple[Any, _Writing]] = {}
        self._zeros: dict[tuple[Any, Any], Any] = {}

    def __call__(self, eqn: Any, operands: Sequence[Any]) -> Sequence[Any]:
        inner, name = call_jaxpr(eqn), eqn.primitive.name
        if inner is not None:
            return _evaluated(inner, operands, self)
        if name == "cond":
            return self._without_branches(eqn, operands)
        found = None
        if name == "select_n":
            found = self._in_turn(*operands)
        elif name in ("add", "add_any"):
            found = self._added(*operands)
        elif name == "broadcast_in_dim":
            found = self._zero(eqn, operands)
        elif writes_to_places(eqn):
            before, *others = operands
            adds = name == "scatter-add" or self._adds(eqn, before)
            found = self._write(before, adds, partial(_write_where, eqn, others, adds))
        return rebind(eqn, operands) if found is None else [found]

    def _write(
        self, before: Any, adds: bool, write: Callable[..., Any], condition: Any = None
    ) -> Any:
        """What `write` makes of a value, which is remembered."""
        result = write(before, condition)

        def write_there(value: Any, outer: Any = None) -> Any:
            conditions = [one for one in (condition, outer) if one is not None]
            return write(value, reduce(operator.and_, conditions) if conditions else None)

        self._writings[id(result)] = result, _Writing(before, adds, write_there)
        return result

    def _zero(self, eqn: Any, operands: Sequence[Any]) -> Any | None:
        """Zeros, which are one value for each shape and type."""
        aval = eqn.outvars[0].aval
        if any(isinstance(one, Tracer) or np.any(one) for one in operands):
            return None
        if (aval.shape, aval.dtype) not in self._zeros:
            (self._zeros[aval.shape, aval.dtype],) = rebind(eqn, operands)
        return self._zeros[aval.shape, aval.dtype]

    def _adds(self, eqn: Any, before: Any) -> bool:
        """Whether to write to `before` is to add to it, since it is zero."""
        aval = eqn.outvars[0].aval
        is_zero = self._zeros.get((aval.shape, aval.dtype)) is before and has_derivative(aval)
        replaces = eqn.primitive.name == "dynamic_update_slice" or overwrites(EquationView(eqn))
        return is_zero and replaces and not may_collide(eqn)

    def _added(self, a: Any, b: Any) -> Any | None:
        """A sum as what is added to parts of one of the operands, if the other one is that added to zeros."""
        for total, addends in ((a, b), (b, a)):
            *parts, start = self._chain(addends)
            writings = [self._writings[id(one)][1] for one in parts]
            if (
                writings
                and np.shape(total) == np.shape(addends)
                and all(one.adds for one in writings)
                and any(start is zero for zero in self._zeros.values())
            ):
                for one in reversed(writings):
                    total = self._write(total, True, one.write)
                return total
        return None

    def _without_branches(self, eqn: Any, operands: Sequence[Any]) -> list[Any]:
        """The results of a `cond`: to map it over steps would copy all that its branches read."""
        which, *others = operands
        branches = [_evaluated(branch, others, self) for branch in eqn.params["branches"]]
        if len(branches) == 1:
            return branches[0]
        if len(branches) == 2:
            which = which > 0
        pairs = [(cases, self._in_turn(which, *cases)) for cases in zip(*branches, strict=True)]
        return [lax.select_n(which, *cases) if one is None else one for cases, one in pairs]

    def _in_turn(self, which: Any, *cases: Any) -> Any | None:
        """The selected case, where all of them are what has been written to one value; else `None`."""
        chains = [self._chain(case) for case in cases]
        shared = set.intersection(*({id(one) for one in chain} for chain in chains))
        parts = [[one for one in chain if id(one) not in shared] for chain in chains]
        if np.ndim(which) or not shared or not any(parts):
            return None
        result = next(one for one in chains[0] if id(one) in shared)
        chosen = lax.clamp(0, lax.convert_element_type(which, np.int32), len(cases) - 1)
        for number, part in enumerate(parts):
            for one in reversed(part):
                _, adds, write = self._writings[id(one)][1]
                result = self._write(result, adds, write, chosen == number)
        return result

    def _chain(self, value: Any) -> list[Any]:
        """A value, what it was before the last write, and so on."""
        chain = [value]
        while id(chain[-1]) in self._writings:
            _, writing = self._writings[id(chain[-1])]
            chain.append(writing.before)
        return chain


def writes_to_places(eqn: Any) -> bool:
    """Whether an equation replaces or changes a part of its first operand, which an index says."""
    name = eqn.primitive.name
    if name == "dynamic_update_slice":
        return eqn.invars[0].aval.ndim > 0
    return name.startswith("scatter") and eqn.invars[1].aval.shape[-1] > 0


def _write_where(
    eqn: Any, operands: Sequence[Any], adds: bool, before: Any, condition: Any = None
) -> Any:
    """What an equation writes, written or added to another value, and only where the condition holds."""
    if condition is None and not adds:
        return rebind(eqn, [before, *operands])[0]
    if eqn.primitive.name == "dynamic_update_slice":
        update, *starts = operands
        index, numbers = jnp.stack(starts, axis=-1), scatter_of_windows(before.ndim)
        mode, unique = lax.GatherScatterMode.CLIP, True
    else:
        index, update = operands
        mode, numbers = eqn.params["mode"], eqn.params["dimension_numbers"]
        unique = eqn.params["unique_indices"]
    if index.dtype.itemsize < 4:
        # `nowhere`, 255 as `uint8`, would be a place.
        index = index.astype(np.int32)
    if mode == lax.GatherScatterMode.CLIP:
        index = _inside(index, before.shape, update.shape, numbers)
    if condition is not None:
        index = _places(index, condition)
    if adds or eqn.primitive.name == "dynamic_update_slice":
        write = lax.scatter_add if adds else lax.scatter
        return write(before, index, update, numbers, unique_indices=unique, mode=_DROP)
    dropping = eqn.replace(params={**eqn.params, "mode": _DROP})
    return rebind(dropping, [before, index, update])[0]


def _places(index: Any, condition: Any) -> Any:
    nowhere = np.zeros((), index.dtype) - np.ones((), index.dtype)
    return lax.select_n(condition, lax.full_like(index, nowhere), index)


def _inside(index: Any, shape: Sequence[int], update_shape: Sequence[int], numbers: Any) -> Any:
    """An index whose windows are moved inside."""
    last = np.subtract(shape, window_sizes(shape, update_shape, numbers))
    last = last[list(numbers.scatter_dims_to_operand_dims)]
    last = np.minimum(last, np.iinfo(index.dtype).max).astype(index.dtype)
    return jnp.clip(index, np.zeros((), index.dtype), last)


def _traced(body: Any, evaluate: Any) -> Any:
    structs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in open_jaxpr(body).invars]
    return jax.make_jaxpr(lambda *operands: _evaluated(body, operands, evaluate))(*structs)


def _evaluated(jaxpr: Any, operands: Sequence[Any], evaluate: Any) -> list[Any]:
    return evaluated(open_jaxpr(jaxpr), jaxpr_consts(jaxpr), operands, evaluate)
