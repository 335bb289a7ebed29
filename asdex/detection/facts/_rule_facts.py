"""The facts about the results of an equation that follow from its rule and from facts about its operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import numpy as np

from ..._arrays import size_of
from .._registry import Rule
from ..dependence import (
    as_dependence,
    as_mask,
    Dependence,
    everywhere,
    identities,
    is_everywhere,
    Mask,
    Range,
)


if TYPE_CHECKING:
    from ._facts import Facts


def ranges(eqn: Facts, rule: Rule) -> Any:
    """What a rule says of bounds on the results: by its function, or since it moves elements."""
    function = rule.functions.get("range")
    if function is None and not rule.moves:
        return None
    bounds = [eqn.bounds(number) for number in range(len(eqn.operands))]
    return _moved(eqn, rule, bounds) if function is None else function(eqn, *bounds)


def _moved(eqn: Facts, rule: Rule, bounds: Sequence[Range]) -> list[Range]:
    """Bounds that move with the elements, unbounded where a result has no single source."""
    shape = eqn.aval.shape
    if eqn.is_in_place and len(bounds) == 1 and bounds[0].low.size == size_of(eqn.aval):
        return [Range(*(bound.reshape(shape) for bound in bounds[0]))]
    low, high = (
        np.concatenate([np.ravel(one) for one in side]) for side in zip(*bounds, strict=True)
    )
    return [
        Range.unbounded(aval.shape) if source is None else Range(low[source], high[source])
        for source, aval in zip(sources(eqn, rule), eqn.out_avals, strict=True)
    ]


def sources(eqn: Any, rule: Rule) -> list[np.ndarray | None]:
    """Where each element of the results of a rule that moves elements comes from.

    Positions count the elements of all operands, one after the other. `None` for a result of which some
    element has no single source.
    """
    results = rule(eqn, *identities(eqn.in_avals))
    if results is NotImplemented:
        return [None] * len(eqn.out_avals)
    results = [results] if isinstance(results, Dependence) else results
    return [_single(one) for one in results]


def _single(structure: Dependence) -> np.ndarray | None:
    if len(structure.terms) == 1 and structure.terms[0].pool.is_identity:
        rows = structure.terms[0].rows
        return rows if (rows >= 0).all() else None
    indptr, indices = structure.entries()
    return indices.reshape(structure.shape) if (np.diff(indptr) == 1).all() else None


def supports(eqn: Facts, rule: Rule) -> Any:
    """What a rule says of the elements of the results that may be nonzero."""
    function = rule.functions.get("zeros")
    if function is None and not rule.is_zero_at_zero(eqn):
        return None
    steering = rule.steered_by(eqn)
    masks = [
        everywhere(aval.shape) if number in steering else eqn.nonzero(number)
        for number, aval in enumerate(eqn.in_avals)
    ]
    if function is not None:
        return function(eqn, *masks)
    read = [mask for number, mask in enumerate(masks) if number not in steering]
    if all(map(is_everywhere, read)):
        return None
    return results_reading(eqn, rule, masks)


def doubts(eqn: Facts, rule: Rule) -> list[Mask]:
    """Which zeros of what a rule picks at a point are doubtful: those that come from doubtful zeros."""
    masks = [eqn.nonzero(number) for number in range(len(eqn.in_avals))]
    values = [eqn.known(number) for number in range(len(eqn.in_avals))]
    pairs = zip(masks, values, strict=True)
    doubtful = [mask if value is None else mask & (value == 0) for mask, value in pairs]
    return results_reading(eqn, rule, doubtful)


def results_reading(eqn: Any, rule: Rule, masks: Sequence[Mask]) -> list[Mask]:
    """Which elements of the results read the value of an element that is marked."""
    steering = rule.steered_by(eqn)
    reads = rule.functions.get("changes", rule)
    operands = [
        Dependence.none(mask.shape) if number in steering else as_dependence(mask)
        for number, mask in enumerate(masks)
    ]
    results = reads(eqn, *operands)
    if results is NotImplemented:
        return [everywhere(aval.shape) for aval in eqn.out_avals]
    results = [results] if isinstance(results, Dependence) else results
    pairs = zip(results, eqn.out_avals, strict=True)
    return [
        as_mask(one if isinstance(one, Dependence) else one.as_dependence(aval))
        for one, aval in pairs
    ]
