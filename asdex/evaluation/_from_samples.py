"""From a function and sample inputs to its sparse derivative: detect, color, evaluate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._arguments import Samples
from .._errors import DenseColoringWarning
from .._pattern import SparsityPattern
from ..coloring import (
    color_hessian,
    color_jacobian,
    ColoredPattern,
    HessianSearch,
    JacobianSearch,
    SearchOptions,
)
from ..detection import detect_hessian, detect_jacobian, DetectionOptions
from ._constant_entries import with_constants
from ._derivative import evaluate, HESSIAN, in_triangle, JACOBIAN, Kind, SparseDerivative
from ._options import EvaluationOptions
from ._signature import Signature


Color = Callable[..., ColoredPattern]
"""Colors a pattern as a search asks for."""


def jacobian_from_samples(
    f: Callable[..., Any],
    samples: Samples,
    detection: DetectionOptions,
    search: JacobianSearch,
    evaluation: EvaluationOptions,
) -> SparseDerivative:
    """The sparse Jacobian of `f`."""
    pattern = detect_jacobian(f, samples, detection)
    if evaluation.constant == "reuse":
        return _reusing(
            f, pattern, color_jacobian, samples, detection, search, evaluation, JACOBIAN
        )
    return evaluate(
        f, color_jacobian(pattern, search), evaluation, JACOBIAN, _signature(samples, pattern)
    )


def hessian_from_samples(
    f: Callable[..., Any],
    samples: Samples,
    detection: DetectionOptions,
    search: HessianSearch,
    evaluation: EvaluationOptions,
) -> SparseDerivative:
    """The sparse Hessian of `f`."""
    pattern = detect_hessian(f, samples, detection)
    if evaluation.constant == "reuse":
        whole = _reusing(f, pattern, color_hessian, samples, detection, search, evaluation, HESSIAN)
    else:
        coloring = color_hessian(pattern, search)
        whole = evaluate(f, coloring, evaluation, HESSIAN, _signature(samples, pattern))
    return in_triangle(whole, evaluation)


def _signature(samples: Samples, pattern: SparsityPattern) -> Signature:
    return Signature.of(samples.args, samples.kwargs, pattern.argnums)


def _reusing(
    f: Callable[..., Any],
    pattern: SparsityPattern,
    color: Color,
    samples: Samples,
    detection: DetectionOptions,
    search: SearchOptions,
    evaluation: EvaluationOptions,
    kind: Kind,
) -> SparseDerivative:
    """The derivative with entries reused that no call can change."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coloring = color(pattern, search)
    whole = evaluate(f, coloring, evaluation, kind, _signature(samples, pattern))
    derivative = with_constants(whole, samples, detection, search)
    for one in caught:  # what is dense may also be constant
        if derivative.per_call is None or not issubclass(one.category, DenseColoringWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return derivative
