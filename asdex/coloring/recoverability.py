"""Where the nonzeros of a colored pattern can be read in the compressed matrix.

Decompression and display import this module. With a coloring of columns or rows, a nonzero is read where no
other nonzero has its color; with a star coloring, from one of its two ends. With an acyclic coloring, the
two-colored trees are solved one edge after the other.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jaxtyping import Bool, Int, Int32, Integer

from .._errors import InvalidColoringError
from ..pattern import as_pattern, column_order, connected_components, SparsityPattern
from ._colors import count, repeated, repeated_in_rows
from ._star_set import hubs_of_edges, StarSet, with_edges


def known_or_traced(*arrays: Any) -> tuple[Any, ...]:
    """Return the arrays as NumPy arrays, or as JAX arrays if a transformation traces one of them."""
    traced = any(isinstance(array, Tracer) for array in arrays)
    return tuple(map(jnp.asarray if traced else np.asarray, arrays))


def read_from_column(
    sparsity: SparsityPattern, column_colors: Integer[np.ndarray, " n"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (i, j) for which no other column of j's color has a nonzero in row i.

    They can be read from products with groups of columns. Columns of color -1 are in no group.
    """
    rows, cols, column_colors = known_or_traced(sparsity.rows, sparsity.cols, column_colors)
    colors = column_colors[cols]
    return (colors >= 0) & ~repeated_in_rows(sparsity, rows, colors + 1)


def read_from_row(
    sparsity: SparsityPattern, row_colors: Integer[np.ndarray, " m"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (i, j) for which no other row of i's color has a nonzero in column j."""
    starts, order = column_order(sparsity)
    colors = np.asarray(row_colors)[np.asarray(sparsity.rows)][order]
    result = np.empty(sparsity.nnz, bool)
    result[order] = (colors >= 0) & ~repeated(starts, colors + 1)
    return result


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
    if not _are_mirrored(sparsity, mirror):
        raise ValueError(
            f"Symmetric coloring needs a structurally symmetric pattern, got {sparsity!r}, where "
            f"{_lonely_entry(sparsity)} has no mirror image. Pass the union of the pattern with "
            "its transpose, or color without symmetry (`symmetric=False`)."
        )
    return mirror


def is_symmetric(sparsity: SparsityPattern) -> bool:
    """Whether a pattern is square and has the nonzero (j, i) for each nonzero (i, j)."""
    return sparsity.m == sparsity.n and _are_mirrored(sparsity, column_order(sparsity)[1])


def _are_mirrored(sparsity: SparsityPattern, order: Int[np.ndarray, " nnz"]) -> bool:
    """**Arguments:** `order`: the nonzeros column after column."""
    rows, cols = sparsity.rows, sparsity.cols
    return np.array_equal(rows[order], cols) and np.array_equal(cols[order], rows)


def _lonely_entry(sparsity: SparsityPattern) -> str:
    keys = sparsity.rows.astype(np.int64) * sparsity.n + sparsity.cols
    mirrored = sparsity.cols.astype(np.int64) * sparsity.n + sparsity.rows
    first = int(np.argmin(np.isin(mirrored, keys)))
    return f"entry ({sparsity.rows[first]}, {sparsity.cols[first]})"


def spoke_entries(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"]
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) of a star-colored pattern whose row v has w's color more than once.

    Then v is the hub of a two-colored star, and the edge to w is one of its spokes. The sum of row
    v over w's color has other terms than H[v, w], so H[v, w] must be read as H[w, v].
    """
    rows, cols, colors = known_or_traced(sparsity.rows, sparsity.cols, colors)
    return repeated_in_rows(sparsity, rows, colors[cols])


def middle_edges(
    sparsity: SparsityPattern,
    colors: Integer[np.ndarray, " n"],
    mirror: Int[np.ndarray, " nnz"],
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) in the middle of a two-colored path on four vertices.

    These are the ones that can be read neither in row v nor, as H[w, v], in row w. In a star coloring
    there are none.

    **Arguments:** `mirror`: the `mirror_positions`.
    """
    spokes = spoke_entries(sparsity, colors)
    return spokes & spokes[mirror]


def find_stars(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
) -> StarSet:
    """Return the stars of a valid star coloring of a structurally symmetric `(n, n)` pattern.

    Stars are numbered by their first edge. The hub of an edge that is one on its own is its smaller end.
    """
    upper = sparsity.rows < sparsity.cols
    v, w = sparsity.rows[upper].astype(np.int64), sparsity.cols[upper].astype(np.int64)
    spokes = spoke_entries(sparsity, colors)
    v_is_hub, w_is_hub = spokes[upper], spokes[mirror_positions(sparsity)][upper]
    hub = np.where(v_is_hub, v, np.where(w_is_hub, w, -v - 1))
    spoke_color = np.where(v_is_hub, colors[w], colors[v])
    alone = sparsity.n * num_colors + np.arange(len(v))
    keys = np.where(hub < 0, alone, hub * num_colors + spoke_color)
    _, first_edge, sorted_star = np.unique(keys, return_index=True, return_inverse=True)
    by_first_edge = np.argsort(first_edge)
    number = np.empty(len(first_edge), np.int32)
    number[by_first_edge] = np.arange(len(first_edge), dtype=np.int32)
    hub = hub[first_edge[by_first_edge]].astype(np.int32)
    return with_edges(StarSet(number[sorted_star], hub), sparsity)


def read_across(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], stars: StarSet | None
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) of a star-colored pattern that are read as H[w, v], from v's color.

    With stars of the caller's, these are those whose hub is v. Else, and while a transformation traces one
    of the arrays, they are those that cannot be read in their own row, `spoke_entries`.

    **Raises:** [`InvalidColoringError`][] if the stars are not those of the pattern, or if an entry is not
    alone where its hub says that it is read.
    """
    if stars is None or any(
        isinstance(leaf, Tracer) for leaf in jax.tree.leaves((sparsity, colors, stars))
    ):
        return spoke_entries(sparsity, colors)
    sparsity = as_pattern(sparsity)
    places, hubs = hubs_of_edges(stars, sparsity)
    mirror = mirror_positions(sparsity)
    across = np.zeros(sparsity.nnz, bool)
    across[places] = hubs == sparsity.rows[places]
    across[mirror[places]] = hubs == sparsity.cols[places]
    wrong = ~across & spoke_entries(sparsity, colors) & (sparsity.rows != sparsity.cols)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        spoke, hub = int(sparsity.rows[first]), int(sparsity.cols[first])
        raise InvalidColoringError(
            f"Invalid star set: vertex {spoke} has several neighbors of color {np.asarray(colors)[hub]}, "
            f"that of vertex {hub}, which is to be the hub of the edge between them. Make {spoke} its hub."
        )
    return across


class TwoColoredEdges(NamedTuple):
    """The two-colored subgraphs of a colored graph, as one graph.

    Its *node* (v, c) stands for vertex v in the subgraph of v's own color and c. The node exists if v
    has a neighbor of color c. An edge v - w, v < w, joins the nodes (v, color of w) and (w, color of
    v). So there are as many edges as in the colored graph. Each connected component of nodes is a
    connected component of a subgraph of two colors. If the coloring is acyclic, all are trees.

    Node `ends[0, e]` is (v, color of w) and node `ends[1, e]` is (w, color of v). Node k is vertex
    `vertices[k]` in the trees of its own color and `partners[k]`; nodes ascend by vertex, then by
    color.
    """

    v: Int32[np.ndarray, " edges"]
    w: Int32[np.ndarray, " edges"]
    ends: Int32[np.ndarray, "2 edges"]
    vertices: Int32[np.ndarray, " nodes"]
    partners: Int32[np.ndarray, " nodes"]

    @property
    def num_nodes(self) -> int:
        return len(self.vertices)

    def adjacency(self) -> sp.csr_array:
        """Return the symmetric graph of the nodes, whose entries are 1 + the number of the edge."""
        rows, cols = np.concatenate([self.ends, self.ends[::-1]], axis=1)
        numbers = np.tile(np.arange(1, len(self.v) + 1, dtype=np.int32), 2)
        shape = (self.num_nodes, self.num_nodes)
        return sp.coo_array((numbers, (rows, cols)), shape=shape).tocsr()

    def is_forest(self) -> bool:
        """Return whether no two colors have a cycle: then there are as many edges as nodes minus trees."""
        num_trees, _ = connected_components(self.adjacency())
        return len(self.v) == self.num_nodes - num_trees


def two_colored_edges(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"]
) -> TwoColoredEdges:
    """Return the edges and nodes of a structurally symmetric `(n, n)` pattern with a proper coloring."""
    upper = sparsity.rows < sparsity.cols
    v, w = sparsity.rows[upper], sparsity.cols[upper]
    num_colors = count(colors)
    keys = np.stack([v, w]).astype(np.int64) * num_colors + colors[np.stack([w, v])]
    size = sparsity.n * num_colors
    if size <= 16 * len(v):  # a table is smaller and faster than sorting
        exists = np.zeros(size, bool)
        exists[keys] = True
        ends = np.cumsum(exists, dtype=np.int32)[keys] - 1
        nodes = np.flatnonzero(exists)
    else:
        nodes, ends = np.unique(keys, return_inverse=True)
    vertices, partners = (part.astype(np.int32) for part in np.divmod(nodes, max(num_colors, 1)))
    return TwoColoredEdges(v, w, ends.reshape(keys.shape).astype(np.int32), vertices, partners)


def is_acyclic_coloring(sparsity: SparsityPattern, colors: Int32[np.ndarray, " n"]) -> bool:
    """Return whether neighbors differ in color and no cycle of a symmetric pattern has two colors."""
    edges = two_colored_edges(sparsity, colors)
    return not np.any(colors[edges.v] == colors[edges.w]) and edges.is_forest()
