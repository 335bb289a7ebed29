"""Lower bounds on the colors of every coloring of a graph."""

import numpy as np
from jaxtyping import Int

from ...pattern import connected_components
from ..greedy import Incidence


def partition_lower_bound(problem: Incidence) -> int:
    """Return a lower bound on the colors of any distance-2 coloring.

    The members of a group all need different colors. So do vertices of which any two together belong
    to more groups than there are, since these two must share a group.
    """
    sizes = problem.group_sizes()
    largest = int(sizes.max(initial=0))
    degrees = -np.sort(-np.diff(problem.indptr).astype(np.int64))
    crowded = degrees[:-1] + degrees[1:] > np.count_nonzero(sizes)
    return max(largest, int(np.argmin([*crowded, False])) + 1 if np.any(crowded) else 0)


def star_lower_bound(graph: Incidence) -> int:
    """Return a lower bound on the colors of any star coloring of a graph.

    This is the `_forest_bound` of the connected components, and at least 3 if one is not a star. It
    is exact for complete graphs, stars and paths, and is rho + 1 for
    long bands of half-width rho.
    """
    num_components, component = connected_components(graph.matrix())
    vertices = np.bincount(component, minlength=num_components).astype(np.int64)
    degrees = np.diff(graph.indptr)
    edges = np.bincount(component, weights=degrees, minlength=num_components).astype(np.int64) // 2
    hubs = np.bincount(component[degrees == vertices[component] - 1], minlength=num_components)
    is_star = (edges == vertices - 1) & (hubs > 0)
    return _forest_bound(vertices, edges, np.where(is_star, np.minimum(vertices, 1), 3))


def acyclic_lower_bound(graph: Incidence) -> int:
    """Return a lower bound on the colors of any acyclic coloring of a graph.

    This is the `_forest_bound` of the connected components, and of the j vertices of highest degree,
    for every j, since a dense part would be there. The bound is exact for complete graphs, trees and cycles.
    """
    n, degrees = graph.num_vertices, np.diff(graph.indptr)
    rows = np.repeat(np.arange(n, dtype=np.int32), degrees)
    count, component = connected_components(graph.matrix())
    vertices = np.bincount(component, minlength=count)
    edges = np.bincount(component[rows], minlength=count) // 2
    rank = np.empty(n, np.int64)
    rank[np.argsort(-degrees, kind="stable")] = np.arange(n)
    later = np.maximum(rank[rows], rank[graph.indices])
    edges_of_first = np.cumsum(np.bincount(later, minlength=n)) // 2
    p = np.concatenate([vertices, np.arange(1, n + 1)])
    e = np.concatenate([edges, edges_of_first])
    return _forest_bound(p, e, np.minimum(p, 1))


def _forest_bound(
    vertices: Int[np.ndarray, " parts"],
    edges: Int[np.ndarray, " parts"],
    least: Int[np.ndarray, " parts"],
) -> int:
    """Return the least number of colors, from `least` on, that allows the edges of every part of a graph.

    Two color classes A and B induce a forest, which has at most |A| + |B| - 1 edges. Summed over
    the pairs of k colors, p vertices have at most (k - 1) p - k (k - 1) / 2 edges between them.
    """
    low, high = least, vertices
    while np.any(low < high):
        k = (low + high) // 2
        enough = (k - 1) * vertices - k * (k - 1) // 2 >= edges
        low, high = np.where(enough, low, k + 1), np.where(enough, k, high)
    return int(low.max(initial=0))
