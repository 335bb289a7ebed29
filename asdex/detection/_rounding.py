"""Known values that another program may round otherwise, and what is decided by them.

XLA divides through a reciprocal where a divisor is broadcast, and adds in an order of its own, one operation
at a time other than in a larger program. What is made of such values is *rounded*. A decision by rounded
values, such as a comparison, is certain if it stays the same for values a few roundings away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np


_ROUNDINGS: Final = 16
_JUMPS: Final = ("floor", "ceil", "round", "sign", "rem")
"""Primitives whose floating-point results are decisions."""


def is_floating(array: Any) -> bool:
    return np.asarray(array).dtype.kind in "fc"


def decisions(primitive: str, results: Sequence[Any]) -> list[int]:
    """Which results jump as operands vary: they are exact, or wrong."""
    return [k for k, one in enumerate(results) if primitive in _JUMPS or not is_floating(one)]


def is_rounded_quotient(a: np.ndarray, b: np.ndarray, quotient: np.ndarray) -> bool:
    """Whether a division through the reciprocal of the divisor gives other quotients."""
    return bool(a.dtype.kind == "f" and np.any(a * (1 / b).astype(b.dtype) != quotient))


def are_certain(
    decided: Sequence[int],
    results: Sequence[Any],
    compute: Callable[..., Sequence[Any]],
    operands: Sequence[np.ndarray],
    rounded: Sequence[bool],
) -> bool:
    """Whether the results numbered `decided` are the same with nudged operands, where these are rounded."""
    for sign in (1, -1):
        nudged = [
            _nudged(array, sign * (-1) ** k) if one else array
            for k, (array, one) in enumerate(zip(operands, rounded, strict=True))
        ]
        others = compute(*nudged)
        if not all(_are_equal(others[k], results[k]) for k in decided):
            return False
    return True


def _are_equal(one: Any, other: Any) -> bool:
    return np.array_equal(one, other, equal_nan=is_floating(one))


def _nudged(array: np.ndarray, sign: int) -> np.ndarray:
    """The array with elements some roundings farther from zero, or closer to it; zeros stay."""
    if not is_floating(array):
        return array
    factor = 1 + sign * _ROUNDINGS * np.finfo(array.dtype).eps
    return (array * factor).astype(array.dtype)
