"""The problems of coloring the graph of a symmetric pattern: by stars, or acyclically."""

import functools

from .._checks import check_coloring_acyclic, check_coloring_symmetric
from .._colors import Colors
from ..greedy import ACYCLIC, adjacency, STAR
from ..stencils import lattice_acyclic, lattice_star
from ._lower_bounds import acyclic_lower_bound, star_lower_bound
from ._problem import GraphProblem
from ._window_bound import window_star_bound


class Star(GraphProblem):
    """The adjacency graph of a symmetric pattern, to be star-colored."""

    make_graph, default_algorithm = adjacency, STAR

    @functools.cached_property
    def lower_bound(self) -> int:
        by_counting = star_lower_bound(self.incidence)
        return min(window_star_bound(self.incidence, by_counting), self.sparsity.nnz)

    def lattice(self, max_colors: int) -> Colors | None:
        return lattice_star(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_symmetric(self.sparsity, colors)


class Acyclic(GraphProblem):
    """The adjacency graph of a symmetric pattern, to be colored such that no cycle has two colors."""

    recovery = "substitution"
    make_graph, default_algorithm = adjacency, ACYCLIC

    @functools.cached_property
    def lower_bound(self) -> int:
        return min(acyclic_lower_bound(self.incidence), self.sparsity.nnz)

    def lattice(self, max_colors: int) -> Colors | None:
        return lattice_acyclic(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_acyclic(self.sparsity, colors)
