"""The two-colored stars that a star coloring decomposes a graph into."""

import equinox as eqx
import numpy as np
from jaxtyping import Int32, Integer

from .._pattern import SparsityPattern
from ._counts import spoke_entries
from ._problem import mirror_positions


class StarSet(eqx.Module):
    """The two-colored stars of a star coloring (Gebremedhin, Tarafdar, Manne and Pothen 2007).

    In a star coloring any two colors induce a forest of stars: a hub of one color and its spokes of
    the other. The edges of the graph are the strictly upper-triangular nonzeros of the pattern, row
    after row; each belongs to one star. H[hub, spoke] is read from the hub's color, in the spoke's
    row.

    **Attributes:**

    - `star`: int32 `(edges,)`, the star of each edge; stars are numbered by their first edge.
    - `hub`: int32 `(stars,)`, the hub of each star; -1 for a star of one edge, where either end can
      be the hub.
    """

    star: Int32[np.ndarray, " edges"]
    hub: Int32[np.ndarray, " stars"]

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def find_stars(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
) -> StarSet:
    """Return the stars of a valid star coloring of a structurally symmetric `(n, n)` pattern."""
    upper = sparsity.rows < sparsity.cols
    v, w = sparsity.rows[upper].astype(np.int64), sparsity.cols[upper].astype(np.int64)
    spokes = spoke_entries(sparsity, colors)
    v_is_hub, w_is_hub = spokes[upper], spokes[mirror_positions(sparsity)][upper]
    hub = np.where(v_is_hub, v, np.where(w_is_hub, w, -1))
    spoke_color = np.where(v_is_hub, colors[w], colors[v])
    alone = sparsity.n * num_colors + np.arange(len(v))
    keys = np.where(hub < 0, alone, hub * num_colors + spoke_color)
    _, first_edge, sorted_star = np.unique(keys, return_index=True, return_inverse=True)
    by_first_edge = np.argsort(first_edge)
    number = np.empty(len(first_edge), np.int32)
    number[by_first_edge] = np.arange(len(first_edge), dtype=np.int32)
    return StarSet(number[sorted_star], hub[first_edge[by_first_edge]].astype(np.int32))
