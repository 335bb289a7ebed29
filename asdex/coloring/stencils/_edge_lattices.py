"""Lattices that color the adjacency graph of a symmetric stencil: neighbors differ."""

import numpy as np
from jaxtyping import Int

from ...pattern import SparsityPattern
from ._column_lattices import spread_indices
from ._geometry import conflict_types, Geometry, Pairs, periodic_axes, Types, wrapped
from ._lattice_plans import free_stages, linear_forms, nonzero_solutions, Stage


MOST_SPECIES = 16
"""The most unknowns per point for which lattices are tried: each adds a stage for every number of colors."""
_SAMPLED_EDGES = 100_000


def edge_types(
    sparsity: SparsityPattern, geometry: Geometry, types: Types
) -> tuple[Types, tuple[int, ...]]:
    """Return the types of the edges, wrapped around the periodic axes, and these axes.

    `types` are the types of pairs of vertices at distance two.
    """
    periodic = periodic_axes(geometry, types)
    upper = np.flatnonzero(sparsity.rows < sparsity.cols)
    if len(upper) > _SAMPLED_EDGES:
        upper = upper[spread_indices(len(upper), _SAMPLED_EDGES)]
    pairs = Pairs(sparsity.rows[upper].astype(np.int64), sparsity.cols[upper].astype(np.int64))
    return wrapped(geometry, conflict_types(geometry, pairs), periodic), periodic


def proper_lattices(
    geometry: Geometry, edges: Types, periodic: tuple[int, ...], num_colors: int
) -> tuple[Int[np.ndarray, "solutions unknowns"], Int[np.ndarray, "edges unknowns"]]:
    """Return lattices that close around the periodic axes and give the ends of edges two colors.

    The second result holds linear forms of a solution, which give the color differences along edges.
    """
    forms = linear_forms(geometry, edges)
    stages = free_stages(len(geometry.sizes), forms.shape[1], num_colors)
    for axis in periodic:
        values = stages[axis].values
        closes = values[:, 0] * geometry.sizes[axis] % num_colors == 0
        stages[axis] = Stage((axis,), values[closes])
    return nonzero_solutions(forms, stages, num_colors), forms
