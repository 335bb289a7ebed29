"""How many steps there are, and what is known at all of them, with what it is where rounding differs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from asdex import Value
from asdex.detection import (
    are_equal,
    error_inside,
    in_three,
    inlined,
    is_key,
    Known,
    may_be_inlined,
    nested_jaxprs,
    on_host,
    open_jaxpr,
    shifted,
)


def most_steps(jaxpr: Any, of_a_while: int) -> int:
    """How often the loops of a jaxpr repeat something at most, if each `while` takes a number of steps."""
    found = [1]
    for eqn in open_jaxpr(jaxpr).eqns:
        inside = max((most_steps(one, of_a_while) for one in nested_jaxprs(eqn)), default=1)
        own = {"scan": eqn.params.get("length"), "while": of_a_while}.get(eqn.primitive.name)
        found.append(inside if own is None else inside * own)
    return max(found)


def available(value: Value) -> list[Any] | None:
    """What a value may be that is known here, perhaps a PRNG key; `None` for others."""
    known = value.known
    if value.dependence is not None or known is None or not known.is_available:
        return None
    return [known.raw()] if is_key(known.raw()) else values_inside(known)


def values_inside(known: Known) -> list[np.ndarray]:
    """What a value may be in a loop: programs compute before it what does not change there."""
    values = known.all_values()
    error = error_inside(known.chain, values[0]) if len(values) == 1 else None
    return values if error is None else [*values, *(shifted(values[0], s * error) for s in (1, -1))]


def computed_at_once(
    eqn: Any, compute: Callable[..., Any], operands: Sequence[list[Any] | None]
) -> list[Known] | None:
    """The results of a function of what operands are, of `None` for those not known.

    **Arguments:** `eqn`: the loop that it is a part of.

    **Returns:** `None` if it cannot be computed here, or if rounding decides something.
    """
    given = [one for one in operands if one is not None]

    def computed(*arrays: Any) -> Any:
        left = iter(arrays)
        return compute(*(None if one is None else next(left) for one in operands))

    try:
        with on_host():
            programs = [[one[k % len(one)] for one in given] for k in range(3)]
            found, agree = in_three(computed, programs[0])(programs)
    except Exception:  # what does not run on the host
        return None
    if not agree:
        return None
    known = [_with_alternates(*one) for one in found]
    if may_be_inlined(eqn):
        chain = inlined([one.raw() for one in known])
        for one in known:
            one.chain = chain
    return known


def _with_alternates(value: Any, *others: Any) -> Known:
    """A value, with what it is where rounding differs."""
    if is_key(value):
        return Known.of(value)
    return Known.of(value, *(() if all(are_equal(one, value) for one in others) else others))
