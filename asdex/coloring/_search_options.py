"""How to search for a coloring, as one object."""

from __future__ import annotations

import dataclasses
from numbers import Real
from typing import Any, ClassVar, Literal

from .._arguments import check_choice
from ._colored_pattern import ColoredPattern
from ._search import Budget, color
from .greedy import Order, OrderName, ORDERS
from .problems import Problem


JacobianMode = Literal["auto", "fwd", "rev", "bidirectional"]
HessianMode = Literal["auto", "fwd_over_rev", "rev_over_fwd", "rev_over_rev"]
ColoringMode = Literal[
    "auto", "fwd", "rev", "bidirectional", "fwd_over_rev", "rev_over_fwd", "rev_over_rev"
]
Recovery = Literal["direct", "substitution"]


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """The kind of coloring that is wanted, and how long to search for it.

    The fields are the keywords of `asdex.jacobian_coloring` and `asdex.hessian_coloring`.

    **Raises:** `ValueError` for an option with another value than those that it may have.
    """

    modes: ClassVar[Any] = ColoringMode

    mode: str | None = None
    symmetric: bool = False
    recovery: Recovery = "direct"
    order: OrderName | Order | None = None
    budget: float | None = None

    def __post_init__(self) -> None:
        if self.mode is not None:
            check_choice("mode", self.mode, self.modes)
        check_choice("recovery", self.recovery, Recovery)
        if self.order is not None and not callable(self.order):
            check_choice("order", self.order, OrderName)
        if self.symmetric not in (True, False):
            raise ValueError(f"Expected `symmetric` to be True or False, got {self.symmetric!r}.")
        if self.budget is not None and not (isinstance(self.budget, Real) and self.budget >= 0):
            raise ValueError(
                f"Expected `budget` to be a number of seconds, 0 or more, got {self.budget!r}."
            )

    def limits(self, nnz: int) -> tuple[Budget, Order | None]:
        """How long to search among `nnz` nonzeros, and the order for a single greedy coloring instead."""
        budget = Budget.default(nnz) if self.budget is None else Budget(float(self.budget))
        order = self.order if self.order is None or callable(self.order) else ORDERS[self.order]
        return budget, order

    def color(self, problem: Problem, mode: str) -> ColoredPattern:
        """Color a pattern, for the AD mode of its products."""
        return problem.colored(color(problem, *self.limits(problem.matrix.nnz)), mode)


class JacobianSearch(SearchOptions):
    """A search for the coloring of a Jacobian."""

    modes = JacobianMode


class HessianSearch(SearchOptions):
    """A search for the coloring of a Hessian."""

    modes = HessianMode
