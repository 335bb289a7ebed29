"""Graphs whose colorings are known, and what a coloring must fulfil, by brute force.

A graph is given by the `(n, n)` matrix of its edges, with or without a diagonal.
"""

from itertools import combinations

import numpy as np

import asdex


def pattern_of(matrix):
    rows, cols = np.nonzero(matrix)
    return asdex.SparsityPattern.from_coo(rows, cols, matrix.shape)


def symmetric_pattern(n, v, w):
    """The pattern of a graph with these edges, and of a full diagonal."""
    diagonal = np.arange(n)
    rows, cols = np.concatenate([v, w, diagonal]), np.concatenate([w, v, diagonal])
    return asdex.SparsityPattern.from_coo(rows, cols, (n, n))


def band(n, below, above):
    """`below` subdiagonals, the diagonal and `above` superdiagonals."""
    offsets = np.arange(-below, above + 1)[:, None]
    rows = np.arange(n) + 0 * offsets
    inside = (rows + offsets >= 0) & (rows + offsets < n)
    cols = (rows + offsets)[inside]
    return asdex.SparsityPattern.from_coo(rows[inside], cols, (n, n))


def diagonal(n):
    return band(n, 0, 0)


def blocks(count, size):
    return pattern_of(np.kron(np.eye(count), np.ones((size, size))))


def grid(sides, is_neighbor):
    """The points of a grid, next to those whose distance along each axis is as required."""
    points = np.indices(sides).reshape(len(sides), -1)
    distances = np.abs(points[:, :, None] - points[:, None])
    return pattern_of(is_neighbor(distances))


def cross(*sides):
    """The nearest neighbors on a grid: 5 points in two dimensions, 7 in three."""
    return grid(sides, lambda distances: distances.sum(0) <= 1)


def box(*sides):
    """All neighbors on a grid, diagonal ones too: 9 points in two dimensions, 27 in three."""
    return grid(sides, lambda distances: distances.max(0) <= 1)


def path(n):
    return symmetric_pattern(n, np.arange(n - 1), np.arange(1, n))


def cycle(n):
    return symmetric_pattern(n, np.arange(n), np.roll(np.arange(n), 1))


def star(leaves):
    return symmetric_pattern(leaves + 1, np.zeros(leaves, int), np.arange(1, leaves + 1))


def random_tree(n, rng):
    return symmetric_pattern(n, rng.integers(0, np.arange(1, n)), np.arange(1, n))


def complete(n):
    return pattern_of(np.ones((n, n)))


def complete_bipartite(a, b):
    v, w = np.divmod(np.arange(a * b), b)
    return symmetric_pattern(a + b, v, a + w)


def random_graph(n, num_edges, rng):
    v, w = rng.integers(0, n, (2, num_edges))
    return symmetric_pattern(n, v, w)


def random_rows(m, n, per_row, rng):
    rows = np.repeat(np.arange(m), per_row)
    return asdex.SparsityPattern.from_coo(rows, rng.integers(0, n, len(rows)), (m, n))


def bordered(pattern, full_rows, full_columns):
    """With full rows and columns in the end, and a full corner."""
    m, n = pattern.shape
    rows, cols = np.indices((full_rows, n + full_columns)).reshape(2, -1)
    below, beside = np.indices((m, full_columns)).reshape(2, -1)
    return asdex.SparsityPattern.from_coo(
        np.concatenate([pattern.rows, m + rows, below]),
        np.concatenate([pattern.cols, cols, n + beside]),
        (m + full_rows, n + full_columns),
    )


def arrowhead(n):
    return bordered(diagonal(n - 1), 1, 1)


def with_hubs(rest, hubs, share, rng):
    """A graph with more vertices, each of which is coupled to a share of the old ones."""
    n = rest.n
    hub, vertex = np.nonzero(rng.random((hubs, n)) < share)
    v, w = np.concatenate([rest.rows, n + hub]), np.concatenate([rest.cols, vertex])
    return symmetric_pattern(n + hubs, v, w)


def renumbered(pattern, order):
    """The graph whose vertex `order[v]` is the old vertex v."""
    return asdex.SparsityPattern.from_coo(order[pattern.rows], order[pattern.cols], pattern.shape)


def shares_a_group(matrix, colors):
    """Whether two columns of one color have a nonzero in the same row."""
    return any(
        colors[j] == colors[k] and np.any(matrix[:, j] & matrix[:, k])
        for j, k in combinations(range(matrix.shape[1]), 2)
    )


def edges_of(matrix):
    return [(int(v), int(w)) for v, w in zip(*np.nonzero(matrix), strict=True) if v != w]


def paths_of_four(matrix):
    """Quadruples of different vertices, each next to the last."""
    edges = edges_of(matrix)
    return [
        (a, b, c, d)
        for b, c in edges
        for a in (a for a, other in edges if other == b and a != c)
        for d in (d for other, d in edges if other == c and d not in (a, b))
    ]


def is_no_star_coloring(matrix, colors):
    """Whether an edge has one color, or a path on four vertices two."""
    return any(colors[v] == colors[w] for v, w in edges_of(matrix)) or any(
        colors[a] == colors[c] and colors[b] == colors[d] for a, b, c, d in paths_of_four(matrix)
    )


def unreadable(matrix, column_colors, row_colors):
    """The nonzeros that are alone neither in their group of columns nor in their group of rows."""

    def is_alone(line, colors, at):
        same = [k for k in np.flatnonzero(line) if colors[k] == colors[at]]
        return colors[at] >= 0 and same == [at]

    return [
        (int(i), int(j))
        for i, j in zip(*np.nonzero(matrix), strict=True)
        if not is_alone(matrix[i], column_colors, j) and not is_alone(matrix[:, j], row_colors, i)
    ]
