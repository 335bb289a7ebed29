"""Primitives that pick elements by their rank."""

import operator
from functools import reduce
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import everywhere, has_derivative, Known, nowhere

from . import ranges
from .ties import tied, within_groups


@register("sort", zero_at_zero=True, picks=True)
def sort(eqn: Equation, *operands: Dependence) -> list[Dependence | Value]:
    """Sorts along `dimension` by the first `num_keys` operands; the others follow.

    What decides the order is piecewise constant: a result reads its own operand alone, anywhere along the
    dimension. If all keys are known, so is the permutation, and it reads a single element:
    `lax.sort((keys, x), num_keys=1)` with keys `[2, 0, 1]` returns `x[[1, 2, 0]]` beside the sorted keys.
    """
    axis = eqn.params["dimension"]
    keys = [eqn.values(k) for k in range(eqn.params["num_keys"])]
    order = _certain_order(keys, axis, eqn.params["is_stable"])
    if order is None:
        return [operand.mix([axis]) for operand in operands]
    sorted_keys = [
        Known.of(*(np.take_along_axis(one, order, axis) for one in values)) for values in keys
    ]
    return [
        *(Value(None, key) for key in sorted_keys),
        *(
            operand.rearrange(lambda p, order=order: np.take_along_axis(p, order, axis))
            for operand in operands[len(keys) :]
        ),
    ]


@sort.at_point
def sorted_at_point(eqn: Equation, *operands: Dependence) -> Any:
    """The order is that of the keys' values; elements that are tied may come in any order."""
    axis, count = eqn.params["dimension"], eqn.params["num_keys"]
    found = [eqn.known(k) for k in range(count)]
    keys = [key for key in found if key is not None]
    if len(keys) < count or all(operand.is_none for operand in operands[:count]):
        return NotImplemented
    return [one for one in _by_rank(eqn, keys, operands, axis, descending=False)]


def _by_rank(
    eqn: Equation, keys: list[np.ndarray], operands: Any, axis: int, *, descending: bool
) -> list[Dependence]:
    """The operands in the order of the keys; each element reads all that are tied with it."""
    order, labels = _ranked(eqn, keys, axis, descending)
    return [
        within_groups(one.rearrange(lambda p: np.take_along_axis(p, order, axis)), labels)
        for one in operands
    ]


def _ranked(
    eqn: Equation, keys: list[np.ndarray], axis: int, descending: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the sorted keys, and the number of the group of tied elements that each is in."""
    places = _places(keys[0].shape, axis)
    order = _sorted_places(keys, places, axis)
    order = np.flip(order, axis) if descending else order
    parts = [(part, _moves(eqn, k)) for k, key in enumerate(keys) for part in _ordered(key)]
    ordered = [[np.take_along_axis(one, order, axis) for one in pair] for pair in parts]
    return order, tied(ordered, axis)


def _moves(eqn: Equation, index: int) -> np.ndarray:
    """Which elements of an operand may be a little larger or smaller next to the point."""
    aval = eqn.in_avals[index]
    return eqn.varies(index) if has_derivative(aval) else nowhere(aval.shape)


def _undecided_places(eqn: Equation, count: int, axis: int, descending: bool = False) -> np.ndarray:
    """Where, in the order of the first `count` operands, elements are tied of which one varies."""
    found = [eqn.value(k) for k in range(count)]
    keys = [key for key in found if key is not None]
    if len(keys) < count:
        return everywhere(eqn.in_avals[0].shape)
    varies = reduce(operator.or_, (_moves(eqn, k) for k in range(count)))
    if not varies.any():
        return nowhere(eqn.in_avals[0].shape)
    order, labels = _ranked(eqn, keys, axis, descending)
    weights = np.take_along_axis(varies, order, axis).reshape(-1)
    several = np.bincount(labels.reshape(-1)) > 1
    return np.asarray((several & (np.bincount(labels.reshape(-1), weights) > 0))[labels])


@sort.undecided
def tied_in_order(eqn: Equation, *undecided: np.ndarray) -> list[np.ndarray]:
    """What follows keys that are tied, up to rounding; all, if it is undecided already."""
    axis, count = eqn.params["dimension"], eqn.params["num_keys"]
    any_of = reduce(operator.or_, undecided).any(axis, keepdims=True)
    either = np.broadcast_to(any_of, eqn.in_avals[0].shape)
    if len(undecided) == count:
        return [either] * count
    followers = [either | _undecided_places(eqn, count, axis)] * (len(undecided) - count)
    return [either] * count + followers


@sort.changes
def sort_changes(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Each element may come from anywhere along the dimension, by any of the keys."""
    together = reduce(operator.or_, operands)
    return [together.mix([eqn.params["dimension"]])] * len(operands)


@sort.value
def sorted_arrays(eqn: Any, *arrays: np.ndarray) -> Any:
    """The arrays in the order of the keys, if that is certain."""
    axis = eqn.params["dimension"]
    order = _order(list(arrays[: eqn.params["num_keys"]]), axis, eqn.params["is_stable"])
    if order is None:
        return NotImplemented
    return [np.take_along_axis(array, order, axis) for array in arrays]


sort.range(ranges.sort)


@sort.cause
def order_of(eqn: Equation) -> str:
    """An element moves to a place that depends on values."""
    return eqn.unless_known(range(eqn.params["num_keys"]), "the order", "depends on")


def _certain_order(keys: list[list[np.ndarray]], axis: int, is_stable: bool) -> np.ndarray | None:
    """The permutation that sorts known keys, if it is the same however they are rounded."""
    if not all(keys):
        return None
    rounded = max(map(len, keys))
    orders = [_order([(key * rounded)[k] for key in keys], axis, is_stable) for k in range(rounded)]
    first, *others = orders
    same = all(one is not None and first is not None and (one == first).all() for one in others)
    return first if same else None


def _order(keys: list[np.ndarray], axis: int, is_stable: bool) -> np.ndarray | None:
    """The permutation that sorts, or `None` where ties may be broken in any way."""
    places = _places(keys[0].shape, axis)
    order = _sorted_places(keys, places, axis)
    if not is_stable and not np.array_equal(order, _sorted_places(keys, -places, axis)):
        return None
    return order


def _sorted_places(keys: list[np.ndarray], places: np.ndarray, axis: int) -> np.ndarray:
    """The places of the sorted keys, ties in ascending order of `places`."""
    return np.lexsort([places, *reversed([part for key in keys for part in _ordered(key)])], axis)


def _ordered(key: np.ndarray) -> list[np.ndarray]:
    """Real arrays, the first one first, that NumPy sorts as JAX sorts the key; NaN comes last in both."""
    if key.dtype.kind == "c":
        return [np.real(key), np.imag(key)]
    return [key if key.dtype.kind in "biuf" else key.astype(np.float32)]


def _places(shape: tuple[int, ...], axis: int) -> np.ndarray:
    return np.broadcast_to(np.indices(shape, np.int32, sparse=True)[axis], shape)


@register("top_k", picks=True)
def top_k(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """The `k` largest elements along an axis, and their positions: each may be any element of the axis."""
    return _picked(eqn, operand, eqn.params.get("axis", operand.ndim - 1))


@register("approx_top_k")
def approx_top_k(eqn: Equation, operand: Dependence) -> list[Dependence]:
    """About the `k` largest or smallest elements along an axis, and their positions."""
    return _picked(eqn, operand, eqn.params["reduction_dimension"])


@top_k.at_point
def largest_at_point(eqn: Equation, operand: Dependence) -> Any:
    """The largest elements; all that are tied with one of them, in its place."""
    value, axis = eqn.known(0), eqn.params.get("axis", operand.ndim - 1)
    if value is None:
        return NotImplemented
    (ranked,) = _by_rank(eqn, [value], [operand], axis, descending=True)
    count = eqn.out_avals[0].shape[axis]
    chosen = ranked.rearrange(lambda p: np.take(p, np.arange(count), axis))
    return [chosen, Dependence.none(eqn.out_avals[1].shape)]


@top_k.undecided
def tied_in_rank(eqn: Equation, undecided: np.ndarray) -> list[np.ndarray]:
    """The positions of elements that are tied, up to rounding; all, if one is undecided already."""
    axis = eqn.params.get("axis", undecided.ndim - 1)
    count = eqn.out_avals[0].shape[axis]
    either = np.broadcast_to(undecided.any(axis, keepdims=True), eqn.out_avals[0].shape)
    places = _undecided_places(eqn, 1, axis, descending=True)
    return [either, either | np.take(places, np.arange(count), axis)]


@top_k.cause
@approx_top_k.cause
def choice(eqn: Equation) -> str:
    """Any element may be among the chosen ones."""
    return eqn.unless_known((0,), "which elements are chosen", "depends on")


def _picked(eqn: Equation, operand: Dependence, axis: int) -> list[Dependence]:
    values, positions = eqn.out_avals
    ones = list(values.shape)
    ones[axis] = 1
    found = operand.reduce([axis]).reshape(ones).broadcast_to(values.shape)
    return [found, Dependence.none(positions.shape)]
