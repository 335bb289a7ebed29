"""Ranges: bounds on each element of an array whose value is not known, computed only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from .._arguments import size_of
from ._dependence import Dependence
from ._known import Known


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
        sure = np.abs(exact) <= 2**53
        bounds = Range(np.where(sure, exact, -np.inf), np.where(sure, exact, np.inf))
        return bounds.on_device(value.dtype)

    @property
    def is_certain(self) -> bool:
        """Whether each element has one value only, NaN aside."""
        return bool((self.low == self.high).all())

    def on_device(self, dtype: np.dtype) -> Range:
        """The range as a device holds numbers of a type: tiny ones may be zero, huge ones are infinite."""
        if dtype.kind != "f":
            return self
        tiny, huge = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
        low = np.where((self.low > 0) & (self.low < tiny), 0, np.minimum(self.low, huge))
        high = np.where((self.high < 0) & (self.high > -tiny), 0, np.maximum(self.high, -huge))
        return Range(np.where(low < -huge, -np.inf, low), np.where(high > huge, np.inf, high))


_R = TypeVar("_R", bound=Callable[..., Any])

_RANGE_RULES: dict[str, Callable[..., Any]] = {}
_IN_PLACE: set[str] = set()

_MAX_DEPTH = 64
"""Equations after which a range forgets its operands, so that a long loop does not keep all its steps."""


def register_range(*primitives: str, in_place: bool = False) -> Callable[[_R], _R]:
    """Register how the ranges of a primitive's results follow from those of its operands.

    The rule gets a `Bounded`, which has what a sparsity rule reads of an equation, then one `Range` per
    operand. It returns one `Range` per result: a single one, or a list.

    **Arguments:**

    - `primitives`: names.
    - `in_place`: whether element `k` of the result follows from element `k` alone, in flat order, of all
        operands that have as many elements as the result.
    """

    def decorate(rule: _R) -> _R:
        for name in primitives:
            if name in _RANGE_RULES:
                raise ValueError(f"Primitive '{name}' already has a range rule.")
            _RANGE_RULES[name] = rule
        if in_place:
            _IN_PLACE.update(primitives)
        return rule

    return decorate


def has_range_rule(eqn: Any) -> bool:
    return eqn.primitive.name in _RANGE_RULES


class Facts(NamedTuple):
    """What is known of an operand: its value, or bounds on it (`None`: not known)."""

    known: Known | None
    bounds: Bounded | None


class Bounded:
    """The range of one result of an equation, computed at most once, and the equation as rules see it."""

    __slots__ = ("_cache", "_depth", "in_avals", "index", "name", "operands", "out_avals", "params")

    def __init__(
        self, eqn: Any, operands: Sequence[tuple[Known | None, Bounded | None]], index: int
    ):
        self.index = index
        self.name: str = eqn.primitive.name
        self.params: dict[str, Any] = eqn.params
        self.in_avals = [atom.aval for atom in eqn.invars]
        self.out_avals = [variable.aval for variable in eqn.outvars]
        self.operands = tuple(Facts(*pair) for pair in operands)
        deepest = max((one.bounds._depth for one in self.operands if one.bounds), default=0)
        self._depth = (deepest + 1) % _MAX_DEPTH
        self._cache: Range | None = None

    @property
    def aval(self) -> Any:
        """Shape and dtype of the result."""
        return self.out_avals[self.index]

    @property
    def is_in_place(self) -> bool:
        """Whether each element follows from those at its own place in the operands, or from scalars."""
        sizes = {size_of(aval) for aval in self.in_avals}
        transposes = self.name == "reshape" and self.params.get("dimensions") is not None
        return self.name in _IN_PLACE and not transposes and sizes <= {1, size_of(self.aval)}

    def get(self) -> Range:
        """The range of the result, after those of all that it follows from: without recursion."""
        stack: list[Bounded] = [self]
        while stack:
            top = stack[-1]
            waiting = [one for known, one in top.operands if known is None and _pending(one)]
            if top._cache is None and waiting:
                stack.extend(one for one in waiting if one is not None)
                continue
            stack.pop()._compute()
        assert self._cache is not None
        return self._cache

    def _compute(self) -> None:
        if self._cache is None:
            ranges = [self.bounds(number) for number in range(len(self.operands))]
            results = _RANGE_RULES[self.name](self, *ranges)
            result = results if isinstance(results, Range) else results[self.index]
            low, high = (
                np.broadcast_to(np.asarray(bound, np.float64), self.aval.shape) for bound in result
            )
            self._cache = Range(low, high)
            if self._depth == 0 or self._cache.is_certain:
                self.operands = ()

    def known(self, index: int) -> np.ndarray | None:
        """The value of an operand, if it is known."""
        known = self.operands[index].known
        return None if known is None else known.get_if_available()

    def bounds(self, index: int) -> Range:
        """The range of an operand."""
        return range_of(*self.operands[index], self.in_avals[index].shape)

    def given(self, operands: Sequence[Facts], result: Range | None = None) -> Bounded:
        """The same equation on other operands, with its result where that is settled."""
        other = copy(self)
        other.operands, other._cache = tuple(operands), result
        return other


def _pending(bounds: Bounded | None) -> bool:
    return bounds is not None and bounds._cache is None


def range_of(known: Known | None, bounds: Bounded | None, shape: Sequence[int]) -> Range:
    """What is known of the elements of an array."""
    value = None if known is None else known.get_if_available()
    if value is not None:
        return Range.of_value(value)
    return Range.unbounded(shape) if bounds is None else bounds.get()


def moved(structure: Dependence, ranges: Sequence[Range], operand_sizes: Sequence[int]) -> Range:
    """The range of a result whose elements are elements of the operands, in the structure's numbering."""
    matrix = structure.to_csr(sum(operand_sizes))
    if (np.diff(matrix.indptr) != 1).any():
        return Range.unbounded(structure.shape)
    low, high = (
        np.concatenate([np.ravel(bound) for bound in bounds])[matrix.indices]
        for bounds in zip(*ranges, strict=True)
    )
    return Range(low.reshape(structure.shape), high.reshape(structure.shape))
