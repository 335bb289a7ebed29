"""From a function and sample inputs to its sparse derivative: detect, color, evaluate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._arguments import Samples
from .._errors import DenseColoringWarning
from ..coloring import (
    color_hessian,
    color_jacobian,
    SearchOptions,
)
from ..detection import detect_hessian, detect_jacobian, DetectionOptions
from ._at_elements import at_elements
from ._constant_entries import with_constants
from ._derivative import evaluate, HESSIAN, in_triangle, JACOBIAN, Kind, SparseDerivative
from ._guard import guarded
from ._options import EvaluationOptions
from ._signature import Signature


_STAGES = {
    JACOBIAN: (detect_jacobian, color_jacobian),
    HESSIAN: (detect_hessian, color_hessian),
}


def from_samples(
    f: Callable[..., Any],
    samples: Samples,
    detection: DetectionOptions,
    search: SearchOptions,
    evaluation: EvaluationOptions,
    kind: Kind,
) -> SparseDerivative:
    """The sparse derivative of `f`."""
    if detection.is_local and (evaluation.constant == "reuse" or evaluation.elements):
        raise ValueError(
            'Expected neither constant="reuse" nor elements=True with `local`, got one of them: they hold '
            "for all values, a local pattern at some. Drop either."
        )
    detect, color = _STAGES[kind]
    pattern = detect(f, samples, detection)
    signature = Signature.of(samples.args, samples.kwargs, pattern.argnums)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coloring = color(pattern, search)
    whole = evaluate(f, coloring, evaluation, kind, signature)
    derivative = whole
    if evaluation.constant == "reuse":
        derivative = with_constants(whole, samples, detection, search)
    elif evaluation.elements is not False and not detection.is_local:
        derivative = at_elements(whole, samples, detection, search, force=bool(evaluation.elements))
    for one in caught:  # what is dense may also be constant, or not be dense at the elements
        if derivative is whole or not issubclass(one.category, DenseColoringWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return guarded(in_triangle(derivative, evaluation), evaluation)
