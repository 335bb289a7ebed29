"""Convolutions and sliding windows."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from asdex import Dependence, Equation, register
from asdex.detection import everywhere, is_everywhere, pairs_to_csr

from .products import zeros_of_a_product
from .ties import is_below


class _Window(NamedTuple):
    """A window that slides over an array: one entry per axis in each field."""

    size: Sequence[int]
    strides: Sequence[int]
    padding: Sequence[tuple[int, int]]
    base_dilation: Sequence[int]
    dilation: Sequence[int]

    def positions(self, shape: Sequence[int], results: Sequence[int]) -> np.ndarray:
        """The flat position that each tap of each result reads: `(results, taps)`, -1 outside of `shape`."""
        grid = np.indices((*results, *self.size), sparse=True)
        total = np.zeros((*results, *self.size), np.int64)
        valid = np.ones(total.shape, bool)
        for axis, n in enumerate(shape):
            result = grid[axis] * self.strides[axis]
            tap = grid[len(shape) + axis] * self.dilation[axis]
            place, hole = np.divmod(result + tap - self.padding[axis][0], self.base_dilation[axis])
            valid &= (hole == 0) & (place >= 0) & (place < n)
            total = total * n + place
        return np.where(valid, total, -1).reshape(math.prod(results), math.prod(self.size))


def _union_of_taps(operand: Dependence, positions: np.ndarray) -> Dependence:
    """The union over all taps; the last axis of the operand becomes that of the results."""
    result = Dependence.none((*operand.shape[:-1], len(positions)))
    for tap in positions.T:
        if operand.shape[-1]:
            result = result | operand.rearrange(lambda p, t=tap: np.where(t >= 0, p[..., t], -1))
    return result


@register("conv_general_dilated", exact=True, linear_in=(0, 1))
def conv_general_dilated(eqn: Equation, lhs: Dependence, rhs: Dependence) -> Dependence:
    """Slides a kernel over an array: result `(n, o, s)` reads the window at `s` of all input channels.

    With groups it reads the channels (or the batch entries) of its own group. What is always zero in the
    kernel drops out, and what is in the array does so for the dependence on the kernel.
    """
    conv = _Convolution(eqn)
    result = conv.of_array(lhs) | conv.of_kernel(rhs)
    order = np.argsort(eqn.params["dimension_numbers"].out_spec)
    return result.reshape(conv.result_shape).rearrange(lambda p: p.transpose(order))


conv_general_dilated.zeros(zeros_of_a_product)


@conv_general_dilated.cause
def kernel(eqn: Equation) -> str:
    """Zeros of a kernel remove what they meet."""
    return eqn.unless_known((1,), "the kernel", "is not constant but comes from")


class _Convolution:
    """A convolution in a canonical layout.

    The array is `(batch, channel, place)`, the kernel `(output, channel, tap)` and the result
    `(entry, output, site)`. Site `r` reads through tap `t` the place `places[r, t]` (-1: padding). Result
    `(n, o)` reads batch entry `batch_of[n, o]` and the channels of group `group_of[n, o]`.
    """

    def __init__(self, eqn: Equation):
        params = eqn.params
        self.eqn, self.numbers = eqn, params["dimension_numbers"]
        lhs, rhs = (aval.shape for aval in eqn.in_avals)
        out = eqn.out_avals[0].shape
        self.result_shape = tuple(out[axis] for axis in self.numbers.out_spec)
        batch, channels, *spatial = (lhs[axis] for axis in self.numbers.lhs_spec)
        outputs, group_channels, *size = (rhs[axis] for axis in self.numbers.rhs_spec)
        window = _Window(
            size,
            params["window_strides"],
            params["padding"],
            params["lhs_dilation"],
            params["rhs_dilation"],
        )
        self.places = window.positions(spatial, self.result_shape[2:])
        self.array_shape = (batch, channels, math.prod(spatial))
        self.kernel_shape = (outputs, group_channels, math.prod(size))
        self.entries, self.sites = self.result_shape[0], len(self.places)
        feature_groups, batch_groups = params["feature_group_count"], params["batch_group_count"]
        entry = np.arange(self.entries)[:, None]
        group = np.arange(outputs)[None] // max(outputs // (feature_groups * batch_groups), 1)
        if batch_groups > 1:
            self.batch_of, self.group_of = group * self.entries + entry, 0 * (group + entry)
        else:
            self.batch_of, self.group_of = entry + 0 * group, group + 0 * entry

    def array(self, values: np.ndarray) -> np.ndarray:
        return values.transpose(self.numbers.lhs_spec).reshape(self.array_shape)

    def kernel(self, values: np.ndarray) -> np.ndarray:
        return values.transpose(self.numbers.rhs_spec).reshape(self.kernel_shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.entries, self.kernel_shape[0], self.sites

    def of_array(self, lhs: Dependence) -> Dependence:
        """What the results read of the array."""
        if lhs.is_none or 0 in self.shape:
            return Dependence.none(self.shape)
        x = lhs.rearrange(self.array)
        weights = self.eqn.nonzero(1)
        if not is_everywhere(weights):
            return self._of_array_through(x, self.kernel(weights))
        batch, channels, places = self.array_shape
        group_channels = self.kernel_shape[1]
        grouped = x.reshape((batch, channels // group_channels, group_channels, places)).reduce([2])
        seen = _union_of_taps(grouped, self.places)
        return seen.rearrange(lambda p: p[self.batch_of, self.group_of])

    def _of_array_through(self, x: Dependence, nonzero: np.ndarray) -> Dependence:
        """Each nonzero `(o, c, t)` of the kernel links all results `(n, o, r)` to one element each."""
        output, channel, tap = np.nonzero(nonzero)
        _, channels, places = self.array_shape
        group_channels = self.kernel_shape[1]
        entry = np.arange(self.entries)[:, None]
        results = (entry * self.shape[1] + output)[..., None] * self.sites + np.arange(self.sites)
        read = (
            self.batch_of[:, output] * channels
            + self.group_of[:, output] * group_channels
            + channel
        )
        place = np.broadcast_to(self.places[:, tap].T, results.shape)
        inside = place >= 0
        return self._through(x, results[inside], (read[..., None] * places + place)[inside])

    def of_kernel(self, rhs: Dependence) -> Dependence:
        """What the results read of the kernel."""
        if rhs.is_none or 0 in self.shape:
            return Dependence.none(self.shape)
        weights = rhs.rearrange(self.kernel)
        values = self.eqn.nonzero(0)
        if not is_everywhere(values):
            return self._of_kernel_through(weights, self.array(values))
        # Sites differ only by which taps fall on padding.
        classes, site_class = np.unique(self.places >= 0, axis=0, return_inverse=True)
        taps = weights.reduce([1])
        positions = np.where(classes, np.arange(classes.shape[1]), -1)
        seen = _union_of_taps(taps, positions)
        return seen.rearrange(lambda p: p[:, site_class.reshape(-1)]).broadcast_to(self.shape)

    def _of_kernel_through(self, weights: Dependence, nonzero: np.ndarray) -> Dependence:
        """Result `(n, o, r)` reads `(o, c, t)` where the array is nonzero at channel `c` behind the tap."""
        group_channels = self.kernel_shape[1]
        channel = self.group_of[..., None] * group_channels + np.arange(group_channels)
        behind = nonzero[self.batch_of[..., None], channel][..., self.places] & (self.places >= 0)
        entry, output, channel, site, tap = np.nonzero(behind)
        results = (entry * self.shape[1] + output) * self.sites + site
        return self._through(
            weights, results, (output * group_channels + channel) * self.kernel_shape[2] + tap
        )

    def _through(self, x: Dependence, results: np.ndarray, elements: np.ndarray) -> Dependence:
        return x.through(
            pairs_to_csr(results, elements, (math.prod(self.shape), x.size)), self.shape
        )


@register("reduce_window_sum", linear=True)
def reduce_window(eqn: Equation, operand: Dependence) -> Dependence:
    """Combines the elements in a sliding window: each result reads its window."""
    return _windowed(eqn, operand)


@register("reduce_window_max", "reduce_window_min", exact=True, picks=True)
def extrema(eqn: Equation, operand: Dependence) -> Dependence:
    """Picks the largest or the smallest element in a sliding window: each result reads its window."""
    _forbid_reverse_mode(eqn)
    return _windowed(eqn, operand)


@extrema.at_point
def extrema_at_point(eqn: Equation, operand: Dependence) -> Any:
    """The largest or the smallest elements of each window."""
    _forbid_reverse_mode(eqn)
    shape, largest = eqn.out_avals[0].shape, eqn.name == "reduce_window_max"
    positions = _selected(eqn, 0, shape, largest)
    return NotImplemented if positions is None else _windowed(eqn, operand, positions)


def _forbid_reverse_mode(eqn: Equation) -> None:
    """Windows with gaps have none in JAX."""
    if any(step != 1 for step in eqn.params["window_dilation"]):
        eqn.forbid("rev")


def _selected(
    eqn: Equation, index: int, windows: Sequence[int], largest: bool
) -> np.ndarray | None:
    """The positions that each window covers, without those that are not selected at a point (-1).

    `None` if the values of operand `index`, by which they are selected, are not known.
    """
    value = eqn.known(index)
    if value is None or not value.size or value.dtype.kind in "biuc":
        return None
    positions = _window(eqn, value.ndim).positions(value.shape, windows)
    seen = value.reshape(-1)[positions] * value.dtype.type(1 if largest else -1)
    ranks = np.where(positions >= 0, seen, value.dtype.type(-np.inf))
    beaten = is_below(ranks, ranks.max(axis=1, keepdims=True, initial=-np.inf))
    return np.where(beaten, -1, positions)


def _selects_largest(eqn: Equation) -> bool:
    return "ge" in str(eqn.params["select_prim"])


@register("reduce_window")
def generic_reduce_window(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Combines sliding windows of several arrays with a user's function of all of them.

    Every result reads the windows of all operands, and all initial values.
    """
    half = len(operands) // 2
    union = Dependence.none(eqn.out_avals[0].shape)
    for operand in operands[:half]:
        union = union | _windowed(eqn, operand)
    for initial in operands[half:]:
        union = union | initial
    return [union] * half


@register("select_and_gather_add", linear=True, steered_by=lambda eqn: (1,))
def select_and_gather_add(eqn: Equation, tangents: Dependence, operand: Dependence) -> Dependence:
    """Picks from `tangents`, in each window, the element where `operand` is selected."""
    del operand
    selected = _selected(eqn, 1, eqn.out_avals[0].shape, _selects_largest(eqn))
    return _windowed(eqn, tangents, selected)


@register("select_and_scatter_add", linear=True, steered_by=lambda eqn: (1,))
def select_and_scatter_add(eqn: Equation, source: Dependence, operand: Dependence) -> Dependence:
    """Adds each source element to the one selected in its window of `operand`."""
    del operand
    shape = eqn.out_avals[0].shape
    positions = _selected(eqn, 1, source.shape, _selects_largest(eqn))
    if positions is None:
        positions = _window(eqn, len(shape)).positions(shape, source.shape)
    number, tap = np.nonzero(positions >= 0)
    links = pairs_to_csr(positions[number, tap], number, (math.prod(shape), source.size))
    return source.through(links, shape)


@select_and_gather_add.undecided
@select_and_scatter_add.undecided
def tied_windows(eqn: Equation, *undecided: np.ndarray) -> np.ndarray:
    """What is selected, or where, in windows with several elements of which any may be the largest."""
    shape, gathers = eqn.out_avals[0].shape, eqn.name == "select_and_gather_add"
    windows = shape if gathers else eqn.in_avals[0].shape
    positions = _selected(eqn, 1, windows, _selects_largest(eqn))
    if positions is None or any(mask.any() for mask in undecided):
        return everywhere(shape)
    within = positions >= 0
    several = (within.sum(axis=1) > 1) & (within & eqn.varies(1).reshape(-1)[positions]).any(axis=1)
    if gathers:
        return several.reshape(shape)
    mask = np.zeros(math.prod(shape), np.bool_)
    mask[positions[several][within[several]]] = True
    return mask.reshape(shape)


def _windowed(
    eqn: Equation, operand: Dependence, positions: np.ndarray | None = None
) -> Dependence:
    shape = eqn.out_avals[0].shape
    if positions is None:
        positions = _window(eqn, operand.ndim).positions(operand.shape, shape)
    return _union_of_taps(operand.reshape((operand.size,)), positions).reshape(shape)


def _window(eqn: Equation, rank: int) -> _Window:
    params = eqn.params
    ones = (1,) * rank
    return _Window(
        params["window_dimensions"],
        params["window_strides"],
        params["padding"],
        params.get("base_dilation", ones),
        params.get("window_dilation", ones),
    )
