"""Greedy star coloring of a symmetric pattern's adjacency graph."""

import functools

import numpy as np
from jaxtyping import Int, Int32

from .._pattern import SparsityPattern
from .._sets import transpose_order
from ._host import worth_compiling
from ._kernels import compiled_star
from ._lattice_star import lattice_star
from ._problem import adjacency, Incidence, Problem, star_lower_bound
from ._window_bound import window_star_bound


class Star(Problem):
    """The adjacency graph of a symmetric pattern, to be star-colored."""

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] = ()):
        super().__init__(sparsity, adjacency(sparsity), grid)

    @functools.cached_property
    def lower_bound(self) -> int:
        by_counting = star_lower_bound(self.incidence)
        return min(window_star_bound(self.incidence, by_counting), self.sparsity.nnz)

    @property
    def cost(self) -> float:
        nnz = len(self.incidence.indices)
        return nnz * (1e-7 if self._compiles else 3e-7)

    @property
    def _compiles(self) -> bool:
        return worth_compiling(len(self.incidence.indices), self.lower_bound)

    def greedy(
        self, order: Int[np.ndarray, " n"], limit: int | None = None
    ) -> Int32[np.ndarray, " n"] | None:
        run = compiled_star if self._compiles else greedy_star
        return run(self.incidence, order, limit)

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " n"] | None:
        return lattice_star(self.sparsity, self.lower_bound, max_colors, self.grid)


def greedy_star(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Star-color a graph: adjacent vertices differ, and no path on four vertices has two colors.

    Gives each vertex, in the given order, the least color that keeps the partial coloring a star
    coloring (Gebremedhin, Tarafdar, Manne and Pothen, "New acyclic and star coloring algorithms
    with application to computing Hessians", SIAM J. Sci. Comput. 29, 2007). The two-colored stars
    are kept as sets of colors, which are bits of Python integers. Every vertex v has three sets:

    - `once[v]`, `twice[v]`: the colors of at least one neighbor, and of at least two neighbors;
    - `hubs[v]`: the colors of those neighbors that have two neighbors of v's color.

    A color c is forbidden to v in three cases: a neighbor w has it; it is in `hubs[w]`, so that
    v - w - hub - w' would have two colors; or w's color is in `twice[v]` and c is in `once[w]`, so
    that w' - v - w - x would have two colors.

    **Returns:** the colors; vertices without neighbors get color 0. `None` if there would be more
    than `limit` colors.
    """
    n = graph.num_vertices
    end = 1 << (n if limit is None else limit)
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
        if bit >= end:
            return None
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
