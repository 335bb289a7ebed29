"""The problem of coloring a graph acyclically, for recovery of a symmetric matrix by substitution."""

import functools

import numpy as np
from jaxtyping import Int, Int32

from ..._pattern import SparsityPattern
from .._checks import check_coloring_acyclic
from .._colors import Colors
from ..greedy import adjacency, greedy_acyclic
from ..stencils import lattice_acyclic
from ._lower_bounds import acyclic_lower_bound
from ._problem import GraphProblem


class Acyclic(GraphProblem):
    """The adjacency graph of a symmetric pattern, to be colored such that no cycle has two colors."""

    recovery = "substitution"

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] | None = None):
        super().__init__(sparsity, adjacency(sparsity), grid)

    @functools.cached_property
    def lower_bound(self) -> int:
        return min(acyclic_lower_bound(self.incidence), self.sparsity.nnz)

    @property
    def cost(self) -> float:
        return 5e-7 * len(self.incidence.indices)

    def greedy(
        self, order: Int[np.ndarray, " n"], limit: int | None = None
    ) -> Int32[np.ndarray, " n"] | None:
        return greedy_acyclic(self.incidence, order, limit)

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " n"] | None:
        return lattice_acyclic(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_acyclic(self.sparsity, colors)
