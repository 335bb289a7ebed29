"""From a pattern to a colored pattern: one function per kind, and the choice between kinds."""

import dataclasses

import numpy as np

from .._pattern import SparsityPattern
from ._acyclic import check_coloring_acyclic
from ._acyclic_problem import Acyclic
from ._bicoloring import Bicoloring, bidirectional_bound, color_both
from ._check import (
    check_coloring_bidirectional,
    check_coloring_cols,
    check_coloring_rows,
    check_coloring_symmetric,
)
from ._colored_pattern import ColoredPattern
from ._greedy import Partition
from ._hubs import color_with_hubs
from ._orders import Order
from ._search import Budget, color, count, improve, start
from ._star import Star


_REVERSE_COST = 1.1
"""What a reverse pass costs, in forward passes: the mean in `benchmarks/passes.py`."""
_BIDIRECTIONAL_OVERHEAD = 1
"""What a second kind of pass costs, in passes: the linear function is transposed and run again."""


def color_partition(
    sparsity: SparsityPattern, mode: str, budget: Budget, order: Order | None = None
) -> ColoredPattern:
    """Color the columns, or the rows for mode "rev"."""
    problem = _partition(sparsity, mode)
    return _colored_partition(sparsity, mode, problem, color(problem, budget, order))


def color_graph(
    sparsity: SparsityPattern,
    mode: str,
    budget: Budget,
    order: Order | None = None,
    recovery: str = "direct",
) -> ColoredPattern:
    """Color the adjacency graph of a symmetric pattern: by stars, or acyclically."""
    grid = _grid(sparsity.input_avals)
    if recovery == "direct":
        problem = Star(sparsity, grid)
        colors = color_with_hubs(problem, budget, order)
        check_coloring_symmetric(sparsity, colors)
    else:
        problem = Acyclic(sparsity, grid)
        colors = color_with_hubs(problem, budget, order)
        check_coloring_acyclic(sparsity, colors)
    number = _count(sparsity, colors)
    return ColoredPattern(
        sparsity,
        _in_order(sparsity, colors),
        number,
        True,
        mode,
        problem.lower_bound,
        recovery=recovery,
    )


def color_bidirectionally(
    sparsity: SparsityPattern,
    budget: Budget,
    order: Order | None = None,
    start: Bicoloring | None = None,
) -> ColoredPattern:
    """Color columns and rows together; `start` is a coloring that was found with less effort."""
    if start is not None and start.num_colors <= bidirectional_bound(sparsity):
        colors = start
    else:
        colors = color_both(sparsity, budget, order)
    check_coloring_bidirectional(sparsity, colors.columns, colors.rows)
    return ColoredPattern(
        sparsity,
        column_colors=colors.columns,
        row_colors=colors.rows,
        num_colors=colors.num_colors,
        mode="bidirectional",
        lower_bound=bidirectional_bound(sparsity),
        num_row_colors=count(colors.rows),
    )


def color_cheapest(
    sparsity: SparsityPattern, budget: Budget, order: Order | None = None, *, both: bool
) -> ColoredPattern:
    """Color for whichever of the pattern's modes costs least; if `both`, also for both modes at once.

    A mode is colored if its lower bound lets it win, by the fast algorithms; the winner is improved.
    """
    bounds = {
        "fwd": int(np.bincount(sparsity.rows).max(initial=0)),
        "rev": int(np.bincount(sparsity.cols).max(initial=0)),
    }
    problems, colorings, costs = {}, {}, {}
    for mode in sorted(sparsity.modes, key=lambda mode: _COSTS[mode] * bounds[mode]):
        if _COSTS[mode] * bounds[mode] < min(costs.values(), default=np.inf):
            problems[mode] = _partition(sparsity, mode)
            colorings[mode] = (
                start(problems[mode]) if order is None else color(problems[mode], budget, order)
            )
            costs[mode] = _COSTS[mode] * count(colorings[mode])
    mode = min(costs, key=lambda mode: costs[mode])
    together = _cheaper_together(sparsity, costs[mode], order)
    if together is not None and both:
        needs = [
            f"{_NAMES[one]} alone "
            + (f"takes {count(colorings[one])}" if one in costs else f"at least {bounds[one]}")
            for one in ("fwd", "rev")
        ]
        colored = color_bidirectionally(sparsity, budget, order, together)
        return dataclasses.replace(colored, reason=f"both modes; {', '.join(needs)}")
    colors = colorings[mode]
    if order is None:
        colors = improve(problems[mode], colors, budget)
    colored = _colored_partition(sparsity, mode, problems[mode], colors)
    other = "rev" if mode == "fwd" else "fwd"
    reason = ""
    if together is not None:
        reason = f'{_NAMES[mode]} mode; mode="auto" takes {together.num_colors}, in both modes'
    elif other not in sparsity.modes and _least(sparsity, bounds) < cost_of(colored):
        reason = f"{_NAMES[mode]} mode; the function allows no {_NAMES[other]} mode"
    elif mode == "rev" and other in sparsity.modes:
        takes = (
            f"takes {count(colorings[other])}" if other in costs else f"at least {bounds[other]}"
        )
        reason = f"{_NAMES[mode]} mode; {_NAMES[other]} {takes}"
    return dataclasses.replace(colored, reason=reason)


def _least(sparsity: SparsityPattern, bounds: dict[str, int]) -> float:
    """A bound on the cost in any mode, if the function allowed all of them."""
    alone = min(_COSTS[mode] * bound for mode, bound in bounds.items())
    return min(alone, bidirectional_bound(sparsity) + _BIDIRECTIONAL_OVERHEAD)


def _cheaper_together(
    sparsity: SparsityPattern, cost: float, order: Order | None
) -> Bicoloring | None:
    """A coloring for both modes that costs less, if the function allows it and a fast search finds one."""
    if len(sparsity.modes) < 2 or bidirectional_bound(sparsity) + _BIDIRECTIONAL_OVERHEAD >= cost:
        return None
    both = color_both(sparsity, Budget(0.0), order)
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


def _partition(sparsity: SparsityPattern, mode: str) -> Partition:
    if mode == "rev":
        return Partition(sparsity.T, _grid(sparsity.output_avals))
    return Partition(sparsity, _grid(sparsity.input_avals))


def _colored_partition(sparsity, mode, problem, colors) -> ColoredPattern:
    check = check_coloring_rows if mode == "rev" else check_coloring_cols
    check(sparsity, colors)
    number = _count(sparsity, colors)
    return ColoredPattern(
        sparsity, _in_order(sparsity, colors), number, False, mode, problem.lower_bound
    )


def _in_order(sparsity: SparsityPattern, colors: np.ndarray) -> np.ndarray:
    """The colors of a full matrix, renamed: the compressed matrix is then this matrix or its transpose."""
    full = sparsity.nnz == sparsity.m * sparsity.n
    all_differ = _count(sparsity, colors) == len(colors)
    return np.arange(len(colors), dtype=colors.dtype) if full and all_differ else colors


def _grid(avals) -> tuple[tuple[int, ...], ...]:
    return tuple(aval.shape for aval in avals)


def _count(sparsity: SparsityPattern, colors: np.ndarray) -> int:
    return count(colors) if sparsity.nnz else 0
