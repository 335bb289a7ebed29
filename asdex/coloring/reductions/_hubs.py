"""Graphs with hubs, which are vertices that are coupled to most of the others.

A vertex with a color of its own lies on no two-colored path or cycle. So each hub gets a color of its own,
and the rest, which is sparse, is colored without the hubs. The number of hubs is guessed from the degrees.
"""

import numpy as np
from jaxtyping import Int

from ...pattern import chosen_nonzeros, SparsityPattern
from .._colors import Colors, count
from ..greedy import Incidence


_MOST_GUESSES = 3
_CLEAR_DROP = 1.5


def possible_hubs(graph: Incidence, total: int) -> list[Int[np.ndarray, " k"]]:
    """Possible sets of hubs: the vertices before the largest drops in degree, fewer than `total`."""
    degrees = np.diff(graph.indptr)
    by_degree = np.argsort(-degrees, kind="stable")[: total + 1]
    falling = degrees[by_degree]
    drops = falling[:-1] / np.maximum(falling[1:], 1)
    clearest = np.argsort(-drops, kind="stable")[:_MOST_GUESSES]
    return [by_degree[: at + 1] for at in clearest if drops[at] >= _CLEAR_DROP]


def without_hubs(sparsity: SparsityPattern, hubs: Int[np.ndarray, " k"]) -> SparsityPattern:
    """The pattern in which the rows and columns of the hubs are empty."""
    kept = np.ones(sparsity.n, bool)
    kept[hubs] = False
    return chosen_nonzeros(sparsity, kept[sparsity.rows] & kept[sparsity.cols])


def with_hubs(colors: Colors, hubs: Int[np.ndarray, " k"]) -> Colors:
    """The coloring of the rest, with a color of its own for each hub."""
    result = colors.copy()
    result[hubs] = 0  # not counted: the rest has nothing there
    result[hubs] = count(result) + np.arange(len(hubs), dtype=np.int32)
    return result
