"""Acyclic colorings of stencils by lattices."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32
from scipy.sparse import csgraph

from ...pattern import SparsityPattern, with_diagonal
from ..recoverability import is_acyclic_coloring
from ._column_lattices import explanations, may_be_stencil, most_colors
from ._edge_lattices import edge_types, MOST_SPECIES, proper_lattices
from ._geometry_inference import Shapes
from ._lattice_plans import linear_plan, spread
from ._repair import row_groups


_JUDGED = 64  # lattices that are tried on a part of the graph, for one number of colors
_TRIED = 4  # of these, on all of it
_PART = 1000  # vertices


def lattice_acyclic(
    sparsity: SparsityPattern, lower_bound: int, max_colors: int, shapes: Shapes = ()
) -> Int32[np.ndarray, " n"] | None:
    """Color the adjacency graph of a symmetric stencil acyclically by a lattice, with few colors.

    On a grid of d axes with edges between nearest neighbors, d + 1 colors are enough, and no acyclic
    coloring has fewer (Fertin, Godard and Raspaud, "Acyclic and k-distance coloring of the grid", Inf.
    Process. Lett. 87, 2003). Along an edge of axis k the color grows by a_k mod d + 1. Lattices that are not
    an acyclic coloring of a small part of the graph are discarded. One of the others is checked on the whole
    graph.

    **Arguments:** as for `lattice_columns`, for a structurally symmetric `(n, n)` pattern.

    **Returns:** a valid acyclic coloring, int32 `(n,)`, or `None`, as for `lattice_columns`.
    """
    least = max(lower_bound, 1)
    if not may_be_stencil(sparsity, least, max_colors):
        return None
    closed = row_groups(with_diagonal(sparsity))
    max_colors = min(max_colors, most_colors(closed.longest))
    vertices, part = _part(sparsity)
    best = None
    for geometry, types in explanations(sparsity, closed, shapes):
        if geometry.num_species > MOST_SPECIES:
            continue
        edges, periodic = edge_types(sparsity, geometry, types)
        for num_colors in range(least, max_colors + 1):
            solutions, _ = proper_lattices(geometry, edges, periodic, num_colors)
            plans = [linear_plan(geometry, one, num_colors) for one in spread(solutions, _JUDGED)]
            candidates = (plan.colors(geometry) for plan in plans)
            hopeful = [one for one in candidates if is_acyclic_coloring(part, one[vertices])]
            valid = (one for one in hopeful[:_TRIED] if is_acyclic_coloring(sparsity, one))
            found = next(valid, None)
            if found is not None:
                best, max_colors = found, num_colors - 1
                break
    return best


def _part(sparsity: SparsityPattern) -> tuple[Int[np.ndarray, " k"], SparsityPattern]:
    """Some vertices around a vertex of the largest degree, and the pattern between them."""
    degrees = np.bincount(sparsity.rows, minlength=sparsity.n)
    largest = np.flatnonzero(degrees == degrees.max())
    matrix = sparsity.to_scipy()
    around = csgraph.breadth_first_order(
        matrix, int(largest[len(largest) // 2]), return_predecessors=False
    )
    vertices = np.sort(around[:_PART])
    part = sp.coo_array(matrix[vertices][:, vertices])
    return vertices, SparsityPattern.from_coo(part.row, part.col, (len(vertices), len(vertices)))
