"""The two-colored subgraphs of a colored graph, as one graph.

Its *node* (v, c) stands for vertex v in the subgraph of v's own color and c. The node exists if v has a
neighbor of color c. An edge v - w joins the nodes (v, color of w) and (w, color of v). So there are as
many edges as in the colored graph. Each connected component of nodes is a connected component of a
subgraph of two colors. If the coloring is acyclic, all components are trees.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int32, Integer

from .._pattern import SparsityPattern


class TwoColoredEdges(NamedTuple):
    """The edges v - w, v < w, of a colored graph, and the nodes that they join.

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


def two_colored_edges(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"]
) -> TwoColoredEdges:
    """Return the edges and nodes of a structurally symmetric `(n, n)` pattern with a proper coloring."""
    upper = sparsity.rows < sparsity.cols
    v, w = sparsity.rows[upper], sparsity.cols[upper]
    num_colors = int(colors.max(initial=-1)) + 1
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
