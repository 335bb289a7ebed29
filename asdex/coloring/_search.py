"""The search for few colors: a coloring algorithm is run on several orders."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int, Int32

from ._orders import ORDERS
from ._problem import Incidence


Algorithm = Callable[
    [Incidence, Int[np.ndarray, " num_vertices"]], Int32[np.ndarray, " num_vertices"]
]


def fewest_colors(
    algorithm: Algorithm, problem: Incidence, lower_bound: int
) -> Int32[np.ndarray, " num_vertices"]:
    """Return the coloring with the fewest colors over all orders; the first that meets the bound.

    Vertices that belong to no group get color 0.
    """
    occupied = np.diff(problem.indptr) > 0
    if lower_bound >= np.count_nonzero(occupied):  # every vertex needs a color of its own
        return np.where(occupied, np.cumsum(occupied) - 1, 0).astype(np.int32)
    best = None
    for order in ORDERS:
        colors = algorithm(problem, order(problem))
        if best is None or colors.max(initial=-1) < best.max(initial=-1):
            best = colors
        if best.max(initial=-1) + 1 <= lower_bound:
            break
    assert best is not None
    return best
