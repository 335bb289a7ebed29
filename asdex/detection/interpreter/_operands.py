"""The operands of an equation: what they depend on, and what is known of their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..._jaxprs import EquationView
from ..dependence import as_mask, Dependence, everywhere, is_everywhere, Mask, nowhere, Range
from ..facts import bounds_of, support_of, values_of
from ._value import Value


_MOST_NAMES = 3
"""Arguments that a cause names; of more, it says how many."""


class Operands(EquationView):
    """An equation and its operands."""

    def __init__(self, eqn: Any, operands: Sequence[Value]):
        super().__init__(eqn)
        self.operands = tuple(operands)

    def dependences(self) -> list[Dependence]:
        """What each operand depends on."""
        pairs = zip(self.operands, self.in_avals, strict=True)
        return [operand.as_dependence(aval) for operand, aval in pairs]

    def primals(self) -> list[Value]:
        """The operands without what they depend on: their values may vary, their derivatives do not count."""
        return [
            one._replace(dependence=None, varies=one.varies or one.dependence is not None)
            for one in self.operands
        ]

    def known(self, index: int) -> np.ndarray | None:
        """The value of operand `index`, if it depends on constants alone, or at a point; else `None`.

        Nothing is computed before this is called. The array must not be changed. A value that is undecided
        at the point is not known.
        """
        return self.value(index) if self.operands[index].undecided is None else None

    def value(self, index: int) -> np.ndarray | None:
        """As `known`, with the values at the point of undecided elements."""
        values = values_of(self.operands[index], self.in_avals[index])
        return values[0] if values else None

    def values(self, index: int) -> list[np.ndarray]:
        """What `known` returns and, if another program may round it otherwise, more such values.

        It is empty if nothing is known. Where the first is zero, all are.
        """
        decided = self.operands[index].undecided is None
        return values_of(self.operands[index], self.in_avals[index]) if decided else []

    def bounds(self, index: int) -> Range:
        """Bounds on each element of operand `index`, infinite where nothing is known.

        They come from its value or from range rules (`argmax`, `clamp`, `rem`, comparisons, arithmetic), and
        are computed only when this is called.
        """
        bounds = bounds_of(self.operands[index], self.in_avals[index])
        undecided = self.operands[index].undecided
        if undecided is None:
            return bounds
        top = 1.0 if self.in_avals[index].dtype == np.bool_ else np.inf
        low, high = np.where(undecided, 1 - top, bounds.low), np.where(undecided, top, bounds.high)
        return Range(low, high)

    def nonzero(self, index: int) -> Mask:
        """Which elements of operand `index` may be nonzero in some call: all where nothing is known.

        An element that is zero in every call, such as one off the diagonal of `jnp.diag(p)`, removes what it
        multiplies. What it depends on itself stays: its derivative need not be zero.
        """
        support = support_of(self.operands[index], self.in_avals[index])
        undecided = self.operands[index].undecided
        return support if undecided is None or is_everywhere(support) else support | undecided

    def undecided(self, index: int) -> Mask:
        """Which elements of operand `index` may have other values next to the point, as at ties."""
        mask = self.operands[index].undecided
        return nowhere(getattr(self.in_avals[index], "shape", ())) if mask is None else mask

    def varies(self, index: int) -> Mask:
        """Which elements of operand `index` depend on what is differentiated, as far as that is known."""
        operand = self.operands[index]
        if operand.varies:
            return everywhere(self.in_avals[index].shape)
        return as_mask(operand.as_dependence(self.in_avals[index]))

    def unless_known(self, operands: Iterable[int], what: str, verb: str = "comes from") -> str:
        """Say of operands that are not known which arguments they come from; "" if all of them are known.

        **Arguments:**

        - `operands`: their positions.
        - `what`, `verb`: what stands before the names of the arguments, such as "the index", "comes from".
        """
        unknown = [k for k in operands if self.known(k) is None]
        if not unknown:
            return ""
        names = sorted(frozenset().union(*(self.operands[k].comes_from for k in unknown)))
        if len(names) > _MOST_NAMES:
            rest = len(names) - _MOST_NAMES + 1
            names = [*names[: _MOST_NAMES - 1], f"{rest} other arguments"]
        listed = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        return f"{what} {verb} {listed}" if names else f"{what} is not known"
