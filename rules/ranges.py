"""Ranges of index arithmetic, so that a bounded index reaches only what it can.

Integer arithmetic wraps around: a result that may leave its type is unbounded. Floating-point arithmetic
rounds, and is not followed; what compares and picks (`max`, `clamp`, `floor`) is.
"""

import math

import numpy as np

from asdex import Dependence, registered_rules
from asdex.detection import Bounded, moved, Range, register_range


@register_range(
    *("reshape", "squeeze", "expand_dims", "broadcast_in_dim", "transpose", "rev", "slice", "pad"),
    *("concatenate", "split", "stack", "unstack", "tile", "copy", "gather", "dynamic_slice"),
    *("optimization_barrier", "device_put"),
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


@register_range("argmax", "argmin")
def position(eqn: Bounded, operand: Range) -> Range:
    """A position along `axes`."""
    (axis,) = eqn.params["axes"]
    shape = eqn.out_avals[0].shape
    last = eqn.in_avals[0].shape[axis] - 1
    return Range(np.zeros(shape), np.full(shape, float(last)))


@register_range("add", "add_any")
def add(eqn: Bounded, a: Range, b: Range) -> Range:
    return _arithmetic(eqn, a.low + b.low, a.high + b.high)


@register_range("sub")
def sub(eqn: Bounded, a: Range, b: Range) -> Range:
    return _arithmetic(eqn, a.low - b.high, a.high - b.low)


@register_range("neg")
def neg(eqn: Bounded, a: Range) -> Range:
    return _arithmetic(eqn, -a.high, -a.low)


@register_range("mul")
def mul(eqn: Bounded, a: Range, b: Range) -> Range:
    with np.errstate(invalid="ignore"):
        corners = np.stack(np.broadcast_arrays(*(x * y for x in a for y in b)))
    return _arithmetic(eqn, corners.min(axis=0), corners.max(axis=0))


@register_range("abs")
def abs_(eqn: Bounded, a: Range) -> Range:
    largest = np.maximum(np.abs(a.low), np.abs(a.high))
    return _arithmetic(eqn, np.maximum(np.maximum(a.low, -a.high), 0), largest)


def _arithmetic(eqn: Bounded, low: np.ndarray, high: np.ndarray) -> Range:
    """The range of a result that wraps around where it leaves its integer type."""
    dtype = np.dtype(eqn.out_avals[0].dtype)
    if dtype.kind not in "iu":
        return Range.unbounded(eqn.out_avals[0].shape)
    # Beyond 2**53 float64 does not hold every integer.
    smallest, largest = max(np.iinfo(dtype).min, -(2**53)), min(np.iinfo(dtype).max, 2**53)
    fits = (low >= smallest) & (high <= largest)
    return Range(np.where(fits, low, -np.inf), np.where(fits, high, np.inf))


@register_range("max")
def max_(eqn: Bounded, a: Range, b: Range) -> Range:
    return Range(np.maximum(a.low, b.low), np.maximum(a.high, b.high))


@register_range("min")
def min_(eqn: Bounded, a: Range, b: Range) -> Range:
    return Range(np.minimum(a.low, b.low), np.minimum(a.high, b.high))


@register_range("clamp")
def clamp(eqn: Bounded, low: Range, x: Range, high: Range) -> Range:
    return min_(eqn, max_(eqn, x, low), high)


@register_range("sign")
def sign(eqn: Bounded, a: Range) -> Range:
    return Range(np.sign(a.low), np.sign(a.high))


@register_range("floor")
def floor(eqn: Bounded, a: Range) -> Range:
    return Range(np.floor(a.low), np.floor(a.high))


@register_range("ceil")
def ceil(eqn: Bounded, a: Range) -> Range:
    return Range(np.ceil(a.low), np.ceil(a.high))


@register_range("round")
def round_(eqn: Bounded, a: Range) -> Range:
    # Either way of rounding ties stays within these.
    return Range(np.floor(a.low + 0.5) - 1, np.ceil(a.high - 0.5) + 1)


@register_range("convert_element_type")
def convert(eqn: Bounded, a: Range) -> Range:
    """Integers convert exactly or wrap around.

    Floating point truncates towards zero, and becomes zero from NaN, which no comparison keeps out.
    """
    old, new = np.dtype(eqn.in_avals[0].dtype), np.dtype(eqn.params["new_dtype"])
    shape = eqn.out_avals[0].shape
    if new.kind == "b":
        return Range(np.zeros(shape), np.ones(shape))
    if old.kind in "iub" and new.kind in "iu":
        return _arithmetic(eqn, a.low, a.high)
    if old.kind == "f" and new.kind in "iu":
        return _arithmetic(eqn, np.minimum(np.trunc(a.low), 0), np.maximum(np.trunc(a.high), 0))
    if new.kind != "f":
        return Range.unbounded(shape)
    exact = 2.0 ** np.finfo(new).nmant
    sure = (np.abs(a.low) <= exact) & (np.abs(a.high) <= exact)
    # Other values round, at most to the next integer.
    return Range(np.where(sure, np.floor(a.low), -np.inf), np.where(sure, np.ceil(a.high), np.inf))


@register_range("rem")
def rem(eqn: Bounded, a: Range, b: Range) -> Range:
    """The remainder has the sign of `a`, is no larger than `a`, and smaller than `b`."""
    by_zero = (b.low <= 0) & (b.high >= 0)
    largest = np.where(by_zero, np.inf, np.maximum(np.abs(b.low), np.abs(b.high)))
    if np.dtype(eqn.in_avals[0].dtype).kind in "iu":
        largest = largest - 1
    low = np.where(a.low < 0, np.maximum(a.low, -largest), 0)
    return Range(low, np.where(a.high > 0, np.minimum(a.high, largest), 0))


def _compared(eqn: Bounded, surely: np.ndarray, possibly: np.ndarray) -> Range:
    """A comparison, which is false with NaN whatever the bounds of all other values."""
    kind = getattr(eqn.in_avals[0].dtype, "kind", "none")
    return Range(surely & (kind in ("i", "u", "b")), possibly)


@register_range("lt")
def lt(eqn: Bounded, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high < b.low, a.low < b.high)


@register_range("le")
def le(eqn: Bounded, a: Range, b: Range) -> Range:
    return _compared(eqn, a.high <= b.low, a.low <= b.high)


@register_range("gt")
def gt(eqn: Bounded, a: Range, b: Range) -> Range:
    return lt(eqn, b, a)


@register_range("ge")
def ge(eqn: Bounded, a: Range, b: Range) -> Range:
    return le(eqn, b, a)


@register_range("eq")
def eq(eqn: Bounded, a: Range, b: Range) -> Range:
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return _compared(eqn, same, (a.low <= b.high) & (b.low <= a.high))


@register_range("ne")
def ne(eqn: Bounded, a: Range, b: Range) -> Range:
    return _not(eq(eqn, a, b))


def _not(a: Range) -> Range:
    return Range(1 - a.high, 1 - a.low)


@register_range("not", "and", "or")
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


@register_range("select_n")
def select_n(eqn: Bounded, which: Range, *cases: Range) -> Range:
    """The hull of all cases that the selector can pick, element by element."""
    shape = eqn.out_avals[0].shape
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for number, case in enumerate(cases):
        possible = (which.low <= number) & (number <= which.high)
        low = np.where(possible, np.minimum(low, case.low), low)
        high = np.where(possible, np.maximum(high, case.high), high)
    return Range(low, high)


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
