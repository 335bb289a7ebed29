"""Binary digits of the numbers in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..._arrays import is_real


def _parts(array: np.ndarray) -> np.ndarray:
    """The real numbers in an array that are not zero, in double precision."""
    parts = np.stack([np.real(array), np.imag(array)]) if array.dtype.kind == "c" else array
    return parts[parts != 0].astype(np.float64) if is_real(parts) else np.empty(0)


def common_step(operands: Sequence[np.ndarray], factors: int = 1) -> float:
    """A power of two of which all elements are multiples, or, of two factors, all products; 0 if none is."""
    steps = []
    for one in operands:
        mantissas, exponents = np.frexp(_parts(one))
        if not np.isfinite(mantissas).all():
            return 0.0
        whole = (mantissas * 2.0**53).astype(np.int64)
        lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 54
        steps.append(2.0 ** float((exponents + lowest).min(initial=1000)))
    if factors == 1:
        return min(steps)
    return float(np.prod([one for one in steps if one < 2.0**999]))


def has_digits(array: np.ndarray, digits: int) -> bool:
    mantissas, _ = np.frexp(_parts(array))
    scaled = mantissas * 2.0**digits
    return bool((scaled == np.round(scaled)).all())


def is_power_of_two(array: np.ndarray) -> bool:
    return is_real(array) and has_digits(array, 1)
