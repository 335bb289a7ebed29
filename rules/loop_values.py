"""Results of a loop that follow from known operands alone: indices that a reverse pass reads again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import compress
from typing import Any

import jax

from asdex.detection import (
    call_jaxpr,
    EMPTY_PRIMITIVES,
    has_derivative,
    is_literal,
    is_predictable,
    literal_value,
    live_steps,
    may_collide,
    open_jaxpr,
    rebind,
    scan_arity,
)


MOST_COUNTED = 1 << 17
"""Steps of a `while` that are counted."""

Part = tuple[list[bool], Callable[..., Sequence[Any]]]
"""Which results of an equation are known, and a function from the known operands to these results."""


def known_of_scan(eqn: Any, known: Sequence[bool]) -> Part:
    """The part of a `scan` that follows from the operands that are known."""
    num_consts, num_carry = scan_arity(eqn)
    end = num_consts + num_carry
    body = eqn.params["jaxpr"]

    def after(carried: Sequence[bool]) -> list[bool]:
        return _known_results(body, [*known[:num_consts], *carried, *known[end:]])

    carried = kept_throughout(known[num_consts:end], after)
    results = [*carried, *after(carried)[num_carry:]]

    def computed(*arrays: Any) -> Sequence[Any]:
        operands = _among(known, arrays)
        consts, start, scanned = operands[:num_consts], operands[num_consts:end], operands[end:]

        def step(carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], list[Any]]:
            found = evaluated(body, [*consts, *carry, *slices], results)
            return found[:num_carry], found[num_carry:]

        start = [one if keep else None for one, keep in zip(start, carried, strict=True)]
        how = {name: eqn.params[name] for name in ("length", "reverse", "unroll")}
        carry, stacked = jax.lax.scan(step, start, scanned, **how)
        return list(compress([*carry, *stacked], results))

    return results, computed


def kept_throughout(
    carried: Sequence[bool], after: Callable[[Sequence[bool]], list[bool]]
) -> list[bool]:
    """Which carried values are known at all steps of a loop, of those known before it."""
    while True:
        stays = [old and new for old, new in zip(carried, after(carried), strict=False)]
        if stays == list(carried):
            return stays
        carried = stays


def _known_of_cond(eqn: Any, known: Sequence[bool]) -> Part:
    """The results that are known in all branches, of which a known index takes one."""
    branches = eqn.params["branches"]
    results = list(
        map(all, zip(*(_known_results(one, known[1:]) for one in branches), strict=True))
    )

    def computed(*arrays: Any) -> Sequence[Any]:
        index, *operands = _among(known, arrays)
        taken = [partial(evaluated, one, wanted=results) for one in branches]
        return list(compress(jax.lax.switch(index, taken, operands), results))

    return results, computed


def count_of_while(eqn: Any, known: Sequence[bool]) -> Part | None:
    """Which carried values of a `while` are known, and a function that counts its steps.

    **Returns:** `None` if unknown values decide when it ends. The function returns the number of steps, which
    is at most `MOST_COUNTED`, and these values after them.
    """
    condition, body = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
    first = eqn.params["cond_nconsts"]
    second = first + eqn.params["body_nconsts"]
    carried = kept_throughout(
        known[second:], lambda before: _known_results(body, [*known[first:second], *before])
    )
    ends = open_jaxpr(condition).outvars[0].aval
    if ends.shape or not all(_known_results(condition, [*known[:first], *carried])):
        return None

    def counted(*arrays: Any) -> Sequence[Any]:
        operands = _among(known, arrays)
        start = [
            one if keep else None for one, keep in zip(operands[second:], carried, strict=True)
        ]

        def proceed(state: tuple[Any, Any]) -> Any:
            count, carry = state
            (goes_on,) = evaluated(condition, [*operands[:first], *carry], [True])
            return goes_on & (count < MOST_COUNTED)

        def step(state: tuple[Any, Any]) -> tuple[Any, Any]:
            count, carry = state
            return count + 1, evaluated(body, [*operands[first:second], *carry], carried)

        count, carry = jax.lax.while_loop(proceed, step, (0, start))
        return [count, *compress(carry, carried)]

    return carried, counted


def known_carry(
    body: Any,
    kept: Sequence[bool],
    consts: Iterable[Any],
    initial: Iterable[Any],
    scanned: Sequence[Any],
    length: int,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Sequence[Any], Sequence[Any]]:
    """The carried values that are `kept`, as they are known: after the last step, and before each step.

    **Arguments:** `consts`, `initial`, `scanned`: the operands of the loop; `None` for those not known.
    """
    inner = open_jaxpr(body)
    consts, count = list(consts), len(kept)
    if not any(kept):
        return [None] * count, [None] * count
    start = [one if keep else None for one, keep in zip(initial, kept, strict=True)]
    wanted = [*kept, *(False for _ in inner.outvars[count:])]

    def step(carry: Sequence[Any], slices: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
        return evaluated(body, [*consts, *carry, *slices], wanted)[:count], carry

    return jax.lax.scan(step, start, scanned, length, reverse, unroll)


def _known_part(eqn: Any, known: Sequence[bool]) -> Part:
    """The part of any equation that follows from the operands that are known."""
    if all(known) and is_predictable(eqn) and not may_collide(eqn):
        return [True] * len(eqn.outvars), lambda *arrays: rebind(eqn, arrays)
    if eqn.primitive.name in EMPTY_PRIMITIVES:  # what no program reads
        return [True], lambda: rebind(eqn, ())
    if eqn.primitive.name == "scan":
        return known_of_scan(eqn, known)
    if eqn.primitive.name == "cond" and known[0]:
        return _known_of_cond(eqn, known)
    inner = call_jaxpr(eqn)
    if inner is None:
        return [False] * len(eqn.outvars), lambda *arrays: ()
    results = _known_results(inner, known)

    def computed(*arrays: Any) -> Sequence[Any]:
        return list(compress(evaluated(inner, _among(known, arrays), results), results))

    return results, computed


def _known_results(jaxpr: Any, known: Sequence[bool]) -> list[bool]:
    """Which results of a jaxpr follow from the operands that are known."""
    return are_in(known_variables(jaxpr, known), open_jaxpr(jaxpr).outvars)


def known_variables(jaxpr: Any, known: Sequence[bool]) -> set[Any]:
    """The variables of a jaxpr that follow from the operands that are known."""
    inner = open_jaxpr(jaxpr)
    found = set(compress(inner.invars, known))
    for eqn in inner.eqns:
        found.update(compress(eqn.outvars, _known_part(eqn, are_in(found, eqn.invars))[0]))
    return found


def evaluated(jaxpr: Any, operands: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    """The wanted results of a jaxpr, and `None` for the others, as for operands that are not known."""
    inner = open_jaxpr(jaxpr)
    values = _values(inner, operands, [eqn for eqn, *_ in live_steps(inner, wanted)])
    return [
        _read(values, atom) if want else None
        for atom, want in zip(inner.outvars, wanted, strict=True)
    ]


def counts_of_whiles(
    jaxpr: Any, known: Sequence[bool]
) -> tuple[list[Any], Callable[..., list[Any]]]:
    """The `while` loops of a jaxpr that known integers end, and a function that counts their steps.

    Known numbers of other types may be rounded otherwise where a program inlines a loop of one step.
    """
    inner, found = open_jaxpr(jaxpr), known_variables(jaxpr, known)
    counted = []
    for eqn in inner.eqns:
        if eqn.primitive.name == "while":
            part = count_of_while(eqn, are_in(found, eqn.invars))
            if part is not None and not any(
                has_derivative(variable.aval) for variable in compress(eqn.outvars, part[0])
            ):
                counted.append((eqn, part[1]))

    def counts(*operands: Any) -> list[Any]:
        values = _values(inner, operands, inner.eqns)
        return [
            count(
                *(_read(values, atom) for atom in eqn.invars if is_literal(atom) or atom in found)
            )[0]
            for eqn, count in counted
        ]

    return [eqn for eqn, _ in counted], counts


def _values(inner: Any, operands: Sequence[Any], eqns: Sequence[Any]) -> dict[Any, Any]:
    """The values of all variables that follow from operands that are not `None`."""
    pairs = zip(inner.invars, operands, strict=True)
    values = {variable: value for variable, value in pairs if value is not None}
    for eqn in eqns:
        known = are_in(values, eqn.invars)
        results, compute = _known_part(eqn, known)
        arrays = (_read(values, atom) for atom in compress(eqn.invars, known))
        found = compute(*arrays) if any(results) else ()
        values.update(zip(compress(eqn.outvars, results), found, strict=True))
    return values


def _read(values: dict[Any, Any], atom: Any) -> Any:
    return literal_value(atom) if is_literal(atom) else values[atom]


def are_in(known: Any, atoms: Sequence[Any]) -> list[bool]:
    return [is_literal(atom) or atom in known for atom in atoms]


def _among(known: Sequence[bool], arrays: Sequence[Any]) -> list[Any]:
    """The known operands among all of them, `None` for the others."""
    given = iter(arrays)
    return [next(given) if one else None for one in known]
