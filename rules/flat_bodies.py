"""Bodies of loops without calls and branches.

`where(p, y.at[i].set(a), y)` is `y.at[where(p, i, -1)].set(a, mode="drop")`: a write that a condition guards
goes nowhere where the condition is false. The branches of a `cond` that write to one array do so in turn.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from asdex.detection import call_jaxpr, evaluated, jaxpr_consts, open_jaxpr, rebind

from .indexing import window_sizes


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

    **Attributes:** `before`: that other value. `write`: writes the same to any value, if a condition holds.
    """

    before: Any
    write: Callable[[Any, Any], Any]


class _Flattening:
    """Evaluates equations, and knows of each result what has been written to what."""

    def __init__(self) -> None:
        self._writings: dict[int, tuple[Any, _Writing]] = {}

    def __call__(self, eqn: Any, operands: Sequence[Any]) -> Sequence[Any]:
        inner, name = call_jaxpr(eqn), eqn.primitive.name
        if inner is not None:
            return _evaluated(inner, operands, self)
        if name == "cond":
            return self._without_branches(eqn, operands)
        if name == "select_n" and (found := self._in_turn(*operands)) is not None:
            return [found]
        results = rebind(eqn, operands)
        if writes_to_places(eqn):
            # The result is kept, so that its number stays its own.
            writing = _Writing(operands[0], partial(_write_where, eqn, operands[1:]))
            self._writings[id(results[0])] = results[0], writing
        return results

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
                result = self._again(one, result, chosen == number)
        return result

    def _again(self, one: Any, before: Any, condition: Any) -> Any:
        """What was written to get `one`, written to another value where the condition holds."""
        _, (_, write) = self._writings[id(one)]
        result = write(before, condition)

        def write_there(value: Any, outer: Any) -> Any:
            return write(value, outer & condition)

        self._writings[id(result)] = result, _Writing(before, write_there)
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


def _write_where(eqn: Any, operands: Sequence[Any], before: Any, condition: Any) -> Any:
    """What an equation writes, written to another value, and only if the condition holds."""
    if eqn.primitive.name == "dynamic_update_slice":
        update, *starts = operands
        index, numbers = jnp.stack(starts, axis=-1), scatter_of_windows(before.ndim)
        index = _inside(index, before.shape, update.shape, numbers)
        places = _places(index, condition)
        return lax.scatter(before, places, update, numbers, mode=_DROP, unique_indices=True)
    index, update = operands
    if eqn.params["mode"] == lax.GatherScatterMode.CLIP:
        index = _inside(index, before.shape, update.shape, eqn.params["dimension_numbers"])
    dropping = eqn.replace(params={**eqn.params, "mode": _DROP})
    (result,) = rebind(dropping, [before, _places(index, condition), update])
    return result


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
