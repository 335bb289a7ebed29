"""Primitives that act element by element."""

from collections.abc import Sequence

import numpy as np

from asdex import Dependence, elementwise, Equation, register


ELEMENTWISE = (
    # one operand
    *("neg", "abs", "real", "imag", "conj", "square", "sqrt", "rsqrt", "cbrt"),
    "one_minus_square",
    *("exp", "exp2", "expm1", "log", "log2", "log1p", "logistic"),
    *("sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "erf_inv", "lgamma", "digamma", "bessel_i0e", "bessel_i1e"),
    *("convert_element_type", "reduce_precision", "copy"),
    # several operands
    *("add", "add_any", "sub", "max", "min", "atan2", "complex", "rem", "nextafter"),
    *("igamma", "igammac", "igamma_grad_a", "polygamma", "zeta"),
    *("regularized_incomplete_beta", "polynomial"),
)
elementwise(*ELEMENTWISE)


@register("mul")
def mul(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a * b`. Where one factor is a known zero, the result does not depend on the other.

    `x * [0, 2]` reads only `x[1]`.
    """
    shape = eqn.out_avals[0].shape
    a, b = a.broadcast_to(shape), b.broadcast_to(shape)
    return _where_nonzero(eqn, a, 1) | _where_nonzero(eqn, b, 0)


@register("div")
def div(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a / b`. Where the numerator is a known zero, the result does not depend on `b`."""
    shape = eqn.out_avals[0].shape
    return a.broadcast_to(shape) | _where_nonzero(eqn, b.broadcast_to(shape), 0)


def _where_nonzero(eqn: Equation, operand: Dependence, other: int) -> Dependence:
    if operand.is_none:
        return operand
    value = eqn.known(other)
    if value is None or (nonzero := value != 0).all():
        return operand
    return operand.keep(np.broadcast_to(nonzero, operand.shape))


@register("pow")
def pow_(eqn: Equation, a: Dependence, b: Dependence) -> Dependence:
    """`a ** b`. Where the exponent is a known zero, the result does not depend on `a`."""
    shape = eqn.out_avals[0].shape
    return _where_nonzero(eqn, a.broadcast_to(shape), 1) | b.broadcast_to(shape)


@register("integer_pow")
def integer_pow(eqn: Equation, operand: Dependence) -> Dependence:
    """`x ** n` with a static exponent. `x ** 0` is one, and depends on nothing."""
    return Dependence.none(operand.shape) if eqn.params["y"] == 0 else operand


@register("select_n")
def select_n(eqn: Equation, which: Dependence, *cases: Dependence) -> Dependence:
    """`cases[which]`, element by element. A known selector picks one case for each element."""
    del which
    selector = eqn.known(0)
    if selector is not None:
        # Out of range it picks the first or the last case, as the compiled code does.
        choice = np.clip(selector.astype(np.int32), 0, len(cases) - 1)
        choice = np.broadcast_to(choice, cases[0].shape)
        return Dependence.select(choice, cases)
    return _union(cases)


@register("clamp")
def clamp(eqn: Equation, low: Dependence, x: Dependence, high: Dependence) -> Dependence:
    """`min(max(x, low), high)`, with scalar bounds broadcast."""
    shape = eqn.out_avals[0].shape
    return _union([operand.broadcast_to(shape) for operand in (low, x, high)])


def _union(operands: Sequence[Dependence]) -> Dependence:
    result = operands[0]
    for operand in operands[1:]:
        result = result | operand
    return result
