"""Gathers, scatters and dynamic slices.

Known indices are followed exactly, by gathering flat positions in place of values. An unknown index may
point anywhere within its bounds along the dimensions that it indexes, and leaves all others alone.
"""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import scipy.sparse as sp
from jax import lax

from asdex import Dependence, Equation, register
from asdex.detection import on_host


_CLIP = lax.GatherScatterMode.CLIP
_FILL = lax.GatherScatterMode.FILL_OR_DROP


_MAX_CANDIDATES = 16
"""Positions of a bounded index that are followed one by one."""


@register("gather")
def gather(eqn: Equation, operand: Dependence, indices: Dependence) -> Dependence:
    """Reads a window of the operand for each index vector: `x[i]` reads element `i`."""
    del indices
    numbers, mode = eqn.params["dimension_numbers"], eqn.params["mode"]
    sizes = eqn.params["slice_sizes"]
    index = _Index(eqn, operand.shape, sizes, numbers.start_index_map, mode)
    for axis, region in index.wide.items():
        operand = operand.keep(_along(axis, operand.ndim, region)).mix([axis])
    result = Dependence.none(eqn.out_avals[0].shape)
    for candidate in index.candidates:
        positions = _gather_positions(operand.shape, candidate, numbers, sizes, mode)
        result = result | operand.take(positions)
    return result


@register("scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max")
def scatter(
    eqn: Equation, operand: Dependence, indices: Dependence, updates: Dependence
) -> Dependence:
    """Combines a window of the operand with an update for each index vector.

    Each element reads itself and all updates that land on it; a plain `scatter` overwrites, so elements
    that are certainly hit no longer read themselves. `x.at[i].set(v)` reads `v` at `i`.
    """
    del indices
    numbers, mode = eqn.params["dimension_numbers"], eqn.params["mode"]
    sizes = _window_sizes(operand.shape, eqn.in_avals[2].shape, numbers)
    index = _Index(eqn, operand.shape, sizes, numbers.scatter_dims_to_operand_dims, mode)
    written = Dependence.none(operand.shape)
    for candidate in index.candidates:
        targets = _scatter_targets(operand.shape, sizes, candidate, numbers, mode)
        written = written | _written(operand.shape, updates, targets)
    for axis, region in index.wide.items():
        written = written.mix([axis]).keep(_along(axis, operand.ndim, region))
    if _overwrites(eqn) and (sure := index.sure) is not None:
        targets = _scatter_targets(operand.shape, sizes, sure, numbers, _FILL)
        hit = np.zeros(operand.size, np.bool_)
        hit[targets[targets >= 0]] = True
        operand = operand.keep(~hit.reshape(operand.shape))
    return operand | written


class _Index:
    """The starts that the index vectors of a gather or scatter can take.

    - `candidates`: index arrays that together hold every start, up to the axes in `wide`.
    - `wide`: axes of the operand along which starts vary too much to follow, where the candidates are zero,
        with a mask of the places along the axis that can be reached.
    """

    def __init__(
        self,
        eqn: Equation,
        shape: Sequence[int],
        sizes: Sequence[int],
        axes: Sequence[int],
        mode: lax.GatherScatterMode,
    ):
        bounds = eqn.bounds(1)
        # All starts beyond either end are treated alike, so one of them stands for all.
        beyond = 0 if mode == _CLIP else 1
        lasts = np.array([shape[axis] - sizes[axis] + beyond for axis in axes], np.float64)
        low = np.clip(bounds.low, -beyond, lasts).astype(np.int32)
        high = np.clip(bounds.high, -beyond, lasts).astype(np.int32)
        self._low, self._fixed = low, (low == high).all(axis=-1)
        widths = (high - low).max(axis=tuple(range(low.ndim - 1)), initial=0)
        self.wide: dict[int, np.ndarray] = {}
        narrow = []
        count = 1
        for component in np.argsort(widths, kind="stable"):
            axis = axes[component]
            if count * (widths[component] + 1) <= _MAX_CANDIDATES:
                count *= widths[component] + 1
                narrow.append(component)
            else:
                reach = slice(
                    max(low[..., component].min(), 0), high[..., component].max() + sizes[axis]
                )
                self.wide[axis] = np.zeros(shape[axis], np.bool_)
                self.wide[axis][reach] = True
                low, high = low.copy(), high.copy()
                low[..., component] = high[..., component] = 0
        offsets = np.indices([widths[component] + 1 for component in narrow])
        offsets = offsets.reshape(len(narrow), count)
        self.candidates = []
        for offset in offsets.T:
            candidate = low.copy()
            candidate[..., narrow] = np.minimum(low[..., narrow] + offset, high[..., narrow])
            self.candidates.append(candidate)

    @property
    def sure(self) -> np.ndarray | None:
        """The index vectors that are certain, all others out of bounds; `None` if there are none."""
        if not self._fixed.any():
            return None
        return np.where(self._fixed[..., None], self._low, -1)


def _along(axis: int, ndim: int, mask: np.ndarray) -> np.ndarray:
    return mask.reshape([-1 if k == axis else 1 for k in range(ndim)])


def _overwrites(eqn: Any) -> bool:
    """Whether updates replace elements. `x.at[i].apply(f)` is a `scatter` too, with another combiner."""
    if eqn.name != "scatter":
        return False
    combiner = eqn.params.get("update_jaxpr")
    return combiner is None or combiner.outvars[0] is combiner.invars[1]


def _written(shape: tuple[int, ...], updates: Dependence, targets: np.ndarray) -> Dependence:
    """For each element of an operand of `shape`, the updates that land on it."""
    size = int(np.prod(shape, dtype=np.int64))
    (landing,) = np.nonzero(targets.reshape(-1) >= 0)
    places = targets.reshape(-1)[landing]
    counts = np.bincount(places, minlength=size)
    if not counts.size or counts.max() <= 1:
        source = np.full(size, -1, np.int32)
        source[places] = landing
        return updates.take(source.reshape(shape))
    links = sp.coo_array(
        (np.ones(places.size, np.bool_), (places, landing)), shape=(size, targets.size)
    )
    return updates.through(sp.csr_array(links), shape)


def _gather_positions(
    shape: Sequence[int], index: np.ndarray, numbers: lax.GatherDimensionNumbers, slice_sizes, mode
) -> np.ndarray:
    """The flat positions in an operand of `shape` that a gather reads; -1 for its fill value."""
    if mode == lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        mode = _CLIP
    size = int(np.prod(shape, dtype=np.int64))
    with on_host():
        positions = lax.gather(
            np.arange(size, dtype=np.int32).reshape(shape),
            index,
            numbers,
            slice_sizes,
            mode=mode,
            fill_value=-1,
        )
        return np.asarray(positions)


def _window_sizes(
    shape: Sequence[int], update_shape: Sequence[int], numbers: lax.ScatterDimensionNumbers
) -> tuple[int, ...]:
    """The size of the window that each index vector of a scatter writes, along each axis."""
    window = iter(update_shape[axis] for axis in numbers.update_window_dims)
    absent = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    return tuple(1 if axis in absent else next(window) for axis in range(len(shape)))


def _scatter_targets(
    shape: Sequence[int],
    sizes: Sequence[int],
    index: np.ndarray,
    numbers: lax.ScatterDimensionNumbers,
    mode,
) -> np.ndarray:
    """The flat position that each update lands on; -1 for those that are dropped.

    A scatter writes where the gather with the transposed dimension numbers reads.
    """
    transposed = lax.GatherDimensionNumbers(
        offset_dims=tuple(numbers.update_window_dims),
        collapsed_slice_dims=tuple(numbers.inserted_window_dims),
        start_index_map=tuple(numbers.scatter_dims_to_operand_dims),
        operand_batching_dims=tuple(numbers.operand_batching_dims),
        start_indices_batching_dims=tuple(numbers.scatter_indices_batching_dims),
    )
    if mode == lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        mode = _FILL
    return _gather_positions(shape, index, transposed, sizes, mode)


@register("dynamic_slice")
def dynamic_slice(eqn: Equation, operand: Dependence, *starts: Dependence) -> Dependence:
    """A window of fixed size at a start that is data; starts are clamped so that the window fits.

    A start between `low` and `high` lets element `k` read the places from `low + k` to `high + k`.
    """
    del starts
    sizes = eqn.params["slice_sizes"]
    for axis, (low, high) in enumerate(_window_starts(eqn, operand.shape, sizes, first=1)):
        size = sizes[axis]
        if high - low < _MAX_CANDIDATES:
            windows = (_window(operand, axis, start, size) for start in range(low, high + 1))
            operand = reduce(operator.or_, windows)
        else:
            reached = _window(operand, axis, low, high - low + size).mix([axis])
            operand = _window(reached, axis, 0, size)
    return operand


@register("dynamic_update_slice")
def dynamic_update_slice(
    eqn: Equation, operand: Dependence, update: Dependence, *starts: Dependence
) -> Dependence:
    """Overwrites a window at a start that is data; starts are clamped so that the window fits.

    Places that are overwritten whatever the start read the update alone. A start between `low` and `high`
    lets place `p` read the elements of the update from `p - high` to `p - low`.
    """
    del starts
    overwritten = np.ones(operand.shape, np.bool_)
    for axis, (low, high) in enumerate(_window_starts(eqn, operand.shape, update.shape, first=2)):
        size, total = update.shape[axis], operand.shape[axis]
        place = np.arange(total)
        overwritten &= _along(axis, operand.ndim, (place >= high) & (place < low + size))
        if high - low < _MAX_CANDIDATES:
            placed = (_placed(update, axis, start, total) for start in range(low, high + 1))
            update = reduce(operator.or_, placed)
        else:
            reached = (place >= low) & (place < high + size)
            everywhere = update.mix([axis]).rearrange(lambda p, a=axis, n=total: _repeat(p, a, n))
            update = everywhere.keep(_along(axis, operand.ndim, reached))
    return operand.keep(~overwritten) | update


def _window(operand: Dependence, axis: int, start: int, size: int) -> Dependence:
    index = (*[slice(None)] * axis, slice(start, start + size))
    return operand.rearrange(lambda p: p[index])


def _placed(update: Dependence, axis: int, start: int, total: int) -> Dependence:
    """The update at `start` along an axis of length `total`, nothing around it."""

    def positions(p: np.ndarray) -> np.ndarray:
        widths = [(0, 0)] * p.ndim
        widths[axis] = (start, total - start - p.shape[axis])
        return np.pad(p, widths, constant_values=-1)

    return update.rearrange(positions)


def _repeat(positions: np.ndarray, axis: int, total: int) -> np.ndarray:
    """The first slice along `axis`, `total` times."""
    return np.repeat(np.take(positions, [0] if positions.shape[axis] else [], axis), total, axis)


def _window_starts(
    eqn: Equation, shape: Sequence[int], sizes: Sequence[int], *, first: int
) -> list[tuple[int, int]]:
    """The lowest and the highest start along each axis, clamped."""
    starts = []
    for axis, (n, size) in enumerate(zip(shape, sizes, strict=True)):
        bounds = eqn.bounds(first + axis) if n > size else (0, 0)
        low, high = (int(np.clip(bound, 0, n - size)) for bound in bounds)
        starts.append((low, high))
    return starts
