"""Distance-2 coloring: columns that share a row have different colors, or rows that share a column."""

import functools
from itertools import pairwise

import numpy as np
from jaxtyping import Int, Int32

from .._pattern import SparsityPattern
from ._host import worth_compiling
from ._kernels import compiled_partition
from ._lattice import lattice_columns
from ._problem import columns, Incidence, partition_lower_bound, Problem


class Partition(Problem):
    """The columns of a pattern, to be colored so that columns which share a row have different colors."""

    on_graph = False

    def __init__(self, sparsity: SparsityPattern, grid: tuple[tuple[int, ...], ...] = ()):
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


def greedy_partition(
    problem: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Give each vertex, in the given order, the least color that none of its groups has used.

    This is greedy partial distance-2 coloring (Gebremedhin, Manne and Pothen, "What Color Is Your
    Jacobian?", SIAM Review 47, 2005). Each group keeps the set of its used colors as the bits of
    one Python integer. A vertex then costs one union per group, which is O(nnz * num_colors / 64) in
    all. Visiting the members of every group would cost the sum of the squared group sizes instead.
    The set of a group is released with its last vertex, and a group of one vertex needs no set.

    **Returns:** the colors; vertices without groups get color 0. `None` if there would be more than
    `limit` colors.
    """
    end = 1 << (problem.num_vertices if limit is None else limit)
    reads, writes, releases = _schedule(problem, order)
    used = [0] * problem.num_groups
    colors = []
    for read, write, release in zip(reads, writes, releases, strict=True):
        forbidden = 0
        for group in read:
            forbidden |= used[group]
        bit = ~forbidden & (forbidden + 1)
        if bit >= end:
            return None
        for group in write:
            used[group] |= bit
        for group in release:
            used[group] = 0
        colors.append(bit.bit_length() - 1)
    result = np.empty(problem.num_vertices, np.int32)
    result[order] = colors
    return result


def _schedule(problem: Incidence, order: Int[np.ndarray, " num_vertices"]):
    """Iterate, vertex by vertex, over the groups to read, to write and to release.

    The first vertex of a group need not read its set, and the last need not write it.
    """
    indptr, groups = problem.visited_in(order)
    visits = np.arange(len(problem.indices))
    first, last = np.empty(problem.num_groups, np.int64), np.empty(problem.num_groups, np.int64)
    first[groups[::-1]] = visits[::-1]
    last[groups] = visits
    is_first, is_last = first[groups] == visits, last[groups] == visits
    return (
        _slices(groups, indptr, chosen) for chosen in (~is_first, ~is_last, is_last & ~is_first)
    )


def _slices(groups, indptr, chosen):
    kept = np.concatenate([[0], np.cumsum(chosen)])[indptr].tolist()
    chosen_groups = groups[chosen].tolist()
    return (chosen_groups[start:stop] for start, stop in pairwise(kept))
