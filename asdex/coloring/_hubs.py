"""Colorings of graphs with hubs, which are vertices that are coupled to most of the others."""

import numpy as np
from jaxtyping import Int, Int32

from .._pattern import SparsityPattern
from ._acyclic_problem import Acyclic
from ._orders import breadth_first, Order
from ._search import (
    Budget,
    color,
    Colors,
    count,
    fewer,
    improve_directly,
    start_directly,
    with_reduction,
)
from ._star import Star


_MOST_GUESSES = 3
_CLEAR_DROP = 1.5


def color_with_hubs(
    problem: Star | Acyclic, budget: Budget, order: Order | None = None
) -> Int32[np.ndarray, " n"]:
    """Color the graph of a symmetric pattern, by stars or acyclically, with few colors.

    A vertex with a color of its own lies on no two-colored path or cycle. So each hub gets a color of its
    own, and the rest, which is sparse, is colored without the hubs. The number of hubs is guessed from the
    degrees. The fast algorithms color the rest for each guess, and the best result is improved.
    """
    if order is not None:
        return color(problem, budget, order)
    return with_reduction(problem, lambda one: _color(one, Budget(budget.left)))


def _color(problem: Star | Acyclic, budget: Budget) -> Colors:
    best, best_hubs, best_rest = _color_fast(problem), np.zeros(0, np.int64), problem
    total = count(best)
    for hubs in _guesses(problem, total):
        rest = type(problem)(_without(problem.sparsity, hubs), problem.grid)
        colors = _color_fast(rest)
        if count(colors) + len(hubs) <= total:  # a tie is won by the smaller problem
            best, best_hubs, best_rest = colors, hubs, rest
            total = count(colors) + len(hubs)
    if total <= problem.lower_bound:
        return _joined(best, best_hubs)
    return _joined(improve_directly(best_rest, best, budget), best_hubs)


def _color_fast(problem: Star | Acyclic) -> Colors:
    """Color by the algorithms of linear cost; one of them is optimal for forests."""
    colors = start_directly(problem)
    if count(colors) <= problem.lower_bound:
        return colors
    return fewer(colors, problem.greedy(breadth_first(problem.incidence), count(colors)))


def _guesses(problem: Star | Acyclic, total: int) -> list[Int[np.ndarray, " k"]]:
    """Possible sets of hubs: the vertices before the largest drops in degree, fewer than `total`."""
    degrees = np.diff(problem.incidence.indptr)
    by_degree = np.argsort(-degrees, kind="stable")[: total + 1]
    falling = degrees[by_degree]
    drops = falling[:-1] / np.maximum(falling[1:], 1)
    clearest = np.argsort(-drops, kind="stable")[:_MOST_GUESSES]
    return [by_degree[: at + 1] for at in clearest if drops[at] >= _CLEAR_DROP]


def _without(sparsity: SparsityPattern, vertices: Int[np.ndarray, " k"]) -> SparsityPattern:
    """The pattern in which the rows and columns of some vertices are empty."""
    kept = np.ones(sparsity.n, bool)
    kept[vertices] = False
    kept = kept[sparsity.rows] & kept[sparsity.cols]
    return SparsityPattern(sparsity.rows[kept], sparsity.cols[kept], sparsity.shape)


def _joined(colors: Colors, hubs: Int[np.ndarray, " k"]) -> Colors:
    """The coloring of the rest, with a color of its own for each hub."""
    result = colors.copy()
    result[hubs] = 0  # not counted: the rest has nothing there
    result[hubs] = count(result) + np.arange(len(hubs), dtype=np.int32)
    return result
