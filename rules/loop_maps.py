"""Loops whose steps do not wait for one another, as one function of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from asdex.detection import evaluated, jaxpr_consts, open_jaxpr, scan_arity

from .loop_equations import Equations
from .loop_places import Write
from .loop_values import known_carry, known_of_scan


def without_loop(eqn: Any, fixed: Sequence[bool]) -> Callable[..., list[Any]] | None:
    """A `scan` that only adds up what its steps compute, as a function of its operands.

    Carried values that follow from `fixed` operands, such as counters, are computed beforehand.

    **Returns:** `None` if a step reads what the one before it has computed.
    """
    num_consts, num_carry = scan_arity(eqn)
    end, body = num_consts + num_carry, eqn.params["jaxpr"]
    inner = open_jaxpr(body)
    kept = known_of_scan(eqn, fixed)[0][:num_carry]
    found = _sums(body, num_consts, kept)
    if found is None:
        return None
    wanted = [*(atom for one in found for atom in one.atoms), *inner.outvars[num_carry:]]
    length, reverse = eqn.params["length"], eqn.params["reverse"]
    axes: list[int | None] = [None] * num_consts + [0 if keep else None for keep in kept]
    axes += [0] * (len(inner.invars) - end)

    def one_step(*operands: Any) -> list[Any]:
        return evaluated(inner, jaxpr_consts(body), operands, wanted=wanted)

    steps = jax.vmap(one_step, in_axes=axes, axis_size=length)

    def computed(*operands: Any) -> list[Any]:
        consts, initial, scanned = operands[:num_consts], operands[num_consts:end], operands[end:]
        known = [one if is_fixed else None for one, is_fixed in zip(operands, fixed, strict=True)]
        final, before = known_carry(
            body, kept, known[:num_consts], known[num_consts:end], known[end:], length, reverse
        )
        carry = [
            after if keep else start
            for after, start, keep in zip(final, initial, kept, strict=True)
        ]
        states = [
            state if keep else start
            for state, start, keep in zip(before, initial, kept, strict=True)
        ]
        values = iter(steps(*consts, *states, *scanned))
        for one in found:
            carry[one.place] = one.added_to(carry[one.place], *(next(values) for _ in one.atoms))
        return [*carry, *values]

    return computed


def _sums(body: Any, num_consts: int, kept: Sequence[bool]) -> list[Write] | None:
    """What a body adds to the carried values that are not `kept`; `None` if it does anything else to them."""
    inner = open_jaxpr(body)
    equations = Equations(body, refused=inner.eqns)  # loops inside stay as they are
    found: list[Write] = []
    for place, (before, after, keep) in enumerate(
        zip(inner.invars[num_consts:], inner.outvars, kept, strict=False)
    ):
        if keep or after is before:
            continue
        added = equations.added(after, before)
        if added is None:
            return None
        found += [Write(place, one, atoms, before.aval.shape, sign) for sign, one, atoms in added]
    return None if inner.effects or not all(one.is_sum for one in found) else found
