"""Reductions and cumulative reductions."""

from asdex import Dependence, Equation, register


@register("reduce_sum", "reduce_max", "reduce_min", "reduce_prod")
def reduce(eqn: Equation, operand: Dependence) -> Dependence:
    """Combines all elements along `axes`: each result reads every element that it combines."""
    return operand.reduce(eqn.params["axes"])


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


@register("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def cumulative(eqn: Equation, operand: Dependence) -> Dependence:
    """Combines prefixes along `axis` (suffixes, with `reverse`): result `k` reads elements `0` to `k`."""
    return operand.accumulate(eqn.params["axis"], eqn.params.get("reverse", False))
