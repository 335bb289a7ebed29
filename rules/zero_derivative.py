"""Primitives whose derivative is zero wherever it exists."""

import operator
from functools import partial, reduce
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register, zero_derivative
from asdex.detection import has_derivative, same_places, Unavailable

from . import ranges
from .elementwise import mul_zeros
from .reductions import reduce as together
from .ties import are_tied, jumps


def _shifted_right(kind: str, array: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Filled with the sign of signed numbers, with zeros in unsigned ones, as which the arrays are read."""
    read, by = (one.view(f"{kind}{one.itemsize}") for one in (array, places))
    return np.right_shift(read, by).view(array.dtype)


def _leading_zeros(array: np.ndarray) -> Any:
    """Left to JAX, but not for negative numbers: XLA's compiler finds a negative number of zeros in them.

    **Raises:** `Unavailable`.
    """
    if (array < 0).any():
        raise Unavailable
    return NotImplemented


_COMPARISONS: dict[str, tuple[Any, Any]] = {
    "eq": (np.equal, ranges.eq),
    "ne": (np.not_equal, ranges.ne),
    "lt": (np.less, ranges.lt),
    "le": (np.less_equal, ranges.le),
    "gt": (np.greater, ranges.gt),
    "ge": (np.greater_equal, ranges.ge),
    "is_finite": (np.isfinite, ranges.truth),
    **dict.fromkeys(["eq_to", "lt_to", "le_to"], (None, None)),
}
_LOGIC: dict[str, tuple[Any, Any]] = {
    "or": (np.bitwise_or, ranges.logic),
    "xor": (np.bitwise_xor, ranges.truth),
    "not": (np.invert, ranges.logic),
    "and": (np.bitwise_and, ranges.logic),
    "shift_left": (np.left_shift, None),
    "shift_right_arithmetic": (partial(_shifted_right, "i"), None),
    "shift_right_logical": (partial(_shifted_right, "u"), None),
    "population_count": (None, None),
    "clz": (_leading_zeros, None),
}
_PIECEWISE_CONSTANT: dict[str, tuple[Any, Any]] = {
    "floor": (np.floor, ranges.floor),
    "ceil": (np.ceil, ranges.ceil),
    "round": (None, ranges.round_),
}
_ZERO_AT_ZERO = ("or", "xor", "population_count", "shift_left")

RULES = {
    name: zero_derivative(
        name, in_place=True, zero_at_zero=name in _ZERO_AT_ZERO, picks=True, numpy=compute
    )
    for name, (compute, _) in {**_COMPARISONS, **_LOGIC}.items()
}


def stepped(eqn: Equation, operand: Dependence) -> Dependence:
    """Within a custom derivative rule, which may round its tangents, their values count."""
    return operand if eqn.of_tangents else Dependence.none(operand.shape)


for _name, (_compute, _) in _PIECEWISE_CONSTANT.items():
    traits: dict[str, Any] = {"in_place": True, "zero_at_zero": True, "picks": True}
    RULES[_name] = register(_name, numpy=_compute, **traits)(stepped)
for _name, (_, _range) in {**_COMPARISONS, **_LOGIC, **_PIECEWISE_CONSTANT}.items():
    RULES[_name].changes(same_places)
    if _range is not None:
        RULES[_name].range(_range)


def compared(eqn: Equation, *undecided: np.ndarray) -> np.ndarray:
    """Ties of floating-point values of which one varies with the inputs; a value is no tie with itself."""
    either = reduce(operator.or_, undecided)
    values = [value for value in map(eqn.value, (0, 1)) if value is not None]
    if len(values) < 2 or not has_derivative(eqn.in_avals[0]) or eqn.repeats_operand:
        return either
    return either | ((eqn.varies(0) | eqn.varies(1)) & are_tied(*values))


for _name in _COMPARISONS.keys() - {"is_finite"}:
    RULES[_name].undecided(compared)
for _name in _PIECEWISE_CONSTANT:
    RULES[_name].undecided(jumps)


@RULES["is_finite"].undecided
def nearly_finite(eqn: Equation, undecided: np.ndarray) -> np.ndarray:
    """What is not finite at the point may be next to it: a quotient by a difference that is zero, say."""
    value = eqn.value(0)
    return undecided if value is None else undecided | (eqn.varies(0) & ~np.isfinite(value))


@RULES["and"].undecided
@RULES["or"].undecided
def combined(eqn: Equation, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where an operand is undecided that the other one leaves the decision to."""
    first, second = eqn.value(0), eqn.value(1)
    if first is None or second is None or first.dtype != np.bool_:
        return a | b
    decides = eqn.name == "or"
    return (a & (b | (second != decides))) | (b & (a | (first != decides)))


# No bit is set where one operand has none.
RULES["and"].zeros(mul_zeros)

REDUCTIONS = {
    name: zero_derivative(name)
    for name in ("reduce_and", "reduce_or", "reduce_xor", "argmax", "argmin")
}
for _rule in REDUCTIONS.values():
    _rule.changes(together)
for _name in ("reduce_and", "reduce_or", "reduce_xor"):
    REDUCTIONS[_name].range(ranges.truth)
for _name in ("argmax", "argmin"):
    REDUCTIONS[_name].range(ranges.position)


@REDUCTIONS["reduce_and"].value
@REDUCTIONS["reduce_or"].value
def bits(eqn: Any, array: np.ndarray) -> np.ndarray:
    combine = np.bitwise_and if eqn.name == "reduce_and" else np.bitwise_or
    return combine.reduce(array, axis=tuple(eqn.params["axes"]))


@REDUCTIONS["argmax"].value
@REDUCTIONS["argmin"].value
def position(eqn: Any, array: np.ndarray) -> Any:
    """The first position of the largest or the smallest integer."""
    if array.dtype.kind not in "biu":
        return NotImplemented
    (axis,) = eqn.params["axes"]
    find = np.argmax if eqn.name == "argmax" else np.argmin
    return find(array, axis=axis).astype(eqn.params["index_dtype"])


@REDUCTIONS["argmax"].undecided
@REDUCTIONS["argmin"].undecided
def tied_positions(eqn: Equation, undecided: np.ndarray) -> np.ndarray:
    """Where more than one element is the largest, up to rounding, and varies with the inputs."""
    (axis,), array = eqn.params["axes"], eqn.value(0)
    if array is None or not has_derivative(eqn.in_avals[0]):
        return np.asarray(undecided.any(axis))
    best = np.max if eqn.name == "argmax" else np.min
    tied = are_tied(array, best(array, axis=axis, keepdims=True))
    several = (tied & eqn.varies(0)).any(axis) & (np.sum(tied, axis=axis) > 1)
    return np.asarray(undecided.any(axis) | several)


iota = zero_derivative("iota")


@iota.value
def places(eqn: Any) -> np.ndarray:
    """The place of each element along an axis."""
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    line = np.indices(shape, sparse=True)[axis].astype(eqn.params["dtype"])
    return np.broadcast_to(line, shape)


bitcast_convert_type = zero_derivative("bitcast_convert_type")


@bitcast_convert_type.changes
def same_bits(eqn: Equation, operand: Dependence) -> Dependence:
    """Wider numbers are read from a last axis of narrower ones."""
    shape = eqn.out_avals[0].shape
    if len(shape) < operand.ndim:
        return operand.reduce(operand.ndim - 1)
    if len(shape) > operand.ndim:
        operand = operand.reshape((*operand.shape, 1))
    return operand.broadcast_to(shape)


@bitcast_convert_type.value
def read_otherwise(eqn: Any, array: np.ndarray) -> Any:
    """The same bits, where they are as many per element."""
    dtype = eqn.params["new_dtype"]
    return array.view(dtype) if array.itemsize == dtype.itemsize else NotImplemented


# Random numbers: a function of keys, which are integers.
zero_derivative(
    *("random_bits", "random_seed", "random_split", "random_fold_in", "random_wrap"),
    *("random_unwrap", "random_clone", "threefry2x32", "rng_bit_generator", "rng_uniform"),
)


@register("sign", in_place=True, zero_at_zero=True, numpy=np.sign)
def sign(eqn: Equation, operand: Dependence) -> Any:
    """`-1`, `0` or `1`. For complex numbers `z / abs(z)`, which JAX differentiates since version 0.12."""
    if np.issubdtype(eqn.in_avals[0].dtype, np.complexfloating):
        return NotImplemented
    return stepped(eqn, operand)


sign.changes(same_places)
sign.undecided(jumps)
sign.range(ranges.sign)
