"""Loops and branches on known values as three programs compute them, of which two round otherwise.

Their results alone do not say how far rounding may take them: what cancels within a loop, or is rounded to a
whole number there, does not show. So each equation within is evaluated three times, as in discrete stochastic
arithmetic (Vignes, Mathematics and Computers in Simulation 35, 1993), as many steps and in the branches that
the first program takes, and it is noted whether the other two would go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..._arrays import has_derivative, is_key
from ..._jaxprs import (
    call_jaxpr,
    custom_jaxpr,
    evaluated,
    jaxpr_consts,
    open_jaxpr,
    rebind,
    scan_arity,
)
from ._known import compiled, Unavailable
from ._rounding import Alternates, are_equal
from ._roundoff import computes_within, errors_within, may_be_otherwise, may_differ, shifted


Triple = tuple[Any, Any, Any]
"""A value in each of the programs."""
_Value = Triple | Any
"""A value in each of the programs, or the same one in all."""
_FARTHEST: Final = 4
"""Programs differ by one to so many of what `errors_within` returns."""


def is_loop_or_branch(eqn: Any) -> bool:
    """Whether an equation is a loop or a branch, whose operations are done in three programs."""
    return eqn is not None and eqn.primitive.name in _Programs.HANDLED


def decides_within(eqn: Any) -> bool:
    """Whether an equation is a loop or a branch within which other programs may round otherwise."""
    return is_loop_or_branch(eqn) and may_differ([eqn])


def may_be_inlined(eqn: Any) -> bool:
    """Whether an equation is a branch, or a loop that may end after a step, that computes something."""
    if not is_loop_or_branch(eqn):
        return False
    once = eqn.primitive.name != "scan" or eqn.params["length"] <= eqn.params["unroll"]
    return once and computes_within(eqn)


def in_all_programs(
    program: Callable[..., Any],
    operands: Sequence[Any],
    alternates: Sequence[Alternates],
    errors: Sequence[np.ndarray | None],
) -> tuple[list[Any], list[Alternates]]:
    """The results of a loop or a branch, and their alternates.

    **Arguments:** `program`: of `in_three`. `errors`: what operands without alternates are off by, if
    programs merge what makes them.

    **Raises:** `Unavailable` if other programs may go another way, or decide otherwise.
    """
    pairs = [
        pair or ((one, one) if error is None else (shifted(one, error), shifted(one, -error)))
        for one, pair, error in zip(operands, alternates, errors, strict=True)
    ]
    triples, agree = program([operands, *([pair[k] for pair in pairs] for k in range(2))])
    if not agree:
        raise Unavailable
    found = [
        None if is_key(one) or all(are_equal(other, one) for other in others) else tuple(others)
        for one, *others in triples
    ]
    return [first for first, *_ in triples], found


def alone(compute: Callable[..., Any], operands: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    """A function of operands such as these, which all programs compute alike."""
    return compiled(lambda given: compute(*given), operands, options={})


def in_three(
    compute: Callable[..., Any], operands: Sequence[Any]
) -> Callable[[Sequence[Sequence[Any]]], tuple[list[Triple], bool]]:
    """A function of the operands of each program.

    It returns the results, which NumPy's arrays hold, and whether the programs go the same way and decide
    alike.

    **Arguments:** `compute`: of operands such as these.
    """
    jaxpr = jax.make_jaxpr(compute)(*operands)

    def program(operands: Sequence[Sequence[Any]]) -> tuple[list[_Value], Any]:
        return _run(jaxpr, list(zip(*operands, strict=True)))

    run = compiled(program, [operands] * 3)

    def call(operands: Sequence[Sequence[Any]]) -> tuple[list[Triple], bool]:
        results, agree = jax.device_get(run(operands))
        return list(map(_triple, results)), bool(agree)

    return call


def _run(jaxpr: Any, operands: Sequence[_Value], rounds: bool = False) -> tuple[list[_Value], Any]:
    """The results of a jaxpr in the programs, and whether these agree.

    **Arguments:** `rounds`: whether equations are rounded otherwise, as they are around the jaxpr.
    """
    programs = _Programs(rounds or may_differ(open_jaxpr(jaxpr).eqns))
    operands = list(map(_settled, operands))
    results = evaluated(open_jaxpr(jaxpr), jaxpr_consts(jaxpr), operands, programs)
    return list(map(_settled, results)), programs.agree


class _Programs:
    """Evaluates equations in the three programs.

    **Attributes:** `rounds`: whether they round otherwise. `agree`: whether all went the same way so far, and
    decided alike: then what is no floating-point number is the same in all.
    """

    HANDLED: Final = ("scan", "while", "cond")

    def __init__(self, rounds: bool) -> None:
        self.rounds = rounds
        self.agree: Any = jnp.array(True)
        self._drawing = np.random.default_rng(0)

    def __call__(self, eqn: Any, operands: Sequence[_Value]) -> Sequence[_Value]:
        name = eqn.primitive.name
        if name in self.HANDLED:
            return getattr(self, f"_{name}")(eqn, list(map(_settled, operands)))
        inner = call_jaxpr(eqn) or custom_jaxpr(eqn)
        return self._plain(eqn, operands) if inner is None else self._within(inner, operands)

    def _within(self, jaxpr: Any, operands: Sequence[_Value]) -> list[_Value]:
        results, agree = _run(jaxpr, operands, self.rounds)
        self.agree &= agree
        return results

    def _plain(self, eqn: Any, operands: Sequence[_Value]) -> list[_Value]:
        call = jax.jit(lambda *operands: rebind(eqn, operands))
        if any(isinstance(one, tuple) for one in operands):
            triples = list(map(_triple, operands))
            results = [call(*(one[k] for one in triples)) for k in range(3)]
        else:
            results = [call(*operands)] * 3
        if self.rounds and may_be_otherwise(eqn):
            size = errors_within(eqn, [_triple(one)[0] for one in operands], results[0])
            for k, way in ((1, 1), (2, -1)):
                draw = way * self._drawing.uniform(1, _FARTHEST)
                results[k] = [
                    shifted(one, draw * far) if has_derivative(one) else one
                    for one, far in zip(results[k], size, strict=True)
                ]
        return [self._joined(*one) for one in zip(*results, strict=True)]

    def _joined(self, first: Any, second: Any, third: Any) -> _Value:
        """A result of all programs, which must agree on it if it is no floating-point number."""
        if first is second and first is third:
            return first
        if has_derivative(first):
            return first, second, third
        self.agree &= jnp.all((first == second) & (first == third))
        return first

    def _scan(self, eqn: Any, operands: Sequence[_Value]) -> list[_Value]:
        body = eqn.params["jaxpr"]
        num_consts, num_carry = scan_arity(eqn)
        consts, end = operands[:num_consts], num_consts + num_carry

        def step(state: Any, slices: Any) -> Any:
            carry, agree = state
            results, same = _run(body, [*consts, *carry, *slices], self.rounds)
            return (results[:num_carry], agree & same), results[num_carry:]

        how = {name: eqn.params[name] for name in ("length", "reverse")}
        start = operands[num_consts:end], self.agree
        (carry, self.agree), stacked = lax.scan(step, start, operands[end:], **how)
        return [*carry, *stacked]

    def _while(self, eqn: Any, operands: Sequence[_Value]) -> list[_Value]:
        condition, body = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
        first = eqn.params["cond_nconsts"]
        second = first + eqn.params["body_nconsts"]

        def proceed(carry: Sequence[_Value]) -> tuple[Any, Any]:
            (goes_on,), agree = _run(condition, [*operands[:first], *carry], self.rounds)
            return goes_on, agree

        def step(state: Any) -> Any:
            carry, agree = state
            goes_on, alike = proceed(carry)
            results, same = _run(body, [*operands[first:second], *carry], self.rounds)
            if goes_on.ndim:  # loops of a batch, of which some are over
                results = jax.tree.map(partial(_where, goes_on), results, carry)
            return results, agree & same & alike

        start = operands[second:], self.agree
        carry, agree = lax.while_loop(lambda state: jnp.any(proceed(state[0])[0]), step, start)
        self.agree = agree & proceed(carry)[1]
        return carry

    def _cond(self, eqn: Any, operands: Sequence[_Value]) -> list[_Value]:
        which, *others = operands
        branches = [
            lambda of, one=one: _run(one, of, self.rounds) for one in eqn.params["branches"]
        ]
        results, agree = lax.switch(which, branches, others)
        self.agree &= agree
        return results


def _triple(value: _Value) -> Triple:
    return value if isinstance(value, tuple) else (value, value, value)


def _settled(value: _Value) -> _Value:
    """As three values or as one: whichever the type says."""
    triple = _triple(value)
    return triple if has_derivative(triple[0]) else triple[0]


def _where(mask: Any, new: Any, old: Any) -> Any:
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - mask.ndim)), new, old)
