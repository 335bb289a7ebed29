"""What is sure about an operand: its value, what this may be by rounding, or facts about it."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, TYPE_CHECKING

import numpy as np

from ..._arrays import is_key
from ..dependence import everywhere, Mask, Range, simplified
from ..known import Known


if TYPE_CHECKING:
    from ._facts import Facts


class Knowledge(NamedTuple):
    """What is sure about an operand in every call: its value, or facts about it (`None`: nothing)."""

    known: Known | None
    facts: Facts | None


def bounds_of(operand: Any, aval: Any) -> Range:
    """Bounds on the elements of an array, from its value or from facts about it."""
    values = values_of(operand, aval)
    if values:
        return functools.reduce(Range.hull, map(Range.of_value, values))
    return Range.unbounded(aval.shape) if operand.facts is None else operand.facts.range()


def support_of(operand: Any, aval: Any) -> Mask:
    """Which elements of an array may be nonzero, from its value or from facts about it."""
    values = values_of(operand, aval)
    if values:
        mask = np.asarray(values[0] != 0)
        if operand.facts is not None and operand.facts.may_be_rounded and not mask.all():
            mask = mask | operand.facts.doubt()
        return simplified(mask, mask.shape)
    return everywhere(aval.shape) if operand.facts is None else operand.facts.support()


def values_of(operand: Any, aval: Any) -> list[np.ndarray]:
    """The values that an operand may have by rounding, if it is known. The first is zero where all are."""
    if operand.known is None or is_key(aval):
        return []
    values = operand.known.all_values()
    if len(values) > 1:
        values.insert(
            0, functools.reduce(lambda one, other: np.where(one != 0, one, other), values)
        )
    return values


def is_same(one: Knowledge) -> bool:
    """Whether a value at a point is the same in all programs, as inputs are and what is picked from them."""
    return one.facts is None or one.facts.is_same
