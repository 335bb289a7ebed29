"""Ranges of what moves, compares, picks and rounds, so that a bounded index reaches only what it can.

The ranges of arithmetic are in `ranges_of_arithmetic`.
"""

import math

import numpy as np
from jax import lax

from asdex import Dependence, registered_rules
from asdex.detection import Bounded, moved, Range, register_alternatives, register_range

from .ranges_of_arithmetic import between, exactly, rounding


@register_range(
    *("transpose", "rev", "slice", "pad", "concatenate", "split", "stack", "unstack", "tile"),
    *("dynamic_slice", "optimization_barrier", "device_put"),
)
def data_movement(eqn: Bounded, *ranges: Range) -> list[Range]:
    """Bounds move with the elements, by the primitive's own sparsity rule."""
    sizes = [math.prod(aval.shape) for aval in eqn.in_avals]
    offsets = np.cumsum([0, *sizes])
    seeds = [
        Dependence.identity(aval.shape, offset=int(offset), width=int(offsets[-1]))
        for aval, offset in zip(eqn.in_avals, offsets, strict=False)
    ]
    structure = registered_rules()[eqn.name](eqn, *seeds)
    results = [structure] if isinstance(structure, Dependence) else structure
    return [moved(one, ranges, sizes) for one in results]


@register_range(*("reshape", "squeeze", "expand_dims", "broadcast_in_dim", "copy"), in_place=True)
def same_order(eqn: Bounded, operand: Range) -> list[Range]:
    """Elements stay in their flat order, unless they are repeated."""
    shape = eqn.out_avals[0].shape
    if eqn.is_in_place and operand.low.size == math.prod(shape):
        return [Range(*(bound.reshape(shape) for bound in operand))]
    return data_movement(eqn, operand)


@register_range("gather")
def gather(eqn: Bounded, operand: Range, indices: Range) -> list[Range] | Range:
    """Elements of the operand, or another value where an index may be out of bounds."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    axes = numbers.start_index_map
    lasts = np.array([eqn.in_avals[0].shape[axis] - sizes[axis] for axis in axes])
    inside = ((indices.low >= 0) & (indices.high <= lasts)).all()
    if eqn.params["mode"] == lax.GatherScatterMode.FILL_OR_DROP and not inside:
        return Range.unbounded(eqn.out_avals[0].shape)
    return data_movement(eqn, operand, indices)


@register_range("argmax", "argmin")
def position(eqn: Bounded, operand: Range) -> Range:
    """A position along `axes`."""
    (axis,) = eqn.params["axes"]
    shape = eqn.out_avals[0].shape
    last = eqn.in_avals[0].shape[axis] - 1
    return Range(np.zeros(shape), np.full(shape, float(last)))


@register_range("max", in_place=True)
def max_(eqn: Bounded, a: Range, b: Range) -> Range:
    return Range(np.maximum(a.low, b.low), np.maximum(a.high, b.high))


@register_range("min", in_place=True)
def min_(eqn: Bounded, a: Range, b: Range) -> Range:
    return Range(np.minimum(a.low, b.low), np.minimum(a.high, b.high))


@register_range("clamp", in_place=True)
def clamp(eqn: Bounded, low: Range, x: Range, high: Range) -> Range:
    return min_(eqn, max_(eqn, x, low), high)


@register_range("sign", in_place=True)
def sign(eqn: Bounded, a: Range) -> Range:
    return Range(np.sign(a.low), np.sign(a.high))


@register_range("floor", in_place=True)
def floor(eqn: Bounded, a: Range) -> Range:
    return Range(np.floor(a.low), np.floor(a.high))


@register_range("ceil", in_place=True)
def ceil(eqn: Bounded, a: Range) -> Range:
    return Range(np.ceil(a.low), np.ceil(a.high))


@register_range("round", in_place=True)
def round_(eqn: Bounded, a: Range) -> Range:
    # Either way of rounding ties stays within these.
    return Range(np.ceil(a.low - 0.5), np.floor(a.high + 0.5))


@register_range("convert_element_type", in_place=True)
def convert(eqn: Bounded, a: Range) -> Range:
    """Integers convert exactly or wrap around, and round to floating point.

    Floating point truncates towards zero, and becomes zero from NaN, which no comparison keeps out.
    """
    shape = eqn.out_avals[0].shape
    if eqn.params["new_dtype"] == np.bool_:
        return Range(np.zeros(shape), np.ones(shape))
    ranges = converted(eqn, a)
    return Range(
        np.min([one.low for one in ranges], axis=0), np.max([one.high for one in ranges], axis=0)
    )


@register_alternatives("convert_element_type")
def converted(eqn: Bounded, a: Range) -> list[Range]:
    """What numbers become, and what NaN becomes."""
    old, new = eqn.in_avals[0].dtype.kind, np.dtype(eqn.params["new_dtype"])
    if old not in "biuf" or new.kind not in "iuf":
        return [Range.unbounded(eqn.out_avals[0].shape)]
    if new.kind == "f":
        return [between(eqn, *((value, rounding(new, value)) for value in a))]
    numbers = exactly(eqn, np.trunc(a.low), np.trunc(a.high))
    zero = np.zeros(eqn.out_avals[0].shape)
    with_zero = (numbers.low <= 0) & (numbers.high >= 0)
    return [numbers] if old != "f" or with_zero.all() else [numbers, Range(zero, zero)]


def _compared(eqn: Bounded, surely: np.ndarray, possibly: np.ndarray) -> Range:
    """A comparison, which is false with NaN whatever the bounds of all other values."""
    kind = getattr(eqn.in_avals[0].dtype, "kind", "none")
    return Range(surely & (kind in ("i", "u", "b")), possibly)


@register_range("lt", in_place=True)
def lt(eqn: Bounded, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high < b.low, a.low < b.high)


@register_range("le", in_place=True)
def le(eqn: Bounded, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high <= b.low, a.low <= b.high)


@register_range("gt", in_place=True)
def gt(eqn: Bounded, a: Range, b: Range) -> Range:
    return lt(eqn, b, a)


@register_range("ge", in_place=True)
def ge(eqn: Bounded, a: Range, b: Range) -> Range:
    return le(eqn, b, a)


@register_range("eq", in_place=True)
def eq(eqn: Bounded, a: Range, b: Range) -> Range:
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return _compared(eqn, same, (a.low <= b.high) & (b.low <= a.high))


@register_range("ne", in_place=True)
def ne(eqn: Bounded, a: Range, b: Range) -> Range:
    return _not(eq(eqn, a, b))


def _not(a: Range) -> Range:
    return Range(1 - a.high, 1 - a.low)


@register_range("not", "and", "or", in_place=True)
def logic(eqn: Bounded, *operands: Range) -> Range:
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


@register_range("select_n", in_place=True)
def select_n(eqn: Bounded, which: Range, *cases: Range) -> Range:
    """The hull of all cases that the selector can pick, element by element.

    Out of range it picks the first or the last case.
    """
    shape = eqn.out_avals[0].shape
    which = Range(*(np.clip(bound, 0, len(cases) - 1) for bound in which))
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for number, case in enumerate(cases):
        possible = (which.low <= number) & (number <= which.high)
        low = np.where(possible, np.minimum(low, case.low), low)
        high = np.where(possible, np.maximum(high, case.high), high)
    return Range(low, high)


@register_range("is_finite", "xor", "reduce_and", "reduce_or", "reduce_xor", in_place=True)
def truth(eqn: Bounded, *operands: Range) -> Range:
    """False or true; bit patterns of integers are unbounded."""
    shape = eqn.out_avals[0].shape
    if eqn.out_avals[0].dtype != np.bool_:
        return Range.unbounded(shape)
    return Range(np.zeros(shape), np.ones(shape))


@register_range("reduce_max", "reduce_min")
def extremum(eqn: Bounded, a: Range) -> Range:
    shape = eqn.in_avals[0].shape
    combine = np.max if eqn.name == "reduce_max" else np.min
    axes = tuple(eqn.params["axes"])
    if any(shape[axis] == 0 for axis in axes):
        return Range.unbounded(eqn.out_avals[0].shape)
    low, high = (combine(np.broadcast_to(bound, shape), axis=axes) for bound in a)
    return Range(low, high)


@register_range("sort")
def sort(eqn: Bounded, *operands: Range) -> list[Range]:
    """Each operand keeps the hull of its range along the sorted axis."""
    axis = eqn.params["dimension"]
    results = []
    for one, aval in zip(operands, eqn.in_avals, strict=True):
        low, high = (np.broadcast_to(bound, aval.shape) for bound in one)
        if not low.size:
            results.append(Range(low, high))
            continue
        low = np.broadcast_to(low.min(axis=axis, keepdims=True), aval.shape)
        high = np.broadcast_to(high.max(axis=axis, keepdims=True), aval.shape)
        results.append(Range(low, high))
    return results
