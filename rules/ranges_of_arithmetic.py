"""Ranges of arithmetic, so that a bounded index reaches only what it can.

Integer arithmetic wraps around: a result that may leave its type is unbounded. Floating-point arithmetic
rounds, and XLA reorders it: it turns `(x + a) + b` into `x + (a + b)` for constants, and `x / 3` into a
product. A bound is kept as it is where no order of evaluation rounds it, else moved outwards.
"""

from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp
import numpy as np

from asdex.detection import Facts, Range


_ERRORS = 8
"""Units in the last place by which a bound moves outwards. XLA's own functions are within two or three."""


def between(eqn: Facts, *values: tuple[np.ndarray, np.ndarray | float]) -> Range:
    """From the least to the greatest of the values that a monotone function takes at corners of its domain.

    **Arguments:**

    - `values`: values in float64, each with its rounding error in units of `_ERRORS` times the precision.
    """
    dtype = np.dtype(eqn.out_avals[0].dtype)
    if dtype.kind != "f":
        return exactly(eqn, *(value for value, _ in values))
    unit = _ERRORS * float(jnp.finfo(dtype).eps)
    with np.errstate(invalid="ignore"):
        rounded = [(value, np.where(np.isinf(value), 0, unit * error)) for value, error in values]
        low = reduce(np.minimum, [value - error for value, error in rounded])
        high = reduce(np.maximum, [value + error for value, error in rounded])
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return Range(low, high).on_device(dtype)


def exactly(eqn: Facts, *values: np.ndarray) -> Range:
    """From the least to the greatest of integers; unbounded where one leaves the type of the result."""
    dtype = np.dtype(eqn.out_avals[0].dtype)
    if dtype.kind not in "iu":
        return Range.unbounded(eqn.out_avals[0].shape)
    low, high = reduce(np.minimum, values), reduce(np.maximum, values)
    # Beyond 2**53 float64 does not hold every integer.
    smallest, largest = max(np.iinfo(dtype).min, -(2**53)), min(np.iinfo(dtype).max, 2**53)
    fits = (low >= smallest) & (high <= largest)
    return Range(np.where(fits, low, -np.inf), np.where(fits, high, np.inf))


def rounding(dtype: np.dtype, *values: np.ndarray) -> np.ndarray:
    """The error in rounding the last of some values: none where all of them are short numbers of the type."""
    short = dtype if dtype.itemsize < 4 else np.float32
    with np.errstate(over="ignore", invalid="ignore"):
        exact = reduce(np.logical_and, [value.astype(short) == value for value in values])
        return np.where(exact, 0, np.abs(values[-1]))


def _sum(eqn: Facts, *corners: tuple[np.ndarray, np.ndarray]) -> Range:
    """Sums of multiples of one half, unless these are large, are the same in any order."""
    dtype = np.dtype(eqn.out_avals[0].dtype)
    limit = 2.0 ** (jnp.finfo(dtype).nmant - 3) if dtype.kind == "f" else np.inf

    def error(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        exact = [(np.rint(2 * one) == 2 * one) & (np.abs(one) <= limit) for one in (x, y)]
        return np.where(exact[0] & exact[1], 0, np.abs(x) + np.abs(y))

    (a, b), (c, d) = corners
    with np.errstate(invalid="ignore"):
        sums = between(eqn, *((x + y, error(x, y)) for x, y in corners))
    # What is surely infinite stays so, or becomes NaN.
    return sums.with_infinities(np.maximum(a, b), np.minimum(c, d))


def add(eqn: Facts, a: Range, b: Range) -> Range:
    return _sum(eqn, (a.low, b.low), (a.high, b.high))


def sub(eqn: Facts, a: Range, b: Range) -> Range:
    return _sum(eqn, (a.low, -b.high), (a.high, -b.low))


def neg(eqn: Facts, a: Range) -> Range:
    return between(eqn, (-a.high, 0.0), (-a.low, 0.0))


def abs_(eqn: Facts, a: Range) -> Range:
    largest = np.maximum(np.abs(a.low), np.abs(a.high))
    least = np.maximum(np.maximum(a.low, -a.high), 0)
    return between(eqn, (least, 0.0), (largest, 0.0))


def mul(eqn: Facts, a: Range, b: Range) -> Range:
    dtype = np.dtype(eqn.out_avals[0].dtype)
    with np.errstate(invalid="ignore"):
        return between(eqn, *((x * y, rounding(dtype, x, y, x * y)) for x in a for y in b))


def div(eqn: Facts, a: Range, b: Range) -> Range:
    """Integers are truncated. Division by zero has no meaning, and is unbounded."""
    dtype = np.dtype(eqn.out_avals[0].dtype)
    by_zero = (b.low <= 0) & (b.high >= 0)
    corners = [(x, np.where(by_zero, 1, y)) for x in a for y in b]
    with np.errstate(invalid="ignore"):
        if dtype.kind == "f":
            values = [(x / y, rounding(dtype, x, 1 / y, x / y)) for x, y in corners]
        else:
            values = [(_quotient(x, y), 0.0) for x, y in corners]
    low, high = between(eqn, *values)
    return Range(np.where(by_zero, -np.inf, low), np.where(by_zero, np.inf, high))


def _quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`x / y` towards zero, exact for integers: the plain quotient may round up to one."""
    return np.where(np.isinf(x), x * np.sign(y), np.rint((x - np.fmod(x, y)) / y))


def remainders(eqn: Facts, a: Range, b: Range) -> list[Range]:
    """The remainders up to a multiple of the divisor, and those from there, where there is only one such.

    The remainder has the sign of `a`, is no larger than `a`, and smaller than `b`.
    """
    by_zero = (b.low <= 0) & (b.high >= 0)
    divisor = np.where(by_zero, np.inf, np.maximum(np.abs(b.low), np.abs(b.high)))
    largest = divisor - (np.dtype(eqn.in_avals[0].dtype).kind in "iu")
    low = np.where(a.low < 0, np.maximum(a.low, -largest), 0)
    high = np.where(a.high > 0, np.minimum(a.high, largest), 0)
    with np.errstate(invalid="ignore"):
        first, last = (_quotient(bound, divisor) for bound in a)
        start, end = (np.fmod(bound, divisor) for bound in a)
        few = (
            ~by_zero
            & (np.abs(b.low) == np.abs(b.high))
            & (np.abs(first) <= 2**50)
            & (last <= first + 1)
        )
    same, positive = first == last, last > 0
    turn = np.where(positive, largest, 0), np.where(positive, 0, -largest)
    parts = [
        Range(np.where(few, start, low), np.where(few, np.where(same, end, turn[0]), high)),
        Range(np.where(few, np.where(same, start, turn[1]), low), np.where(few, end, high)),
    ]
    dtype = np.dtype(eqn.out_avals[0].dtype)
    return [part.on_device(dtype) for part in (parts if (few & ~same).any() else parts[:1])]


def integer_pow(eqn: Facts, a: Range) -> Range:
    return _power(eqn, a, eqn.params["y"])


def square(eqn: Facts, a: Range) -> Range:
    return _power(eqn, a, 2)


def _power(eqn: Facts, a: Range, exponent: int) -> Range:
    """A power with a small exponent: even ones have their least value at the number closest to zero."""
    if not 0 <= exponent <= 16:
        return Range.unbounded(eqn.out_avals[0].shape)
    dtype = np.dtype(eqn.out_avals[0].dtype)
    bounds = abs_(eqn, a) if exponent % 2 == 0 else a
    values = []
    for bound in bounds:
        powers = [np.ones_like(bound)]
        for _ in range(exponent):
            powers.append(powers[-1] * bound)
        values.append((powers[-1], exponent * rounding(dtype, *powers)))
    return between(eqn, *values)


def _bounded(low: float, high: float, exact: bool = False) -> Callable[..., Range]:
    """A function of real numbers with values between two numbers, up to rounding if not exactly."""

    def rule(eqn: Facts, *operands: Range) -> Range:
        aval = eqn.out_avals[0]
        if not np.issubdtype(aval.dtype, np.floating):
            return Range.unbounded(aval.shape)
        error = 0.0 if exact else max(abs(low), abs(high))
        values = (np.full(aval.shape, float(bound)) for bound in (low, high))
        return between(eqn, *((value, error) for value in values))

    return rule


def exp(eqn: Facts, a: Range) -> Range:
    """Positive, or zero where it underflows, as it does for what is surely minus infinity."""
    return between(eqn, (np.zeros(a.low.shape), 0.0), (np.where(a.high == -np.inf, 0, np.inf), 0.0))


ELEMENTWISE: dict[str, Callable[..., Range]] = {
    "neg": neg,
    "abs": abs_,
    "add": add,
    "add_any": add,
    "sub": sub,
    "square": square,
    "exp": exp,
    # XLA clamps its `tanh`; no rounding moves `1 / (1 + exp(-x))` beyond zero or one; its `erf` passes one.
    "tanh": _bounded(-1, 1, exact=True),
    "logistic": _bounded(0, 1, exact=True),
    **dict.fromkeys(["sin", "cos", "erf"], _bounded(-1, 1)),
    "erfc": _bounded(0, 2),
    **dict.fromkeys(["asin", "atan"], _bounded(-np.pi / 2, np.pi / 2)),
    "acos": _bounded(0, np.pi),
    "atan2": _bounded(-np.pi, np.pi),
}
"""The ranges of elementwise arithmetic, by primitive."""
