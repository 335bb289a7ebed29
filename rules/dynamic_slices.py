"""Slices whose starts are data.

An unknown start may be anywhere within its bounds, or in any of its cases.
"""

import operator
from collections.abc import Sequence
from functools import reduce

import numpy as np

from asdex import Dependence, Equation, register
from asdex.detection import index_cases

from .indexing import along, MAX_CANDIDATES
from .structural import part


@register("dynamic_slice", moves=True, steered_by=lambda eqn: range(1, len(eqn.in_avals)))
def dynamic_slice(eqn: Equation, operand: Dependence, *starts: Dependence) -> Dependence:
    """A window of fixed size at a start that is data; starts are clamped so that the window fits.

    A start at `s` lets element `k` read place `s + k`.
    """
    del starts
    sizes = eqn.params["slice_sizes"]
    for axis, possible in enumerate(_window_starts(eqn, operand.shape, sizes, first=1)):
        size = sizes[axis]
        if len(possible) <= MAX_CANDIDATES:
            windows = (part(operand, axis, slice(start, start + size)) for start in possible)
            operand = reduce(operator.or_, windows)
        else:
            low, high = possible[0], possible[-1]
            reached = part(operand, axis, slice(low, high + size)).mix([axis])
            operand = part(reached, axis, slice(size))
    return operand


@register("dynamic_update_slice", moves=True, steered_by=lambda eqn: range(2, len(eqn.in_avals)))
def dynamic_update_slice(
    eqn: Equation, operand: Dependence, update: Dependence, *starts: Dependence
) -> Dependence:
    """Overwrites a window at a start that is data; starts are clamped so that the window fits.

    Places that are overwritten whatever the start read the update alone. A start at `s` lets place `p` read
    element `p - s` of the update.
    """
    del starts
    overwritten = np.ones(operand.shape, np.bool_)
    for axis, possible in enumerate(_window_starts(eqn, operand.shape, update.shape, first=2)):
        low, high = possible[0], possible[-1]
        size, total = update.shape[axis], operand.shape[axis]
        place = np.arange(total)
        overwritten &= along(axis, operand.ndim, (place >= high) & (place < low + size))
        if len(possible) <= MAX_CANDIDATES:
            placed = (_placed(update, axis, start, total) for start in possible)
            update = reduce(operator.or_, placed)
        else:
            reached = (place >= low) & (place < high + size)
            ones = [1 if k == axis else n for k, n in enumerate(update.shape)]
            update = update.reduce([axis]).reshape(ones).keep(along(axis, operand.ndim, reached))
    return operand.keep(~overwritten) | update


@dynamic_slice.cause
@dynamic_update_slice.cause
def start(eqn: Equation) -> str:
    """A window with an unknown start may lie anywhere."""
    first = 1 if eqn.name == "dynamic_slice" else 2
    return eqn.unless_known(range(first, len(eqn.in_avals)), "the index")


def _placed(update: Dependence, axis: int, start: int, total: int) -> Dependence:
    """The update at `start` along an axis of length `total`, nothing around it."""

    def positions(p: np.ndarray) -> np.ndarray:
        widths = [(0, 0)] * p.ndim
        widths[axis] = (start, total - start - p.shape[axis])
        return np.pad(p, widths, constant_values=-1)

    return update.rearrange(positions)


def _window_starts(
    eqn: Equation, shape: Sequence[int], sizes: Sequence[int], *, first: int
) -> list[Sequence[int]]:
    """The starts that are possible along each axis, clamped, in order."""
    result: list[Sequence[int]] = []
    for axis, (n, size) in enumerate(zip(shape, sizes, strict=True)):
        if n <= size:
            result.append([0])
            continue
        cases = index_cases(eqn, first + axis, MAX_CANDIDATES)
        spans = np.clip(cases, 0, n - size).astype(np.int64)
        possible = np.zeros(n, np.bool_)
        for low, high in spans:
            possible[low : high + 1] = True
        dtype = eqn.in_avals[first + axis].dtype
        # XLA takes a constant whose first bit is set for negative, which is clamped to 0.
        possible[0] |= np.max(cases) > np.iinfo(np.dtype(f"i{dtype.itemsize}")).max
        result.append(np.flatnonzero(possible).tolist())
    return result
