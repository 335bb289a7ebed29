"""Other values that a known array may have in another program, by rounding.

XLA divides through a reciprocal where a divisor is broadcast, adds in an order of its own, one operation at a
time other than in a larger program, and fuses a product and the sum that reads it into one rounding. So a
rounded array has two *alternates*, for which the same operations are done on the operands' alternates, as in
discrete stochastic arithmetic (Vignes, Mathematics and Computers in Simulation 35, 1993). A decision, such as
a comparison, is certain if it is the same for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from ..._arrays import has_derivative, is_key, is_real
from .._registry import find_rule
from ._reassociation import DIVIDES, PRODUCTS, SUMS
from ._roundoff import drawing, shifted


Alternates = tuple[np.ndarray, np.ndarray] | None
"""`None` for an array that is the same in all programs."""
Factors = tuple[np.ndarray, np.ndarray] | None
"""Of an array that is a rounded product, its two factors; else `None`."""

_JUMPS: Final = ("floor", "ceil", "round", "sign", "rem")
"""Primitives whose floating-point results are decisions."""
_POWERS: Final = ("exp", "exp2", "pow")
_MERGED: Final = (*PRODUCTS, *SUMS, *_POWERS)
"""Primitives of which two may become one, which keeps in range what one of them does not."""
_SMALL_FAR_OUT: Final = (*_POWERS, "erfc", "igammac", "logistic")
"""Functions that go to zero, which they are at infinity alone."""
_COMBINED: Final = 2
"""Rounded operands up to which a decision is made again for all combinations of their values."""


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
    errors: Sequence[np.ndarray | None],
    factors: Sequence[Factors] = (),
) -> list[Alternates]:
    """The alternates of each result.

    **Arguments:**

    - `compute`: makes the results of other operands.
    - `errors`: what `roundoff` returns.
    - `factors`: those of each operand.
    """
    found: list[Alternates] = [None] * len(results)
    is_quotient = primitive == DIVIDES and is_real(np.asarray(results[0]))
    is_fused = primitive in SUMS and any(pair is not None for pair in factors)
    rounds = any(size is not None for size in errors)
    exact = all(pair is None for pair in alternates)
    edges = [_out_of_range(primitive, operands, one, rounds) for one in results]
    if exact and not (rounds or is_quotient or is_fused or any(map(bool, edges))):
        return found
    decided = _decisions(primitive, results)
    if len(decided) == len(results):
        return found
    first, second = _in_step(operands, alternates)
    above = results if exact else compute(*first)
    below = results if exact else compute(*second)
    if is_quotient:
        below = _multiplied(*second)
    if is_fused:
        if exact:
            sums = [results[0], *_fused(primitive == "sub", operands, factors)]
        else:
            error = sum(_rounding_of(pair) for pair in factors if pair is not None)
            sums = [one[0] + sign * error for one in (results, above, below) for sign in (-1, 1)]
        above, below = [np.maximum.reduce(sums)], [np.minimum.reduce(sums)]
    pairs = list(zip(above, below, strict=True))
    if rounds:
        draw = drawing(primitive, operands)
        pairs = [
            pair if size is None else _moved_apart(pair, size, draw)
            for pair, size in zip(pairs, errors, strict=True)
        ]
    for k, (one, pair, edge) in enumerate(zip(results, pairs, edges, strict=True)):
        for mask, *values in edge:
            pair = np.where(mask, values[0], pair[0]), np.where(mask, values[1], pair[1])
        if k not in decided and not all(are_equal(other, one) for other in pair):
            found[k] = pair
    return found


def factors_of(
    eqn: Any,
    compute: Callable[..., Sequence[Any]],
    operands: Sequence[np.ndarray],
    factors: Sequence[Factors],
    results: Sequence[Any],
) -> list[Factors]:
    """The factors of each result that is a product, or elements of products.

    **Arguments:** `eqn`: `None` for what moves elements without an equation.
    """
    nothing: list[Factors] = [None] * len(results)
    if not results or not is_real(np.asarray(results[0])):
        return nothing
    name = "" if eqn is None else eqn.primitive.name
    if name in PRODUCTS:
        pair = _factors(eqn, *operands)
        shape = np.shape(results[0])
        return [pair and (np.broadcast_to(pair[0], shape), np.broadcast_to(pair[1], shape))]
    if all(pair is None for pair in factors):
        return nothing
    if name == "neg":
        return [pair and (-pair[0], pair[1]) for pair in factors]
    rule = None if eqn is None else find_rule(eqn.primitive)
    if eqn is not None and (rule is None or not rule.moves):
        return nothing
    pairs = [
        pair or (array, np.ones_like(array) if _is_floating(array) else array)
        for array, pair in zip(operands, factors, strict=True)
    ]
    return list(zip(*(compute(*side) for side in zip(*pairs, strict=True)), strict=True))


def _factors(eqn: Any, a: np.ndarray, *b: np.ndarray) -> Factors:
    match eqn.primitive.name:
        case "div":
            return a, (1 / b[0]).astype(b[0].dtype)
        case "integer_pow":
            square = a * a
            return {2: (a, a), 3: (square, a), 4: (square, square)}.get(eqn.params["y"])
        case _:
            return a, b[0] if b else a


def _fused(
    subtracts: bool, operands: Sequence[np.ndarray], factors: Sequence[Factors]
) -> list[np.ndarray]:
    """The sum or difference of two arrays without the rounding of one or the other product among them.

    The error of a product is by Dekker (Numerische Mathematik 18, 1971), that of a sum by Knuth.
    """
    found = []
    for k, pair in enumerate(factors):
        if pair is None:
            continue
        a, b, c = (np.asarray(one, np.float64) for one in (*pair, operands[1 - k]))
        if subtracts:
            a, c = (a, -c) if k == 0 else (-a, c)
        product = a * b
        (a1, a2), (b1, b2) = _halves(a), _halves(b)
        missing = ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2
        total = product + c
        part = total - product
        missing = missing + ((product - (total - part)) + (c - part))
        exact = np.where(np.isfinite(missing), total + missing, total)
        found.append(exact.astype(operands[0].dtype))
    return found


def _out_of_range(
    primitive: str, operands: Sequence[np.ndarray], result: Any, merges: bool
) -> list[tuple[np.ndarray, Any, Any]]:
    """Masks of the elements that are zero in one program and tiny in another, or infinite and large.

    And two values of either. Tiny numbers are zero where a processor computes, and not where the compiler
    does; a product of two constants may be in range where those with a third are not, as is `exp(a - b)`
    where `exp(a) / exp(b)` is not.

    **Arguments:** `merges`: whether the result may be computed in another order.
    """
    result = np.asarray(result)
    if not is_real(result):
        return []
    limits, size = jnp.finfo(result.dtype), np.abs(result)
    small, large = size < limits.tiny, np.isinf(result) & (merges and primitive in _MERGED)
    if small.any():
        small = small & ((result != 0) | _underflows(primitive, operands))
    edges = [
        (small, np.copysign(limits.tiny, result), np.zeros_like(result)),
        (large, result, np.copysign(limits.max, result)),
    ]
    return [edge for edge in edges if edge[0].any()]


def _underflows(primitive: str, operands: Sequence[np.ndarray]) -> Any:
    """Where a result of zero may be a number that is too small."""
    if primitive in _SMALL_FAR_OUT:
        return functools.reduce(np.logical_and, map(np.isfinite, operands))
    if primitive in PRODUCTS:
        return functools.reduce(np.logical_and, [(one != 0) & np.isfinite(one) for one in operands])
    return False


def around_zero(array: Any) -> Alternates:
    """The alternates of an array that no equation makes, of which tiny elements may count as zeros."""
    if not isinstance(array, np.ndarray | jax.Array) or is_key(array) or not is_real(array):
        return None
    array = np.asarray(array)
    edges = _out_of_range("", (), array, merges=False)
    return tuple(np.where(edges[0][0], one, array) for one in edges[0][1:]) if edges else None


def _moved_apart(pair: Sequence[Any], size: Any, draw: Callable[[Any], Any]) -> Any:
    up, down = map(np.asarray, pair)
    return shifted(up, draw(size)), shifted(down, -draw(size))


def _rounding_of(factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """A bound on the rounding error of a product."""
    product = np.abs(factors[0] * factors[1])
    return product * jnp.finfo(product.dtype).eps


def _halves(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of half the digits each, whose sum is the array."""
    scaled = (2.0**27 + 1) * array
    high = scaled - (scaled - array)
    return high, array - high


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
    return has_derivative(np.asarray(array))


def are_equal(one: Any, other: Any) -> bool:
    """Whether two arrays are the same, NaN included."""
    return np.array_equal(one, other, equal_nan=_is_floating(one))
