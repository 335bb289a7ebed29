"""What a coloring problem is: a pattern, the condition on a coloring, and a bound on the colors."""

import abc
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int

from ...pattern import SparsityPattern
from .._colored_pattern import ColoredPattern
from .._colors import Colors, count
from ..greedy import Algorithm, Incidence, Order
from ..reductions import Blocks, Copies, find_blocks, find_copies
from ..stencils import Shapes


_CHEAP = 3e-3
"""Seconds of a greedy coloring that bounds the search for a lattice, which takes 5 to 50 ms."""


class Problem(abc.ABC):
    """A pattern, and the condition on a coloring from which its nonzeros can be read.

    **Attributes:** `sparsity`: the pattern.
    """

    sparsity: SparsityPattern

    @property
    def matrix(self) -> SparsityPattern:
        """The pattern of the matrix that is to be read."""
        return self.sparsity

    @functools.cached_property
    @abc.abstractmethod
    def lower_bound(self) -> int:
        """A number of colors that every coloring needs."""

    @abc.abstractmethod
    def solve(self, color: "Callable[[GraphProblem], Colors]") -> Any:
        """Return a coloring, by a function that colors graphs."""

    @abc.abstractmethod
    def colored(self, colors: Any, mode: str) -> ColoredPattern:
        """Return the colored pattern, for the AD mode of its products.

        **Raises:** [`InvalidColoringError`][] if the nonzeros cannot be read from the coloring.
        """


class GraphProblem(Problem):
    """A problem in which the vertices of one graph are colored.

    **Attributes:**

    - `sparsity`: the pattern.
    - `grid`: the shapes of the arrays whose elements are the vertices, one after the other; empty
      if unknown. By default those of the pattern's inputs.
    - `algorithm`: the greedy algorithm; by default that of the class.
    - `orders`: the orders of the greedy colorings with which a search starts, if there is no lattice.
    - `further_orders`: more of them, to go on with.
    - `symmetric`: whether the graph is the adjacency graph of a symmetric pattern.
    - `recovery`: "direct" or "substitution".
    """

    symmetric = True
    recovery = "direct"

    make_graph: ClassVar[Callable[[SparsityPattern], Incidence]]
    default_algorithm: ClassVar[Algorithm]
    orders: ClassVar[tuple[Order, ...]]
    further_orders: ClassVar[tuple[Order, ...]] = ()

    def __init__(
        self,
        sparsity: SparsityPattern,
        grid: Shapes | None = None,
        algorithm: Algorithm | None = None,
    ):
        self.sparsity = sparsity
        shapes = tuple(aval.shape for aval in sparsity.input_avals)
        self.grid = shapes if grid is None else grid
        self.algorithm = self.default_algorithm if algorithm is None else algorithm

    def with_pattern(self, sparsity: SparsityPattern, grid: Shapes) -> "GraphProblem":
        """Return the same problem for another pattern."""
        return type(self)(sparsity, grid, self.algorithm)

    @functools.cached_property
    def incidence(self) -> Incidence:
        """The graph."""
        return type(self).make_graph(self.sparsity)

    @functools.cached_property
    @abc.abstractmethod
    def has_conflicts(self) -> bool:
        """Whether not all vertices may have the same color; if they may, nothing is searched or checked."""

    @abc.abstractmethod
    def bound(self) -> int:
        """A number of colors that every coloring of a graph with conflicts needs."""

    @functools.cached_property
    def lower_bound(self) -> int:
        return self.bound() if self.has_conflicts else min(self.matrix.nnz, 1)

    @property
    def num_vertices(self) -> int:
        """The number of vertices."""
        return self.sparsity.n

    @functools.cached_property
    def reduction(self) -> Copies | Blocks | None:
        """The reduction to a smaller problem; `None` if there is none."""
        sparsity, incidence = self.sparsity, self.incidence
        copies = find_copies(sparsity, self.grid, self.symmetric)
        if copies is not None:
            return copies
        columns = sparsity if self.symmetric else incidence
        return find_blocks(sparsity, (columns.indptr, columns.indices), self.grid, self.symmetric)

    @functools.cached_property
    def reduced(self) -> "GraphProblem | None":
        """The smaller problem."""
        return self.reduction and self.with_pattern(self.reduction.pattern, self.reduction.grid)

    @property
    def cost(self) -> float:
        """The estimated seconds of one greedy coloring."""
        return self.algorithm.cost(self.incidence, self.lower_bound)

    @functools.cached_property
    def periodic(self) -> Colors | None:
        """A periodic coloring with fewer colors than vertices, if the graph is a stencil.

        It has no more colors than a greedy coloring where that costs less than the search.
        """
        most = max(int(np.count_nonzero(np.diff(self.incidence.indptr))) - 1, 0)
        if self.cost < _CHEAP:
            found = self.greedy(np.arange(self.num_vertices), most)
            most = most if found is None else count(found)
        return self.lattice(most)

    def greedy(
        self, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
    ) -> Colors | None:
        """Color the vertices in the given order; those without groups get color 0.

        **Returns:** the colors; `None` if there would be more than `limit` colors.
        """
        return self.algorithm(self.incidence, order, limit, self.lower_bound)

    def recolor(self, colors: Colors, limit: int) -> Colors | None:
        """Color greedily, one class of a coloring after the other, the last class first."""
        return self.greedy(np.argsort(-colors, kind="stable"), limit)

    def sweep_cost(self, num_colors: int) -> float:
        """The estimated seconds of `recolor`."""
        del num_colors
        return self.cost

    def lattice(self, max_colors: int) -> Colors | None:
        """Return a periodic coloring with at most `max_colors` colors, if the graph is a stencil."""
        del max_colors
        return None

    def solve(self, color: "Callable[[GraphProblem], Colors]") -> Colors:
        return color(self)

    @abc.abstractmethod
    def check(self, colors: Colors) -> None:
        """Check that the nonzeros can be read from a coloring.

        **Raises:** [`InvalidColoringError`][] if they cannot.
        """

    def colored(self, colors: Colors, mode: str) -> ColoredPattern:
        if self.has_conflicts:
            self.check(colors)
        matrix = self.matrix
        number = count(colors) if matrix.nnz else 0
        if number == len(colors) and matrix.nnz == matrix.m * matrix.n:
            # The compressed matrix of a full matrix is then the matrix itself, or its transpose.
            colors = np.arange(number, dtype=colors.dtype)
        how = self.symmetric, mode, self.lower_bound
        return ColoredPattern(matrix, colors, number, *how, recovery=self.recovery)
