"""Ranges: bounds on each element of an array whose value is not known, computed only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from ._dependence import Dependence
from ._known import Known


class Range(NamedTuple):
    """Lowest and highest value of each element, inclusive, in float64, infinite where unbounded.

    Both arrays have the shape of the array that they bound, possibly with broadcast axes.
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
        return Range(np.where(sure, exact, -np.inf), np.where(sure, exact, np.inf))


_R = TypeVar("_R", bound=Callable[..., Any])

_RANGE_RULES: dict[str, Callable[..., Any]] = {}


def register_range(*primitives: str) -> Callable[[_R], _R]:
    """Register how the ranges of a primitive's results follow from those of its operands.

    The rule gets a `Bounded`, which has what a sparsity rule reads of an equation, then one `Range` per
    operand. It returns one `Range` per result: a single one, or a list.
    """

    def decorate(rule: _R) -> _R:
        for name in primitives:
            if name in _RANGE_RULES:
                raise ValueError(f"Primitive '{name}' already has a range rule.")
            _RANGE_RULES[name] = rule
        return rule

    return decorate


def has_range_rule(eqn: Any) -> bool:
    return eqn.primitive.name in _RANGE_RULES


class Bounded:
    """The range of one result of an equation, computed at most once, and the equation as rules see it."""

    __slots__ = ("_cache", "_operands", "in_avals", "index", "name", "out_avals", "params")

    def __init__(
        self, eqn: Any, operands: Sequence[tuple[Known | None, Bounded | None]], index: int
    ):
        self.index = index
        self.name: str = eqn.primitive.name
        self.params: dict[str, Any] = eqn.params
        self.in_avals = [atom.aval for atom in eqn.invars]
        self.out_avals = [variable.aval for variable in eqn.outvars]
        self._operands = tuple(operands)
        self._cache: Range | None = None

    def get(self) -> Range:
        """The range of the result, after those of all that it follows from: without recursion."""
        stack: list[Bounded] = [self]
        while stack:
            top = stack[-1]
            waiting = [one for known, one in top._operands if known is None and _pending(one)]
            if top._cache is None and waiting:
                stack.extend(one for one in waiting if one is not None)
                continue
            stack.pop()._compute()
        assert self._cache is not None
        return self._cache

    def _compute(self) -> None:
        if self._cache is None:
            ranges = [
                range_of(known, bounds, aval.shape)
                for (known, bounds), aval in zip(self._operands, self.in_avals, strict=True)
            ]
            results = _RANGE_RULES[self.name](self, *ranges)
            result = results if isinstance(results, Range) else results[self.index]
            shape = self.out_avals[self.index].shape
            self._cache = Range(*(np.broadcast_to(bound, shape) for bound in result))
            self._operands = ()

    def known(self, index: int) -> np.ndarray | None:
        """The value of an operand, if it is known."""
        known = self._operands[index][0]
        return None if known is None else known.get_if_available()

    def bounds(self, index: int) -> Range:
        """The range of an operand."""
        return range_of(*self._operands[index], self.in_avals[index].shape)


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
