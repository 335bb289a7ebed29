"""Ranges: bounds on each element of an array whose value is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float


class Range(NamedTuple):
    """Lowest and highest value of each element, inclusive, in float64, infinite where unbounded.

    Both arrays have the shape of the array that they bound, possibly with broadcast axes. A floating-point
    element may be NaN besides.
    """

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]

    @staticmethod
    def unbounded(shape: Sequence[int]) -> Range:
        return Range(np.broadcast_to(-np.inf, tuple(shape)), np.broadcast_to(np.inf, tuple(shape)))

    @staticmethod
    def of_value(value: np.ndarray) -> Range:
        """An array that is known. Values that no float64 holds, and NaN, are unbounded."""
        if value.dtype.kind not in "biuf":
            return Range.unbounded(value.shape)
        exact = value.astype(np.float64)
        if value.dtype.kind in "bi" and value.dtype.itemsize <= 4:
            return Range(exact, exact)
        sure = np.abs(exact) <= 2**53
        bounds = Range(np.where(sure, exact, -np.inf), np.where(sure, exact, np.inf))
        return bounds.on_device(value.dtype).with_infinities(exact, exact)

    def hull(self, other: Range) -> Range:
        """Bounds on what is in one range or the other."""
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    @property
    def is_certain(self) -> bool:
        """Whether each element has one value only, NaN aside."""
        return bool((self.low == self.high).all())

    def on_device(self, dtype: np.dtype) -> Range:
        """The range as a device holds numbers of a type: tiny ones may be zero, huge ones are infinite."""
        if dtype.kind != "f":
            return self
        tiny, huge = float(jnp.finfo(dtype).tiny), float(jnp.finfo(dtype).max)
        low = np.where((self.low > 0) & (self.low < tiny), 0, np.minimum(self.low, huge))
        high = np.where((self.high < 0) & (self.high > -tiny), 0, np.maximum(self.high, -huge))
        return Range(np.where(low < -huge, -np.inf, low), np.where(high > huge, np.inf, high))

    def with_infinities(self, low: np.ndarray, high: np.ndarray) -> Range:
        """The range, with what is surely infinite: a lower bound of plus, an upper one of minus infinity.

        Arithmetic on bounds may overflow where that on a device does not; it makes none of these.
        """
        return Range(
            np.where(low == np.inf, np.inf, self.low), np.where(high == -np.inf, -np.inf, self.high)
        )
