"""From a function and sample inputs to its sparse derivative."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from .._arguments import sample_arguments
from .._detect_and_color import jacobian_coloring_and_modes
from .._errors import DenseColoringWarning
from ..coloring import ColoredPattern
from ._constant import with_constants
from ._derivative import check_callable, check_options, make_derivative, SparseDerivative
from ._signature import Signature


_EVALUATION_OPTIONS = (
    *("output_format", "holomorphic", "allow_int", "chunk_size", "mesh", "constant"),
)
_COLORING_OPTIONS = (
    *("argnums", "has_aux", "input_shape", "unknown", "values"),
    *("mode", "symmetric", "recovery", "order", "budget"),
)


def derivative_from_samples(
    color: Callable[..., ColoredPattern],
    f: Callable[..., Any],
    args: tuple[Any, ...],
    options: Mapping[str, Any],
    *,
    hessian: bool,
    compressed: bool,
    with_value: bool,
) -> SparseDerivative:
    """Detect and color with `color`, then `make_derivative`; `options` may hold keywords of `f` as well."""
    # Without a mesh `axis` is a keyword of `f`, which many functions have.
    names = _EVALUATION_OPTIONS + (("axis",) if options.get("mesh") is not None else ())
    chosen = {name: options[name] for name in names if name in options}
    others = {name: value for name, value in options.items() if name not in chosen}
    if compressed and "output_format" in chosen:
        raise TypeError(
            "Expected no `output_format` for a compressed derivative, which is a plain array. Pass it to "
            "asdex.decompress."
        )
    check_callable(f)
    check_options(**chosen)
    reuse = chosen.pop("constant", "recompute") == "reuse"
    if reuse and compressed:
        raise TypeError(
            'Expected no constant="reuse" for a compressed derivative, which is what one call computes. Use '
            f"asdex.{'hessian' if hessian else 'jacobian'}."
        )
    kwargs = {name: value for name, value in others.items() if name not in _COLORING_OPTIONS}
    samples = sample_arguments(args, options.get("input_shape"))

    def derivative_for(coloring: ColoredPattern) -> SparseDerivative:
        return make_derivative(
            f,
            coloring,
            hessian=hessian,
            compressed=compressed,
            with_value=with_value,
            has_aux=options.get("has_aux", False),
            signature=Signature.of(samples, kwargs, coloring.sparsity.argnums),
            **chosen,
        )

    if not reuse:
        return derivative_for(color(f, *args, **others))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if hessian:
            coloring = color(f, *args, **others)
            modes = (coloring.mode,)
        else:
            coloring, modes = jacobian_coloring_and_modes(f, *args, **others)
    derivative = with_constants(derivative_for(coloring), samples, kwargs, modes, options)
    for one in caught:  # what is dense may also be constant
        if derivative.per_call is None or not issubclass(one.category, DenseColoringWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return derivative
