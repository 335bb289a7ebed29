"""Other values that a known array may have in another program, by rounding.

XLA divides through a reciprocal where a divisor is broadcast, and adds in an order of its own, one operation
at a time other than in a larger program. So a rounded array has two *alternates*, for which the same
operations are done on the operands' alternates, as in discrete stochastic arithmetic (Vignes, Mathematics
and Computers in Simulation 35, 1993). A decision, such as a comparison, is certain if it is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from .._jaxprs import nested_jaxprs, open_jaxpr
from ._registry import find_rule


Alternates = tuple[np.ndarray, np.ndarray] | None
"""`None` for an array that is the same in all programs."""

_ROUNDINGS: Final = 16
"""By how many roundings sums and functions such as `sin` may differ."""
_DIVIDES: Final = "div"
_JUMPS: Final = ("floor", "ceil", "round", "sign", "rem")
"""Primitives whose floating-point results are decisions."""
_EXACT: Final = (
    *(
        "bitcast_convert_type",
        "complex",
        "conj",
        "cummax",
        "cummin",
        "imag",
        "nextafter",
        "pmax",
        "pmin",
    ),
    *("maybe_set", "nondifferentiable_backward", "nontraceable", "real", "select_if_vmap"),
    "stop_gradient",
)
"""Primitives that pass values on, or round them in one way, though NumPy does not compute them."""
_COMBINED: Final = 2
"""Rounded operands up to which a decision is made again for all combinations of their values."""


def is_rounded(eqn: Any) -> bool:
    """Whether another program may round the results of an equation otherwise, though not its operands.

    Quotients are dealt with apart, but within a nested jaxpr.
    """
    jaxprs = nested_jaxprs(eqn)
    if jaxprs:
        return any(may_differ(one) for jaxpr in jaxprs for one in open_jaxpr(jaxpr).eqns)
    rule = find_rule(eqn.primitive)
    if rule is None or eqn.primitive.name in _EXACT:
        return rule is None
    return not (rule.moves or rule.picks or (rule.in_place and "value" in rule.functions))


def may_differ(eqn: Any) -> bool:
    """Whether another program may round the results of an equation otherwise, quotients included."""
    return eqn.primitive.name == _DIVIDES or is_rounded(eqn)


def are_certain(
    primitive: str,
    compute: Callable[..., Sequence[Any]],
    operands: Sequence[np.ndarray],
    alternates: Sequence[Alternates],
    results: Sequence[Any],
) -> bool:
    """Whether the results that are decisions are the same for all alternates of the operands."""
    decided = _decisions(primitive, results)
    values = [
        (array,) if pair is None else (array, *pair)
        for array, pair in zip(operands, alternates, strict=True)
    ]
    rounded = sum(pair is not None for pair in alternates)
    if not decided or not rounded:
        return True
    combinations = product(*values) if rounded <= _COMBINED else _in_step(operands, alternates)
    for chosen in combinations:
        others = compute(*chosen)
        if not all(are_equal(others[k], results[k]) for k in decided):
            return False
    return True


def alternates_of(
    primitive: str,
    compute: Callable[..., Sequence[Any]],
    operands: Sequence[np.ndarray],
    alternates: Sequence[Alternates],
    results: Sequence[Any],
    rounds: bool,
) -> list[Alternates]:
    """The alternates of each result.

    **Arguments:** `compute`: makes the results of other operands. `rounds`: whether it rounds them in its own
    way.
    """
    found: list[Alternates] = [None] * len(results)
    is_quotient = primitive == _DIVIDES and np.asarray(results[0]).dtype.kind == "f"
    exact = all(pair is None for pair in alternates)
    if exact and not rounds and not is_quotient:
        return found
    decided = _decisions(primitive, results)
    if len(decided) == len(results):
        return found
    first, second = _in_step(operands, alternates)
    above = results if exact else compute(*first)
    below = results if exact else compute(*second)
    if is_quotient:
        below = _multiplied(*second)
    pairs = list(zip(above, below, strict=True))
    if rounds:
        pairs = [
            (nudged(np.asarray(one), 1), nudged(np.asarray(other), -1)) for one, other in pairs
        ]
    for k, (one, pair) in enumerate(zip(results, pairs, strict=True)):
        if k not in decided and not all(are_equal(other, one) for other in pair):
            found[k] = pair
    return found


def _decisions(primitive: str, results: Sequence[Any]) -> list[int]:
    """Which results jump where operands vary."""
    return [k for k, one in enumerate(results) if primitive in _JUMPS or not _is_floating(one)]


def _in_step(
    operands: Sequence[np.ndarray], alternates: Sequence[Alternates]
) -> list[list[np.ndarray]]:
    """The first alternates of all operands, and the second ones."""
    pairs = list(zip(operands, alternates, strict=True))
    return [[array if pair is None else pair[k] for array, pair in pairs] for k in range(2)]


def _multiplied(a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    return [a * (1 / b).astype(b.dtype)]


def _is_floating(array: Any) -> bool:
    return np.asarray(array).dtype.kind in "fc"


def are_equal(one: Any, other: Any) -> bool:
    """Whether two arrays are the same, NaN included."""
    return np.array_equal(one, other, equal_nan=_is_floating(one))


def nudged(array: Any, sign: int) -> Any:
    """An array with elements some roundings farther from zero, or closer to it; zeros stay."""
    dtype = array.dtype
    if not jnp.issubdtype(dtype, jnp.inexact):
        return array
    return (array * (1 + sign * _ROUNDINGS * jnp.finfo(dtype).eps)).astype(dtype)
