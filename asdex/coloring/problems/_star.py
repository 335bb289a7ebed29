"""The problem of star-coloring a graph, which allows direct recovery of a symmetric matrix."""

import functools

import numpy as np
from jaxtyping import Int, Int32

from ..._pattern import SparsityPattern
from .._checks import check_coloring_symmetric
from .._colors import Colors
from ..greedy import adjacency, compiled_star, greedy_star, worth_compiling
from ..stencils import lattice_star
from ._lower_bounds import star_lower_bound
from ._problem import GraphProblem
from ._window_bound import window_star_bound


class Star(GraphProblem):
    """The adjacency graph of a symmetric pattern, to be star-colored."""

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] | None = None):
        super().__init__(sparsity, adjacency(sparsity), grid)

    @functools.cached_property
    def lower_bound(self) -> int:
        by_counting = star_lower_bound(self.incidence)
        return min(window_star_bound(self.incidence, by_counting), self.sparsity.nnz)

    @property
    def cost(self) -> float:
        nnz = len(self.incidence.indices)
        return nnz * (1e-7 if self._compiles else 3e-7)

    @property
    def _compiles(self) -> bool:
        return worth_compiling(len(self.incidence.indices), self.lower_bound)

    def greedy(
        self, order: Int[np.ndarray, " n"], limit: int | None = None
    ) -> Int32[np.ndarray, " n"] | None:
        run = compiled_star if self._compiles else greedy_star
        return run(self.incidence, order, limit)

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " n"] | None:
        return lattice_star(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_symmetric(self.sparsity, colors)
