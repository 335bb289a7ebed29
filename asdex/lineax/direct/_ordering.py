"""Ordering of a square pattern into independent block-tridiagonal systems of one size."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from scipy.sparse import csgraph

from ..._sets import ranges
from ...pattern import connected_components
from .._structure import Structure


# A block of the factorisation costs a few microseconds on a CPU in addition to its arithmetic. The arithmetic
# of blocks of up to about this size takes less than that (measured on a system of 2,048 with bandwidth 3).
_LEAST_WIDTH = 8


@dataclasses.dataclass(frozen=True, eq=False)
class BlockLayout:
    """The places of a matrix's entries in `lanes` systems of `blocks` x `blocks` blocks of size `width`.

    Each lane holds one connected component, or several small ones one after the other. Slots that no
    component uses get a one on the diagonal.

    **Attributes:**

    - `slots`: `(n,)` places of the elements of vectors in a `(lanes, blocks, width)` vector.
    - `bandwidth`: the largest distance of an entry from the diagonal, in the new order.
    """

    lanes: int
    blocks: int
    width: int
    bandwidth: int
    slots: Int[np.ndarray, " n"]

    @property
    def size(self) -> int:
        return self.lanes * self.blocks * self.width

    @property
    def padding(self) -> Int[np.ndarray, " size-n"]:
        """The slots that no component uses."""
        free = np.ones(self.size, bool)
        free[self.slots] = False
        return np.nonzero(free)[0]

    def entries(self, structure: Structure) -> Int[np.ndarray, " nnz"]:
        """Places of the nonzeros in the flattened `(3, lanes, blocks, width, width)` array of the blocks
        below, on and above the diagonal."""
        return self.place(self.slots[structure.rows], self.slots[structure.cols])

    def place(self, row: Int[np.ndarray, " k"], col: Int[np.ndarray, " k"]) -> np.ndarray:
        """The place of entries in that array, by their slots."""
        side = col // self.width - row // self.width + 1
        return ((side * self.size + row) * self.width + col % self.width).astype(np.int64)


@functools.lru_cache(maxsize=32)
def block_layout(structure: Structure) -> BlockLayout:
    """Order a square pattern, with its components separated and each with a small bandwidth.

    The order is reverse Cuthill-McKee (Cuthill and McKee 1969; George 1971) on the pattern of A + Aᵀ, or the
    given order if that has a smaller bandwidth.
    """
    n = structure.shape[0]
    square = structure.pattern.to_scipy()
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
    return BlockLayout(lanes, blocks, width, bandwidth, slots)


def _narrowest_order(
    square: sp.csr_array, component: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], int]:
    """The position of each row, with components one after the other, and the bandwidth."""
    n = len(component)
    rows, cols = square.nonzero()
    symmetric = sp.csr_matrix(square + square.T)
    orders = [np.argsort(component, kind="stable")]
    if n:  # SciPy takes no graph without vertices
        orders.append(csgraph.reverse_cuthill_mckee(symmetric, symmetric_mode=True))

    def measured(order: np.ndarray) -> tuple[np.ndarray, int]:
        position = np.empty(n, np.int64)
        position[order] = np.arange(n)
        return position, int(np.abs(position[rows] - position[cols]).max(initial=0))

    return min(map(measured, orders), key=lambda found: found[1])


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
    width = max(bandwidth, _LEAST_WIDTH)
    # Two blocks of this size cost more than one block of twice the size.
    return length if length <= 2 * width else width
