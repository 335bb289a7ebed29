"""Checks that a coloring allows every nonzero to be read, in O(nnz) and without loops."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Integer
from numpy.typing import ArrayLike
from scipy.sparse import csgraph

from .._errors import InvalidColoringError
from ..pattern import as_pattern, connected_components, PatternLike, SparsityPattern
from ._colors import groups_with_repeats, repeated
from ._star_set import StarSet
from .recoverability import (
    middle_edges,
    mirror_positions,
    read_across,
    read_from_column,
    read_from_row,
    two_colored_edges,
)


_MAX_NAMED = 8  # vertices of a cycle that an error message names


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


def check_coloring_symmetric(
    sparsity: PatternLike, colors: ArrayLike, *, star_set: StarSet | None = None
) -> None:
    """Check that `colors` is a star coloring of a symmetric pattern's adjacency graph.

    Adjacent vertices must differ, and no path on four vertices may have two colors (Coleman and
    Moré, "Estimation of sparse Hessian matrices and graph coloring problems", 1984). An edge v - w
    is in the middle of such a path exactly if two neighbors of v have w's color and two neighbors
    of w have v's color.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `colors`: integers `(n,)`. `star_set`: the hubs that were chosen, to be checked as well.

    **Raises:** [`InvalidColoringError`][] naming two adjacent vertices of one color, a two-colored
    path or a wrong hub, or if `colors` has another shape or negative entries. `ValueError` if the
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
    bad = middle_edges(sparsity, colors, mirror)
    if np.any(bad):
        v, w = _entry(sparsity, bad)
        before = _other_neighbor(sparsity, colors, v, w)
        after = _other_neighbor(sparsity, colors, w, v)
        raise InvalidColoringError(
            f"Invalid star coloring: the path {before} - {v} - {w} - {after} has only the colors "
            f"{colors[v]} and {colors[w]}. Give one of its vertices a third color."
        )
    read_across(sparsity, colors, star_set)


def check_coloring_acyclic(sparsity: PatternLike, colors: ArrayLike) -> None:
    """Check that `colors` is an acyclic coloring of a symmetric pattern's adjacency graph.

    Adjacent vertices must differ, and every cycle must have three colors (Coleman and Cai, "The
    cyclic coloring problem and estimation of sparse Hessian matrices", 1986). So any two colors
    induce a forest, and a graph is a forest if it has as many edges as nodes minus trees.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `colors`: integers `(n,)`.

    **Raises:** [`InvalidColoringError`][] naming two adjacent vertices of one color or a two-colored
    cycle, or if `colors` has another shape or negative entries. `ValueError` if the pattern is not
    square or not structurally symmetric.
    """
    sparsity = as_pattern(sparsity)
    mirror_positions(sparsity)  # raises if the pattern is not symmetric
    colors = _as_colors(colors, sparsity.n, "vertex")
    edges = two_colored_edges(sparsity, colors)
    clash = colors[edges.v] == colors[edges.w]
    if np.any(clash):
        v, w = edges.v[np.argmax(clash)], edges.w[np.argmax(clash)]
        raise InvalidColoringError(
            f"Invalid acyclic coloring: adjacent vertices {v} and {w} share color {colors[v]}. "
            "Give neighbors different colors."
        )
    if edges.is_forest():
        return
    graph = edges.adjacency()
    num_trees, tree = connected_components(graph)
    has_cycle = np.bincount(tree[edges.ends[0]], minlength=num_trees) >= np.bincount(tree)
    nodes = np.flatnonzero(tree == np.argmax(has_cycle))
    cycle = edges.vertices[nodes[_find_cycle(graph[nodes][:, nodes])]]
    first, second = sorted((int(colors[cycle[0]]), int(colors[cycle[1]])))
    named = " - ".join(str(v) for v in cycle[:_MAX_NAMED])
    rest = f" - ... ({len(cycle)} vertices)" if len(cycle) > _MAX_NAMED else ""
    raise InvalidColoringError(
        f"Invalid acyclic coloring: the cycle {named}{rest} has only the colors {first} and "
        f"{second}. Give one of its vertices a third color."
    )


def check_coloring_bidirectional(
    sparsity: PatternLike, column_colors: ArrayLike, row_colors: ArrayLike
) -> None:
    """Check that each nonzero can be read from a group of columns or from a group of rows.

    Nonzero (i, j) can be read if no other column of j's color has a nonzero in row i, or if no other
    row of i's color has a nonzero in column j. Columns and rows of color -1 are in no group.

    **Arguments:** `sparsity`: an `(m, n)` pattern, BCOO or dense array. `column_colors`,
    `row_colors`: integers `(n,)` and `(m,)`, at least -1.

    **Raises:** [`InvalidColoringError`][] naming a nonzero that cannot be read, or if the colors
    have another shape or entries below -1.
    """
    sparsity = as_pattern(sparsity)
    columns = _as_colors(column_colors, sparsity.n, "column", least=-1)
    rows = _as_colors(row_colors, sparsity.m, "row", least=-1)
    unreadable = ~(read_from_column(sparsity, columns) | read_from_row(sparsity, rows))
    if np.any(unreadable):
        i, j = _entry(sparsity, unreadable)
        raise InvalidColoringError(
            f"Invalid bidirectional coloring: nonzero ({i}, {j}) can be read neither by its column, "
            f"of color {columns[j]}, nor by its row, of color {rows[i]}. Give one of them a color "
            "that no conflicting column, or row, has."
        )


def _as_colors(
    colors: ArrayLike, size: int, kind: str, least: int = 0
) -> Integer[np.ndarray, " size"]:
    array = np.asarray(colors)
    if array.shape != (size,) or not (np.issubdtype(array.dtype, np.integer) or size == 0):
        raise InvalidColoringError(
            f"Expected one integer color per {kind}, shape {(size,)}, got shape {array.shape} and "
            f"dtype {array.dtype}."
        )
    if array.min(initial=0) < least or array.max(initial=0) > np.iinfo(np.int32).max:
        position = int(np.argmin(array) if array.min() < least else np.argmax(array))
        raise InvalidColoringError(
            f"Colors must be int32 numbers of at least {least}, got {array[position]} for {kind} "
            f"{position}. Number the colors from 0."
        )
    return array.astype(np.int64)


def _check_partition(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], row: str, members: str
) -> None:
    indptr = sparsity.indptr
    if np.any(groups_with_repeats(indptr, sparsity.cols, colors)):
        of_entries = colors[sparsity.cols]
        first = int(np.argmax(repeated(indptr, of_entries)))
        group = sparsity.cols[indptr[sparsity.rows[first]] : indptr[sparsity.rows[first] + 1]]
        one, other = group[colors[group] == of_entries[first]][:2]
        raise InvalidColoringError(
            f"Invalid coloring: {row} {sparsity.rows[first]} contains {members} {one} and {other}, "
            f"which share color {of_entries[first]}. Give them different colors."
        )


def _entry(sparsity: SparsityPattern, mask: np.ndarray) -> tuple[int, int]:
    position = int(np.argmax(mask))
    return int(sparsity.rows[position]), int(sparsity.cols[position])


def _other_neighbor(sparsity: SparsityPattern, colors: np.ndarray, v: int, w: int) -> int:
    """Return a neighbor of v other than w that has w's color."""
    around = sparsity.cols[sparsity.rows == v]
    return int(around[(colors[around] == colors[w]) & (around != w)][0])


def _find_cycle(graph: sp.csr_array) -> list[int]:
    """Return the nodes of a cycle in a connected graph, which must have one.

    An edge that is not in a spanning tree closes a cycle with the tree's path between its ends.
    """
    tree = csgraph.breadth_first_tree(graph, 0, directed=False)
    starts, ends = (graph - tree - tree.T).nonzero()
    _, parents = csgraph.breadth_first_order(tree, starts[0], directed=False)
    path = [int(ends[0])]
    while path[-1] != starts[0]:
        path.append(int(parents[path[-1]]))
    return path
