"""The graphs that are colored, as vertices and groups of vertices that are in conflict."""

import abc
import functools
from collections.abc import Callable
from typing import cast, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32

from .._graphs import connected_components
from .._pattern import column_order, SparsityPattern
from ._blocks import Blocks, find_blocks
from ._copies import Copies, find_copies


class Incidence(NamedTuple):
    """The vertices to color, and the groups to which they belong.

    Vertex `v` belongs to the groups `indices[indptr[v]:indptr[v + 1]]`, each below `num_groups`.
    For column coloring, the vertices are the columns and the groups are the rows. For row coloring,
    it is the other way round. For star coloring, both are the vertices of the adjacency graph.
    """

    indptr: Int[np.ndarray, " num_vertices+1"]
    indices: Int[np.ndarray, " nnz"]
    num_groups: int

    @property
    def num_vertices(self) -> int:
        return len(self.indptr) - 1

    def group_sizes(self) -> Int[np.ndarray, " num_groups"]:
        """Return the number of vertices in each group."""
        return np.bincount(self.indices, minlength=self.num_groups)

    def visited_in(
        self, order: Int[np.ndarray, " visits"]
    ) -> tuple[Int32[np.ndarray, " visits+1"], Int32[np.ndarray, " k"]]:
        """Return the groups of some vertices, one vertex after the other, as compressed rows."""
        starts, lengths = self.indptr[:-1][order], np.diff(self.indptr)[order]
        indptr = np.zeros(len(order) + 1, np.int32)
        np.cumsum(lengths, out=indptr[1:])
        offsets = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
        return indptr, self.indices[offsets].astype(np.int32)


def columns(sparsity: SparsityPattern) -> Incidence:
    """The problem of coloring the columns of a pattern: columns that share a row differ."""
    indptr, order = column_order(sparsity)
    return Incidence(indptr, sparsity.rows[order], sparsity.m)


def rows(sparsity: SparsityPattern) -> Incidence:
    """The problem of coloring the rows of a pattern: rows that share a column differ."""
    return Incidence(sparsity.indptr, sparsity.indices, sparsity.n)


def adjacency(sparsity: SparsityPattern) -> Incidence:
    """The adjacency graph of a structurally symmetric `(n, n)` pattern, without its diagonal.

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    mirror_positions(sparsity)  # refuses other patterns
    off_diagonal = sparsity.rows != sparsity.cols
    indptr = np.zeros(sparsity.n + 1, np.int64)
    np.cumsum(np.bincount(sparsity.rows[off_diagonal], minlength=sparsity.n), out=indptr[1:])
    return Incidence(indptr, sparsity.cols[off_diagonal], sparsity.n)


def mirror_positions(sparsity: SparsityPattern) -> Int[np.ndarray, " nnz"]:
    """Return, for each nonzero (i, j) of a structurally symmetric pattern, the position of (j, i).

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    if sparsity.m != sparsity.n:
        raise ValueError(
            f"Symmetric coloring needs a square pattern, got shape {sparsity.shape}. "
            "Color the rows or the columns instead (`symmetric=False`)."
        )
    _, mirror = column_order(sparsity)
    asymmetric = (sparsity.rows[mirror] != sparsity.cols) | (sparsity.cols[mirror] != sparsity.rows)
    if np.any(asymmetric):
        raise ValueError(
            f"Symmetric coloring needs a structurally symmetric pattern, got {sparsity!r}, where "
            f"{_lonely_entry(sparsity)} has no mirror image. Pass the union of the pattern with "
            "its transpose, or color without symmetry (`symmetric=False`)."
        )
    return mirror


def _lonely_entry(sparsity: SparsityPattern) -> str:
    keys = sparsity.rows.astype(np.int64) * sparsity.n + sparsity.cols
    mirrored = sparsity.cols.astype(np.int64) * sparsity.n + sparsity.rows
    first = int(np.argmin(np.isin(mirrored, keys)))
    return f"entry ({sparsity.rows[first]}, {sparsity.cols[first]})"


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

    Two color classes A and B induce a forest, which has at most |A| + |B| - 1 edges. Summed over
    the pairs of k colors, a connected component of p vertices has at most (k - 1) p - k (k - 1) / 2
    edges. The bound is the least k that allows the edges of every component, and at least 3 if a
    component is not a star. It is exact for complete graphs, stars and paths, and is rho + 1 for
    long bands of half-width rho.
    """
    n = graph.num_vertices
    weights = np.ones(len(graph.indices), np.int8)
    matrix = sp.csr_array((weights, graph.indices, graph.indptr), shape=(n, n))
    num_components, component = connected_components(matrix)
    vertices = np.bincount(component, minlength=num_components).astype(np.int64)
    degrees = np.diff(graph.indptr)
    edges = np.bincount(component, weights=degrees, minlength=num_components).astype(np.int64) // 2
    hubs = np.bincount(component[degrees == vertices[component] - 1], minlength=num_components)
    is_star = (edges == vertices - 1) & (hubs > 0)
    low, high = np.where(is_star, np.minimum(vertices, 1), 3), vertices.copy()
    while np.any(low < high):
        k = (low + high) // 2
        enough = (k - 1) * vertices - k * (k - 1) // 2 >= edges
        low, high = np.where(enough, low, k + 1), np.where(enough, k, high)
    return int(low.max(initial=0))


class Problem(abc.ABC):
    """A pattern, the graph whose vertices are to be colored, and the condition on a coloring.

    **Attributes:**

    - `sparsity`: the pattern.
    - `incidence`: the graph.
    - `grid`: the shapes of the arrays whose elements are the vertices, one after the other; empty
      if unknown.
    - `on_graph`: whether the graph is the adjacency graph of a symmetric pattern.
    """

    on_graph = True

    def __init__(
        self,
        sparsity: SparsityPattern,
        incidence: Incidence,
        grid: tuple[tuple[int, ...], ...] = (),
    ):
        self.sparsity, self.incidence, self.grid = sparsity, incidence, grid

    @functools.cached_property
    def reduction(self) -> Copies | Blocks | None:
        """The reduction to a smaller problem; `None` if there is none."""
        sparsity, incidence = self.sparsity, self.incidence
        copies = find_copies(sparsity, self.grid, self.on_graph)
        if copies is not None:
            return copies
        columns = sparsity if self.on_graph else incidence
        return find_blocks(sparsity, (columns.indptr, columns.indices), self.grid, self.on_graph)

    @functools.cached_property
    def reduced(self) -> Self | None:
        """The smaller problem."""
        make = cast(Callable[..., Self], type(self))
        return self.reduction and make(self.reduction.pattern, self.reduction.grid)

    @functools.cached_property
    @abc.abstractmethod
    def lower_bound(self) -> int:
        """A number of colors that every coloring needs."""

    @property
    @abc.abstractmethod
    def cost(self) -> float:
        """The estimated seconds of one greedy coloring."""

    @abc.abstractmethod
    def greedy(
        self, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
    ) -> Int32[np.ndarray, " num_vertices"] | None:
        """Color the vertices in the given order; those without groups get color 0.

        **Returns:** the colors; `None` if there would be more than `limit` colors.
        """

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " num_vertices"] | None:
        """Return a periodic coloring with at most `max_colors` colors, if the graph is a stencil."""
        del max_colors
        return None
