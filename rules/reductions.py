"""Reductions and cumulative reductions."""

import math
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register

from . import ranges
from .ties import is_below, keep


@register("reduce_sum", linear=True)
def reduce(eqn: Equation, operand: Dependence) -> Dependence:
    """Combines all elements along `axes`: each result reads every element that it combines."""
    return operand.reduce(eqn.params["axes"])


def _combines_some(eqn: Any) -> bool:
    return all(eqn.in_avals[0].shape[axis] for axis in eqn.params["axes"])


reduce_max = register("reduce_max", zero_at_zero=_combines_some, picks=True)(reduce.dependence)
reduce_min = register("reduce_min", zero_at_zero=_combines_some, picks=True)(reduce.dependence)
reduce_prod = register("reduce_prod", zero_at_zero=_combines_some)(reduce.dependence)


@reduce.value
def total(eqn: Any, array: np.ndarray) -> Any:
    """Sums of integers, which wrap around; those of other numbers depend on their order."""
    if array.dtype.kind not in "iu":
        return NotImplemented
    return array.sum(axis=tuple(eqn.params["axes"]), dtype=array.dtype)


@reduce_max.value
@reduce_min.value
def extremum(eqn: Any, array: np.ndarray) -> Any:
    if not _combines_some(eqn):
        return NotImplemented
    combine = np.max if eqn.name == "reduce_max" else np.min
    return combine(array, axis=tuple(eqn.params["axes"]))


@reduce_max.at_point
@reduce_min.at_point
def extremum_at_point(eqn: Equation, operand: Dependence) -> Any:
    """The largest or the smallest elements."""
    value, axes = eqn.known(0), tuple(eqn.params["axes"])
    if value is None or not value.size:
        return NotImplemented
    if eqn.name == "reduce_max":
        beaten = is_below(value, value.max(axis=axes, keepdims=True))
    else:
        beaten = is_below(value.min(axis=axes, keepdims=True), value)
    return keep(operand, ~beaten).reduce(axes)


for _rule in (reduce_max, reduce_min):
    _rule.range(ranges.extremum)


@reduce.cause
@reduce_max.cause
@reduce_min.cause
@reduce_prod.cause
def reduction(eqn: Equation) -> str:
    """Each result reads all that it combines."""
    axes = eqn.params["axes" if "axes" in eqn.params else "dimensions"]
    return combines(math.prod(eqn.in_avals[0].shape[axis] for axis in axes))


def combines(count: int) -> str:
    """The cause of an equation whose results read so many elements each."""
    return f"each result combines {count:,} elements" if count > 1 else ""


@register("reduce")
def generic_reduce(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Combines several arrays along `dimensions` with a user's function of all of them.

    Every result reads all operands, and all initial values, at its place.
    """
    half = len(operands) // 2
    union = operands[0].reduce(eqn.params["dimensions"])
    for operand in operands[1:half]:
        union = union | operand.reduce(eqn.params["dimensions"])
    for initial in operands[half:]:
        union = union | initial.broadcast_to(union.shape)
    return [union] * half


generic_reduce.cause(reduction)


@register("cumsum", linear=True)
def cumulative(eqn: Equation, operand: Dependence) -> Dependence:
    """Combines prefixes along `axis` (suffixes, with `reverse`): result `k` reads elements `0` to `k`."""
    return operand.accumulate(eqn.params["axis"], eqn.params.get("reverse", False))


@cumulative.value
def cumulative_sum(eqn: Any, array: np.ndarray) -> Any:
    """Sums of integers, which wrap around."""
    if array.dtype.kind not in "iu" or eqn.params.get("reverse", False):
        return NotImplemented
    return array.cumsum(axis=eqn.params["axis"], dtype=array.dtype)


others = register("cumprod", "cummax", "cummin", zero_at_zero=True)(cumulative.dependence)


@others.at_point
@reduce_prod.at_point
def by_derivative(eqn: Equation, operand: Dependence) -> Any:
    """As JAX differentiates it: by sums of products, or by comparisons of pairs."""
    return NotImplemented if eqn.known(0) is None or operand.is_none else eqn.derive_forward()


cumlogsumexp = register("cumlogsumexp", exact=True)(cumulative.dependence)


@cumulative.cause
@others.cause
@cumlogsumexp.cause
def accumulation(eqn: Equation) -> str:
    """Each result reads a prefix or a suffix."""
    return (
        f"each result combines all elements {'after' if eqn.params.get('reverse') else 'before'} it"
    )
