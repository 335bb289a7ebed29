"""The search for few colors, in which several algorithms and orders compete within a budget."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .._progress import track
from ._colors import Colors, count
from .greedy import num_conflicts, Order, saturation, smallest_last
from .problems import GraphProblem, Problem
from .reductions import possible_hubs, with_hubs, without_hubs


_LEAST, _MOST = 0.025, 0.045
"""Seconds of the default budget: the least, and the most for patterns of up to a million nonzeros."""
_CALLS, _PASS = 1000, 1.2e-9
"""Between these, a search may take what one color less saves in a thousand calls. A color costs, in seconds
per nonzero and call, 0.1e-9 to 0.2e-9 on a Brusselator, 0.7e-9 on small meshes, 2.4e-9 on large ones."""
_DETECTION = 3e-8
"""Seconds that detection takes per nonzero, which bounds the search on larger patterns."""
_SMALLEST_LAST, _SATURATION = (3e-9, 1e-6), (4.5e-8, 3.5e-6)
"""Seconds of an order per conflict and per vertex."""
_FROM_LATTICE = 0.02
"""Seconds that a start from another coloring than a lattice counts more, for it hardly pays: a Brusselator of
2,048 unknowns takes 7 colors, and 6 for a Hessian, either way; 56 and 75 ms in place of 87 and 114 ms."""
_MOST_SWEEPS_IN_VAIN, _SWEEPS_PER_START = 200, 4


class Budget:
    """Seconds that a search may take, on an ordinary machine.

    The time of an algorithm is not measured but estimated from sizes, so that a pattern gets the same
    colors on every machine and in every run.
    """

    def __init__(self, seconds: float):
        self.left = seconds

    @classmethod
    def default(cls, nnz: int) -> "Budget":
        """The budget for a pattern with `nnz` nonzeros."""
        return cls(max(_LEAST, min(_CALLS * _PASS * nnz, _MOST), _DETECTION * nnz))

    def pay(self, cost: float) -> bool:
        """Deduct the cost of some work, and return whether the budget was large enough for it."""
        if cost > self.left:
            return False
        self.left -= cost
        return True


def color(problem: Problem, budget: Budget, order: Order | None = None) -> Any:
    """Return a coloring with few colors.

    **Arguments:** `problem`: what to color. `budget`: the budget of the search. `order`: the order of a
    single greedy coloring, which takes the place of the search.

    **Returns:** the colors; 0 for vertices without groups.

    **Raises:** `ValueError` if the order is no permutation of the vertices.
    """
    return problem.solve(lambda graph: _color_graph(graph, budget, order))


def _color_graph(problem: GraphProblem, budget: Budget, order: Order | None) -> Colors:
    if order is not None:
        colors = problem.greedy(_visits(problem, order))
        assert colors is not None  # there was no limit
        return colors
    if not problem.has_conflicts:
        return _one_color(problem)
    return with_reduction(problem, lambda one: color_directly(one, budget))


def _visits(problem: GraphProblem, order: Order) -> np.ndarray:
    visits = np.asarray(order(problem.incidence))
    every = np.arange(problem.incidence.num_vertices)
    if visits.shape != every.shape or not np.array_equal(np.sort(visits), every):
        raise ValueError(
            f"Expected an order of the {len(every)} vertices, each once, got {visits!r}. Return a "
            "permutation of `numpy.arange(graph.num_vertices)`."
        )
    return visits


def color_directly(problem: GraphProblem, budget: Budget) -> Colors:
    """The same as `color`, without a search for copies and blocks.

    On the graph of a symmetric pattern, the fast algorithms color the rest for each guess of the hubs,
    and the best result is improved.
    """
    if not problem.symmetric:
        return improve_directly(problem, start_directly(problem), budget)
    best, best_hubs, best_rest = start_directly(problem), np.zeros(0, np.int64), problem
    total = count(best)
    for hubs in possible_hubs(problem.incidence, total):
        rest = problem.with_pattern(without_hubs(problem.sparsity, hubs), problem.grid)
        colors = start_directly(rest)
        if count(colors) + len(hubs) <= total:  # a tie is won by the smaller problem
            best, best_hubs, best_rest = colors, hubs, rest
            total = count(colors) + len(hubs)
    if total > problem.lower_bound:
        best = improve_directly(best_rest, best, budget)
    return with_hubs(best, best_hubs)


def with_reduction(problem: GraphProblem, solve: Callable[[GraphProblem], Colors]) -> Colors:
    """Color the smaller problem to which this one can be reduced."""
    if problem.reduced is None or problem.reduction is None:
        return solve(problem)
    return problem.reduction.expand(with_reduction(problem.reduced, solve))


def _one_color(problem: GraphProblem) -> Colors:
    return np.zeros(problem.num_vertices, np.int32)


def start(problem: GraphProblem) -> Colors:
    """Color by the algorithms of linear cost, until one of them meets the lower bound."""
    return with_reduction(problem, start_directly) if problem.has_conflicts else _one_color(problem)


def start_directly(problem: GraphProblem) -> Colors:
    """The same as `start`, without a search for copies and blocks."""
    occupied = np.diff(problem.incidence.indptr) > 0
    best = np.where(occupied, np.cumsum(occupied) - 1, 0).astype(np.int32)
    if count(best) <= problem.lower_bound:  # every vertex needs a color of its own
        return best
    if problem.periodic is not None:
        return problem.periodic
    for order in problem.orders:
        best = fewer(best, problem.greedy(order(problem.incidence), count(best)))
        if count(best) <= problem.lower_bound:
            break
    return best


def improve(problem: GraphProblem, best: Colors, budget: Budget) -> Colors:
    """Search for fewer colors, by a better order and then by recoloring, within the budget."""
    if count(best) <= problem.lower_bound or not problem.has_conflicts:
        return best
    if problem.reduced is None or problem.reduction is None:
        return improve_directly(problem, best, budget)
    found = improve(problem.reduced, problem.reduction.contract(best), budget)
    return fewer(best, problem.reduction.expand(found))


def improve_directly(problem: GraphProblem, best: Colors, budget: Budget) -> Colors:
    """The same as `improve`, without a search for copies and blocks.

    A lattice is recolored at once, for a sweep may repair what it has in excess, and other orders take more
    colors.
    """
    if count(best) <= problem.lower_bound:
        return best
    graph = problem.incidence
    sizes = num_conflicts(graph), graph.num_vertices
    last, saturated = (
        problem.cost + float(np.dot(seconds, sizes)) for seconds in (_SMALLEST_LAST, _SATURATION)
    )
    attempts = [
        *((order, problem.cost) for order in problem.further_orders),
        (smallest_last, last),
        (saturation, saturated),
    ]
    if problem.periodic is not None:
        attempts, saturated = [], saturated + _FROM_LATTICE
    for order, cost in attempts:
        if count(best) > problem.lower_bound and budget.pay(cost):
            best = fewer(best, problem.greedy(order(graph), count(best)))
    return iterate(problem, best, budget, saturated)


def fewer(a: Colors, b: Colors | None) -> Colors:
    """Return the coloring with fewer colors; the first if they have as many, or if there is no other."""
    return a if b is None or count(a) <= count(b) else b


def iterate(problem: GraphProblem, best: Colors, budget: Budget, restart_cost: float) -> Colors:
    """Recolor greedily, one class of the last coloring after the other, the last class first.

    For a distance-2 coloring, such a sweep never needs more colors than the one before (Culberson,
    "Iterated greedy graph coloring and the difficulty landscape", 1992). For other colorings, the
    best is kept. After three sweeps without a gain, the search starts again from a coloring by
    saturation with random ties. It ends at the lower bound, at the end of the budget, or after two
    hundred sweeps without a gain. A larger budget continues the search of a smaller one.
    """
    rng = np.random.default_rng(0)
    colors, in_vain = best, 0
    for _ in track(itertools.count(), "coloring"):
        if count(best) <= problem.lower_bound or in_vain == _MOST_SWEEPS_IN_VAIN:
            break
        restart = in_vain % _SWEEPS_PER_START == _SWEEPS_PER_START - 1
        if not budget.pay(restart_cost if restart else problem.sweep_cost(count(colors))):
            break
        limit = 2 * count(best)
        if restart:
            found = problem.greedy(saturation(problem.incidence, rng), limit)
        else:
            found = problem.recolor(colors, limit)
        colors = best if found is None else found
        in_vain = 0 if count(colors) < count(best) else in_vain + 1
        best = fewer(best, colors)
    return best
