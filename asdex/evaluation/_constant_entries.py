"""Entries that cannot change: found and computed once, so that the passes are for the others alone."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import jaxpr_as_fun
from jaxtyping import Bool, Shaped

from .._arguments import Samples
from .._arrays import has_derivative, is_key
from .._errors import UnbatchedPassesWarning
from .._jaxprs import jaxpr_consts, open_jaxpr
from ..coloring import color_required, ColoredPattern, cost_of, SearchOptions
from ..decompression import ConstantDecompressor, decompressor_for
from ..detection import changing_elements, compiled, DetectionOptions, trace, Traced
from ..pattern import SparsityPattern
from ._kernel import colors_of, Kernel
from .passes import Batches


if TYPE_CHECKING:
    from ._derivative import SparseDerivative


_LARGEST = 2**26
"""Elements of the largest compressed matrix that is looked at."""


def with_constants(
    derivative: SparseDerivative,
    samples: Samples,
    detection: DetectionOptions,
    search: SearchOptions,
) -> SparseDerivative:
    """The same derivative, with entries reused that are the same in every call.

    **Arguments:** `samples` and the options that the derivative was made with.

    **Returns:**

    The derivative itself, if that would not make it cheaper.
    """
    whole = derivative.coloring
    found = _find(derivative, samples, detection.captured)
    if found is None:
        return derivative
    mask, data = found
    for allowed in (_free_modes(whole, search), [whole.mode]):
        per_call = color_required(whole.sparsity, ~mask, whole, allowed, search)
        if cost_of(per_call) >= cost_of(whole):
            return derivative
        reused = _reused(derivative, mask, data, per_call)
        # A loop may allow no reverse mode although its results have zero derivatives.
        if per_call.mode == whole.mode or _can_be_traced(reused, samples):
            return reused
    return derivative


def _free_modes(whole: ColoredPattern, search: SearchOptions) -> Sequence[str]:
    """The modes among which one may choose for a part of the entries."""
    if whole.symmetric or "over" in whole.mode:
        return (whole.mode,)
    prescribed = {"fwd": ("fwd",), "rev": ("rev",), "bidirectional": ()}
    return prescribed.get(search.mode or "auto", whole.sparsity.modes)


def _reused(
    derivative: SparseDerivative,
    mask: Bool[np.ndarray, " nnz"],
    data: Shaped[np.ndarray, " nnz"],
    per_call: ColoredPattern,
) -> SparseDerivative:
    """The derivative that computes what `per_call` colors, and takes what `mask` marks from `data`."""
    index = _positions(per_call.sparsity, derivative.coloring.sparsity)
    colors, row_colors = colors_of(per_call)
    return dataclasses.replace(
        derivative,
        colors=colors,
        row_colors=row_colors,
        decompressor=ConstantDecompressor(decompressor_for(per_call), index, mask, data),
        options=dataclasses.replace(
            derivative.options,
            mode=per_call.mode,
            num_colors=per_call.num_colors,
            num_row_colors=per_call.num_row_colors,
        ),
        per_call=per_call,
    )


def _can_be_traced(derivative: SparseDerivative, samples: Samples) -> bool:
    """Whether the function can be differentiated in the mode of the derivative."""
    parts = (derivative.colors, derivative.row_colors, derivative.decompressor, derivative.options)
    entries = _Entries(Kernel(derivative.f, *parts))
    try:
        argnums = derivative.options.argnums
        trace(entries, samples.args, samples.kwargs, argnums=argnums, has_aux=False)
    except Exception:
        return False
    return True


class _Entries(eqx.Module):
    """The values of all nonzeros as a function, of which a model in it is a part."""

    kernel: Kernel

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():  # the calls will say so
            warnings.simplefilter("ignore", UnbatchedPassesWarning)
            return self.kernel(args, kwargs)[0].data


def _find(
    derivative: SparseDerivative, samples: Samples, captured: str
) -> tuple[Bool[np.ndarray, " nnz"], Shaped[np.ndarray, " nnz"]] | None:
    """Which nonzeros are constant, and the values of those; `None` if none is, or if it cannot be told."""
    coloring, options = derivative.coloring, derivative.options
    num_colors = coloring.num_colors
    if not num_colors or num_colors * max(coloring.sparsity.shape) > _LARGEST:
        return None
    # One batch, on one device: a loop over batches would hide which seeds are zero.
    options = dataclasses.replace(options, batches=Batches(num_colors), with_value=False)
    parts = (derivative.colors, derivative.row_colors, decompressor_for(coloring))
    entries = _Entries(Kernel(derivative.f, *parts, options))
    traced = trace(entries, samples.args, samples.kwargs, argnums=options.argnums, has_aux=False)
    (varies,) = changing_elements(traced.jaxpr, captured=captured)
    if np.all(varies) or any(isinstance(const, Tracer) for const in jaxpr_consts(traced.jaxpr)):
        return None
    points = _points(traced)
    if points is None:
        return None
    return _confirmed(~varies, *_evaluated(traced.jaxpr, points))


def _points(traced: Traced) -> list[list[Any]] | None:
    """Two points: the sample, where it has values, and one nearby; `None` if values cannot be made up."""
    rng = np.random.default_rng(0)
    first, second = [], []
    for sample, variable in zip(traced.samples, open_jaxpr(traced.jaxpr).invars, strict=True):
        dtype, shape = variable.aval.dtype, variable.aval.shape
        known = _has_value(sample)
        if is_key(variable.aval):
            if not known:
                return None
            first.append(sample)
            second.append(sample)
            continue
        floating = has_derivative(variable.aval)
        value = np.asarray(sample if known else rng.uniform(0.5, 1.5, shape) * floating)
        first.append(value.astype(dtype))
        moved = value * rng.uniform(0.9, 1.1, shape) + rng.uniform(0.005, 0.015, shape)
        second.append((moved if floating else value).astype(dtype))
    return [first, second]


def _has_value(leaf: Any) -> bool:
    if isinstance(leaf, jax.Array):
        return not isinstance(leaf, Tracer) and leaf.is_fully_addressable
    return not isinstance(leaf, jax.ShapeDtypeStruct)


def _evaluated(jaxpr: Any, points: Sequence[Sequence[Any]]) -> list[np.ndarray]:
    """The values at each point; of the second point, only if the function can be evaluated there."""
    function = compiled(jaxpr_as_fun(jaxpr), *points[0], options={})
    results = [np.asarray(function(*points[0])[0])]
    try:
        results.append(np.asarray(function(*points[1])[0]))
    except Exception:  # such as a check of the user's that fails there
        results.append(results[0])
    return results


def _confirmed(
    mask: Bool[np.ndarray, " nnz"],
    first: Shaped[np.ndarray, " nnz"],
    second: Shaped[np.ndarray, " nnz"],
) -> tuple[Bool[np.ndarray, " nnz"], Shaped[np.ndarray, " nnz"]]:
    """What is finite at one of two points, and equal at both if it is finite at both.

    A factor that is infinite at a point makes NaN of a zero beside it, also in entries that are constant.
    """
    finite = np.isfinite(first), np.isfinite(second)
    tolerance = float(jnp.finfo(first.dtype).eps) ** 0.5
    with np.errstate(all="ignore"):
        equal = np.abs(first - second) <= tolerance * np.abs(first)
    confirmed = mask & np.where(finite[0] & finite[1], equal, finite[0] | finite[1])
    values = np.where(finite[0], first, second)
    return confirmed, np.where(confirmed, values, np.zeros_like(values))


def _positions(part: SparsityPattern, whole: SparsityPattern) -> np.ndarray:
    """For each nonzero of `whole`, its position in `part`; any for those that are not in it."""
    keys, wanted = (one.rows.astype(np.int64) * one.n + one.cols for one in (part, whole))
    return np.searchsorted(keys, wanted).clip(0, max(part.nnz - 1, 0))
