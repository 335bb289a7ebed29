"""Primitives that move, repeat or join elements without arithmetic."""

from itertools import pairwise

import numpy as np

from asdex import Dependence, Equation, register


@register("reshape", moves=True, in_place=True)
def reshape(eqn: Equation, operand: Dependence, *sizes: Dependence) -> Dependence:
    """The elements in row-major order, in a new shape (of `operand` transposed by `dimensions`)."""
    del sizes
    dimensions = eqn.params.get("dimensions")
    if dimensions is not None:
        operand = operand.rearrange(lambda p: np.transpose(p, dimensions))
    return operand.reshape(eqn.out_avals[0].shape)


@register("squeeze", moves=True, in_place=True)
def squeeze(eqn: Equation, operand: Dependence) -> Dependence:
    """Removes axes of length one."""
    return operand.reshape(eqn.out_avals[0].shape)


@register("broadcast_in_dim", moves=True, in_place=True)
def broadcast_in_dim(eqn: Equation, operand: Dependence, *sizes: Dependence) -> Dependence:
    """Axis `k` of the operand becomes axis `broadcast_dimensions[k]`; all others repeat it."""
    del sizes
    shape = eqn.out_avals[0].shape
    ones = [1] * len(shape)
    for axis, size in zip(eqn.params["broadcast_dimensions"], operand.shape, strict=True):
        ones[axis] = size
    return operand.reshape(ones).broadcast_to(shape)


@register("transpose", moves=True)
def transpose(eqn: Equation, operand: Dependence) -> Dependence:
    """Axis `k` of the result is axis `permutation[k]` of the operand."""
    return operand.rearrange(lambda p: np.transpose(p, eqn.params["permutation"]))


@register("rev", moves=True)
def rev(eqn: Equation, operand: Dependence) -> Dependence:
    """Reverses the axes in `dimensions`: `[a, b, c]` becomes `[c, b, a]`."""
    return operand.rearrange(lambda p: np.flip(p, eqn.params["dimensions"]))


@register("slice", moves=True)
def slice_(eqn: Equation, operand: Dependence) -> Dependence:
    """`operand[start:limit:stride]` along every axis."""
    start, limit = eqn.params["start_indices"], eqn.params["limit_indices"]
    strides = eqn.params["strides"] or [1] * operand.ndim
    window = tuple(map(slice, start, limit, strides))
    return operand.rearrange(lambda p: p[window])


@register("pad", moves=True)
def pad(eqn: Equation, operand: Dependence, value: Dependence) -> Dependence:
    """Adds `low`, `high` and `interior` copies of a scalar along each axis; negative ones crop.

    `pad([a, b], v, (1, 0, 1))` is `[v, a, v, b]`.
    """
    config = eqn.params["padding_config"]

    def positions(p: np.ndarray) -> np.ndarray:
        result = np.full(eqn.out_avals[0].shape, -1, p.dtype)
        read, written = [], []
        for n, size, (low, _, gap) in zip(p.shape, result.shape, config, strict=True):
            first, stop = (min(max(-((low - end) // (gap + 1)), 0), n) for end in (0, size))
            read.append(slice(first, stop))
            written.append(slice(low + first * (gap + 1), low + stop * (gap + 1), gap + 1))
        result[tuple(written)] = p[tuple(read)]
        return result

    result = operand.rearrange(positions)
    if value.is_none:
        return result
    inside = positions(np.zeros(operand.shape, np.int32)) >= 0
    return Dependence.where(inside, result, value.broadcast_to(inside.shape))


@register("concatenate", moves=True)
def concatenate(eqn: Equation, *operands: Dependence) -> Dependence:
    """Joins the operands along `dimension`."""
    return Dependence.concatenate(operands, eqn.params["dimension"])


@register("split", moves=True)
def split(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """Cuts the operand into consecutive pieces of `sizes` along `axis`."""
    axis = eqn.params["axis"]
    bounds = np.cumsum([0, *eqn.params["sizes"]])
    return [part(operand, axis, slice(a, b)) for a, b in pairwise(bounds)]


@register("stack", moves=True)
def stack(eqn: Equation, *operands: Dependence) -> Dependence:
    """Joins the operands along a new axis."""
    axis = eqn.params.get("axis", eqn.params.get("dimension", 0))
    shape = list(operands[0].shape)
    shape.insert(axis, 1)
    return Dependence.concatenate([operand.reshape(shape) for operand in operands], axis)


@register("unstack", moves=True)
def unstack(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """The slices of the operand along `axis`."""
    axis = eqn.params.get("axis", eqn.params.get("dimension", 0))
    return [
        part(operand, axis, slice(k, k + 1)).reshape(aval.shape)
        for k, aval in enumerate(eqn.out_avals)
    ]


def part(operand: Dependence, axis: int, window: slice) -> Dependence:
    index = (*[slice(None)] * axis, window)
    return operand.rearrange(lambda p: p[index])


@register("tile", moves=True)
def tile(eqn: Equation, operand: Dependence) -> Dependence:
    """Repeats the whole operand `reps[k]` times along axis `k`: `[a, b]` twice is `[a, b, a, b]`."""
    reps = eqn.params["reps"]
    return operand.rearrange(lambda p: np.tile(p, reps))
