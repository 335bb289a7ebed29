"""Primitives that pick one of their operands, element by element."""

import operator
from functools import reduce
from typing import Any

import numpy as np

from asdex import Dependence, Equation, register
from asdex.detection import has_derivative, Range

from . import ranges
from .ties import differ, is_below, keep


@register("select_n", in_place=True, linear=True)
def select_n(eqn: Equation, which: Dependence, *cases: Dependence) -> Dependence:
    """`cases[which]`, element by element: one case by a known selector, several where rounding decides."""
    del which
    selector = eqn.known(0)
    if selector is not None:
        return Dependence.select(_choice(selector, cases), cases)
    if eqn.operands[0].known is not None:
        cases = tuple(map(keep, cases, _possible(eqn, len(cases))))
    return reduce(operator.or_, cases)


def _possible(eqn: Any, count: int) -> list[np.ndarray]:
    """Where the selector may pick each of the cases."""
    # Out of range it picks the first or the last case.
    low, high = (np.clip(bound, 0, count - 1) for bound in eqn.bounds(0))
    shape = eqn.out_avals[0].shape
    return [np.broadcast_to((low <= k) & (k <= high), shape) for k in range(count)]


@select_n.at_point
def selected_at_point(eqn: Equation, which: Dependence, *cases: Dependence) -> Any:
    """The case that the selector picks at the point; all of them where it is undecided."""
    del which
    selector, undecided = eqn.value(0), eqn.operands[0].undecided
    if selector is None or undecided is None:
        return NotImplemented
    chosen = Dependence.select(_choice(selector, cases), cases)
    return chosen | keep(reduce(operator.or_, cases), undecided)


def _choice(selector: np.ndarray, cases: Any) -> np.ndarray:
    # Out of range it picks the first or the last case, as the compiled code does.
    choice = np.clip(selector.astype(np.int32), 0, len(cases) - 1)
    return np.broadcast_to(choice, cases[0].shape)


@select_n.zeros
def select_n_zeros(eqn: Any, which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    """A case counts where the selector may pick it."""
    del which
    return reduce(operator.or_, map(operator.and_, cases, _possible(eqn, len(cases))))


@select_n.undecided
def select_n_undecided(eqn: Equation, which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    """Where a case is undecided, or the selector, and the cases differ or may be rounded to zero."""
    undecided = reduce(operator.or_, cases)
    if not which.any():
        return undecided
    values = [eqn.value(k + 1) for k in range(len(cases))]
    differs = differ(values, eqn.out_avals[0].shape)
    for k, value in enumerate(values):
        if value is not None and has_derivative(eqn.out_avals[0]):
            differs = differs | (eqn.nonzero(k + 1) & (value == 0))
    return undecided | (which & differs)


@select_n.changes
def select_n_changes(eqn: Equation, which: Dependence, *cases: Dependence) -> Dependence:
    """Each element changes with the cases at its place, and with the selector."""
    return select_n(eqn, which, *cases) | which


@select_n.value
def selected(eqn: Any, which: np.ndarray, *cases: np.ndarray) -> np.ndarray:
    return np.choose(_choice(which, cases), cases) if len(cases) < 32 else NotImplemented


@select_n.range
def select_n_range(eqn: Any, which: Range, *cases: Range) -> Range:
    """The hull of all cases that the selector can pick, element by element."""
    del which
    possible = _possible(eqn, len(cases))
    low = [np.where(mask, case.low, np.inf) for mask, case in zip(possible, cases, strict=True)]
    high = [np.where(mask, case.high, -np.inf) for mask, case in zip(possible, cases, strict=True)]
    return Range(reduce(np.minimum, low), reduce(np.maximum, high))


@select_n.cause
def predicate(eqn: Equation) -> str:
    """With an unknown predicate every case counts."""
    return eqn.unless_known((0,), "the predicate", "depends on")


@register("clamp", in_place=True, zero_at_zero=True, picks=True)
def clamp(eqn: Equation, low: Dependence, x: Dependence, high: Dependence) -> Dependence:
    """`min(max(x, low), high)`, with scalar bounds broadcast."""
    shape = eqn.out_avals[0].shape
    return reduce(operator.or_, (operand.broadcast_to(shape) for operand in (low, x, high)))


clamp.range(ranges.clamp)


@clamp.at_point
def clamped_at_point(eqn: Equation, low: Dependence, x: Dependence, high: Dependence) -> Any:
    """The bound that is exceeded, or `x`; both at a tie."""
    found = [eqn.known(number) for number in range(3)]
    values = [value for value in found if value is not None]
    if len(values) < 3:
        return NotImplemented
    shape = eqn.out_avals[0].shape
    bottom, middle, top = (np.broadcast_to(value, shape) for value in values)
    below, above = is_below(middle, bottom), is_below(top, middle)
    return (
        keep(low.broadcast_to(shape), ~is_below(bottom, middle))
        | keep(x.broadcast_to(shape), ~(below | above))
        | keep(high.broadcast_to(shape), ~is_below(middle, top))
    )


@clamp.value
def clamped(eqn: Any, low: np.ndarray, x: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(x, low), high)
