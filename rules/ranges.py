"""Ranges of what moves, compares, picks and rounds, so that a bounded index reaches only what it can.

The ranges of arithmetic are in `ranges_of_arithmetic`.
"""

from collections.abc import Callable

import numpy as np

from asdex.detection import Facts, Range

from .ranges_of_arithmetic import between, exactly, rounding


def position(eqn: Facts, operand: Range) -> Range:
    """A position along `axes`."""
    (axis,) = eqn.params["axes"]
    shape = eqn.out_avals[0].shape
    last = eqn.in_avals[0].shape[axis] - 1
    return Range(np.zeros(shape), np.full(shape, float(last)))


def _monotone(function: Callable[..., np.ndarray]) -> Callable[..., Range]:
    """The range of a function that does not fall in any of its operands."""
    return lambda eqn, *operands: Range(
        *(function(*bounds) for bounds in zip(*operands, strict=True))
    )


max_, min_ = _monotone(np.maximum), _monotone(np.minimum)
sign, floor, ceil = _monotone(np.sign), _monotone(np.floor), _monotone(np.ceil)


def clamp(eqn: Facts, low: Range, x: Range, high: Range) -> Range:
    return min_(eqn, max_(eqn, x, low), high)


def round_(eqn: Facts, a: Range) -> Range:
    # Either way of rounding ties stays within these.
    return Range(np.ceil(a.low - 0.5), np.floor(a.high + 0.5))


def converted(eqn: Facts, a: Range) -> list[Range]:
    """What numbers become, and what NaN becomes.

    Integers convert exactly or wrap around, and round to floating point. Floating point truncates towards
    zero, and becomes zero from NaN, which no comparison keeps out.
    """
    old, new = eqn.in_avals[0].dtype.kind, np.dtype(eqn.params["new_dtype"])
    if new.kind == "b":
        return [truth(eqn)]
    if old not in "biuf" or new.kind not in "iuf":
        return [Range.unbounded(eqn.out_avals[0].shape)]
    if new.kind == "f":
        return [between(eqn, *((value, rounding(new, value)) for value in a))]
    numbers = exactly(eqn, np.trunc(a.low), np.trunc(a.high))
    zero = np.zeros(eqn.out_avals[0].shape)
    with_zero = (numbers.low <= 0) & (numbers.high >= 0)
    return [numbers] if old != "f" or with_zero.all() else [numbers, Range(zero, zero)]


def _compared(eqn: Facts, surely: np.ndarray, possibly: np.ndarray) -> Range:
    """A comparison, which is false with NaN whatever the bounds of all other values."""
    kind = getattr(eqn.in_avals[0].dtype, "kind", "none")
    return Range(surely & (kind in ("i", "u", "b")), possibly)


def lt(eqn: Facts, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high < b.low, a.low < b.high)


def le(eqn: Facts, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high <= b.low, a.low <= b.high)


def gt(eqn: Facts, a: Range, b: Range) -> Range:
    return lt(eqn, b, a)


def ge(eqn: Facts, a: Range, b: Range) -> Range:
    return le(eqn, b, a)


def eq(eqn: Facts, a: Range, b: Range) -> Range:
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return _compared(eqn, same, (a.low <= b.high) & (b.low <= a.high))


def ne(eqn: Facts, a: Range, b: Range) -> Range:
    return _not(eq(eqn, a, b))


def _not(a: Range) -> Range:
    return Range(1 - a.high, 1 - a.low)


def logic(eqn: Facts, *operands: Range) -> Range:
    """Logic of booleans; bit patterns of integers are unbounded."""
    if np.dtype(eqn.in_avals[0].dtype).kind != "b":
        return Range.unbounded(eqn.out_avals[0].shape)
    truths = [Range(np.maximum(one.low, 0), np.minimum(one.high, 1)) for one in operands]
    match eqn.name:
        case "not":
            return _not(*truths)
        case "and":
            return min_(eqn, *truths)
        case _:
            return max_(eqn, *truths)


def truth(eqn: Facts, *operands: Range) -> Range:
    """False or true; bit patterns of integers are unbounded."""
    shape = eqn.out_avals[0].shape
    if eqn.out_avals[0].dtype != np.bool_:
        return Range.unbounded(shape)
    return Range(np.zeros(shape), np.ones(shape))


def extremum(eqn: Facts, a: Range) -> Range:
    shape = eqn.in_avals[0].shape
    combine = np.max if eqn.name == "reduce_max" else np.min
    axes = tuple(eqn.params["axes"])
    if any(shape[axis] == 0 for axis in axes):
        return Range.unbounded(eqn.out_avals[0].shape)
    return Range(*(combine(bound, axis=axes) for bound in a))


def sort(eqn: Facts, *operands: Range) -> list[Range]:
    """Each operand keeps the hull of its range along the sorted axis."""
    axis = eqn.params["dimension"]
    return [
        Range(
            low.min(axis, keepdims=True, initial=np.inf),
            high.max(axis, keepdims=True, initial=-np.inf),
        )
        for low, high in operands
    ]
