"""What changes from call to call: arithmetic, data movement, indexing.

Structure is that of the sparsity rules, where these are exact about values and not only about derivatives.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from asdex import Dependence
from asdex.detection import (
    everywhere,
    intersection,
    Known,
    nowhere,
    register_variation,
    Step,
    union,
    Variation,
)

from . import (
    dynamic_slices,
    elementwise,
    fourier,
    identity,
    indexing,
    products,
    reductions,
    structural,
    windows,
)
from .sparse import _bcoo_product


Rule = Callable[..., Any]

_ZERO_OF_ZEROS = frozenset(
    {
        *("neg", "abs", "real", "imag", "conj", "sign", "convert_element_type", "reduce_precision"),
        *("copy", "add", "add_any", "sub", "complex"),
    }
)
"""Primitives of which each result is zero where all operands are."""


@register_variation(
    *elementwise.ELEMENTWISE,
    *("clamp", "sign", "floor", "ceil", "round", "is_finite"),
    *("eq", "ne", "lt", "le", "gt", "ge", "eq_to", "lt_to", "le_to"),
    *("and", "or", "xor", "not", "population_count", "clz"),
    *("shift_left", "shift_right_arithmetic", "shift_right_logical"),
)
def element_by_element(step: Step) -> Variation:
    """Each element changes with the operands' elements at its place."""
    varies = union([operand.varies for operand in step.operands], step.shape)
    linear = step.name in _ZERO_OF_ZEROS
    supports = step.supports(range(len(step.operands))) if linear else None
    return Variation(varies, None if supports is None else _marked(supports, step))


def _marked(supports: Sequence[Any], step: Step) -> Any:
    support = union(supports, step.shape)
    return nowhere(step.shape) if support is None else support


@register_variation("mul")
def mul(step: Step) -> Variation:
    """A factor that changes does not matter where the other one is zero."""
    a, b = (_nonzero(step, k) for k in (0, 1))
    support = intersection([a, b], step.shape)
    # What the support leaves out is left out of what varies, too.
    return Variation(union([step.varies(0), step.varies(1)], step.shape), support)


def _nonzero(step: Step, index: int) -> Any:
    support = step.nonzero(index)
    return everywhere(step.in_avals[index].shape) if support is None else support


@register_variation("div")
def div(step: Step) -> Variation:
    """What changes does not matter where the numerator is zero."""
    supports = step.supports([0])
    varies = union([step.varies(0), step.varies(1)], step.shape)
    return Variation(varies, None if supports is None else _marked(supports, step))


@register_variation("pow", "integer_pow")
def power(step: Step) -> Variation:
    """`x ** 0` is one. JAX's second derivative of `x ** 2` has such a factor."""
    bases = step.varies(0)
    exponent = step.params["y"] if step.name == "integer_pow" else step.known(1)
    if exponent is not None:
        bases = intersection([bases, np.asarray(exponent != 0)], step.shape)
    return Variation(union([bases, *(one.varies for one in step.operands[1:])], step.shape))


@register_variation("select_n")
def select_n(step: Step) -> Variation:
    """Each element changes with the cases at its place, and with the selector; a known one picks a case."""
    cases = range(1, len(step.operands))
    (picked,) = _through(step, elementwise.select_n, cases)
    return picked._replace(varies=union([picked.varies, step.varies(0)], step.shape))


_LINEAR: dict[str, Rule] = {
    "reshape": structural.reshape,
    "squeeze": structural.squeeze,
    "broadcast_in_dim": structural.broadcast_in_dim,
    "transpose": structural.transpose,
    "rev": structural.rev,
    "slice": structural.slice_,
    "pad": structural.pad,
    "concatenate": structural.concatenate,
    "split": structural.split,
    "stack": structural.stack,
    "unstack": structural.unstack,
    "tile": structural.tile,
    "reduce_sum": reductions.reduce,
    "cumsum": reductions.cumulative,
    "reduce_window_sum": windows.reduce_window,
    "fft": fourier.fft,
    **dict.fromkeys(["optimization_barrier", "device_put", "name"], identity.identity),
    **dict.fromkeys(["sharding_constraint", "layout_constraint", "reshard"], identity.identity),
    **dict.fromkeys(["mesh_cast", "pvary", "relayout", "stop_gradient"], identity.identity),
}
"""The structure of primitives of which each result is zero where all that it reads is."""

_OTHERS: dict[str, Rule] = {
    **dict.fromkeys(["reduce_max", "reduce_min", "reduce_prod"], reductions.reduce),
    **dict.fromkeys(["argmax", "argmin", "reduce_and", "reduce_or"], reductions.reduce),
    **dict.fromkeys(["cumprod", "cummax", "cummin", "cumlogsumexp"], reductions.cumulative),
    **dict.fromkeys(["reduce_window_max", "reduce_window_min"], windows.reduce_window),
}
"""The structure of primitives of which nothing is known about zeros."""


@register_variation(*_LINEAR)
def linear(step: Step) -> list[Variation]:
    """Each element changes with those that it reads."""
    return _through(step, _LINEAR[step.name], range(len(step.operands)))


@register_variation(*_OTHERS)
def by_structure(step: Step) -> list[Variation]:
    """Each element changes with those that it reads."""
    masks = [operand.varies for operand in step.operands]
    return [Variation(one) for one in step.spread(_OTHERS[step.name], masks)]


def _through(step: Step, rule: Rule, data: Collection[int]) -> list[Variation]:
    """Move what is marked in the `data` operands to the results, which are zero where all they read is."""

    def only_data(masks: Sequence[Any]) -> list[Any]:
        found = dict(zip(data, masks, strict=True))
        return [found.get(k) for k in range(len(step.operands))]

    varies = step.spread(rule, only_data([step.varies(k) for k in data]))
    supports = step.supports(data)
    if supports is None:
        return [Variation(one) for one in varies]
    marked = step.spread(rule, only_data(supports))
    return [
        Variation(one, nowhere(aval.shape) if support is None else support)
        for one, support, aval in zip(varies, marked, step.out_avals, strict=True)
    ]


_INDEXED: dict[str, tuple[Rule, tuple[int, ...]]] = {
    "gather": (indexing.gather, (0,)),
    "dynamic_slice": (dynamic_slices.dynamic_slice, (0,)),
    "dynamic_update_slice": (dynamic_slices.dynamic_update_slice, (0, 1)),
    **dict.fromkeys(["scatter", "scatter-add", "scatter-sub"], (indexing.scatter, (0, 2))),
    **dict.fromkeys(["scatter-mul", "scatter-min", "scatter-max"], (indexing.scatter, (0, 2))),
    "select_and_gather_add": (windows.select_and_gather_add, (0,)),
    "select_and_scatter_add": (windows.select_and_scatter_add, (0,)),
}
"""The structure of primitives that move some operands to places which the others decide."""


@register_variation(*_INDEXED)
def indexed(step: Step) -> list[Variation]:
    """Each element changes with those that it may read, and everywhere with the places."""
    rule, data = _INDEXED[step.name]
    results = _through(step, rule, data)
    if any(step.varies(k) is not None for k in range(len(step.operands)) if k not in data):
        shapes = [aval.shape for aval in step.out_avals]
        results = [
            one._replace(varies=everywhere(shape))
            for one, shape in zip(results, shapes, strict=True)
        ]
    return results if _keeps_zeros(step) else [one._replace(support=None) for one in results]


def _keeps_zeros(step: Step) -> bool:
    """Whether the results are zero where all data that they may read is."""
    if step.name == "gather":
        beyond = step.params["mode"] == indexing._FILL
        return not beyond or step.params["fill_value"] == 0
    if step.name == "scatter":
        return indexing._overwrites(step)
    return step.name not in ("scatter-mul", "scatter-min", "scatter-max")


_BILINEAR: dict[str, Rule] = {
    "dot_general": products.dot_general,
    "conv_general_dilated": windows.conv_general_dilated,
}


@register_variation(*_BILINEAR)
def bilinear(step: Step) -> Variation:
    """Sums of products, in which a factor that changes does not matter where the other one is zero."""
    rule = _BILINEAR[step.name]
    factors = [step.nonzero(k) for k in (0, 1)]
    # The rules ask for nothing but which elements of a known factor are nonzero.
    knowns = [None if factor is None else Known.of(factor) for factor in factors]
    (varies,) = step.spread(rule, [step.varies(0), step.varies(1)], knowns)
    if factors[0] is None and factors[1] is None:
        return Variation(varies)
    first = [_nonzero(step, 0), None]
    (support,) = step.spread(rule, first, [None, knowns[1]])
    return Variation(varies, nowhere(step.shape) if support is None else support)


@register_variation("bcoo_dot_general")
def bcoo_dot_general(step: Step) -> list[Variation]:
    """Follows the product entry by entry."""
    return step.expand(lambda *arrays: _bcoo_product(*arrays, **step.params))


@register_variation("sort")
def sort(step: Step) -> list[Variation]:
    """Each element may come from anywhere along the dimension, by any of the keys."""

    def mixed(_: Any, *operands: Dependence) -> list[Dependence]:
        together = operands[0]
        for operand in operands[1:]:
            together = together | operand
        return [together.mix([step.params["dimension"]])] * len(operands)

    return [
        Variation(one) for one in step.spread(mixed, [operand.varies for operand in step.operands])
    ]
