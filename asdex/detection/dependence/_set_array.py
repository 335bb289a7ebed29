"""An array of index sets: what it stores, and how to read it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ._index_sets import united
from ._terms import count_entries, fewest_entries, Term, term_entries, without_broadcasts


class SetArray:
    """An array of sets of flat indices of inputs, stored as a short list of terms.

    A term maps each element to a row of a shared pool of sets (`-1`: the empty set), and an element's set is
    the union over the terms.
    """

    __slots__ = ("shape", "terms")

    def __init__(self, shape: Sequence[int], terms: Sequence[Term]):
        self.shape = tuple(shape)
        self.terms = tuple(terms)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def width(self) -> int:
        """The number of inputs in all, as far as the sets tell."""
        return max((term.pool.width for term in self.terms), default=0)

    @property
    def is_none(self) -> bool:
        """Whether no element depends on anything, as far as can be told without reading the sets."""
        return not self.terms

    @property
    def nnz(self) -> int:
        """The number of pairs (element, input)."""
        return count_entries([term.flat() for term in self.terms])

    @property
    def at_least(self) -> int:
        """A lower bound on `nnz` that is read off the sizes of the sets."""
        terms = without_broadcasts(self.terms, self.ndim)
        copies = self.size // max(terms[0].rows.size, 1) if terms else 0
        return copies * fewest_entries([term.flat() for term in terms])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, terms={len(self.terms)})"

    def to_csr(self, width: int | None = None) -> sp.csr_array:
        """The boolean `(size, width)` matrix of all pairs: sorted rows, no duplicates."""
        indptr, indices = self.entries()
        if indices.size <= np.iinfo(np.int32).max:
            indptr = indptr.astype(np.int32)  # SciPy gives both the same type
        data = np.ones(indices.size, np.bool_)
        shape = (self.size, self.width if width is None else width)
        return sp.csr_array((data, indices, indptr), shape=shape)

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """`indptr` and `indices` of the matrix of all pairs."""
        return term_entries([t.flat() for t in self.terms], self.size)

    def symmetric_entries(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """As `entries`, of the union of the matrix, which must be square, with its transpose."""
        matrix = self.to_csr(self.size)
        mirror = sp.csr_array(matrix.T.tocsr())
        pairs = ((mirror.indptr, matrix.indptr), (mirror.indices, matrix.indices))
        if all(np.array_equal(*pair) for pair in pairs):
            return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False)
        return united(matrix, mirror)

    def same_sets(self, other: SetArray) -> bool:
        """Whether both have the same shape and the same set at each element."""
        if self.shape != other.shape:
            return False
        a = self.to_csr()
        if other.at_least > a.nnz:  # of which too many would be written out
            return False
        b = other.to_csr()
        return np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices)
