"""Greedy star coloring of a symmetric pattern's adjacency graph."""

import numpy as np
from jaxtyping import Int, Int32

from .._pattern import transpose_order
from ._problem import Incidence


def greedy_star(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"]
) -> Int32[np.ndarray, " num_vertices"]:
    """Star-color a graph: adjacent vertices differ, and no path on four vertices has two colors.

    Gives each vertex, in the given order, the least color that keeps the partial coloring a star
    coloring (Gebremedhin, Tarafdar, Manne and Pothen, "New acyclic and star coloring algorithms
    with application to computing Hessians", SIAM J. Sci. Comput. 29, 2007). The two-colored stars
    are kept as sets of colors, the bits of Python integers; every vertex v has three:

    - `once[v]`, `twice[v]`: the colors seen on at least one and on at least two neighbors;
    - `hubs[v]`: the colors of those neighbors that have two neighbors of v's color.

    A color c is forbidden to v if a neighbor w has it; if it is in `hubs[w]` (then v - w - hub - w'
    would alternate); or if w's color is in `twice[v]` and c in `once[w]` (then w' - v - w - x
    would).

    **Returns:** the colors; vertices without neighbors get color 0.
    """
    n = graph.num_vertices
    indptr, neighbors = graph.indptr.tolist(), graph.indices.tolist()
    mirror = transpose_order(graph.indptr, graph.indices, n)[1].tolist()  # edge v-w to edge w-v
    seen = [-1] * len(neighbors)  # the color of each neighbor, -1 before it has one
    bits, once, twice, hubs = [0] * n, [0] * n, [0] * n, [0] * n
    for v in order.tolist():
        start, stop = indptr[v], indptr[v + 1]
        around = neighbors[start:stop]
        forbidden, repeated = once[v], twice[v]
        for w in around:
            forbidden |= hubs[w]
            if bits[w] & repeated:
                forbidden |= once[w]
        bit = ~forbidden & (forbidden + 1)
        color = bit.bit_length() - 1
        bits[v] = bit
        for w, slot in zip(around, mirror[start:stop], strict=True):
            if bits[w] & repeated:
                hubs[w] |= bit
            if not once[w] & bit:
                once[w] |= bit
            else:
                hubs[v] |= bits[w]
                if not twice[w] & bit:
                    twice[w] |= bit
                    other = neighbors[seen.index(color, indptr[w], indptr[w + 1])]
                    hubs[other] |= bits[w]
            seen[slot] = color
    return np.fromiter((bit.bit_length() - 1 for bit in bits), np.int32, n)
