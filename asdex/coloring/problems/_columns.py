"""The problems of coloring columns, or rows, so that those of one color are structurally orthogonal."""

import functools

import numpy as np
from jaxtyping import Int, Int32

from ..._pattern import SparsityPattern
from .._checks import check_coloring_cols
from .._colors import Colors
from ..greedy import columns, compiled_partition, greedy_partition, worth_compiling
from ..stencils import lattice_columns
from ._lower_bounds import partition_lower_bound
from ._problem import GraphProblem


class Columns(GraphProblem):
    """The columns of a pattern, to be colored so that columns which share a row have different colors."""

    symmetric = False

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] | None = None):
        super().__init__(sparsity, columns(sparsity), grid)

    @functools.cached_property
    def lower_bound(self) -> int:
        return partition_lower_bound(self.incidence)

    @property
    def cost(self) -> float:
        nnz = len(self.incidence.indices)
        return nnz * (3e-8 if self._compiles else 3e-7)

    @property
    def _compiles(self) -> bool:
        return worth_compiling(len(self.incidence.indices), self.lower_bound)

    def greedy(
        self, order: Int[np.ndarray, " n"], limit: int | None = None
    ) -> Int32[np.ndarray, " n"] | None:
        run = compiled_partition if self._compiles else greedy_partition
        return run(self.incidence, order, limit)

    def lattice(self, max_colors: int) -> Int32[np.ndarray, " n"] | None:
        return lattice_columns(self.sparsity, self.lower_bound, max_colors, self.grid)

    def check(self, colors: Colors) -> None:
        check_coloring_cols(self.sparsity, colors)


class Rows(Columns):
    """The rows of a pattern, to be colored so that rows which share a column have different colors.

    `sparsity` is the transposed pattern, whose columns are colored.
    """

    def __init__(self, matrix: SparsityPattern):
        super().__init__(matrix.T, tuple(aval.shape for aval in matrix.output_avals))
        self._matrix = matrix

    def with_pattern(
        self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...]
    ) -> GraphProblem:
        return Columns(sparsity, grid)

    @property
    def matrix(self) -> SparsityPattern:
        return self._matrix
