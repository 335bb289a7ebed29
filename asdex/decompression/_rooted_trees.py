"""Rooting the trees of a forest and cutting them into paths, without a loop over nodes or levels.

All results are computed from Euler tours. A tour goes around a tree and passes every edge once down and
once up (Tarjan and Vishkin, "An efficient parallel biconnectivity algorithm", SIAM J. Comput. 14, 1985).
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int
from scipy.sparse import csgraph

from .._errors import InvalidColoringError
from .._sets import transpose_order


class RootedTrees(NamedTuple):
    """A forest whose trees are rooted and cut into paths.

    Each node that is not a root is a *child*, and stands for the edge to its parent. A path leads from
    its top down to a leaf, and always continues to the child with most descendants (Sleator and Tarjan,
    "A data structure for dynamic trees", 1983). The children of a root are tops. The arrays list the
    children path after path, and each path from its leaf to its top; every child comes after its
    descendants.

    - `num_nodes`: the number of nodes, including roots.
    - `children`, `parents`, `edges`: the node, its parent, and the number of the edge between them.
    - `is_top`: whether the node is the top of its path.
    - `is_leaf`: whether the node has no children.
    - `hangs`: whether the node is the top of its path and its parent is not a root.
    - `level`: the number of hanging nodes from the node up to the root, including the node itself. It is
      at most log2 of the number of nodes.
    """

    num_nodes: int
    children: Int[np.ndarray, " edges"]
    parents: Int[np.ndarray, " edges"]
    edges: Int[np.ndarray, " edges"]
    is_top: Bool[np.ndarray, " edges"]
    is_leaf: Bool[np.ndarray, " edges"]
    hangs: Bool[np.ndarray, " edges"]
    level: Int[np.ndarray, " edges"]


def root_at_centroids(forest: sp.csr_array) -> RootedTrees:
    """Root every tree of a forest so that no branch at the root has more than half of the tree's nodes.

    **Arguments:** `forest`: a symmetric matrix with int32 indices. Its rows are the nodes, each of which
    has a neighbor. Its entries are 1 + the number of the edge.

    **Raises:** [`InvalidColoringError`][] if there is a cycle.
    """
    if forest.nnz == 0:
        none, flags = np.zeros(0, np.int32), np.zeros(0, bool)
        return RootedTrees(0, none, none, none, flags, flags, flags, none)
    starts, degrees = forest.indptr[:-1], np.diff(forest.indptr)
    num_nodes = len(degrees)
    parents = np.repeat(np.arange(num_nodes, dtype=np.int32), degrees)
    entries = np.arange(forest.nnz)
    mirror = transpose_order(forest.indptr, forest.indices, num_nodes)[1]
    position, begin, down, size = _centroid_tours(forest, parents, mirror)

    keys = np.where(down, size * forest.nnz + entries, -1)  # in favor of the last, if sizes tie
    heavy_entry = np.maximum.reduceat(keys, starts) % forest.nnz
    heavy = down & (heavy_entry[parents] == entries)
    is_child = np.zeros(num_nodes, bool)
    is_child[forest.indices[down]] = True
    hangs = down & ~heavy & is_child[parents]

    by_position = np.empty_like(position)
    by_position[position] = entries

    def from_root(values):
        """Sum values of the entries that lead down, along the path from the root to each of them."""
        steps = np.where(down, values, -values[mirror])
        return np.cumsum(steps[by_position])[position]

    # The preorder that visits heavy children first keeps paths together.
    total = np.cumsum(size)
    earlier = (total - size) - (total - size)[starts][parents]  # nodes below earlier siblings
    earlier += np.where(entries < heavy_entry[parents], size[heavy_entry][parents], 0)
    preorder = from_root(np.where(heavy, 1, 1 + earlier).astype(np.int64))
    ordered = np.full(forest.nnz, -1)
    ordered[(begin + preorder - 1)[down]] = entries[down]
    ordered = ordered[ordered >= 0][::-1]

    children = forest.indices[ordered]
    return RootedTrees(
        num_nodes=num_nodes,
        children=children,
        parents=parents[ordered],
        edges=forest.data[ordered] - 1,
        is_top=(hangs | ~is_child[parents])[ordered],
        is_leaf=degrees[children] == 1,
        hangs=hangs[ordered],
        level=from_root(hangs.astype(np.int64))[ordered],
    )


def _centroid_tours(
    forest: sp.csr_array,
    parents: Int[np.ndarray, " entries"],
    mirror: Int[np.ndarray, " entries"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the tours around each tree, one after the other, that begin at its centroid.

    A tour is a circle, so another root means another beginning. The tour first begins anywhere. The
    centroid is where the nodes below an edge cease to be more than half of the tree.

    **Returns:** for each entry of the matrix, a directed edge: the step at which it is passed; that at which
    the tour of its tree begins; whether it leads away from the root; if so, the number of nodes below it.
    """
    num_trees, tree = csgraph.connected_components(forest, directed=False)
    if forest.nnz // 2 != len(tree) - num_trees:
        raise InvalidColoringError(
            "Expected an acyclic coloring, got one with a two-colored cycle. "
            "`check_coloring_acyclic` names it."
        )
    tree = tree[parents]
    position, begin = _tours_from_anywhere(forest, tree, mirror, num_trees)
    length = np.diff(begin, append=forest.nnz)
    down = position < position[mirror]
    below = position[mirror] - position + 1  # the entries that the tour passes before it returns
    outside = (down & (2 * below > length[tree] + 2)).nonzero()[0]
    shift = np.zeros(num_trees, position.dtype)
    np.maximum.at(shift, tree[outside], (position + 1)[outside] - begin[tree[outside]])
    begin, length, shift = begin[tree], length[tree], shift[tree]
    position = begin + (position - begin - shift) % length
    down = position < position[mirror]
    size = np.where(down, (position[mirror] - position + 1) // 2, 0)
    return position, begin, down, size


def _tours_from_anywhere(
    forest: sp.csr_array,
    tree: Int[np.ndarray, " entries"],
    mirror: Int[np.ndarray, " entries"],
    num_trees: int,
) -> tuple[Int[np.ndarray, " entries"], Int[np.ndarray, " trees"]]:
    """Return the position of each entry in the tours, which are joined to one, and their beginnings.

    After an edge to v, the tour takes the edge of v that follows the way back, in the cyclic order of
    v's edges. A breadth-first search through this linked list gives the positions. It does one step
    after the other, in compiled code.
    """
    starts, stops = forest.indptr[:-1], forest.indptr[1:]
    next_around = np.arange(1, forest.nnz + 1)
    next_around[stops - 1] = starts
    successor = next_around[mirror]
    heads = np.empty(num_trees, np.int64)
    heads[tree[starts[::-1]]] = starts[::-1]  # the first node of each tree
    rows = np.searchsorted(stops, heads, side="right")
    successor[mirror[stops[rows] - 1]] = np.roll(heads, -1)
    data, indptr = np.ones(forest.nnz, np.int8), np.arange(forest.nnz + 1, dtype=np.int32)
    line = sp.csr_array((data, successor.astype(np.int32), indptr), shape=(forest.nnz,) * 2)
    order = csgraph.breadth_first_order(line, heads[0], directed=True, return_predecessors=False)
    position = np.empty(forest.nnz, np.int64)
    position[order] = np.arange(forest.nnz)
    return position, position[heads]
