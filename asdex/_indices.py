"""Validation of the indices and shapes from which a sparsity pattern is made."""

import numpy as np
from jaxtyping import Int32
from numpy.typing import ArrayLike


_MAX_DIMENSION = np.iinfo(np.int32).max


def check_shape(shape: tuple[int, int]) -> tuple[int, int]:
    m, n = (int(size) for size in shape)
    if min(m, n) < 0 or max(m, n) > _MAX_DIMENSION:
        raise ValueError(
            f"`shape` must hold two sizes from 0 to {_MAX_DIMENSION}, the largest int32 index, got "
            f"{(m, n)}. Split larger problems into blocks of rows or columns."
        )
    return m, n


def check_indices(indices: ArrayLike, name: str, bound: int) -> Int32[np.ndarray, " k"]:
    array = np.asarray(indices)
    if array.ndim != 1:
        raise ValueError(f"`{name}` must be one-dimensional, got shape {array.shape}.")
    if array.size == 0:
        return np.zeros(0, np.int32)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"`{name}` must hold integers, got dtype {array.dtype}.")
    if array.min() < 0 or array.max() >= bound:
        position = int(np.argmax((array < 0) | (array >= bound)))
        raise ValueError(
            f"`{name}` must lie in [0, {bound}), got {array[position]} at position {position}. "
            "Check the indices against `shape`, which is (rows, columns)."
        )
    return array.astype(np.int32)
