"""Cases of an index: the few values of the unknown integers behind it, each followed to the index.

A range loses what belongs together: with `i` between -1 and 1, `i % 40` is between 0 and 39. Case by case
it is 39, 0 or 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..._arrays import size_of
from ..dependence import Range
from ._facts import Facts
from ._knowledge import Knowledge


_MAX_EQUATIONS = 100
"""Equations behind an index that are followed; what comes before them counts by its range."""

_Case = dict[Facts, Facts]
"""What the equations behind an index are in a case, where that differs from what they are in general."""


def index_cases(eqn: Any, operand: int, limit: int) -> list[Range]:
    """The ranges of an array of index vectors, of which one or another holds for each vector.

    All components of a vector are in the same case. Vectors lie along the last axis; a scalar is one.

    **Arguments:**

    - `eqn`: the equation that reads the index.
    - `operand`: which of its operands that is.
    - `limit`: how many cases are distinguished at most.
    """
    index = eqn.operands[operand].facts
    whole = eqn.bounds(operand)
    shape = whole.low.shape
    if index is None or not whole.low.size or whole.is_certain:
        return [whole]
    count = math.prod(shape[:-1])
    steps = _steps(index, count)
    last_use = {
        one.facts: step for step, follows in steps.items() if follows for one in step.operands
    }
    cases: list[_Case] = [{}]
    for step, follows in steps.items():
        for case in cases:
            case[step] = _in_case(step, case) if follows else step
            case[step].range()
            for _, used in step.operands:
                if used is not None and last_use.get(used) is step:
                    case.pop(used, None)
        if size_of(step.aval) in (1, count):
            cases = _split(cases, step, limit)
        for case in cases:
            if case[step] is not step:
                case[step].forget()
    return [case[index].range() for case in cases]


def _steps(index: Facts, count: int) -> dict[Facts, bool]:
    """The equations behind an index, in order, and whether each follows from those before it, case by case.

    It does as far as each vector follows from elements at its own place alone. Only then may all elements of
    an array take their first value together, then their second one.
    """
    follows: dict[Facts, bool] = {}
    steps: dict[Facts, bool] = {}
    stack = [index]
    while stack:
        step = stack[-1]
        waiting: list[Facts] = []
        if step not in follows:
            follows[step] = len(follows) < _MAX_EQUATIONS and _keeps_vectors(step, count)
            if follows[step]:
                waiting = [one.facts for one in step.operands if one.facts and not one.known]
        waiting = [one for one in waiting if one not in follows]
        stack.extend(waiting)
        if not waiting:
            steps[stack.pop()] = follows[step]
    return steps


def _keeps_vectors(step: Facts, count: int) -> bool:
    """Whether each of `count` vectors follows from its own place in the operands, or from scalars."""
    if step.name == "concatenate":
        *leading, _ = step.aval.shape
        return step.params["dimension"] == len(leading) and math.prod(leading) == count
    return step.is_in_place


def _in_case(step: Facts, case: _Case) -> Facts:
    operands = [
        Knowledge(known, facts and case.get(facts, facts)) for known, facts in step.operands
    ]
    if all(a.facts is b.facts for a, b in zip(operands, step.operands, strict=True)):
        return step
    return step.given(operands)


def _distinct(cases: list[_Case]) -> list[_Case]:
    """The cases that differ in what later equations read."""
    if len(cases) == 1:
        return cases
    keys = (
        tuple(_bytes(given) for one, given in case.items() if given is not one) for case in cases
    )
    return list(dict(zip(keys, cases, strict=True)).values())


def _bytes(bounded: Facts) -> tuple[bytes, bytes]:
    low, high = bounded.range()
    return low.tobytes(), high.tobytes()


def _split(cases: list[_Case], step: Facts, limit: int) -> list[_Case]:
    """The cases with a result in one of its alternatives, and integers settled, if these are few."""
    parts, counts = _parts(cases, step)
    if sum(counts) > len(counts) or len(parts) > len(cases):
        cases = _distinct(cases)
        parts, counts = _parts(cases, step)
    if not len(cases) < sum(counts) <= limit:
        return cases
    split = []
    for (case, part), count in zip(parts, counts, strict=True):
        for offset in range(int(count)):
            value = np.minimum(part.low + offset, part.high)
            settled = part if count == 1 else Range(value, value)
            split.append({**case, step: step.given([], settled)})
    return split


def _parts(cases: list[_Case], step: Facts) -> tuple[list[tuple[_Case, Range]], list[float]]:
    """The alternatives of a result in each case, and how many values an integer has in each of them."""
    parts = [(case, part) for case in cases for part in _alternatives(case[step])]
    if step.aval.dtype.kind not in "iub":
        return parts, [1] * len(parts)
    return parts, [1 + float(np.max(part.high - part.low)) for _, part in parts]


def _alternatives(step: Facts) -> list[Range]:
    function = None if step.rule is None else step.rule.functions.get("alternatives")
    if function is None or not step.operands:
        return [step.range()]
    return function(step, *(step.bounds(number) for number in range(len(step.operands))))
