"""Order and ties of values at a point: elements that are equal up to rounding are tied."""

import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from asdex import Dependence, Equation, Value
from asdex.detection import everywhere, has_derivative, is_key, pairs_to_csr


_ROUNDINGS = 16
"""Units in the last place by which tied values may differ: another program may order them otherwise."""


def is_below(a: np.ndarray, b: np.ndarray) -> Any:
    """Where `a < b` beyond all rounding; nowhere for NaN, and for complex numbers."""
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        return np.zeros(np.broadcast_shapes(a.shape, b.shape), np.bool_)
    if a.dtype.kind in "biu":
        return a < b
    unit = _ROUNDINGS * float(jnp.finfo(a.dtype).eps)
    with np.errstate(invalid="ignore"):
        low, high = a.astype(np.float64), b.astype(np.float64)
        size = np.maximum(np.abs(low), np.abs(high))
        return (low < high) & ~(np.isfinite(size) & (high - low <= unit * size))


def are_tied(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where numbers are equal up to rounding; nowhere for NaN."""
    if np.iscomplexobj(a):
        return a == b
    return ~(is_below(a, b) | is_below(b, a) | np.isnan(a) | np.isnan(b))


_PIECES: dict[str, Any] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round": lambda value: np.floor(value + 0.5),
    "rem": np.trunc,
}
"""Functions, of the quotient where there are two operands, that jump where the results of primitives do."""


def jumps(eqn: Equation, *undecided: np.ndarray) -> np.ndarray:
    """Where an operand that varies may be rounded over a step of a piecewise constant function.

    An input may be exactly at a step. A sign, or a truth value, is a comparison with zero.
    """
    either, count = reduce(operator.or_, undecided), len(undecided)
    found = [eqn.value(k) for k in range(count)]
    values = [np.asarray(one, np.float64) for one in found if one is not None and _is_real(one)]
    facts = [eqn.operands[k].facts for k in range(count)]
    computed = any(one is not None and not one.is_same for one in facts)
    computed = computed or (count > 1 and all(eqn.varies(k).any() for k in range(count)))
    if len(values) < count:
        return either
    limits = jnp.finfo(eqn.in_avals[0].dtype)
    if eqn.out_avals[0].dtype == np.bool_ or eqn.name == "sign":
        return either | (eqn.varies(0) & (np.abs(values[0]) <= float(limits.tiny)))
    piece = _piece(eqn) if computed else None
    if piece is None:
        return either
    with np.errstate(all="ignore"):
        middle = values[0] if count == 1 else values[0] / values[1]
    nonzero = [eqn.varies(k) & eqn.nonzero(k) for k in range(count)]
    size = np.maximum(_ROUNDINGS * float(limits.eps) * np.abs(middle), float(limits.tiny))
    margin = np.where(reduce(operator.or_, nonzero), size, 0)
    with np.errstate(all="ignore"):
        here, below, above = (piece(one) for one in (middle, middle - margin, middle + margin))
    return either | ((below != here) | (here != above)) & np.isfinite(middle)


def _piece(eqn: Equation) -> Callable[[np.ndarray], np.ndarray] | None:
    """The piecewise constant function that an equation computes; `None` if it keeps all digits."""
    if not has_derivative(eqn.out_avals[0]) or eqn.name in _PIECES:
        return _PIECES.get(eqn.name, np.trunc)
    digits = eqn.params.get("mantissa_bits", jnp.finfo(eqn.out_avals[0].dtype).nmant)
    return partial(_rounded, digits) if digits < jnp.finfo(eqn.in_avals[0].dtype).nmant else None


def _rounded(digits: int, value: np.ndarray) -> np.ndarray:
    """Numbers rounded to so many binary digits after the first."""
    fraction, exponent = np.frexp(value)
    return np.ldexp(np.rint(np.ldexp(fraction, digits + 1)), exponent - digits - 1)


def _is_real(value: np.ndarray) -> bool:
    return has_derivative(value) and not np.iscomplexobj(value)


def differ(values: Sequence[np.ndarray | None], shape: Sequence[int]) -> np.ndarray:
    """Where some arrays differ beyond rounding: everywhere, if one is not known."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return everywhere(shape)
    first, apart = known[0], np.zeros(tuple(shape), np.bool_)
    for other in known[1:]:
        apart |= ~(are_tied(first, other) | (np.isnan(first) & np.isnan(other)))
    return apart


def differing(values: Sequence[Value], aval: Any) -> np.ndarray:
    """Which elements differ between values of one type at a point, or are undecided in one of them."""
    marks = [value.undecided for value in values if value.undecided is not None]
    known = [
        None if value.known is None or is_key(aval) else value.known.get_if_available()
        for value in values
    ]
    return reduce(operator.or_, marks, differ(known, aval.shape))


def keep(operand: Dependence, mask: np.ndarray) -> Dependence:
    """The operand where the mask is true; both are broadcast."""
    shape = np.broadcast_shapes(operand.shape, mask.shape)
    operand = operand.broadcast_to(shape)
    return operand if mask.all() else operand.keep(np.broadcast_to(mask, shape))


def tied(ordered: Sequence[Sequence[np.ndarray]], axis: int) -> np.ndarray:
    """The number of the group of tied elements that each element is in, of arrays sorted along an axis.

    The first array counts most. Elements are tied where no array tells neighbors apart. The next ones do only
    where these are equal, and neither varies.

    **Arguments:** `ordered`: each array, and a mask of its elements that vary.
    """
    first = np.moveaxis(ordered[0][0], axis, -1)
    apart = np.zeros(first.shape, np.bool_)
    apart[..., :1] = True
    equal = np.ones((*first.shape[:-1], max(first.shape[-1] - 1, 0)), np.bool_)
    for array, varies in ordered:
        key, moves = np.moveaxis(array, axis, -1), np.moveaxis(varies, axis, -1)
        before, after = key[..., :-1], key[..., 1:]
        apart[..., 1:] |= equal & (is_below(before, after) | is_below(after, before))
        equal &= (before == after) & ~(moves[..., :-1] | moves[..., 1:])
    labels = np.cumsum(apart.reshape(-1)).reshape(apart.shape) - 1
    return np.moveaxis(labels, -1, axis)


def within_groups(operand: Dependence, labels: np.ndarray) -> Dependence:
    """Each element reads all elements of its group, which `labels` numbers."""
    count = int(labels.max(initial=-1)) + 1
    if count == operand.size:
        return operand
    members = pairs_to_csr(labels.reshape(-1), np.arange(operand.size), (count, operand.size))
    return operand.through(members).take(labels)
