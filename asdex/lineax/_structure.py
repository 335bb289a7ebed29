"""The pattern of an operator as a constant of compiled functions, and properties that follow from it."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Int

from .._sets import ranges
from ..pattern import as_pattern, column_order, PatternLike, SparsityPattern


class Structure:
    """A pattern that compares and hashes by content, so that it can be a static field.

    Inside `lineax.linear_solve` every array of an operator is traced; the pattern must be known there.
    """

    pattern: SparsityPattern

    def __init__(self, pattern: PatternLike):
        known = as_pattern(pattern)
        self.pattern = SparsityPattern(known.rows, known.cols, known.shape)

    @property
    def rows(self) -> np.ndarray:
        return self.pattern.rows

    @property
    def cols(self) -> np.ndarray:
        return self.pattern.cols

    @property
    def shape(self) -> tuple[int, int]:
        return self.pattern.shape

    @property
    def nnz(self) -> int:
        return self.pattern.nnz

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self.pattern == other.pattern

    def __repr__(self) -> str:
        return f"Structure({self.shape[0]}×{self.shape[1]}, nnz={self.nnz})"

    @functools.cached_property
    def is_lower_triangular(self) -> bool:
        return bool(np.all(self.rows >= self.cols))

    @functools.cached_property
    def is_upper_triangular(self) -> bool:
        return bool(np.all(self.rows <= self.cols))

    @property
    def is_square(self) -> bool:
        return self.shape[0] == self.shape[1]

    @functools.cached_property
    def has_full_diagonal(self) -> bool:
        return self.is_square and np.count_nonzero(self.rows == self.cols) == self.shape[0]

    @property
    def is_diagonal(self) -> bool:
        return self.is_square and self.is_lower_triangular and self.is_upper_triangular

    @functools.cached_property
    def is_tridiagonal(self) -> bool:
        return self.is_square and bool(np.all(np.abs(self.rows - self.cols) <= 1))

    def diagonal_positions(self, offset: int = 0) -> Int[np.ndarray, " length"]:
        """The position of the nonzero at each place of a diagonal, or `nnz` where there is none.

        **Arguments:** `offset`: 0 for the main diagonal, 1 for the one above it, -1 for the one below.
        """
        m, n = self.shape
        length = max(min(m + min(offset, 0), n - max(offset, 0)), 0)
        (found,) = np.nonzero(self.cols - self.rows == offset)
        positions = np.full(length, self.nnz, np.int32)
        positions[np.minimum(self.rows[found], self.cols[found])] = found
        return positions

    @functools.cached_property
    def transposition(self) -> tuple[Structure, Int[np.ndarray, " nnz"]]:
        """The transposed structure, and the position of each of its nonzeros in this structure."""
        _, order = column_order(self.pattern)
        m, n = self.shape
        transposed = Structure(SparsityPattern(self.cols[order], self.rows[order], (n, m)))
        return transposed, order.astype(np.int32)


@functools.lru_cache(maxsize=64)
def union(a: Structure, b: Structure) -> tuple[Structure, np.ndarray, np.ndarray]:
    """The structure of a sum, and the positions in it of the nonzeros of both terms."""
    pattern = a.pattern | b.pattern
    in_a, in_b = (pattern.positions(one.rows, one.cols).astype(np.int32) for one in (a, b))
    return Structure(pattern), in_a, in_b


@functools.lru_cache(maxsize=64)
def product(a: Structure, b: Structure) -> tuple[Structure, np.ndarray, np.ndarray, np.ndarray]:
    """The structure of the matrix product `a @ b`.

    **Returns:** the structure, and for each multiplication of two nonzeros the positions of its factors
    in `a` and `b`, and the position of the entry to which it is added.
    """
    indptr = b.pattern.indptr.astype(np.int64)
    lengths = np.diff(indptr)[a.cols]
    first = np.repeat(np.arange(a.nnz), lengths)
    second = ranges(indptr[a.cols], lengths)
    rows, cols = a.rows[first], b.cols[second]
    pattern = SparsityPattern.from_coo(rows, cols, (a.shape[0], b.shape[1]))
    places = (first, second, pattern.positions(rows, cols))
    first, second, into = (one.astype(np.int32) for one in places)
    return Structure(pattern), first, second, into


def above_identity(pattern: SparsityPattern) -> SparsityPattern:
    """The `(m + n, n)` pattern of a matrix with an identity below it."""
    m, n = pattern.shape
    every = np.arange(n, dtype=np.int32)
    rows = np.concatenate([pattern.rows, m + every])
    return SparsityPattern.from_coo(rows, np.concatenate([pattern.cols, every]), (m + n, n))
