"""The problems of coloring columns, or rows, so that those of one color are structurally orthogonal."""

import functools

import numpy as np
from jaxtyping import Int32

from ...pattern import SparsityPattern
from .._checks import check_coloring_cols
from .._colors import Colors
from ..greedy import (
    Algorithm,
    columns,
    DISTANCE_2,
    largest_first,
    natural,
    recolor_partition,
    recoloring_cost,
)
from ..stencils import lattice_columns, Shapes
from ._lower_bounds import partition_lower_bound
from ._problem import GraphProblem


class Columns(GraphProblem):
    """The columns of a pattern, to be colored so that columns which share a row have different colors."""

    symmetric = False
    make_graph, default_algorithm = columns, DISTANCE_2
    orders = natural, largest_first

    @functools.cached_property
    def longest(self) -> int:
        """The most columns that share a row; they all need different colors."""
        groups = self._groups()
        if np.all(groups[1:] > groups[:-1]):
            return min(len(groups), 1)
        return int(np.bincount(groups).max())

    def _groups(self) -> Int32[np.ndarray, " nnz"]:
        return self.sparsity.rows

    @functools.cached_property
    def has_conflicts(self) -> bool:
        return self.longest > 1

    def bound(self) -> int:
        return partition_lower_bound(self.incidence)

    def recolor(self, colors: Colors, limit: int) -> Colors | None:
        if self.algorithm.is_compiled_for(self.incidence, self.lower_bound):
            return super().recolor(colors, limit)
        return recolor_partition(self.incidence, colors)

    def sweep_cost(self, num_colors: int) -> float:
        if self.algorithm.is_compiled_for(self.incidence, self.lower_bound):
            return self.cost
        return recoloring_cost(self.incidence, num_colors)

    def lattice(self, max_colors: int) -> Colors | None:
        return lattice_columns(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_cols(self.sparsity, colors)


class Rows(Columns):
    """The rows of a pattern, to be colored so that rows which share a column have different colors.

    `sparsity` is the transposed pattern, whose columns are colored.
    """

    def __init__(self, matrix: SparsityPattern, algorithm: Algorithm | None = None):
        self._matrix = matrix
        self.grid = tuple(aval.shape for aval in matrix.output_avals)
        self.algorithm = self.default_algorithm if algorithm is None else algorithm

    @functools.cached_property
    def sparsity(self) -> SparsityPattern:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._matrix.T

    def _groups(self) -> Int32[np.ndarray, " nnz"]:
        return self._matrix.cols

    @property
    def num_vertices(self) -> int:
        return self._matrix.m

    def with_pattern(self, sparsity: SparsityPattern, grid: Shapes) -> GraphProblem:
        return Columns(sparsity, grid, self.algorithm)

    @property
    def matrix(self) -> SparsityPattern:
        return self._matrix
