"""How often each color occurs around each vertex, which decides what can be read where."""

import numpy as np
from jaxtyping import Bool, Int, Integer

from .._pattern import SparsityPattern


def occurrences(keys: Int[np.ndarray, " k"], size: int) -> Int[np.ndarray, " k"]:
    """Return, for each key in [0, size), how often it occurs in `keys`.

    Counts in a table where that takes memory in proportion to the keys, else by sorting.
    """
    if size <= 8 * len(keys):
        return np.bincount(keys, minlength=size)[keys]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[inverse]


def row_color_keys(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
) -> Int[np.ndarray, " nnz"]:
    """Number the pairs (row, color of the column) of the nonzeros: where in `B` they add up."""
    rows, cols, colors = map(np.asarray, (sparsity.rows, sparsity.cols, colors))
    return rows.astype(np.int64) * num_colors + colors[cols]


def spoke_entries(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) of a star-colored pattern whose row v has w's color more than once.

    There v is the hub of a two-colored star and w one of its spokes: the sum of row v over w's
    color holds more than H[v, w], and H[v, w] must be read as H[w, v].
    """
    keys = row_color_keys(sparsity, colors, num_colors)
    return occurrences(keys, sparsity.m * num_colors) > 1
