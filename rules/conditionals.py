"""Conditionals."""

import operator
from functools import reduce

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import Deferred, Facts

from .ties import differing


@register("cond")
def cond(eqn: Equation, index: Dependence, *operands: Dependence) -> list[Value]:
    """Evaluates one of `branches`. A known index takes that branch; otherwise any may be taken."""
    del operands
    branches = eqn.params["branches"]
    known = eqn.known(0)
    if known is not None:
        chosen = branches[int(np.clip(known, 0, len(branches) - 1))]
        return eqn.interpret(chosen, eqn.operands[1:], eqn.needed)
    results = [eqn.interpret(branch, eqn.operands[1:], eqn.needed) for branch in branches]
    # An index that is known at each step of a loop around the equation makes results that are so too.
    undecided = eqn.operands[0].undecided is not None
    later = eqn.operands[0].known is not None and not undecided
    return [
        Value(
            reduce(operator.or_, (value.as_dependence(aval) for value in values)) | index,
            Deferred() if later and all(value.known is not None for value in values) else None,
            Facts.of_one_of(values, aval),
            undecided=differing(values, aval) if undecided else None,
        )
        for aval, *values in zip(eqn.out_avals, *results, strict=True)
    ]


cond.changes(cond.dependence)


@cond.cause
def predicate(eqn: Equation) -> str:
    """With an unknown predicate every branch counts."""
    return eqn.unless_known((0,), "the predicate", "depends on")
