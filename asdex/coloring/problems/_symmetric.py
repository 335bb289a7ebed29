"""The problems of coloring the graph of a symmetric pattern: by stars, or acyclically."""

import functools

import numpy as np

from .._checks import check_coloring_acyclic, check_coloring_symmetric
from .._colors import Colors
from ..greedy import ACYCLIC, adjacency, breadth_first, largest_first, natural, STAR
from ..stencils import lattice_acyclic, lattice_star
from ._lower_bounds import acyclic_lower_bound, star_lower_bound
from ._problem import GraphProblem
from ._window_bound import window_star_bound


class Symmetric(GraphProblem):
    """The adjacency graph of a symmetric pattern, to be colored."""

    make_graph = adjacency
    orders, further_orders = (largest_first, breadth_first), (natural,)

    @functools.cached_property
    def has_conflicts(self) -> bool:
        square = self.sparsity.m == self.sparsity.n
        if square and np.array_equal(self.sparsity.rows, self.sparsity.cols):
            return False
        return bool(len(self.incidence.indices))  # refuses patterns that are not symmetric


class Star(Symmetric):
    """The adjacency graph of a symmetric pattern, to be star-colored."""

    default_algorithm = STAR

    def bound(self) -> int:
        return window_star_bound(self.incidence, star_lower_bound(self.incidence))

    def lattice(self, max_colors: int) -> Colors | None:
        return lattice_star(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_symmetric(self.sparsity, colors)


class Acyclic(Symmetric):
    """The adjacency graph of a symmetric pattern, to be colored such that no cycle has two colors."""

    recovery = "substitution"
    default_algorithm = ACYCLIC

    def bound(self) -> int:
        return acyclic_lower_bound(self.incidence)

    def lattice(self, max_colors: int) -> Colors | None:
        return lattice_acyclic(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_acyclic(self.sparsity, colors)
