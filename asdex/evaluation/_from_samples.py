"""From a function and sample inputs to its sparse derivative: detect, color, evaluate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .._arguments import check_arity, check_inputs, differentiated, normalize_argnums, Samples
from .._errors import DenseColoringWarning
from ..coloring import color_hessian, color_jacobian, ColoredPattern, SearchOptions
from ..detection import detect_hessian, detect_jacobian, DetectionOptions
from ..pattern import SparsityPattern
from ._at_elements import at_elements
from ._constant_entries import with_constants
from ._derivative import evaluate, in_triangle, SparseDerivative
from ._guard import guarded
from ._kinds import check_coloring, HESSIAN, JACOBIAN, Kind
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
    coloring: ColoredPattern | None = None,
) -> SparseDerivative:
    """The sparse derivative of `f`, by a coloring made before, if there is one."""
    is_local = detection.is_local
    if coloring is not None:
        check_coloring(coloring, kind)
        _check_samples(coloring.sparsity, samples, detection)
        is_local = coloring.sparsity.local
    if is_local and (evaluation.constant == "reuse" or evaluation.elements):
        raise ValueError(
            'Expected neither constant="reuse" nor elements=True with `local`, got one of them: they hold '
            "for all values, a local pattern at some. Drop either."
        )
    detect, color = _STAGES[kind]
    pattern = detect(f, samples, detection) if coloring is None else coloring.sparsity
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = color(pattern, search) if coloring is None else coloring
    if made.recovery == "direct":
        evaluation = evaluation.spread_as(samples.args, pattern)
    signature = Signature.of(samples.args, samples.kwargs, pattern.argnums)
    whole = evaluate(f, made, evaluation, kind, signature)
    derivative = whole
    if evaluation.constant == "reuse":
        derivative = with_constants(whole, samples, detection, search)
    elif evaluation.elements is not False and evaluation.rows is None and not is_local:
        derivative = at_elements(whole, samples, detection, search, force=bool(evaluation.elements))
    for one in caught:  # what is dense may also be constant, or not be dense at the elements
        if derivative is whole or not issubclass(one.category, DenseColoringWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return guarded(in_triangle(derivative, evaluation), evaluation)


def _check_samples(pattern: SparsityPattern, samples: Samples, detection: DetectionOptions) -> None:
    """Compare sample inputs with those that a coloring was made for.

    **Raises:** `ValueError` for other `argnums`, or with `local`; as `check_inputs` for other inputs.
    """
    check_arity(samples.args, pattern.argnums)
    chosen = normalize_argnums(detection.argnums, len(samples.args))
    if chosen != normalize_argnums(pattern.argnums, len(samples.args)) or detection.is_local:
        raise ValueError(
            f"Expected argnums={pattern.argnums!r} and no `local` with this coloring, which was made so, got "
            f"argnums={detection.argnums!r}, local={detection.local!r}. A coloring made before says itself "
            "whether it is local."
        )
    check_inputs(differentiated(samples.args, chosen), pattern.input_avals, pattern.n)
