"""Patterns of blocks, such as those of vector unknowns on a mesh, of which only the nodes are colored."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32

from ..._sets import equal_sets, hashes, ranges, run_bounds, Sets, take_sets
from ...pattern import SparsityPattern


_SAMPLED = 64  # rows that are sampled to tell blocks from other patterns
_TWINS = 0.5  # least share of the columns in those rows that have an equal column there
_UNIFORM = 0.9  # least share of the columns that lie in blocks of the common size


class Blocks(NamedTuple):
    """A pattern whose columns come in groups of `size`, the nodes, with the same nonzero rows.

    Columns of one node conflict with each other, and with the same other columns. This does not
    depend on whether the columns are numbered node by node or component by component. So if the nodes
    have a valid coloring, member i of a node of color k may have the color `size * k + i`.

    For structurally orthogonal columns this is clear. It also holds on the graph of a symmetric
    pattern with full diagonal blocks. Members of one node have different colors. Two colors
    `size * k + i` and `size * l + j` induce a matching if k = l; otherwise they induce a subgraph of
    the one that k and l induce on the nodes. So they induce no path on four vertices, and no cycle,
    that the nodes do not have.

    **Attributes:**

    - `size`: the number of columns of a node; a few nodes may have fewer.
    - `pattern`: the first column of each node, without repeated rows; symmetric if the whole is.
    - `grid`: the shapes of the arrays whose elements are the nodes; empty if unknown.
    - `nodes`: the node of each column, -1 for columns without nonzeros.
    - `members`: the number of each column in its node.
    """

    size: int
    pattern: SparsityPattern
    grid: tuple[tuple[int, ...], ...]
    nodes: Int32[np.ndarray, " n"]
    members: Int32[np.ndarray, " n"]

    def expand(self, colors: Int32[np.ndarray, " nodes"]) -> Int32[np.ndarray, " n"]:
        """Return the coloring of the columns that follows from a coloring of the nodes."""
        occupied = self.nodes >= 0
        numbers = self.size * colors[self.nodes] + self.members
        numbers[~occupied] = 0
        used = np.bincount(numbers[occupied])
        return (np.cumsum(used > 0, dtype=np.int32) - 1)[numbers] if len(used) else numbers

    def contract(self, colors: Int32[np.ndarray, " n"]) -> Int32[np.ndarray, " nodes"]:
        """Return the colors of the first column of each node, given a coloring of the columns."""
        first = (self.nodes >= 0) & (self.members == 0)
        result = np.empty(self.pattern.n, np.int32)
        result[self.nodes[first]] = np.unique(colors[first], return_inverse=True)[1]
        return result


def find_blocks(
    sparsity: SparsityPattern, columns: Sets, grid: Sequence[tuple[int, ...]], symmetric: bool
) -> Blocks | None:
    """Return the blocks of a pattern, if nearly all columns come in groups of one size.

    It takes O(nnz), and much less for most patterns without blocks.

    **Arguments:** `sparsity`: an `(m, n)` pattern. `columns`: the nonzero rows of each column. `grid`:
    the shapes of the arrays to which the columns belong. `symmetric`: whether the smaller pattern shall
    have the same rows as columns; the pattern must then be structurally symmetric.
    """
    if not _may_have_blocks(sparsity, columns):
        return None
    kinds = equal_sets(columns)
    kinds[np.diff(columns[0]) == 0] = -1
    if symmetric and not _has_diagonal(sparsity, kinds):
        return None
    size = _common_size(kinds)
    if size < 2:
        return None
    order = np.argsort(kinds, kind="stable")
    order = order[np.searchsorted(kinds[order], 0) :]
    starts = run_bounds(kinds[order])
    place = np.arange(len(order)) - np.repeat(starts[:-1], np.diff(starts))
    members = np.zeros(sparsity.n, np.int32)
    members[order] = place % size
    # Nodes are numbered by their first columns, which keeps the order of a mesh.
    first = np.flatnonzero((members == 0) & (kinds >= 0))
    if len(first) == 1:  # every column needs a color of its own
        return None
    nodes = np.full(sparsity.n, -1, np.int32)
    nodes[order] = np.searchsorted(first, order[np.arange(len(order)) - place % size])
    if symmetric:
        pattern = _graph_of_nodes(columns, first)
    else:
        pattern = _rows_of_nodes(columns, first, sparsity.m)
    return Blocks(size, pattern, _node_grid(first, sparsity.n, size, grid), nodes, members)


def _may_have_blocks(sparsity: SparsityPattern, columns: Sets) -> bool:
    """Whether most columns in a few sampled rows have an equal column."""
    if sparsity.n < 2 or not sparsity.nnz:
        return False
    chosen = np.unique(sparsity.rows[np.linspace(0, sparsity.nnz - 1, _SAMPLED).astype(np.int64)])
    starts, stops = (
        np.searchsorted(sparsity.rows, chosen, side=side) for side in ("left", "right")
    )
    entries = ranges(starts, stops - starts)
    some, place = np.unique(sparsity.cols[entries], return_inverse=True)
    marks = hashes(take_sets(columns, some))[place]
    row = np.repeat(np.arange(len(chosen)), stops - starts)
    order = np.lexsort((marks, row))
    same = (np.diff(marks[order]) == 0) & (np.diff(row[order]) == 0)
    twins = np.count_nonzero(np.append(same, False) | np.insert(same, 0, False))
    return bool(twins > _TWINS * len(entries))


def _has_diagonal(sparsity: SparsityPattern, kinds: Int32[np.ndarray, " n"]) -> bool:
    """Whether columns that equal an earlier one have a nonzero on the diagonal, as full blocks have."""
    on_diagonal = np.zeros(sparsity.n, bool)
    on_diagonal[sparsity.rows[sparsity.rows == sparsity.cols]] = True
    repeats = (kinds >= 0) & (kinds < np.arange(sparsity.n))
    return bool(np.all(on_diagonal[repeats]))


def _common_size(kinds: Int32[np.ndarray, " n"]) -> int:
    """Return the largest of the sizes of blocks, and of their common divisor, that suits most columns."""
    counts = np.bincount(kinds[kinds >= 0])
    sizes, frequency = np.unique(counts[counts > 0], return_counts=True)
    columns = sizes * frequency
    for size in [*sizes[::-1].tolist(), int(np.gcd.reduce(sizes))]:
        if columns[sizes % size == 0].sum() >= _UNIFORM * columns.sum():
            return size
    return 1


def _rows_of_nodes(columns: Sets, first: Int[np.ndarray, " nodes"], m: int) -> SparsityPattern:
    """Return the pattern of some columns of `m` rows, without empty and repeated rows."""
    indptr, rows = take_sets(columns, first)
    matrix = sp.csr_array(
        (np.ones(len(rows), np.int8), rows, indptr), shape=(len(first), m)
    ).tocsc()
    sets = matrix.indptr, matrix.indices
    distinct = (equal_sets(sets) == np.arange(m)) & (np.diff(matrix.indptr) > 0)
    indptr, nodes = take_sets(sets, np.flatnonzero(distinct))
    return SparsityPattern.from_csr(indptr, nodes, (len(indptr) - 1, len(first)))


def _graph_of_nodes(columns: Sets, first: Int[np.ndarray, " nodes"]) -> SparsityPattern:
    """Return the part of a symmetric pattern that lies in some rows and columns."""
    indptr, others = take_sets(columns, first)
    number = np.full(len(columns[0]) - 1, -1, np.int32)
    number[first] = np.arange(len(first))
    nodes, others = (
        np.repeat(np.arange(len(first), dtype=np.int32), np.diff(indptr)),
        number[others],
    )
    kept = others >= 0
    return SparsityPattern(nodes[kept], others[kept], (len(first), len(first)))


def _node_grid(
    first: Int[np.ndarray, " nodes"], n: int, size: int, grid: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], ...]:
    """Return the shape of the array of nodes, if the arrays have their components last or first."""
    if n != size * len(first) or not grid:
        return ()
    nodes = np.arange(len(first))
    if np.array_equal(first, size * nodes) and len(grid) == 1:
        for axis in range(1, len(grid[0])):
            if np.prod(grid[0][axis:]) == size:
                return (grid[0][:axis],)
    if np.array_equal(first, nodes):
        stacked = (len(grid), *grid[0]) if len(set(grid)) == 1 else ()
        for axis in range(1, len(stacked)):
            if np.prod(stacked[:axis]) == size:
                return (stacked[axis:],)
    return ()
