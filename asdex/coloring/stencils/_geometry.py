"""Grids whose points and species the flat columns of a pattern count."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32


_WRAPPED = 0.75  # of the pairs of a type, those that lie across the end of a periodic axis
_MANY = 2**24  # more than the pairs of a sample


class Block(NamedTuple):
    """One array of the input: columns `start`, `start + 1`, ... in C order.

    `axes[k]` is the grid axis of dimension k, or -1 if the dimension counts species.
    """

    start: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    first_species: int

    @property
    def num_species(self) -> int:
        return math.prod(size for size, axis in zip(self.shape, self.axes, strict=True) if axis < 0)


class Geometry(NamedTuple):
    """A grid with several unknowns ("species") at each point, to which the columns belong.

    `sizes` holds the length of each grid axis, or 0 if the arrays have different lengths there.
    """

    blocks: tuple[Block, ...]
    sizes: tuple[int, ...]

    @property
    def num_species(self) -> int:
        return sum(block.num_species for block in self.blocks)

    def locate(
        self, columns: Int[np.ndarray, " k"]
    ) -> tuple[Int[np.ndarray, "k axes"], Int[np.ndarray, " k"]]:
        """Return the grid point `(k, axes)` and the species `(k,)` of columns."""
        points = np.zeros((len(columns), len(self.sizes)), np.int64)
        species = np.zeros(len(columns), np.int64)
        starts = [block.start for block in self.blocks]
        owner = np.searchsorted(starts, columns, side="right") - 1
        for number, block in enumerate(self.blocks):
            own = np.flatnonzero(owner == number)
            indices = np.unravel_index(columns[own] - block.start, block.shape)
            kind = np.zeros(len(own), np.int64)
            for size, axis, index in zip(block.shape, block.axes, indices, strict=True):
                if axis < 0:
                    kind = kind * size + index
                else:
                    points[own, axis] = index
            species[own] = block.first_species + kind
        return points, species

    def evaluate(
        self, axes: Sequence[Int[np.ndarray, " size"]], species: Int[np.ndarray, " num_species"]
    ) -> Int32[np.ndarray, " n"]:
        """Return, for each column, the sum of `axes[k][point[k]]` over k and `species[kind]`."""
        parts = []
        for block in self.blocks:
            last = block.first_species + block.num_species
            kinds = [size if axis < 0 else 1 for size, axis in zip(*block[1:3], strict=True)]
            total = species[block.first_species : last].astype(np.int32).reshape(kinds)
            for dimension, axis in enumerate(block.axes):
                if axis >= 0:
                    others = [1] * len(block.shape)
                    others[dimension] = -1
                    values = axes[axis][: block.shape[dimension]].astype(np.int32)
                    total = total + values.reshape(others)
            parts.append(np.broadcast_to(total, block.shape).ravel())
        return np.concatenate(parts)


class Pairs(NamedTuple):
    """Pairs of different columns, `left < right`, that must not have the same color."""

    left: Int[np.ndarray, " k"]
    right: Int[np.ndarray, " k"]


class Types(NamedTuple):
    """The distinct relative positions among pairs: `second` lies at `first` plus the offset."""

    offsets: Int[np.ndarray, "types axes"]
    first: Int[np.ndarray, " types"]
    second: Int[np.ndarray, " types"]
    counts: Int[np.ndarray, " types"]

    @property
    def number(self) -> int:
        return len(self.first)

    def take(self, chosen: np.ndarray) -> "Types":
        """Return some of the types."""
        return Types(*(field[chosen] for field in self))

    def union(self, other: "Types", geometry: Geometry) -> "Types":
        """Return the types of both arguments, with their counts."""
        others = other._replace(counts=np.zeros_like(other.counts))
        return _unique_types(Types(*map(np.concatenate, zip(self, others, strict=True))), geometry)


def conflict_types(geometry: Geometry, pairs: Pairs) -> Types:
    """Return the relative positions of pairs; a position and its negative are the same type."""
    points, species = geometry.locate(np.concatenate([pairs.left, pairs.right]))
    k = len(pairs.left)
    each = Types(points[k:] - points[:k], species[:k], species[k:], np.ones(k, np.int64))
    return _unique_types(each, geometry)


def periodic_axes(geometry: Geometry, types: Types) -> tuple[int, ...]:
    """Return the axes along which few pairs lie farther apart than half a period.

    These pairs lie across the ends of the axis. On a long axis they are few compared with the pairs of
    the same type in the interior.
    """
    return tuple(
        axis
        for axis, size in enumerate(geometry.sizes)
        if size and _wraps(geometry, types, axis, 2 * np.abs(types.offsets[:, axis]) > size)
    )


def _wraps(geometry: Geometry, types: Types, axis: int, far: Bool[np.ndarray, " types"]) -> bool:
    across = types.counts[far].sum()
    if not 0 < across < _WRAPPED * (types.counts.sum() - across):
        return False
    both = types.counts * (1 + far * _MANY)  # two counts in one number
    around, every = np.divmod(wrapped(geometry, types._replace(counts=both), (axis,)).counts, _MANY)
    return bool(around.sum() < _WRAPPED * (every - around)[around > 0].sum())


def wrapped(geometry: Geometry, types: Types, axes: Sequence[int]) -> Types:
    """Return the types with offsets along periodic axes reduced to the shortest way round."""
    if not axes:
        return types
    offsets = types.offsets.copy()
    for axis in axes:
        size = geometry.sizes[axis]
        offsets[:, axis] = (offsets[:, axis] + size // 2) % size - size // 2
    return _unique_types(types._replace(offsets=offsets), geometry)


def _unique_types(types: Types, geometry: Geometry) -> Types:
    offsets, first, second, weights = types
    num_species = geometry.num_species
    reach = np.abs(offsets).max(axis=0, initial=0)
    code = np.zeros(len(first), np.int64)
    for axis in range(offsets.shape[1]):
        code = code * (2 * reach[axis] + 1) + offsets[:, axis]
    flip = (code < 0) | ((code == 0) & (first > second))
    code = np.where(flip, -code, code)
    first, second = np.where(flip, second, first), np.where(flip, first, second)
    code = (code * num_species + first) * num_species + second
    # Around a short periodic axis, a column may be paired with itself; that is no conflict.
    proper = np.any(offsets != 0, axis=1) | (first != second)
    _, at, inverse = np.unique(code[proper], return_index=True, return_inverse=True)
    counts = np.bincount(inverse, weights=weights[proper], minlength=len(at)).astype(np.int64)
    at = np.flatnonzero(proper)[at]
    signs = np.where(flip[at], -1, 1)[:, None]
    return Types(offsets[at] * signs, first[at], second[at], counts)
