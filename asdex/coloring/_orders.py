"""The orders in which a greedy coloring may visit the vertices.

An order is a function of the problem that returns a permutation of its vertices. None wins always
(Gebremedhin, Manne and Pothen, "What Color Is Your Jacobian?", SIAM Review 47, 2005), so
several are tried.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from ._problem import Incidence


Order = Callable[[Incidence], Int[np.ndarray, " num_vertices"]]


def natural(problem: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices as they are numbered: best for bands and for most stencils."""
    return np.arange(problem.num_vertices)


def largest_first(problem: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices by descending number of conflicts (Welsh and Powell 1967).

    Conflicts are counted once per shared group: an upper bound on the distance-2 degree that costs
    no more than one pass over the nonzeros.
    """
    weights = (problem.group_sizes() - 1)[problem.indices]
    totals = np.concatenate([[0], np.cumsum(weights)])
    conflicts = totals[problem.indptr[1:]] - totals[problem.indptr[:-1]]
    return np.argsort(-conflicts, kind="stable")


ORDERS: tuple[Order, ...] = (natural, largest_first)
