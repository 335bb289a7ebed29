"""Results of equations on known operands, computed by NumPy where that is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import numpy as np

from ..._arrays import size_of
from ..._versions import binder
from .._registry import find_rule, Rule
from ..known import Evaluation, Evaluations, Known
from ._facts import Facts
from ._knowledge import Knowledge
from ._rule_facts import sources


def known_results(eqn: Any, operands: Sequence[Known], others: Evaluations) -> list[Known]:
    """The results of an equation on known operands, which are computed when asked for."""
    bind = binder(eqn.primitive, eqn.params)
    multiple = eqn.primitive.multiple_results

    def bound(*arrays: Any) -> Sequence[Any]:
        results = bind(*arrays)
        return list(results) if multiple else [results]

    avals = tuple(variable.aval for variable in eqn.outvars)
    kind = eqn.primitive.name, avals, ()
    evaluation = Evaluation(operands, bound, _computing(eqn), kind, others, eqn)
    return evaluation.outputs(len(eqn.outvars))


def partly_known_results(
    eqn: Any, operands: Sequence[Known | None], others: Evaluations
) -> list[Known | None]:
    """The results of an equation that follow from its known operands alone."""
    rule = find_rule(eqn.primitive)
    knowns = [known for known in operands if known is not None]
    if rule is None or "partly_known" not in rule.functions or not knowns:
        return [None] * len(eqn.outvars)
    are_known = [one is not None for one in operands]
    chosen, compute = rule.functions["partly_known"](eqn, are_known)
    if not any(chosen):
        return [None] * len(chosen)
    avals = tuple(variable.aval for variable in compress(eqn.outvars, chosen))
    kind = eqn.primitive.name, avals, tuple(are_known)
    evaluation = Evaluation(knowns, compute, None, kind, others, eqn)
    results = iter(evaluation.outputs(len(avals)))
    return [next(results) if one else None for one in chosen]


def _computing(eqn: Any) -> Callable[..., Sequence[np.ndarray] | None] | None:
    rule = find_rule(eqn.primitive)
    if rule is None or not (rule.moves or "value" in rule.functions):
        return None
    return lambda *arrays: _computed(eqn, rule, arrays)


def _computed(eqn: Any, rule: Rule, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """The results, or `None` where NumPy might not compute the same as JAX."""
    operands = [Knowledge(Known.of(array), None) for array in arrays]
    view = Facts(eqn, operands, 0)
    function = rule.functions.get("value")
    # NumPy has other formulas for complex numbers, and computes some narrow types in wider ones.
    exact = "biufc" if rule.is_linear(view) else "biuf"
    if function is not None and any(array.dtype.kind not in exact for array in arrays):
        return None
    found = _moved(view, rule, arrays) if function is None else function(view, *arrays)
    if found is None or found is NotImplemented:
        return None
    results = [np.asarray(one) for one in (found if isinstance(found, list) else [found])]
    same = all(
        one.dtype == aval.dtype and one.shape == tuple(aval.shape)
        for one, aval in zip(results, view.out_avals, strict=True)
    )
    return results if same else None


def _moved(view: Facts, rule: Rule, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    steering = rule.steered_by(view)
    data = [array for number, array in enumerate(arrays) if number not in steering]
    if view.is_in_place and len(data) == 1 and data[0].size == size_of(view.aval):
        return [data[0].reshape(view.aval.shape)]
    places = sources(view, rule)
    if any(place is None for place in places) or len({array.dtype for array in data}) > 1:
        return None
    elements = np.concatenate(
        [
            np.ravel(array).astype(data[0].dtype, copy=False)
            if number not in steering
            else np.zeros(array.size, data[0].dtype)
            for number, array in enumerate(arrays)
        ]
    )
    return [elements[place] for place in places]
