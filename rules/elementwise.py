"""Primitives that act element by element."""

from typing import Any

import numpy as np

from asdex import Dependence, elementwise, Equation, register
from asdex.detection import intersection, is_everywhere, Parts

from . import ranges, ranges_of_arithmetic as arithmetic
from .ties import is_below, jumps, keep


LINEAR: dict[str, Any] = {
    "neg": np.negative,
    "add": np.add,
    "add_any": np.add,
    "sub": np.subtract,
    "copy": np.array,
}
"""Linear primitives, and how NumPy computes them exactly."""

ZERO_AT_ZERO: dict[str, Any] = {
    "abs": np.abs,
    "square": np.square,
    "sqrt": np.sqrt,
    "max": np.maximum,
    "min": np.minimum,
    **dict.fromkeys(["real", "imag", "conj", "complex", "reduce_precision", "cbrt", "expm1"]),
    **dict.fromkeys(["log1p", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh"]),
    **dict.fromkeys(["erf", "erf_inv"]),
}
"""Primitives of which a result is zero where all operands are, and how NumPy computes them exactly."""

OTHERS = (
    *("rsqrt", "exp", "exp2", "log", "log2", "logistic", "one_minus_square"),
    *("cos", "acos", "cosh", "acosh", "erfc", "lgamma", "digamma", "bessel_i0e", "bessel_i1e"),
    *("atan2", "nextafter", "igamma", "igammac", "igamma_grad_a", "polygamma", "zeta"),
    *("regularized_incomplete_beta", "polynomial"),
)

_PICKING = ("max", "min")

RULES = {name: elementwise(name, linear=True, numpy=f) for name, f in LINEAR.items()}
RULES |= {
    name: elementwise(name, zero_at_zero=True, picks=name in _PICKING, numpy=f)
    for name, f in ZERO_AT_ZERO.items()
}
RULES |= {name: elementwise(name) for name in OTHERS}

for _name, _range in {**arithmetic.ELEMENTWISE, "max": ranges.max_, "min": ranges.min_}.items():
    RULES[_name].range(_range)


@RULES["exp"].zeros
def exp_zeros(eqn: Any, a: np.ndarray) -> np.ndarray:
    """Zero where the operand is surely minus infinity, as it is behind a mask of scores."""
    del a
    return eqn.bounds(0).high > -np.inf


@RULES["square"].at_point
def square_at_point(eqn: Equation, operand: Dependence) -> Dependence:
    """The derivative `2 * x` is zero where `x` is."""
    return _where_nonzero(eqn, operand, 0)


@RULES["max"].at_point
@RULES["min"].at_point
def chosen(eqn: Equation, a: Dependence, b: Dependence) -> Any:
    """The larger or the smaller one; both at a tie and with NaN."""
    first, second = eqn.known(0), eqn.known(1)
    if first is None or second is None:
        return NotImplemented
    a_below, b_below = is_below(first, second), is_below(second, first)
    beaten = (a_below, b_below) if eqn.name == "max" else (b_below, a_below)
    return keep(a, ~beaten[0]) | keep(b, ~beaten[1])


convert_element_type = elementwise("convert_element_type", zero_at_zero=True)
convert_element_type.alternatives(ranges.converted)
for _rule in (convert_element_type, RULES["reduce_precision"]):
    _rule.undecided(jumps)


@convert_element_type.value
def converted(eqn: Any, array: np.ndarray) -> Any:
    """Numbers that the new type holds; what others become is up to the device."""
    new = np.dtype(eqn.params["new_dtype"])
    if array.dtype.kind not in "biuf" or new.kind not in "biuf":
        return NotImplemented
    if array.dtype.kind == "f" and new.kind in "iu":
        limits = np.iinfo(new)
        if not ((array > float(limits.min) - 1) & (array < float(limits.max))).all():
            return NotImplemented
    return array.astype(new)


rem = elementwise("rem")
rem.alternatives(arithmetic.remainders)
rem.undecided(jumps)


@rem.zeros
def rem_zeros(eqn: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The remainder of zero is zero."""
    del b
    return np.broadcast_to(a, eqn.out_avals[0].shape)


@rem.value
def remainder(eqn: Any, a: np.ndarray, b: np.ndarray) -> Any:
    """What is left of a division towards zero."""
    return np.fmod(a, b) if b.all() else NotImplemented


@register("mul", in_place=True, exact=True, linear_in=(0, 1), numpy=np.multiply)
def mul(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a * b`. Where one factor is always zero, the result does not depend on the other.

    `x * [0, 2]` reads only `x[1]`.
    """
    shape = eqn.out_avals[0].shape
    a, b = a.broadcast_to(shape), b.broadcast_to(shape)
    return _where_nonzero(eqn, a, 1) | _where_nonzero(eqn, b, 0)


@mul.zeros
def mul_zeros(eqn: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return intersection([a, b], eqn.out_avals[0].shape)


mul.range(arithmetic.mul)


@register("div", in_place=True, exact=True, linear_in=(0,))
def div(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a / b`. Where the numerator is always zero, the result does not depend on `b`."""
    shape = eqn.out_avals[0].shape
    return a.broadcast_to(shape) | _where_nonzero(eqn, b.broadcast_to(shape), 0)


@div.undecided
def at_poles(eqn: Equation, *undecided: np.ndarray) -> np.ndarray:
    """Where the divisor is zero and varies: next to the point the quotient has either sign."""
    divisor, either = eqn.value(1), undecided[0] | (undecided[1] & eqn.nonzero(0))
    return either if divisor is None else either | (eqn.varies(1) & (divisor == 0))


div.zeros(rem_zeros)
div.range(arithmetic.div)


@div.value
def quotient(eqn: Any, a: np.ndarray, b: np.ndarray) -> Any:
    """Integers are divided towards zero."""
    if a.dtype.kind not in "iu":
        return np.divide(a, b) if a.dtype.kind == "f" else NotImplemented
    return (a - np.fmod(a, b)) // b if b.all() else NotImplemented


def _where_nonzero(eqn: Equation, operand: Dependence, other: int) -> Dependence:
    if operand.is_none:
        return operand
    mask = eqn.nonzero(other)
    return operand if is_everywhere(mask) else operand.keep(np.broadcast_to(mask, operand.shape))


@register("pow", in_place=True, exact=True)
def pow_(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a ** b`. Where the exponent is always zero, the result does not depend on `a`."""
    shape = eqn.out_avals[0].shape
    return _where_nonzero(eqn, a.broadcast_to(shape), 1) | b.broadcast_to(shape)


@register("integer_pow", in_place=True, zero_at_zero=lambda eqn: eqn.params["y"] > 0)
def integer_pow(eqn: Equation, operand: Dependence) -> Dependence:
    """`x ** n` with a static exponent. `x ** 0` is one, and depends on nothing.

    Where `x` is always zero, so is the derivative `n * x ** (n - 1)`, for `n` from 2 on.
    """
    if eqn.params["y"] == 0:
        return Dependence.none(operand.shape)
    return _where_nonzero(eqn, operand, 0) if eqn.params["y"] > 1 else operand


integer_pow.range(arithmetic.integer_pow)


@integer_pow.value
def power(eqn: Any, base: np.ndarray) -> Any:
    """Powers of integers, which wrap around."""
    return (
        base ** eqn.params["y"]
        if base.dtype.kind in "iu" and eqn.params["y"] >= 0
        else NotImplemented
    )


@RULES["complex"].parts
def complex_(eqn: Equation, real: Parts, imag: Parts) -> Parts:
    """`real + 1j * imag`."""
    del eqn
    return Parts(real.real, imag.real)


def same_parts(eqn: Equation, z: Parts) -> Parts:
    """Both parts stay apart, if both are left."""
    del eqn
    return z


for _rule in (RULES["real"], RULES["conj"], convert_element_type):
    _rule.parts(same_parts)


@RULES["imag"].parts
def imag(eqn: Equation, z: Parts) -> Parts:
    """The result is real, and depends on the imaginary part."""
    del eqn
    return Parts(z.imag, Dependence.none(z.imag.shape))


@mul.parts
@div.parts
def scale(eqn: Equation, z: Parts, w: Parts) -> Any:
    """A known factor with a real part joins each part to itself, one with an imaginary part to the other."""
    index = 0 if eqn.name == "mul" and eqn.known(1) is None else 1
    factor = eqn.known(index)
    if factor is None or eqn.operands[index].dependence is not None:
        return NotImplemented
    other = (w, z)[index]
    real, imag = (one.broadcast_to(eqn.out_avals[0].shape) for one in other)
    straight, crossed = np.real(factor) != 0, np.imag(factor) != 0
    return Parts(real.keep(straight) | imag.keep(crossed), imag.keep(straight) | real.keep(crossed))
