"""The choice of the AD modes in which a Jacobian costs least, by the colors that each mode needs."""

import dataclasses

import numpy as np

from ..pattern import SparsityPattern
from ._colored_pattern import ColoredPattern
from ._colors import count
from ._search import Budget, color, improve, start
from .greedy import Order
from .problems import Bicoloring, Bidirectional, Columns, Rows
from .recoverability import is_symmetric


_REVERSE_COST = 1.1
"""What a reverse pass costs, in forward passes: the mean in `benchmarks/passes.py`."""
_BIDIRECTIONAL_OVERHEAD = 1
"""What a second kind of pass costs, in passes: the linear function is transposed and run again."""


def color_cheapest(
    sparsity: SparsityPattern, budget: Budget, order: Order | None = None, *, both: bool
) -> ColoredPattern:
    """Color for whichever of the pattern's modes costs least; if `both`, also for both modes at once.

    A mode is colored by the fast algorithms if its lower bound lets it win. Both modes together have to
    win over the improved coloring of the best one.
    """
    problems: dict[str, Columns] = {"fwd": Columns(sparsity), "rev": Rows(sparsity)}
    bounds = {mode: max(problem.longest, 1) for mode, problem in problems.items()}
    colorings, costs = {}, {}
    for mode in sorted(sparsity.modes, key=lambda mode: _COSTS[mode] * bounds[mode]):
        if _COSTS[mode] * bounds[mode] < min(costs.values(), default=np.inf):
            if costs and is_symmetric(sparsity):  # the other mode takes as many colors
                break
            colorings[mode] = (
                start(problems[mode]) if order is None else color(problems[mode], budget, order)
            )
            costs[mode] = _COSTS[mode] * count(colorings[mode])
    mode = min(costs, key=lambda mode: costs[mode])
    if order is None:
        colorings[mode] = improve(problems[mode], colorings[mode], Budget(budget.left))
    bidirectional = Bidirectional(sparsity)
    together = _cheaper_together(bidirectional, _COSTS[mode] * count(colorings[mode]), order)
    if together is not None and both:
        needs = [
            f"{_NAMES[one]} alone "
            + (f"takes {count(colorings[one])}" if one in costs else f"at least {bounds[one]}")
            for one in ("fwd", "rev")
        ]
        if together.num_colors > bidirectional.lower_bound:
            together = color(bidirectional, budget, order)
        colored = bidirectional.colored(together)
        return dataclasses.replace(colored, reason=f"both modes; {', '.join(needs)}")
    colored = problems[mode].colored(colorings[mode], mode)
    other = "rev" if mode == "fwd" else "fwd"
    reason = ""
    if together is not None:
        reason = f'{_NAMES[mode]} mode; mode="auto" takes {together.num_colors}, in both modes'
    elif other not in sparsity.modes and _least(bidirectional, bounds) < cost_of(colored):
        reason = f"{_NAMES[mode]} mode; the function allows no {_NAMES[other]} mode"
    elif mode == "rev" and other in sparsity.modes:
        takes = (
            f"takes {count(colorings[other])}" if other in costs else f"at least {bounds[other]}"
        )
        reason = f"{_NAMES[mode]} mode; {_NAMES[other]} {takes}"
    return dataclasses.replace(colored, reason=reason)


def _least(problem: Bidirectional, bounds: dict[str, int]) -> float:
    """A bound on the cost in any mode, if the function allowed all of them."""
    alone = min(_COSTS[mode] * bound for mode, bound in bounds.items())
    return min(alone, problem.lower_bound + _BIDIRECTIONAL_OVERHEAD)


def _cheaper_together(
    problem: Bidirectional, cost: float, order: Order | None
) -> Bicoloring | None:
    """A coloring for both modes that costs less, if the function allows it and a fast search finds one."""
    if len(problem.sparsity.modes) < 2 or problem.lower_bound + _BIDIRECTIONAL_OVERHEAD >= cost:
        return None
    promising = [
        split
        for split in problem.splits
        if split.bound + _BIDIRECTIONAL_OVERHEAD < cost and split.takes_both
    ]
    if not promising:
        return None
    both: Bicoloring = color(Bidirectional(problem.sparsity, promising), Budget(0.0), order)
    return both if _cost_of_both(count(both.columns), count(both.rows)) < cost else None


def cost_of(coloring: ColoredPattern) -> float:
    """What the products cost, in forward passes or in Hessian-vector products."""
    if coloring.mode == "bidirectional":
        by_row = coloring.num_row_colors
        return _cost_of_both(coloring.num_colors - by_row, by_row)
    return _COSTS.get(coloring.mode, 1.0) * coloring.num_colors


def _cost_of_both(by_column: int, by_row: int) -> float:
    return _COSTS["fwd"] * by_column + _COSTS["rev"] * by_row + _BIDIRECTIONAL_OVERHEAD


_COSTS = {"fwd": 1.0, "rev": _REVERSE_COST}
_NAMES = {"fwd": "forward", "rev": "reverse"}
