"""Acyclic coloring of a symmetric pattern's adjacency graph: no cycle has only two colors.

It needs fewer colors than a star coloring, but the matrix is recovered by substitution instead of
directly. `_two_colored` explains the *nodes* (v, c) of two-colored trees.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32
from numpy.typing import ArrayLike
from scipy.sparse import csgraph

from .._errors import InvalidColoringError
from .._pattern import as_pattern, PatternLike, SparsityPattern
from ._acyclic_kernel import compiled_acyclic, MOST_CYCLES
from ._check import _as_colors
from ._host import host_device
from ._problem import Incidence, mirror_positions
from ._two_colored import two_colored_edges


_COMPILE_FROM = 1_000_000  # nonzeros; with fewer, Python is done before XLA has compiled
_MAX_NAMED = 8  # vertices of a cycle that an error message names


def greedy_acyclic(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"]
) -> Int32[np.ndarray, " num_vertices"]:
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

    **Returns:** the colors, int32; vertices without neighbors get color 0.
    """
    n, degrees = graph.num_vertices, np.diff(graph.indptr)
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    v, w = np.repeat(rank, degrees), rank[graph.indices]
    before = w < v
    ones = np.ones(np.count_nonzero(before), np.int8)
    earlier = sp.coo_array((ones, (v[before], w[before])), shape=(n, n)).tocsr()
    compile = len(graph.indices) >= _COMPILE_FROM and host_device() is not None
    algorithm = compiled_acyclic if compile else interpreted_acyclic
    colors = np.empty(n, np.int32)
    colors[order] = algorithm(earlier.indptr, earlier.indices, degrees[order])
    return colors


def interpreted_acyclic(
    indptr: Int[np.ndarray, " num_vertices+1"],
    earlier: Int[np.ndarray, " edges"],
    degrees: Int[np.ndarray, " num_vertices"],
) -> Int32[np.ndarray, " num_vertices"]:
    """Return the same coloring as `compiled_acyclic`, without compiling.

    Sets of colors are the bits of integers, and `trees[v]` maps color c to node (v, c).
    """
    starts, neighbors, n = indptr.tolist(), earlier.tolist(), len(degrees)
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
        for _ in range(MOST_CYCLES):
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


def check_coloring_acyclic(sparsity: PatternLike, colors: ArrayLike) -> None:
    """Check that `colors` is an acyclic coloring of a symmetric pattern's adjacency graph.

    Adjacent vertices must differ, and every cycle must have three colors (Coleman and Cai, "The
    cyclic coloring problem and estimation of sparse Hessian matrices", 1986). So any two colors
    induce a forest, and a graph is a forest if it has as many edges as nodes minus trees.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `colors`: integers `(n,)`.

    **Raises:** [`InvalidColoringError`][] naming two adjacent vertices of one color or a two-colored
    cycle, or if `colors` has another shape or negative entries. `ValueError` if the pattern is not
    square or not structurally symmetric.
    """
    sparsity = as_pattern(sparsity)
    mirror_positions(sparsity)  # raises if the pattern is not symmetric
    colors = _as_colors(colors, sparsity.n, "vertex")
    edges = two_colored_edges(sparsity, colors)
    clash = colors[edges.v] == colors[edges.w]
    if np.any(clash):
        v, w = edges.v[np.argmax(clash)], edges.w[np.argmax(clash)]
        raise InvalidColoringError(
            f"Invalid acyclic coloring: adjacent vertices {v} and {w} share color {colors[v]}. "
            "Give neighbors different colors."
        )
    graph = edges.adjacency()
    num_trees, tree = csgraph.connected_components(graph, directed=False)
    if len(edges.v) == edges.num_nodes - num_trees:
        return
    has_cycle = np.bincount(tree[edges.ends[0]], minlength=num_trees) >= np.bincount(tree)
    cycle = edges.vertices[_find_cycle(graph, int(np.argmax(has_cycle[tree])))]
    first, second = sorted((int(colors[cycle[0]]), int(colors[cycle[1]])))
    named = " - ".join(str(v) for v in cycle[:_MAX_NAMED])
    rest = f" - ... ({len(cycle)} vertices)" if len(cycle) > _MAX_NAMED else ""
    raise InvalidColoringError(
        f"Invalid acyclic coloring: the cycle {named}{rest} has only the colors {first} and "
        f"{second}. Give one of its vertices a third color."
    )


def is_acyclic_coloring(sparsity: SparsityPattern, colors: Int32[np.ndarray, " n"]) -> bool:
    """Return whether neighbors differ in color and no cycle of a symmetric pattern has two colors."""
    edges = two_colored_edges(sparsity, colors)
    if np.any(colors[edges.v] == colors[edges.w]):
        return False
    num_trees = csgraph.connected_components(edges.adjacency(), directed=False)[0]
    return len(edges.v) == edges.num_nodes - num_trees


def _find_cycle(graph: sp.csr_array, node: int) -> list[int]:
    """Return the nodes of a cycle that can be reached from a node; there must be one.

    An edge that is not in a breadth-first tree closes a cycle with the tree's path between its ends.
    A second search, which starts at one end, finds that path.
    """
    degrees = np.diff(graph.indptr)
    rows = np.repeat(np.arange(len(degrees)), degrees)
    _, parents = csgraph.breadth_first_order(graph, node, directed=True)
    reached = (parents >= 0)[rows]
    reached |= rows == node
    extra = reached & (parents[rows] != graph.indices) & (parents[graph.indices] != rows)
    at = int(np.argmax(extra))
    start, end = int(rows[at]), int(graph.indices[at])
    children = np.flatnonzero(parents >= 0).astype(np.int32)  # as old releases of SciPy want
    ones = np.ones(len(children), np.int8)
    tree = sp.coo_array((ones, (parents[children], children)), shape=(len(degrees),) * 2).tocsr()
    _, parents = csgraph.breadth_first_order(tree, start, directed=False)
    path = [end]
    while path[-1] != start:
        path.append(int(parents[path[-1]]))
    return path


def acyclic_lower_bound(graph: Incidence) -> int:
    """Return a lower bound on the colors of any acyclic coloring of a graph.

    Two color classes A and B induce a forest, which has at most |A| + |B| - 1 edges. Summed over
    the pairs of k colors, p vertices have at most (k - 1) p - k (k - 1) / 2 edges between them. The
    bound is the least k that allows the edges within every connected component. It must also allow
    the edges among the j vertices of highest degree, for every j, since a dense part would be
    there. The bound is exact for complete graphs, trees and cycles.
    """
    n, degrees = graph.num_vertices, np.diff(graph.indptr)
    rows = np.repeat(np.arange(n, dtype=np.int32), degrees)
    shape, ones = (n, n), np.ones(len(rows), np.int8)
    matrix = sp.coo_array((ones, (rows, graph.indices.astype(np.int32))), shape=shape).tocsr()
    count, component = csgraph.connected_components(matrix, directed=False)
    vertices = np.bincount(component, minlength=count)
    edges = np.bincount(component[rows], minlength=count) // 2
    rank = np.empty(n, np.int64)
    rank[np.argsort(-degrees, kind="stable")] = np.arange(n)
    later = np.maximum(rank[rows], rank[graph.indices])
    edges_of_first = np.cumsum(np.bincount(later, minlength=n)) // 2
    p = np.concatenate([vertices, np.arange(1, n + 1)])
    e = np.concatenate([edges, edges_of_first])
    low, high = np.minimum(p, 1), p
    while np.any(low < high):
        k = (low + high) // 2
        enough = (k - 1) * p - k * (k - 1) // 2 >= e
        low, high = np.where(enough, low, k + 1), np.where(enough, k, high)
    return int(low.max(initial=0))
