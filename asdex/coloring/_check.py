"""Checks that a coloring allows every nonzero to be read, in O(nnz log nnz) and without loops."""

import numpy as np
from jaxtyping import Integer
from numpy.typing import ArrayLike

from .._errors import InvalidColoringError
from .._pattern import as_pattern, PatternLike, SparsityPattern
from ._counts import occurrences, row_color_keys, spoke_entries
from ._problem import mirror_positions


def check_coloring_cols(sparsity: PatternLike, colors: ArrayLike) -> None:
    """Check that columns with a common row have different colors (structural orthogonality).

    **Arguments:** `sparsity`: an `(m, n)` pattern, BCOO or dense array. `colors`: integers `(n,)`.

    **Raises:** [`InvalidColoringError`][] naming a row and two of its columns that share a
    color, or if `colors` has another shape or negative entries.
    """
    sparsity = as_pattern(sparsity)
    _check_partition(sparsity, _as_colors(colors, sparsity.n, "column"), "row", "columns")


def check_coloring_rows(sparsity: PatternLike, colors: ArrayLike) -> None:
    """Check that rows with a common column have different colors (structural orthogonality).

    **Arguments:** `sparsity`: an `(m, n)` pattern, BCOO or dense array. `colors`: integers `(m,)`.

    **Raises:** [`InvalidColoringError`][] naming a column and two of its rows that share a
    color, or if `colors` has another shape or negative entries.
    """
    sparsity = as_pattern(sparsity)
    _check_partition(sparsity.T, _as_colors(colors, sparsity.m, "row"), "column", "rows")


def check_coloring_symmetric(sparsity: PatternLike, colors: ArrayLike) -> None:
    """Check that `colors` is a star coloring of a symmetric pattern's adjacency graph.

    Adjacent vertices must differ, and no path on four vertices may have two colors (Coleman and
    Moré, "Estimation of sparse Hessian matrices and graph coloring problems", 1984). An edge v - w
    is in the middle of such a path exactly if v has w's color twice around it and w has v's.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `colors`: integers `(n,)`.

    **Raises:** [`InvalidColoringError`][] naming two adjacent vertices of one color or a
    two-colored path, or if `colors` has another shape or negative entries. `ValueError` if the
    pattern is not square or not structurally symmetric.
    """
    sparsity = as_pattern(sparsity)
    mirror = mirror_positions(sparsity)
    colors = _as_colors(colors, sparsity.n, "vertex")
    rows, cols = sparsity.rows, sparsity.cols
    clash = (colors[rows] == colors[cols]) & (rows != cols)
    if np.any(clash):
        v, w = _entry(sparsity, clash)
        raise InvalidColoringError(
            f"Invalid star coloring: adjacent vertices {v} and {w} share color {colors[v]}. "
            "Give neighbors different colors."
        )
    spokes = spoke_entries(sparsity, colors, int(colors.max(initial=-1)) + 1)
    bad = spokes & spokes[mirror]
    if np.any(bad):
        v, w = _entry(sparsity, bad)
        before = _other_neighbor(sparsity, colors, v, w)
        after = _other_neighbor(sparsity, colors, w, v)
        raise InvalidColoringError(
            f"Invalid star coloring: the path {before} - {v} - {w} - {after} has only the colors "
            f"{colors[v]} and {colors[w]}. Give one of its vertices a third color."
        )


def _as_colors(colors: ArrayLike, size: int, kind: str) -> Integer[np.ndarray, " size"]:
    array = np.asarray(colors)
    if array.shape != (size,) or not (np.issubdtype(array.dtype, np.integer) or size == 0):
        raise InvalidColoringError(
            f"Expected one integer color per {kind}, shape {(size,)}, got shape {array.shape} and "
            f"dtype {array.dtype}."
        )
    if array.min(initial=0) < 0 or array.max(initial=0) > np.iinfo(np.int32).max:
        position = int(np.argmin(array) if array.min() < 0 else np.argmax(array))
        raise InvalidColoringError(
            f"Colors must be nonnegative int32 numbers, got {array[position]} for {kind} "
            f"{position}. Number the colors from 0."
        )
    return array.astype(np.int64)


def _check_partition(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], group: str, members: str
) -> None:
    num_colors = int(colors.max(initial=-1)) + 1
    keys = row_color_keys(sparsity, colors, num_colors)
    clash = occurrences(keys, sparsity.m * num_colors) > 1
    if np.any(clash):
        first, second = np.flatnonzero(keys == keys[np.argmax(clash)])[:2]
        raise InvalidColoringError(
            f"Invalid coloring: {group} {sparsity.rows[first]} contains {members} "
            f"{sparsity.cols[first]} and {sparsity.cols[second]}, which share color "
            f"{colors[sparsity.cols[first]]}. Give them different colors."
        )


def _entry(sparsity: SparsityPattern, mask: np.ndarray) -> tuple[int, int]:
    position = int(np.argmax(mask))
    return int(sparsity.rows[position]), int(sparsity.cols[position])


def _other_neighbor(sparsity: SparsityPattern, colors: np.ndarray, v: int, w: int) -> int:
    """Return a neighbor of v other than w that has w's color."""
    around = sparsity.cols[sparsity.rows == v]
    return int(around[(colors[around] == colors[w]) & (around != w)][0])
