"""Periodic colorings of stencils by lattices, on grids that are inferred from the pattern."""

from ._acyclic_lattices import lattice_acyclic as lattice_acyclic
from ._column_lattices import lattice_columns as lattice_columns
from ._geometry_inference import Shapes as Shapes
from ._star_lattices import lattice_star as lattice_star
