"""The graphs that are colored, as vertices and groups of vertices that are in conflict."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32

from ..._sets import take_sets
from ...pattern import SparsityPattern
from ..recoverability import mirror_positions


class Incidence(NamedTuple):
    """The vertices to color, and the groups to which they belong.

    Vertex `v` belongs to the groups `indices[indptr[v]:indptr[v + 1]]`, each below `num_groups`.
    For column coloring, the vertices are the columns and the groups are the rows. For row coloring,
    it is the other way round. For star coloring, both are the vertices of the adjacency graph.
    """

    indptr: Int[np.ndarray, " num_vertices+1"]
    indices: Int[np.ndarray, " nnz"]
    num_groups: int

    @property
    def num_vertices(self) -> int:
        return len(self.indptr) - 1

    def group_sizes(self) -> Int[np.ndarray, " num_groups"]:
        """Return the number of vertices in each group."""
        sizes, step = np.zeros(self.num_groups, np.int64), max(self.num_groups, 2**16)
        for start in range(0, len(self.indices), step):  # `np.bincount` copies them as int64
            part = self.indices[start : start + step]
            sizes += np.bincount(part, minlength=self.num_groups)
        return sizes

    def visited_in(
        self, order: Int[np.ndarray, " visits"]
    ) -> tuple[Int32[np.ndarray, " visits+1"], Int32[np.ndarray, " k"]]:
        """Return the groups of some vertices, one vertex after the other, as compressed rows."""
        indptr, groups = take_sets((self.indptr, self.indices), order)
        return indptr.astype(np.int32), groups.astype(np.int32)

    def matrix(self, dtype: Any = np.int8) -> sp.csr_array:
        """Return the sparse matrix of shape `(num_vertices, num_groups)` with a 1 for each membership."""
        ones = np.ones(len(self.indices), dtype)
        return sp.csr_array(
            (ones, self.indices, self.indptr), shape=(self.num_vertices, self.num_groups)
        )


def columns(sparsity: SparsityPattern) -> Incidence:
    """The problem of coloring the columns of a pattern: columns that share a row differ."""
    by_column = sparsity.to_scipy(format="csc")
    return Incidence(by_column.indptr, by_column.indices, sparsity.m)


def adjacency(sparsity: SparsityPattern) -> Incidence:
    """The adjacency graph of a structurally symmetric `(n, n)` pattern, without its diagonal.

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    mirror_positions(sparsity)  # refuses other patterns
    off_diagonal = sparsity.rows != sparsity.cols
    indptr = np.zeros(sparsity.n + 1, np.int64)
    np.cumsum(np.bincount(sparsity.rows[off_diagonal], minlength=sparsity.n), out=indptr[1:])
    return Incidence(indptr, sparsity.cols[off_diagonal], sparsity.n)
