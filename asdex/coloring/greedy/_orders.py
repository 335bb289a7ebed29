"""The orders in which a greedy coloring may visit the vertices.

An order is a function of the graph that returns a permutation of its vertices. No order is always the
best (Gebremedhin, Manne and Pothen, "What Color Is Your Jacobian?", SIAM Review 47, 2005), so
several are tried.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Literal

import numpy as np
from jaxtyping import Int
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ..._sets import ranges
from ._incidence import Incidence


Order = Callable[[Incidence], Int[np.ndarray, " num_vertices"]]
OrderName = Literal["natural", "largest_first", "smallest_last", "saturation", "random"]


def natural(graph: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices as they are numbered, which is best for bands and for most stencils."""
    return np.arange(graph.num_vertices)


def largest_first(graph: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices by descending number of conflicts (Welsh and Powell 1967).

    Conflicts are counted once per shared group. The count is an upper bound on the distance-2 degree,
    and takes only one pass over the nonzeros.
    """
    weights = (graph.group_sizes() - 1)[graph.indices]
    totals = np.concatenate([[0], np.cumsum(weights)])
    conflicts = totals[graph.indptr[1:]] - totals[graph.indptr[:-1]]
    return np.argsort(-conflicts, kind="stable")


def smallest_last(graph: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit last the vertices with the fewest conflicts with those before them.

    Matula and Beck (J. ACM 30, 1983) find this order backwards: they remove one vertex with the fewest
    conflicts at a time. Here many vertices are removed together, so that the order needs no loop over
    vertices: all those that have no more conflicts with the remaining ones than some vertex had when it
    was removed. The cost is the sum of the squared group sizes, `num_conflicts`.
    """
    indptr, neighbors = conflicts(graph)
    degrees = np.diff(indptr).astype(np.int64)
    left = np.arange(graph.num_vertices)
    rounds, core = [], 0
    while len(left):
        around = degrees[left]
        core = max(core, int(around.min()))
        sparsest = around <= core
        taken, left = left[sparsest], left[~sparsest]
        rounds.append(taken)
        edges = ranges(indptr[taken], indptr[taken + 1] - indptr[taken])
        if len(edges) < graph.num_vertices:
            np.subtract.at(degrees, neighbors[edges], 1)
        else:
            degrees -= np.bincount(neighbors[edges], minlength=graph.num_vertices)
    return np.concatenate(rounds)[::-1] if rounds else left


def saturation(
    graph: Incidence, rng: np.random.Generator | None = None
) -> Int[np.ndarray, " num_vertices"]:
    """Visit next a vertex whose neighbors already have the most colors, as greedy coloring assigns them.

    This is DSATUR (Brélaz, Comm. ACM 22, 1979) on the distance-2 graph, one vertex at a time. It takes
    0.06 to 0.3 microseconds for each of the `num_conflicts`. Among several such vertices it takes the one
    with most conflicts, or a random one.
    """
    starts, others = conflicts(graph)
    n, indptr, neighbors = graph.num_vertices, starts.tolist(), others.tolist()
    by_rank = np.argsort(-np.diff(starts) if rng is None else rng.random(n), kind="stable")
    ranks, vertices = np.argsort(by_rank).tolist(), by_rank.tolist()
    queue = list(range(n))  # for each vertex its rank, less n times the number of colors around it
    seen, order = [0] * n, []
    while queue:
        v = vertices[heappop(queue) % n]
        if seen[v] < 0:  # it has been visited
            continue
        order.append(v)
        bit = ~seen[v] & (seen[v] + 1)
        seen[v] = -1
        for w in neighbors[indptr[v] : indptr[v + 1]]:
            if not seen[w] & bit:
                seen[w] = around = seen[w] | bit
                heappush(queue, ranks[w] - n * around.bit_count())
    return np.array(order, np.int64)


def conflicts(graph: Incidence) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance-2 graph as compressed rows: for each vertex, those that share a group with it."""
    members = graph.matrix(np.float32)
    product = (members @ members.T).tocsr()
    return product.indptr, product.indices


def num_conflicts(graph: Incidence) -> int:
    """Return the sum of the squared group sizes, which bounds the number of conflicts."""
    sizes = graph.group_sizes().astype(np.int64)
    return int(np.dot(sizes, sizes))


def breadth_first(graph: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices of an adjacency graph level by level from one with the fewest neighbors.

    This is the order of Cuthill and McKee (1969), in linear time, for all connected components side by side.
    In a forest, each vertex then has at most one earlier neighbor, so that greedy star coloring needs no more
    than the optimal three colors. SciPy's own order depends on the instructions that the processor has, which
    sort vertices with as many neighbors in another way.
    """
    n = graph.num_vertices
    by_degree = np.argsort(np.diff(graph.indptr), kind="stable")
    rank = np.empty(n, np.int32)
    rank[by_degree] = np.arange(n, dtype=np.int32)
    indptr, neighbors = graph.visited_in(by_degree)
    parts = Incidence(indptr, rank[neighbors], n).matrix()
    parts.sort_indices()
    _, component = connected_components(parts, directed=False)
    _, first = np.unique(component, return_index=True)
    starts = np.sort(first).astype(np.int32)
    # One vertex more, from which an edge leads to each component. Old versions of SciPy take int32 alone.
    end = np.int32(parts.nnz + len(starts))
    rooted = Incidence(np.append(parts.indptr, end), np.append(parts.indices, starts), n + 1)
    return by_degree[breadth_first_order(rooted.matrix(), n, return_predecessors=False)[1:]]


def random(graph: Incidence) -> Int[np.ndarray, " num_vertices"]:
    """Visit the vertices in a random order, which is the same in each call."""
    return np.random.default_rng(0).permutation(graph.num_vertices)


ORDERS: dict[str, Order] = {
    order.__name__: order for order in (natural, largest_first, smallest_last, saturation, random)
}
