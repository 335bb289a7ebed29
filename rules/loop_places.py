"""Where the steps of a loop write to what they carry, as `y.at[i].set(...)` does, and what they add to it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from asdex.detection import EquationView, is_literal, literal_value

from .indexing import overwrites, scatter_targets, window_sizes


_ADDITIONS = ("add", "add_any", "sub")
_SCATTERED_ADDITIONS = ("scatter-add", "scatter-sub")


class Write(NamedTuple):
    """What a step writes to one of the carried values, or adds to it.

    **Attributes:**

    - `place`: the number of the carried value.
    - `eqn`: the equation of the body that writes to a part; `None` for all of it.
    - `atoms`: what is written, then where.
    - `shape`: of the carried value.
    - `sign`: 1 or -1 where the carried value is nothing but a sum, which the steps do not read; else 0.
    """

    place: int
    eqn: Any
    atoms: Sequence[Any]
    shape: tuple[int, ...]
    sign: int = 0

    def targets(self, count: int, places: Sequence[np.ndarray]) -> np.ndarray:
        """The flat place in the carried value that each update of each step goes to; -1 for none."""
        shape, size = (count, *self.atoms[0].aval.shape), math.prod(self.shape)
        if is_literal(self.atoms[0]):  # a number, which may be added to a whole array
            return np.full(shape, -1)
        if self.eqn is None or not self.shape:
            return np.broadcast_to(np.arange(size).reshape(self.shape), shape)
        index, numbers, mode = self._as_scatter(places, np)
        sizes = window_sizes(self.shape, shape, numbers)
        return scatter_targets(self.shape, sizes, index, numbers, mode)

    def _as_scatter(self, places: Sequence[Any], library: Any) -> tuple[Any, Any, Any]:
        """Where a scatter writes what all steps do, whose indices and updates have an axis of steps first."""
        if self.eqn.primitive.name == "dynamic_update_slice":
            axes = range(len(self.shape))
            numbers = lax.ScatterDimensionNumbers(tuple(k + 1 for k in axes), (), tuple(axes))
            return library.stack(places, axis=-1), numbers, lax.GatherScatterMode.CLIP
        numbers = self.eqn.params["dimension_numbers"]
        batching = numbers.scatter_indices_batching_dims
        shifted = numbers._replace(
            update_window_dims=tuple(axis + 1 for axis in numbers.update_window_dims),
            scatter_indices_batching_dims=tuple(axis + 1 for axis in batching),
        )
        return places[0], shifted, self.eqn.params["mode"]

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


def writes(inner: Any, num_consts: int, kept: Sequence[bool]) -> list[Write]:
    """The writes of a body to the carried values, except those that are `kept` apart."""
    body = _Equations(inner)
    found = []
    for place, (before, after, keep) in enumerate(
        zip(inner.invars[num_consts:], inner.outvars, kept, strict=False)
    ):
        if keep or after is before:
            continue
        shape, eqn = before.aval.shape, body.maker(after)
        added = body.added(after, before)
        if added is not None:
            found += [Write(place, eqn, atoms, shape, sign) for sign, eqn, atoms in added]
        elif eqn is not None and eqn.invars[0] is before and body.replaces(eqn, after):
            found.append(Write(place, eqn, _written(eqn), shape))
        else:
            found.append(Write(place, None, [after], shape))
    return found


_Addend = tuple[int, Any, list[Any]]
"""A sign; an equation that puts a value into zeros or adds it to a part, or `None`; what `_written` says."""


def _sign(name: str) -> int:
    return -1 if name in ("sub", "scatter-sub") else 1


def _written(eqn: Any) -> list[Any]:
    """What an equation writes, then where."""
    if eqn.primitive.name == "dynamic_update_slice":
        return list(eqn.invars[1:])
    return [eqn.invars[2], eqn.invars[1]]


class _Equations:
    """The equations of a body, by what they make and how often it is used."""

    def __init__(self, inner: Any):
        self._makers = {variable: eqn for eqn in inner.eqns for variable in eqn.outvars}
        atoms = [*(atom for eqn in inner.eqns for atom in eqn.invars), *inner.outvars]
        self._uses = Counter(atom for atom in atoms if not is_literal(atom))

    def maker(self, atom: Any) -> Any | None:
        return None if is_literal(atom) else self._makers.get(atom)

    def replaces(self, eqn: Any, result: Any) -> bool:
        """Whether an equation replaces elements of its first operand, and has a result that is read once."""
        view = EquationView(eqn)
        is_placing = view.name == "dynamic_update_slice" or overwrites(view)
        return is_placing and self._uses[result] == 1

    def added(self, atom: Any, carried: Any) -> list[_Addend] | None:
        """What is added up to `atom`, starting from `carried`; `None` if it is read for anything else."""
        found: list[_Addend] = []
        while atom is not carried:
            eqn = self.maker(atom)
            if eqn is None or self._uses[atom] != 1:
                return None
            name = eqn.primitive.name
            first, *others = eqn.invars
            if name in _SCATTERED_ADDITIONS:
                found.append((_sign(name), eqn, _written(eqn)))
            elif name in _ADDITIONS:
                if name != "sub" and self._leads_to(others[0], carried):
                    first, others = others[0], [first]
                found += self._addends(others[0], _sign(name))
            elif name != "convert_element_type":
                return None
            atom = first
        return found if self._uses[carried] == 1 else None

    def _leads_to(self, atom: Any, carried: Any) -> bool:
        """Whether `atom` is `carried`, or a sum that starts with it."""
        while atom is not carried:
            eqn = self.maker(atom)
            if eqn is None or eqn.primitive.name not in (
                *_ADDITIONS,
                *_SCATTERED_ADDITIONS,
                "convert_element_type",
            ):
                return False
            atom = eqn.invars[0]
        return True

    def _addends(self, atom: Any, sign: int) -> list[_Addend]:
        """A value as a sum of what is put into zeros, and of other values."""
        eqn = self.maker(atom)
        if eqn is not None:
            name = eqn.primitive.name
            if name in _ADDITIONS:
                first, second = eqn.invars
                return self._addends(first, sign) + self._addends(second, sign * _sign(name))
            places = name in _SCATTERED_ADDITIONS or self.replaces(eqn, atom)
            if places and self._is_zero(eqn.invars[0]):
                return [(sign * _sign(name), eqn, _written(eqn))]
        return [(sign, None, [atom])]

    def _is_zero(self, atom: Any) -> bool:
        eqn = self.maker(atom)
        if eqn is not None and eqn.primitive.name == "broadcast_in_dim":
            atom = eqn.invars[0]
        return is_literal(atom) and not np.any(literal_value(atom))
