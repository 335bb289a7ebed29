"""Validation of the indices and shapes from which a sparsity pattern is made."""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Int, Int32
from numpy.typing import ArrayLike


_MAX_DIMENSION = np.iinfo(np.int32).max
_PART = 2**20
Coordinates = tuple[Int32[np.ndarray, " k"], Int32[np.ndarray, " k"]]


def check_shape(shape: Sequence[Any]) -> tuple[int, int]:
    """Return the number of rows and of columns as Python integers."""
    try:
        m, n = map(operator.index, shape)
    except (TypeError, ValueError):
        raise TypeError(
            f"`shape` must hold two integers, (rows, columns), got {shape!r}."
        ) from None
    if min(m, n) < 0 or max(m, n) > _MAX_DIMENSION:
        raise ValueError(
            f"`shape` must hold two sizes from 0 to {_MAX_DIMENSION}, the largest int32 index, got "
            f"{(m, n)}. Split larger problems into blocks of rows or columns."
        )
    return m, n


def check_argnums(argnums: Any) -> int | tuple[int, ...]:
    """Return positions of arguments as an integer or a tuple of integers."""
    try:
        return (
            tuple(map(operator.index, argnums)) if np.iterable(argnums) else operator.index(argnums)
        )
    except TypeError:
        raise TypeError(
            f"`argnums` must be an integer or a sequence of integers, got {argnums!r}."
        ) from None


def check_indices(indices: ArrayLike, name: str, bound: int) -> Int32[np.ndarray, " k"]:
    """Return indices from `[0, bound)` as a read-only array that nobody else can write to.

    Only an array that is one already is not copied.
    """
    array = np.asarray(indices)
    if array.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got shape {array.shape}.")
    if array.size == 0:
        return frozen(np.zeros(0, np.int32))
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"`{name}` must hold integers, got dtype {array.dtype}.")
    if array.min() < 0 or array.max() >= bound:
        position = int(np.argmax((array < 0) | (array >= bound)))
        raise ValueError(
            f"`{name}` must lie in [0, {bound}), got {array[position]} at position {position}. "
            "Check the indices against `shape`, which is (rows, columns)."
        )
    immutable = array.dtype == np.int32 and array.flags.owndata and not array.flags.writeable
    return array if immutable else frozen(array.astype(np.int32))


def check_row_starts(indptr: ArrayLike, num_rows: int, nnz: int) -> Int32[np.ndarray, " nnz"]:
    """Return the row of each nonzero, from where the rows start in compressed rows."""
    starts = np.asarray(indptr)
    lengths = np.diff(starts.astype(np.int64))
    if (
        starts.shape != (num_rows + 1,)
        or not np.issubdtype(starts.dtype, np.integer)
        or starts[0] != 0
        or starts[-1] != nnz
        or np.any(lengths < 0)
    ):
        raise ValueError(
            f"`indptr` must rise from 0 to {nnz} (the length of `indices`) in {num_rows + 1} integers, "
            f"got {starts.size} entries: {starts!r}."
        )
    return frozen(np.repeat(np.arange(num_rows, dtype=np.int32), lengths))


def check_coordinates(rows: ArrayLike, cols: ArrayLike, shape: tuple[int, int]) -> Coordinates:
    """Return the coordinates of entries of a matrix as two read-only arrays of one length."""
    checked = check_indices(rows, "rows", shape[0]), check_indices(cols, "cols", shape[1])
    _check_same_length(*checked)
    return checked


def canonical(rows: Any, cols: Any, shape: tuple[int, int]) -> tuple[Any, Any]:
    """Return coordinates sorted by row and then by column, each once, as read-only int32 arrays.

    Arrays without known values (tracers and `jax.ShapeDtypeStruct`s) are returned as they are.
    """
    if any(isinstance(part, Tracer | jax.ShapeDtypeStruct) for part in (rows, cols)):
        _check_same_length(rows, cols)
        return rows, cols
    rows, cols = check_coordinates(rows, cols, shape)
    if _is_canonical(rows, cols):
        return rows, cols
    keys = np.sort(entry_keys(rows, cols, shape))
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    rows, cols = np.divmod(keys, shape[1])
    return frozen(rows.astype(np.int32)), frozen(cols.astype(np.int32))


def _is_canonical(rows: Int32[np.ndarray, " k"], cols: Int32[np.ndarray, " k"]) -> bool:
    """Whether coordinates are sorted and unique; a part at a time, which needs little memory."""
    for start in range(0, len(rows) - 1, _PART):
        row, col = rows[start : start + _PART + 1], cols[start : start + _PART + 1]
        later = (row[1:] > row[:-1]) | ((row[1:] == row[:-1]) & (col[1:] > col[:-1]))
        if not np.all(later):
            return False
    return True


def entry_keys(
    rows: Int[np.ndarray, " k"], cols: Int[np.ndarray, " k"], shape: tuple[int, int]
) -> Int[np.ndarray, " k"]:
    """Return the place of entries in the flattened matrix: numbers in the order of a pattern."""
    return rows.astype(np.int64) * shape[1] + cols


def known_coordinates(rows: Any, cols: Any) -> Coordinates:
    """Return coordinates as NumPy arrays.

    **Raises:** `TypeError` if they are no arrays, or without known values.
    """
    for part in (rows, cols):
        if isinstance(part, Tracer) or not isinstance(part, np.ndarray | jax.Array):
            raise TypeError(
                f"Expected a pattern with known `rows` and `cols`, got {type(part).__name__}: it was "
                "passed as an argument through `jit` or another transformation. Close over the pattern, "
                "or do this outside of the transformation."
            )
    return np.asarray(rows, np.int32), np.asarray(cols, np.int32)


def check_known(tree: Any, what: str) -> None:
    """Raise if the arrays of a coloring or a pattern are traced.

    **Raises:** `TypeError`.
    """
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree)):
        raise TypeError(
            f"{what} needs a known coloring, got one that is traced, because it was passed as an argument "
            "through `jit` or another transformation. Close over the coloring, or pass what you make of "
            "it outside: a decompressor, or the derivative's callable."
        )


def _check_same_length(rows: Any, cols: Any) -> None:
    if rows.shape != cols.shape:
        raise ValueError(
            f"`rows` and `cols` must have the same length, got {rows.size} and {cols.size}. "
            "Pass one row and one column per nonzero."
        )


def frozen(array: Int32[np.ndarray, " k"]) -> Int32[np.ndarray, " k"]:
    """Return an array that is not used elsewhere, or the one that it is a view of the whole of, read-only."""
    base = array.base
    if isinstance(base, np.ndarray) and (base.shape, base.dtype) == (array.shape, array.dtype):
        array = base
    array.flags.writeable = False
    return array
