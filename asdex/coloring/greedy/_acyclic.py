"""Greedy acyclic coloring of a graph: no cycle has only two colors.

It needs fewer colors than a star coloring, but the matrix is recovered by substitution instead of
directly. `TwoColoredEdges` explains the *nodes* (v, c) of two-colored trees.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32

from ._algorithm import Algorithm
from ._incidence import Incidence


_MOST_CYCLES = 64  # colors tried for one vertex that close a cycle, before it gets a new color


def greedy_acyclic(
    graph: Incidence,
    order: Int[np.ndarray, " num_vertices"],
    limit: int | None = None,
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Color a graph so that adjacent vertices differ and no cycle has only two colors.

    Gives each vertex, in the given order, the least color that keeps the partial coloring acyclic,
    with disjoint sets for the two-colored trees (Gebremedhin, Tarafdar, Manne and Pothen, "New
    acyclic and star coloring algorithms with application to computing Hessians", SIAM J. Sci.
    Comput. 29, 2007). Color c closes a cycle at v exactly if two neighbors of v share a color that
    differs from c, and their nodes for c lie in one tree. The paper visits the vertices at distance
    two; here every color that is tried costs one look-up per earlier neighbor. A vertex for which 64
    colors have closed cycles gets a new color, so that hubs do not make the search slow. The total
    cost is O(nnz), up to a logarithm.

    **Arguments:** `graph`: an adjacency graph. `order`: a permutation of its vertices.

    **Returns:** the colors, int32; vertices without neighbors get color 0. `None` if there are more
    than `limit` colors.
    """
    n, degrees = graph.num_vertices, np.diff(graph.indptr)
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    v, w = np.repeat(rank, degrees), rank[graph.indices]
    before = w < v
    ones = np.ones(np.count_nonzero(before), np.int8)
    earlier = sp.coo_array((ones, (v[before], w[before])), shape=(n, n)).tocsr()
    colors = np.empty(n, np.int32)
    colors[order] = _color_in_turn(earlier.indptr, earlier.indices)
    return None if limit is not None and colors.max(initial=-1) >= limit else colors


def _color_in_turn(
    indptr: Int[np.ndarray, " num_vertices+1"], earlier: Int[np.ndarray, " edges"]
) -> Int32[np.ndarray, " num_vertices"]:
    """Color vertices in turn, given the neighbors of each that come before it.

    Sets of colors are the bits of integers, and `trees[v]` maps color c to node (v, c).
    """
    starts, neighbors, n = indptr.tolist(), earlier.tolist(), len(indptr) - 1
    colors: list[int] = []
    trees: list[dict[int, int]] = [{} for _ in range(n)]
    parents: list[int] = []  # of each node; minus the size of the tree at its root
    num_colors = 0

    def root(node):
        while parents[node] >= 0:
            node = parents[node]
        return node

    def closes_cycle(color, suspects):
        met = set()
        for nodes in suspects:
            if color in nodes:
                tree = root(nodes[color])
                if tree in met:
                    return True
                met.add(tree)
        return False

    def choose(around):
        once = twice = 0
        for w in around:
            bit = 1 << colors[w]
            twice |= once & bit
            once |= bit
        suspects = [trees[w] for w in around if twice >> colors[w] & 1]
        forbidden = once
        for _ in range(_MOST_CYCLES):
            bit = ~forbidden & (forbidden + 1)
            color = bit.bit_length() - 1
            if not closes_cycle(color, suspects):
                return color
            forbidden |= bit
        return num_colors

    for v in range(n):
        around = neighbors[starts[v] : starts[v + 1]]
        color = choose(around)
        colors.append(color)
        num_colors = max(num_colors, color + 1)
        for w in around:
            for vertex, neighbor in ((v, w), (w, v)):
                if colors[neighbor] not in trees[vertex]:
                    trees[vertex][colors[neighbor]] = len(parents)
                    parents.append(-1)
            a, b = root(trees[v][colors[w]]), root(trees[w][color])
            large, small = (a, b) if parents[a] <= parents[b] else (b, a)
            parents[large] += parents[small]
            parents[small] = large
    return np.array(colors, np.int32)


ACYCLIC = Algorithm(greedy_acyclic, None, (5e-7, 5e-7))
