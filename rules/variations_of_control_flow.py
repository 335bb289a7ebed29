"""What changes from call to call: loops, conditionals and calls."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from asdex.detection import (
    everywhere,
    is_jaxpr,
    open_jaxpr,
    register_variation,
    scan_arity,
    Step,
    Variation,
)


_ROUNDS = 8
"""How often a body is evaluated before what still spreads is taken to change everywhere."""


@register_variation("composite", "custom_dce_call", "compute_on", "xla_metadata_call")
def call(step: Step) -> list[Variation]:
    """Evaluates its one jaxpr."""
    (body,) = (value for value in step.params.values() if is_jaxpr(value))
    return step.run(body, step.operands, step.needed)


@register_variation("cond")
def cond(step: Step) -> list[Variation]:
    """A known index takes its branch. One that changes makes the results change, where any is nonzero."""
    branches, index = step.params["branches"], step.known(0)
    if index is not None:
        branches = [branches[int(np.clip(index, 0, len(branches) - 1))]]
    first, *others = [step.run(branch, step.operands[1:], step.needed) for branch in branches]
    for other in others:
        first = _join(first, other, step.out_avals)
    return first if step.varies(0) is None else _changed(first, step.out_avals)


@register_variation("scan")
def scan(step: Step) -> list[Variation]:
    """A carry that changes in any step changes; so does a slice, for all steps alike."""
    num_consts, num_carry = scan_arity(step)
    body, length = step.params["jaxpr"], step.params["length"]
    consts, initial = step.operands[:num_consts], step.operands[num_consts : num_consts + num_carry]
    scanned = zip(step.operands, step.in_avals, strict=True)
    slices = [one.anywhere(aval) for one, aval in list(scanned)[num_consts + num_carry :]]
    avals = step.out_avals[:num_carry]
    if not length:
        return [*initial, *(Variation(None) for _ in step.out_avals[num_carry:])]
    carry = _fixed_point(
        lambda carry: step.run(body, [*consts, *carry, *slices]), initial, avals, length
    )
    results = step.run(body, [*consts, *carry, *slices])
    inside = [variable.aval for variable in open_jaxpr(body).outvars]
    outputs = [one.repeated(length, aval) for one, aval in zip(results, inside, strict=True)]
    return [*results[:num_carry], *outputs[num_carry:]]


@register_variation("while")
def while_(step: Step) -> list[Variation]:
    """As `scan`. Where the number of steps may change, so may all that a step changes."""
    split, num_body = step.params["cond_nconsts"], step.params["body_nconsts"]
    body = step.params["body_jaxpr"]
    consts, initial = step.operands[split : split + num_body], step.operands[split + num_body :]
    carry = _fixed_point(lambda carry: step.run(body, [*consts, *carry]), initial, step.out_avals)
    (proceed,) = step.run(step.params["cond_jaxpr"], [*step.operands[:split], *carry])
    if proceed.varies is None:
        return carry
    inner = open_jaxpr(body)
    touched = [
        new is not old for new, old in zip(inner.outvars, inner.invars[num_body:], strict=True)
    ]
    return [
        changed if is_touched else one
        for one, changed, is_touched in zip(
            carry, _changed(carry, step.out_avals), touched, strict=True
        )
    ]


def _fixed_point(
    body: Callable[[Sequence[Variation]], Sequence[Variation]],
    initial: Sequence[Variation],
    avals: Sequence[Any],
    length: int | None = None,
) -> list[Variation]:
    """The carry before any of `length` steps (`None`: any number), from that before the first one."""
    carry, rounds = list(initial), 0
    while length is None or rounds < length - 1:
        results = body(carry)[: len(carry)]
        joined = _join(carry, results, avals)
        stable = [new.same(old) for new, old in zip(joined, carry, strict=True)]
        if all(stable):
            return carry
        rounds += 1
        if rounds >= _ROUNDS:
            joined = [
                new if same else _spread(new, old, aval)
                for new, old, same, aval in zip(joined, carry, stable, avals, strict=True)
            ]
        carry = joined
    return carry


def _spread(new: Variation, old: Variation, aval: Any) -> Variation:
    """What is still spreading, spread everywhere."""
    still = not new._replace(support=old.support).same(old)
    return Variation(everywhere(aval.shape) if still else new.varies)


def _join(
    one: Sequence[Variation], other: Sequence[Variation], avals: Sequence[Any]
) -> list[Variation]:
    return [a.join(b, aval) for a, b, aval in zip(one, other, avals, strict=True)]


def _changed(results: Sequence[Variation], avals: Sequence[Any]) -> list[Variation]:
    return [
        Variation(everywhere(aval.shape), one.nonzero(aval))
        for one, aval in zip(results, avals, strict=True)
    ]
