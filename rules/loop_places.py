"""Where the steps of a loop write to what they carry, as `y.at[i].set(...)` does, and what they add to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from asdex.detection import EquationView, is_literal

from .flat_bodies import scatter_of_windows
from .indexing import overwrites, scatter_targets, transposed, window_sizes


_ADDITIONS = ("add", "add_any", "sub")
_SCATTERED_ADDITIONS = ("scatter-add", "scatter-sub")
_COMBINED = {
    "scatter-add": lax.add,
    "scatter-sub": lax.sub,
    "scatter-mul": lax.mul,
    "scatter-min": lax.min,
    "scatter-max": lax.max,
}
"""How a write combines what is there with what comes; other writes replace it."""


class Write(NamedTuple):
    """What a step writes to one of the carried values, or adds to it.

    **Attributes:**

    - `place`: the number of the carried value.
    - `eqn`: the equation of the body that writes to a part; `None` for all of it.
    - `atoms`: what is written, then where.
    - `shape`: of the carried value.
    - `sign`: 1 or -1 where the carried value is nothing but a sum, which the steps do not read; else 0.
    - `time`: when it is done within a step, after which the carried value may be read.
    """

    place: int
    eqn: Any
    atoms: Sequence[Any]
    shape: tuple[int, ...]
    sign: int = 0
    time: int = 0

    @property
    def is_partial(self) -> bool:
        """Whether the carried value stays the same elsewhere, and may be read again within the step."""
        return self.eqn is not None and not self.sign

    def written(self, before: Any, *operands: Any) -> list[Any]:
        """What `atoms` stand for, from the operands of the equation: what is there then, and where."""
        combine = _COMBINED.get(self.eqn.primitive.name)
        if combine is None:
            return written(self.eqn, operands)
        index, update = operands
        numbers, mode = self.eqn.params["dimension_numbers"], self.eqn.params["mode"]
        sizes = window_sizes(self.shape, update.shape, numbers)
        there = lax.gather(before, index, transposed(numbers), sizes, mode=mode)
        return [combine(there, update), index]

    def targets(self, count: int, places: Sequence[np.ndarray]) -> np.ndarray:
        """The flat place in the carried value that each update of each step goes to; -1 for none."""
        shape, size = (count, *self.atoms[0].aval.shape), math.prod(self.shape)
        if self.sign and is_literal(self.atoms[0]):  # a number, which may be added to a whole array
            return np.full(shape, -1)
        if self.eqn is None or not self.shape:
            return np.broadcast_to(np.arange(size).reshape(self.shape), shape)
        index, numbers, mode = self._as_scatter(places, np)
        sizes = window_sizes(self.shape, shape, numbers)
        return scatter_targets(self.shape, sizes, index, numbers, mode)

    def _as_scatter(self, places: Sequence[Any], library: Any) -> tuple[Any, Any, Any]:
        """Where a scatter writes what all steps do, whose indices and updates have an axis of steps first."""
        if self.eqn.primitive.name == "dynamic_update_slice":
            index, mode = library.stack(places, axis=-1), lax.GatherScatterMode.CLIP
            numbers = scatter_of_windows(len(self.shape))
        else:
            (index,), mode = places, self.eqn.params["mode"]
            numbers = self.eqn.params["dimension_numbers"]
        batching = numbers.scatter_indices_batching_dims
        shifted = numbers._replace(
            update_window_dims=tuple(axis + 1 for axis in numbers.update_window_dims),
            scatter_indices_batching_dims=tuple(axis + 1 for axis in batching),
        )
        return index, shifted, mode

    @property
    def is_sum(self) -> bool:
        """Whether `added_to` can say what the carried value is after all steps."""
        return self.sign != 0 and (self.eqn is None or self.eqn.primitive.name != "scatter")

    def added_to(self, total: Any, update: Any, *places: Any) -> Any:
        """A sum with what all steps add to it. All arrays but the sum have an axis of steps first."""
        update = self.sign * update.astype(total.dtype)
        if self.eqn is None:
            return total + update.sum(0)
        index, numbers, mode = self._as_scatter(places, jnp)
        return lax.scatter_add(total, index, update, numbers, mode=mode)


def writes_to_a_part(eqn: Any) -> bool:
    """Whether an equation replaces elements of its first operand, or combines them with others."""
    return replaces(eqn) or eqn.primitive.name in _COMBINED


def replaces(eqn: Any) -> bool:
    """Whether an equation replaces elements of its first operand."""
    return eqn.primitive.name == "dynamic_update_slice" or overwrites(EquationView(eqn))


def written(eqn: Any, operands: Sequence[Any]) -> list[Any]:
    """What an equation writes, then where, of its operands after the first one."""
    if eqn.primitive.name == "dynamic_update_slice":
        return list(operands)
    index, update = operands
    return [update, index]
