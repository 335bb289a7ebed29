"""The algebra of sparsity patterns, as sets of entries and as boolean matrices."""

import abc
import dataclasses
import functools
import hashlib
import numbers
import operator
from typing import Any, Self, SupportsIndex

import equinox as eqx
import jax
import numpy as np
import scipy.sparse as sp
from jaxtyping import Int, Int32
from numpy.typing import ArrayLike

from ._indices import check_coordinates, Coordinates, entry_keys, known_coordinates


_ENTRIES = ("rows", "cols", "shape", "local")


class PatternAlgebra(eqx.Module):
    """The operations of [`SparsityPattern`][], which holds the data.

    A result has the entries that can be nonzero in the sum, product or part of any matrices with these
    patterns. Values are not known here: those that cancel, and multiples by zero, keep their entries.
    """

    rows: eqx.AbstractVar[Int32[np.ndarray, " nnz"]]
    cols: eqx.AbstractVar[Int32[np.ndarray, " nnz"]]
    shape: eqx.AbstractVar[tuple[int, int]]
    argnums: eqx.AbstractVar[int | tuple[int, ...]]
    input_avals: eqx.AbstractVar[tuple[jax.ShapeDtypeStruct, ...]]
    output_avals: eqx.AbstractVar[tuple[jax.ShapeDtypeStruct, ...]]
    local: eqx.AbstractVar[bool]
    indptr: eqx.AbstractVar[Int[np.ndarray, " m+1"]]

    # A pattern has no sequence of rows, and NumPy leaves `scalar * pattern` to it.
    __iter__ = None
    __array_ufunc__ = None

    @classmethod
    @abc.abstractmethod
    def from_scipy(cls, matrix: Any) -> Self:
        """Build the pattern of the stored entries of a matrix."""

    def __eq__(self, other: object) -> bool:
        """Whether shape, `argnums` and nonzeros are the same. The inputs' and outputs' shapes may differ."""
        if self is other:
            return True
        if not isinstance(other, PatternAlgebra):
            return NotImplemented
        if (self.shape, self.argnums) != (other.shape, other.argnums):
            return False
        pairs = zip(self._coordinates(), other._coordinates(), strict=True)
        return all(np.array_equal(one, another) for one, another in pairs)

    def __hash__(self) -> int:
        return hash((self.shape, self.argnums, self._digest))

    @functools.cached_property
    def _digest(self) -> bytes:
        # Python's own hashes differ between processes, to which a pickled pattern may go.
        digest = hashlib.blake2b(digest_size=16)
        for part in self._coordinates():
            digest.update(np.ascontiguousarray(part).data)
        return digest.digest()

    def __contains__(self, entry: tuple[SupportsIndex, SupportsIndex]) -> bool:
        """Whether the entry in row `i` and column `j` is a structural nonzero, for `(i, j)`."""
        try:
            i, j = map(operator.index, entry)
        except (TypeError, ValueError):
            raise TypeError(
                f"Expected two integers `(i, j)`, a row and a column, got {entry!r}. For many entries at "
                "once use `positions`."
            ) from None
        if not (0 <= i < self.shape[0] and 0 <= j < self.shape[1]):
            return False
        rows, cols = self._coordinates()
        start, stop = (np.searchsorted(rows, np.int32(i), side) for side in ("left", "right"))
        place = start + np.searchsorted(cols[start:stop], np.int32(j))
        return bool(place < stop and cols[place] == j)

    def positions(self, rows: ArrayLike, cols: ArrayLike) -> Int[np.ndarray, " k"]:
        """Return where the given entries stand among the nonzeros.

        With the coordinates of all nonzeros in an order of your own, this is the permutation between both:
        `theirs = ours[positions]`, or `ours[positions] = theirs`.

        **Arguments:** `rows`, `cols`: integers `(k,)`, in any order.

        **Returns:** integers `(k,)`, from 0 to `nnz - 1`.

        **Raises:** `ValueError` if one of the entries is not in the pattern, and as `from_coo`.
        """
        rows, cols = check_coordinates(rows, cols, self.shape)
        wanted = entry_keys(rows, cols, self.shape)
        order = np.argsort(wanted)  # a binary search is several times faster for neighbors in order
        keys = entry_keys(*self._coordinates(), self.shape)
        places = np.empty(len(wanted), np.int64)
        places[order] = np.searchsorted(keys, wanted[order])
        found = np.append(keys, -1)[places] == wanted
        if not np.all(found):
            first = int(np.argmin(found))
            raise ValueError(
                f"Expected entries of the pattern, got ({rows[first]}, {cols[first]}) at position {first}, "
                "which is none. Leave out such entries, which are zero, or look them up in the union of "
                "the pattern with your own."
            )
        return places

    def __or__(self, other: Self) -> Self:
        """The nonzeros of either pattern: those of a sum. `a + b` and `a - b` are the same."""
        if not isinstance(other, PatternAlgebra):
            return NotImplemented
        if self.shape != other.shape:
            raise ValueError(
                f"Expected two patterns of one shape, got {self.shape} and {other.shape}. Take parts of "
                "one with `pattern[rows, cols]`, or build it with the shape of the other."
            )
        return self._from_matrix(
            self._matrix() + other._matrix(), other, **_common_labels(self, other)
        )

    __add__ = __or__
    __sub__ = __or__

    def __mul__(self, scalar: Any) -> Self:
        """The pattern of a multiple: the same."""
        is_scalar = isinstance(scalar, numbers.Number) or getattr(scalar, "ndim", None) == 0
        if not is_scalar:
            return NotImplemented
        return self

    __rmul__ = __mul__
    __truediv__ = __mul__

    def __neg__(self) -> Self:
        return self

    def __matmul__(self, other: Self) -> Self:
        """The pattern of the product of an `(m, k)` and a `(k, n)` matrix, as of a composed function."""
        if not isinstance(other, PatternAlgebra):
            return NotImplemented
        if self.shape[1] != other.shape[0]:
            raise ValueError(
                f"Expected patterns of shapes (m, k) and (k, n), got {self.shape} and {other.shape}. "
                "Transpose one, or exchange them."
            )
        labels = {"argnums": other.argnums}
        if self.output_avals and other.input_avals:
            labels |= {"input_avals": other.input_avals, "output_avals": self.output_avals}
        return self._from_matrix(self._matrix() @ other._matrix(), other, **labels)

    @property
    def T(self) -> Self:
        """The transposed pattern. `argnums` and the abstract values are not kept."""
        return self._from_matrix(self._matrix().T.tocsr())

    def transpose(self) -> Self:
        """Return the transposed pattern, as `T`."""
        return self.T

    def __getitem__(self, index: tuple[Any, Any]) -> Self:
        """The part in some rows and some columns, as in `pattern[free, free]`.

        Rows and columns are chosen apart from each other, each by a slice, a mask or an array of indices, in
        the order of which they are then numbered. `argnums` and the abstract values are not kept.

        **Raises:** `TypeError` unless there are two of these, `IndexError` for a mask of another length or an
        index out of range.
        """
        if not isinstance(index, tuple) or len(index) != 2:
            raise TypeError(
                f"Expected `pattern[rows, cols]`, got the index {index!r}. Use `:` for all rows or columns."
            )
        rows, cols = map(_numbers, index, self.shape)
        return self._from_matrix(self._matrix()[rows][:, cols])

    def _coordinates(self) -> Coordinates:
        return known_coordinates(self.rows, self.cols)

    def _matrix(self) -> sp.csr_array:
        """The pattern as a boolean matrix: sums of booleans cannot overflow."""
        rows, cols = self._coordinates()
        return sp.csr_array((np.ones(len(rows), bool), cols, self.indptr), shape=self.shape)

    def _from_matrix(self, matrix: sp.csr_array, *others: Self, **labels: Any) -> Self:
        matrix.sort_indices()
        local = self.local or any(other.local for other in others)
        return dataclasses.replace(self.from_scipy(matrix), local=local, **labels)


def _common_labels(one: PatternAlgebra, other: PatternAlgebra) -> dict[str, Any]:
    """What both say of arguments and abstract values, or the one that says anything; else nothing."""
    named = [each for each in (one, other) if each.input_avals or each.output_avals]
    first, *rest = [
        {
            field.name: getattr(each, field.name)
            for field in dataclasses.fields(each)
            if field.name not in _ENTRIES
        }
        for each in named or (one, other)
    ]
    return first if all(each == first for each in rest) else {}


def _numbers(index: Any, size: int) -> Int[np.ndarray, " k"]:
    """The numbers of the chosen rows or columns, of `size` many."""
    if isinstance(index, slice):
        return np.arange(size)[index]
    array = np.asarray(index)
    if array.ndim != 1:
        raise TypeError(
            f"Expected slices, masks or one-dimensional arrays of indices, got {index!r}. Ask for a single "
            "entry with `(i, j) in pattern`, and for a single row with `pattern[[i], :]`."
        )
    if array.dtype == bool and len(array) != size:  # NumPy takes a mask without elements
        raise IndexError(f"Expected a mask of length {size}, got {len(array)}.")
    is_empty_list = not array.size and array.dtype == float
    return np.arange(size)[array.astype(int) if is_empty_list else array]
