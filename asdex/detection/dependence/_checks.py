"""Checks of what a rule hands to the dependency array."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def checked_axes(axes: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Axes of an array of rank `ndim` as numbers from 0 up, each at most once.

    **Raises:** `TypeError` if one is not an integer, `ValueError` if one is out of range or repeated.
    """
    try:
        given = tuple(map(operator.index, np.atleast_1d(np.asarray(axes, object))))
    except TypeError:
        raise TypeError(f"Expected one axis or a sequence of axes, got {axes!r}.") from None
    if any(not -ndim <= axis < ndim for axis in given):
        allowed = f"from {-ndim} to {ndim - 1}" if ndim else "none, since the array is a scalar"
        raise ValueError(f"Expected axes of an array of rank {ndim} ({allowed}), got {given}.")
    found = tuple(axis % ndim for axis in given)
    if len(set(found)) < len(found):
        raise ValueError(f"Expected each axis once, got {given} for an array of rank {ndim}.")
    return found


def checked_axis(axis: int, ndim: int) -> int:
    """One axis of an array of rank `ndim`, as a number from 0 up."""
    if not hasattr(axis, "__index__"):
        raise TypeError(f"Expected one axis, an integer, got {axis!r}.")
    return checked_axes(axis, ndim)[0]


def checked_shape(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """A shape of `size` elements, of which one length may be -1: all that is left."""
    result = tuple(map(operator.index, shape))
    rest = math.prod(n for n in result if n >= 0)
    if result.count(-1) == 1 and rest and size % rest == 0:
        result = tuple(size // rest if n == -1 else n for n in result)
    if min(result, default=0) < 0 or math.prod(result) != size:
        raise ValueError(f"Expected a shape with {size} elements in all, got {tuple(shape)}.")
    return result


def checked_positions(positions: Any, size: int) -> tuple[NDArray, bool]:
    """Positions in an array of `size` elements, and whether some of them are -1: from nowhere.

    **Raises:** `TypeError` if they are not integers, `ValueError` if one is below -1 or past the end.
    """
    found = np.asarray(positions)
    if not found.size:
        return found.astype(np.int32), False
    if found.dtype.kind not in "iu":
        raise TypeError(
            "Expected an integer array of positions, with -1 for an element that is taken from nowhere, "
            f"got {_described(positions)}."
        )
    low, high = int(found.min()), int(found.max())
    if low < -1 or high >= size:
        wrong = low if low < -1 else high
        raise ValueError(
            f"Expected positions from 0 to {size - 1} in the {size} elements of the operand, or -1 for an "
            f"element that is taken from nowhere, got {wrong}."
        )
    return found, low < 0


def checked_choice(choice: Any, shapes: Sequence[tuple[int, ...]]) -> NDArray:
    """The number of an operand for each element, with the shapes of these operands."""
    found, has_gaps = checked_positions(choice, len(shapes))
    if has_gaps:
        raise ValueError(f"Expected a choice from {len(shapes)} operands, numbered from 0, got -1.")
    if any(shape != found.shape for shape in shapes):
        raise ValueError(f"Expected operands of shape {found.shape}, got {list(shapes)}.")
    return found


def as_csr(matrix: Any, *, rows: int | None = None, columns: int | None = None) -> sp.csr_array:
    """A SciPy matrix of any format in compressed rows, with its stored zeros.

    **Arguments:** `rows`, `columns`: what its shape has to be.

    **Raises:** `TypeError` if it is no sparse matrix, `ValueError` if its shape is another.
    """
    if not sp.issparse(matrix):
        raise TypeError(
            "Expected a sparse matrix of SciPy, whose rows are results and whose columns are elements, got "
            f"{_described(matrix)}. Convert a dense one by scipy.sparse.csr_array."
        )
    shape = matrix.shape
    expected = tuple(
        n if size is None else size for n, size in zip(shape, (rows, columns), strict=False)
    )
    if len(shape) != 2 or shape != expected:
        wanted = ", ".join("any" if size is None else str(size) for size in (rows, columns))
        raise ValueError(
            f"Expected a sparse matrix of shape ({wanted}), one row per result and one column per element, "
            f"got shape {shape}."
        )
    if matrix.format == "dia":  # whose conversions drop stored zeros
        stored = np.ones(matrix.data.shape, np.bool_)
        matrix = sp.dia_array((stored, matrix.offsets), shape=shape)
    csr = matrix if matrix.format == "csr" else matrix.tocsr()
    if csr.nnz and not (csr.indices.min() >= 0 and csr.indices.max() < shape[1]):
        raise ValueError(
            f"Expected column indices from 0 to {shape[1] - 1}, got one from {csr.indices.min()} to "
            f"{csr.indices.max()}. Leave out what depends on nothing."
        )
    return csr


def _described(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ + (f" of dtype {dtype}" if dtype is not None else f": {value!r}")
