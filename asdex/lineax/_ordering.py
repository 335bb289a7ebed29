"""Ordering of a square pattern into independent block-tridiagonal systems of one size."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from scipy.sparse import csgraph

from .._graphs import connected_components
from .._sets import ranges
from ._block_tridiagonal import suitable_width
from ._structure import as_graph, Structure


# A block of the factorisation costs a few microseconds on a CPU in addition to its arithmetic. The arithmetic
# of blocks of up to about this size takes less than that (measured on a system of 2,048 with bandwidth 3).
_LEAST_WIDTH = 8


@dataclasses.dataclass(frozen=True, eq=False)
class BlockLayout:
    """The places of a matrix's entries in `lanes` systems of `blocks` x `blocks` blocks of size `width`.

    Each lane holds one connected component, or several small ones one after the other. Slots that no
    component uses get a one on the diagonal.

    **Attributes:**

    - `row_slots`, `col_slots`: `(n,)` places of the right-hand side's and of the solution's elements in a
        `(lanes, blocks, width)` vector.
    - `bandwidth`: the largest distance of an entry from the diagonal, in the new order.
    """

    lanes: int
    blocks: int
    width: int
    bandwidth: int
    row_slots: Int[np.ndarray, " n"]
    col_slots: Int[np.ndarray, " n"]

    @property
    def slots(self) -> int:
        return self.lanes * self.blocks * self.width

    @property
    def padding(self) -> Int[np.ndarray, " slots-n"]:
        """The slots that no component uses."""
        free = np.ones(self.slots, bool)
        free[self.row_slots] = False
        return np.nonzero(free)[0]

    def entries(self, structure: Structure) -> Int[np.ndarray, " nnz"]:
        """Places of the nonzeros in the flattened `(3, lanes, blocks, width, width)` array of the blocks
        below, on and above the diagonal."""
        return self.place(self.row_slots[structure.rows], self.col_slots[structure.cols])

    def place(self, row: Int[np.ndarray, " k"], col: Int[np.ndarray, " k"]) -> np.ndarray:
        """The place of entries in that array, by their slots."""
        side = col // self.width - row // self.width + 1
        return ((side * self.slots + row) * self.width + col % self.width).astype(np.int64)


@functools.lru_cache(maxsize=32)
def block_layout(structure: Structure) -> BlockLayout:
    """Order a square pattern, with its components separated and each with a small bandwidth.

    The order is reverse Cuthill-McKee (Cuthill and McKee 1969; George 1971) on the pattern of A + Aᵀ, or the
    given order if that has a smaller bandwidth. If entries on the diagonal are missing, columns are first
    permuted by a maximum matching (Duff 1981), so that the blocks on the diagonal are not structurally
    singular.
    """
    n = structure.shape[0]
    graph = as_graph(structure)
    partner = _columns_on_diagonal(structure, graph)
    row_of_col = np.empty(n, np.int64)
    row_of_col[partner] = np.arange(n)
    rows, cols = structure.rows.astype(np.int64), row_of_col[structure.cols]
    square = sp.csr_array((np.ones(len(rows), np.int8), (rows, cols)), shape=(n, n))
    count, component = connected_components(square)

    position, bandwidth = _narrowest_order(square, component)
    start = np.full(count, n)
    np.minimum.at(start, component, position)
    sizes = np.bincount(component, minlength=count)
    lane, offset, lanes = _pack(sizes)
    length = int(sizes.max(initial=1))
    width = _block_width(bandwidth, length)
    blocks = -(-length // width)
    within = offset[component] + position - start[component]
    slots = lane[component] * (blocks * width) + within
    return BlockLayout(lanes, blocks, width, bandwidth, slots, slots[row_of_col])


def _columns_on_diagonal(structure: Structure, graph: sp.csr_array) -> Int[np.ndarray, " n"]:
    """For each row the column that is moved onto the diagonal there."""
    every = np.arange(structure.shape[0])
    if np.count_nonzero(structure.rows == structure.cols) == len(every):
        return every
    matched = csgraph.maximum_bipartite_matching(sp.csr_matrix(graph), perm_type="column")
    # Without a perfect matching the matrix is singular, which the factorisation detects.
    return every if np.any(matched < 0) else matched.astype(np.int64)


def _narrowest_order(
    square: sp.csr_array, component: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], int]:
    """The position of each row, with components one after the other, and the bandwidth."""
    n = len(component)
    rows, cols = square.nonzero()
    symmetric = sp.csr_matrix(square + square.T)
    given = np.argsort(component, kind="stable")
    narrow = csgraph.reverse_cuthill_mckee(symmetric, symmetric_mode=True)
    best: tuple[np.ndarray, int] | None = None
    for order in (given, narrow):
        position = np.empty(n, np.int64)
        position[order] = np.arange(n)
        bandwidth = int(np.abs(position[rows] - position[cols]).max(initial=0))
        if best is None or bandwidth < best[1]:
            best = position, bandwidth
    assert best is not None
    return best


def _pack(sizes: Int[np.ndarray, " c"]) -> tuple[np.ndarray, np.ndarray, int]:
    """The lane and the offset of each component, and the number of lanes, which are as long as the largest.

    Components of one size share lanes, so that at most half of each lane is empty.
    """
    distinct, group, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    if not len(distinct):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), 1
    per_lane = distinct[-1] // distinct
    needed = -(-counts // per_lane)
    first = np.cumsum(needed) - needed
    by_group = np.argsort(group, kind="stable")
    rank = np.empty(len(sizes), np.int64)
    rank[by_group] = ranges(np.zeros_like(counts), counts)
    lane = first[group] + rank // per_lane[group]
    offset = rank % per_lane[group] * sizes
    return lane, offset, int(needed.sum())


def _block_width(bandwidth: int, length: int) -> int:
    """The size of the blocks, so that no entry lies beyond the neighboring block."""
    width = suitable_width(max(bandwidth, _LEAST_WIDTH))
    # Two blocks of this size cost more than one block of twice the size.
    return suitable_width(length) if length <= 2 * width else width
