"""The problem of coloring a graph acyclically."""

import functools

import numpy as np
from jaxtyping import Int, Int32

from .._pattern import SparsityPattern
from ._acyclic import acyclic_lower_bound, greedy_acyclic
from ._lattice_acyclic import lattice_acyclic
from ._problem import adjacency, Problem


class Acyclic(Problem):
    """The adjacency graph of a symmetric pattern, to be colored such that no cycle has two colors."""

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] = ()):
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
        colors = greedy_acyclic(self.incidence, order)
        return None if limit is not None and colors.max(initial=-1) >= limit else colors

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " n"] | None:
        return lattice_acyclic(self.sparsity, self.lower_bound, max_colors, self.grid)
