"""Gathers, scatters and dynamic slices.

Known indices are followed exactly, by gathering flat positions in place of values. An unknown index may
point anywhere along the dimensions that it indexes, and leaves all other dimensions alone.
"""

from collections.abc import Sequence

import jax
import numpy as np
import scipy.sparse as sp
from jax import lax

from asdex import Dependence, Equation, register


_CLIP = lax.GatherScatterMode.CLIP
_FILL = lax.GatherScatterMode.FILL_OR_DROP


@register("gather")
def gather(eqn: Equation, operand: Dependence, indices: Dependence) -> Dependence:
    """Reads a window of the operand for each index vector: `x[i]` reads element `i`."""
    del indices
    numbers, mode = eqn.params["dimension_numbers"], eqn.params["mode"]
    index = eqn.known(1)
    if index is None:
        operand = operand.mix(numbers.start_index_map)
        index, mode = np.zeros(eqn.in_avals[1].shape, np.int32), _CLIP
    return operand.take(
        _gather_positions(operand.shape, index, numbers, eqn.params["slice_sizes"], mode)
    )


@register("scatter", "scatter-add", "scatter_add", "scatter_sub", "scatter-sub")
@register("scatter-mul", "scatter_mul", "scatter-min", "scatter_min", "scatter-max", "scatter_max")
def scatter(
    eqn: Equation, operand: Dependence, indices: Dependence, updates: Dependence
) -> Dependence:
    """Combines a window of the operand with an update for each index vector.

    Each element reads itself and all updates that land on it; a plain `scatter` overwrites, so elements
    that are certainly hit no longer read themselves. `x.at[i].set(v)` reads `v` at `i`.
    """
    del indices
    numbers = eqn.params["dimension_numbers"]
    known = eqn.known(1)
    index = np.zeros(eqn.in_avals[1].shape, np.int32) if known is None else known
    mode = _CLIP if known is None else eqn.params["mode"]
    targets = _scatter_targets(operand.shape, eqn.in_avals[2].shape, index, numbers, mode)
    written = _written(operand.shape, updates, targets)
    if known is None:
        return operand | written.mix(numbers.scatter_dims_to_operand_dims)
    if _overwrites(eqn):
        hit = np.zeros(operand.size, np.bool_)
        hit[targets[targets >= 0]] = True
        operand = operand.keep(~hit.reshape(operand.shape))
    return operand | written


def _overwrites(eqn: Equation) -> bool:
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
    with jax.ensure_compile_time_eval(), jax.default_device(jax.local_devices(backend="cpu")[0]):
        positions = lax.gather(
            np.arange(size, dtype=np.int32).reshape(shape),
            index,
            numbers,
            slice_sizes,
            mode=mode,
            fill_value=-1,
        )
        return np.asarray(positions)


def _scatter_targets(
    shape: Sequence[int],
    update_shape: Sequence[int],
    index: np.ndarray,
    numbers: lax.ScatterDimensionNumbers,
    mode,
) -> np.ndarray:
    """The flat position that each update lands on; -1 for those that are dropped.

    A scatter writes where the gather with the transposed dimension numbers reads.
    """
    window = iter(update_shape[axis] for axis in numbers.update_window_dims)
    absent = {*numbers.inserted_window_dims, *numbers.operand_batching_dims}
    slice_sizes = tuple(1 if axis in absent else next(window) for axis in range(len(shape)))
    transposed = lax.GatherDimensionNumbers(
        offset_dims=tuple(numbers.update_window_dims),
        collapsed_slice_dims=tuple(numbers.inserted_window_dims),
        start_index_map=tuple(numbers.scatter_dims_to_operand_dims),
        operand_batching_dims=tuple(numbers.operand_batching_dims),
        start_indices_batching_dims=tuple(numbers.scatter_indices_batching_dims),
    )
    if mode == lax.GatherScatterMode.PROMISE_IN_BOUNDS:
        mode = _FILL
    return _gather_positions(shape, index, transposed, slice_sizes, mode)


@register("dynamic_slice")
def dynamic_slice(eqn: Equation, operand: Dependence, *starts: Dependence) -> Dependence:
    """A window of fixed size at a start that is data; starts are clamped so that the window fits."""
    del starts
    sizes = eqn.params["slice_sizes"]
    known = _window_starts(eqn, operand.shape, sizes, first=1)
    operand = operand.mix([axis for axis, start in enumerate(known) if start is None])
    window = tuple(
        slice(start or 0, (start or 0) + n) for start, n in zip(known, sizes, strict=True)
    )
    return operand.rearrange(lambda p: p[window])


@register("dynamic_update_slice")
def dynamic_update_slice(
    eqn: Equation, operand: Dependence, update: Dependence, *starts: Dependence
) -> Dependence:
    """Overwrites a window at a start that is data.

    With known starts the window reads the update alone. Along an axis whose start is unknown, every
    element may be overwritten by any part of the update, or by none.
    """
    del starts
    known = _window_starts(eqn, operand.shape, update.shape, first=2)
    unknown = [axis for axis, start in enumerate(known) if start is None]
    window = tuple(
        slice(start or 0, (start or 0) + n) for start, n in zip(known, update.shape, strict=True)
    )

    def positions(p: np.ndarray) -> np.ndarray:
        full = np.full(operand.shape, -1, p.dtype)
        full[window] = p
        return full

    written = update.rearrange(positions)
    if unknown:
        return operand | written.mix(unknown)
    inside = positions(np.zeros(update.shape, np.int32)) >= 0
    return Dependence.where(inside, written, operand)


def _window_starts(
    eqn: Equation, shape: Sequence[int], sizes: Sequence[int], *, first: int
) -> list[int | None]:
    """The clamped start along each axis, `None` where it is unknown and can vary."""
    starts: list[int | None] = []
    for axis, (n, size) in enumerate(zip(shape, sizes, strict=True)):
        start = np.asarray(0) if n == size else eqn.known(first + axis)
        starts.append(None if start is None else int(np.clip(start, 0, n - size)))
    return starts
