"""Star colorings of stencils by lattices."""

import numpy as np
from jaxtyping import Bool, Int, Int32

from ...pattern import SparsityPattern, with_diagonal
from ..recoverability import middle_edges, mirror_positions
from ._column_lattices import explanations, may_be_stencil, most_colors, search_lattices
from ._edge_lattices import edge_types, MOST_SPECIES, proper_lattices
from ._geometry import Geometry, Types
from ._geometry_inference import Shapes
from ._lattice_plans import linear_plan, Plan, spread
from ._repair import row_groups


_JUDGED = 512  # lattices whose stars are looked at, for one number of colors
_TRIED = 4  # of these, on the matrix


def lattice_star(
    sparsity: SparsityPattern, lower_bound: int, max_colors: int, shapes: Shapes = ()
) -> Int32[np.ndarray, " n"] | None:
    """Star-color the adjacency graph of a symmetric stencil by a lattice, with few colors.

    The columns of the pattern with its diagonal are colored by `lattice_columns`. This is always a star
    coloring. With several species, lattices with fewer colors are tried as well, which give a star
    coloring but no coloring of the columns.

    **Arguments:** as for `lattice_columns`, for a structurally symmetric `(n, n)` pattern.

    **Returns:** a valid star coloring, int32 `(n,)`, or `None`, as for `lattice_columns`.
    """
    least = max(lower_bound, 1)
    if not may_be_stencil(sparsity, least, max_colors):
        return None
    closed = row_groups(with_diagonal(sparsity))
    seen = []
    candidates = (seen.append(each) or each for each in explanations(sparsity, closed, shapes))
    best = search_lattices(candidates, closed, max(closed.longest, least), max_colors)
    most = min(max_colors, most_colors(closed.longest)) if best is None else int(best.max())
    better = _star_only(sparsity, seen, least, most)
    return best if better is None else better


def _star_only(
    sparsity: SparsityPattern, candidates: list[tuple[Geometry, Types]], least: int, most: int
) -> Int32[np.ndarray, " n"] | None:
    """Try lattices that give neighbors of a vertex the same color."""
    # With one species an edge equals its mirror image, and neighbors cannot have the same color.
    candidates = [each for each in candidates if 1 < each[0].num_species <= MOST_SPECIES]
    if least > most or not candidates:
        return None
    mirror = mirror_positions(sparsity)
    for geometry, types in candidates:
        edges, periodic = edge_types(sparsity, geometry, types)
        for num_colors in range(least, most + 1):
            for plan in _star_plans(geometry, edges, periodic, num_colors):
                colors = plan.colors(geometry)
                if _is_star_coloring(sparsity, mirror, colors):
                    return colors
    return None


def _star_plans(
    geometry: Geometry, edges: Types, periodic: tuple[int, ...], num_colors: int
) -> list[Plan]:
    """Return lattices that close around the periodic axes and star-color the wrapped edges."""
    solutions, forms = proper_lattices(geometry, edges, periodic, num_colors)
    solutions = spread(solutions, _JUDGED)
    solutions = solutions[_separates_stars(edges, solutions @ forms.T % num_colors, num_colors)]
    return [linear_plan(geometry, solution, num_colors) for solution in solutions[:_TRIED]]


def _separates_stars(
    edges: Types, steps: Int[np.ndarray, "solutions edges"], num_colors: int
) -> Bool[np.ndarray, " solutions"]:
    """For each solution, whether no edge is in the middle of a two-colored path.

    `steps` are the color differences along the edges. An edge is in the middle of such a path if
    both its ends have another neighbor with the same difference.
    """
    ends = np.concatenate([edges.first, edges.second])
    around = np.hstack([steps, -steps % num_colors])
    repeated = np.zeros(around.shape, bool)
    every = np.arange(len(steps))[:, None]
    for kind in np.unique(ends):
        own = np.flatnonzero(ends == kind)
        keys = every * num_colors + around[:, own]
        repeated[:, own] = np.bincount(keys.ravel(), minlength=1)[keys] > 1
    number = edges.number
    return ~np.any(repeated[:, :number] & repeated[:, number:], axis=1)


def _is_star_coloring(
    sparsity: SparsityPattern, mirror: Int[np.ndarray, " nnz"], colors: Int32[np.ndarray, " n"]
) -> bool:
    """Whether adjacent vertices differ and no edge is in the middle of a two-colored path."""
    rows, cols = sparsity.rows, sparsity.cols
    if np.any((colors[rows] == colors[cols]) & (rows != cols)):
        return False
    return not np.any(middle_edges(sparsity, colors, mirror))
