"""Primitives that pick elements by their rank."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from asdex import Dependence, Equation, register, Value
from asdex.detection import Known, on_host


@register("sort")
def sort(eqn: Equation, *operands: Dependence) -> list[Dependence | Value]:
    """Sorts along `dimension` by the first `num_keys` operands; the others follow.

    What decides the order is piecewise constant: a result reads its own operand alone, anywhere along the
    dimension. If all keys are known, so is the permutation, and it reads a single element:
    `lax.sort((keys, x), num_keys=1)` with keys `[2, 0, 1]` returns `x[[1, 2, 0]]` beside the sorted keys.
    """
    axis = eqn.params["dimension"]
    keys = [eqn.known(k) for k in range(eqn.params["num_keys"])]
    known = [key for key in keys if key is not None]
    order = _order(known, axis, eqn.params["is_stable"]) if len(known) == len(keys) else None
    if order is None:
        return [operand.mix([axis]) for operand in operands]
    sorted_keys = [Known.of(np.take_along_axis(key, order, axis)) for key in known]
    return [
        *(Value(None, key) for key in sorted_keys),
        *(
            operand.rearrange(lambda p, order=order: np.take_along_axis(p, order, axis))
            for operand in operands[len(keys) :]
        ),
    ]


def _order(keys: list[np.ndarray], axis: int, is_stable: bool) -> np.ndarray | None:
    """The permutation that sorts, or `None` where ties may be broken in any way."""
    places = np.asarray(np.broadcast_to(_along(axis, keys[0].shape), keys[0].shape), np.int32)
    order = _sorted_places(keys, places, axis)
    if not is_stable and not np.array_equal(order, -_sorted_places(keys, -places, axis)):
        return None
    return order


def _sorted_places(keys: list[np.ndarray], places: np.ndarray, axis: int) -> np.ndarray:
    """The places of the sorted keys, ties in ascending order of `places`."""
    with on_host():
        operands = (*map(jnp.asarray, keys), jnp.asarray(places))
        return np.asarray(lax.sort(operands, dimension=axis, num_keys=len(operands))[-1])


def _along(axis: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])


@register("top_k")
def top_k(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """The `k` largest elements along an axis, and their positions: each may be any element of the axis."""
    return _picked(eqn, operand, eqn.params.get("axis", operand.ndim - 1))


@register("approx_top_k")
def approx_top_k(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """About the `k` largest or smallest elements along an axis, and their positions."""
    return _picked(eqn, operand, eqn.params["reduction_dimension"])


def _picked(eqn: Equation, operand: Dependence, axis: int) -> list[Dependence]:
    values, positions = eqn.out_avals
    ones = list(values.shape)
    ones[axis] = 1
    found = operand.reduce([axis]).reshape(ones).broadcast_to(values.shape)
    return [found, Dependence.none(positions.shape)]
