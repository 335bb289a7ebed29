"""Colorings of tiny patterns against the optimum, found among all partitions of the vertices."""

import functools
from itertools import combinations

import numpy as np
import pytest
from graph_families import edges_of, is_no_star_coloring, paths_of_four, shares_a_group, unreadable
from hypothesis import given, settings, strategies as st

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
BUDGET = 0.02


@functools.cache
def partitions(n):
    """All partitions of n vertices as colors, numbered in the order of their first vertices."""
    colors = np.zeros((1, 0), int)
    for _ in range(n):
        fresh = colors.max(1, initial=-1) + 1
        repeated = np.repeat(colors, fresh + 1, axis=0)
        last = np.concatenate([np.arange(number + 1) for number in fresh])
        colors = np.column_stack([repeated, last])
    return colors


def partitions_of_some(n):
    """As `partitions`, with -1 for vertices that are left out."""
    return partitions(n + 1)[:, 1:] - 1


def least(colors, valid):
    return int(colors[valid].max(1).min()) + 1


def optimum_of_columns(matrix):
    colors = partitions(matrix.shape[1])
    conflicts = [
        colors[:, j] == colors[:, k]
        for j, k in combinations(range(matrix.shape[1]), 2)
        if np.any(matrix[:, j] & matrix[:, k])
    ]
    return (
        least(colors, ~np.any(conflicts, axis=0))
        if matrix.any() and conflicts
        else int(matrix.any())
    )


def optimum_of_stars(matrix):
    colors = partitions(len(matrix))
    conflicts = [colors[:, v] == colors[:, w] for v, w in edges_of(matrix)] + [
        (colors[:, a] == colors[:, c]) & (colors[:, b] == colors[:, d])
        for a, b, c, d in paths_of_four(matrix)
    ]
    return (
        least(colors, ~np.any(conflicts, axis=0))
        if matrix.any() and conflicts
        else int(matrix.any())
    )


def readable(matrix, colors):
    """Which nonzeros (i, j) can be read from the groups of columns, as the bits of one number."""
    rows, cols = np.nonzero(matrix)
    bits = np.zeros(len(colors), np.int64)
    for number, (i, j) in enumerate(zip(rows, cols, strict=True)):
        others = [k for k in np.flatnonzero(matrix[i]) if k != j]
        alone = (colors[:, [j]] >= 0) & (colors[:, others] != colors[:, [j]]).all(1, keepdims=True)
        bits |= alone[:, 0].astype(np.int64) << number
    return bits


def optimum_of_both(matrix):
    m, n = matrix.shape
    of_columns, of_rows = partitions_of_some(n), partitions_of_some(m)
    # The nonzeros of the transpose, in the order of those of the matrix.
    rows, cols = np.nonzero(matrix)
    transposed = readable(matrix.T, of_rows)
    order = np.lexsort((rows, cols))
    by_row = np.zeros(len(of_rows), np.int64)
    for place, number in enumerate(order):
        by_row |= (transposed >> place & 1) << number
    complete = readable(matrix, of_columns)[:, None] | by_row == (1 << len(rows)) - 1
    total = of_columns.max(1)[:, None] + of_rows.max(1) + 2
    return int(total[complete].min())


@st.composite
def matrices(draw, sizes, square=False):
    m = draw(sizes)
    n = m if square else draw(sizes)
    density = draw(st.sampled_from([0.15, 0.3, 0.5, 0.7, 0.9]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random((m, n)) < density


def test_the_oracle_knows_what_is_known():
    assert [len(partitions(n)) for n in range(8)] == [1, 1, 2, 5, 15, 52, 203, 877]
    ring = np.eye(5, dtype=bool) | np.roll(np.eye(5, dtype=bool), 1, axis=1)
    ring |= ring.T
    assert (optimum_of_columns(ring), optimum_of_stars(ring)) == (5, 4)
    arrow = np.eye(5, dtype=bool)
    arrow[0] = arrow[:, 0] = True
    assert (optimum_of_columns(arrow), optimum_of_stars(arrow), optimum_of_both(arrow)) == (5, 2, 3)


@given(matrices(st.integers(1, 7)))
@settings(max_examples=60)
def test_columns_and_rows(matrix):
    color = asdex.jacobian_coloring_from_sparsity
    for coloring in (
        color(matrix, mode="fwd", budget=BUDGET),
        color(matrix.T, mode="rev", budget=BUDGET),
    ):
        optimum = optimum_of_columns(matrix)
        assert not shares_a_group(matrix, coloring.colors)
        assert coloring.lower_bound <= optimum <= coloring.num_colors
        # Some order of the vertices is optimal for first-fit; the search finds one of so few.
        assert coloring.num_colors == optimum


@given(matrices(st.integers(1, 7), square=True))
@settings(max_examples=60)
def test_stars(matrix):
    matrix = matrix | matrix.T
    coloring = asdex.hessian_coloring_from_sparsity(matrix, budget=BUDGET)
    optimum = optimum_of_stars(matrix)
    assert not is_no_star_coloring(matrix, coloring.colors)
    assert coloring.lower_bound <= optimum <= coloring.num_colors <= optimum + 1


@given(matrices(st.integers(1, 5)))
@settings(max_examples=60)
def test_rows_and_columns_together(matrix):
    coloring = asdex.jacobian_coloring_from_sparsity(matrix, mode="bidirectional", budget=BUDGET)
    assert unreadable(matrix, coloring.column_colors, coloring.row_colors) == []
    optimum, one_way = optimum_of_both(matrix), optimum_of_columns(matrix)
    assert coloring.lower_bound <= optimum <= coloring.num_colors
    assert coloring.num_colors <= min(one_way, optimum_of_columns(matrix.T))
    chosen = asdex.jacobian_coloring_from_sparsity(matrix, budget=BUDGET)
    assert optimum <= chosen.num_colors <= min(one_way, optimum_of_columns(matrix.T))


def test_every_graph_on_four_vertices():
    pairs = list(combinations(range(4), 2))
    for number in range(2 ** len(pairs)):
        matrix = np.eye(4, dtype=bool)
        for bit, (v, w) in enumerate(pairs):
            matrix[v, w] = matrix[w, v] = bool(number >> bit & 1)
        coloring = asdex.hessian_coloring_from_sparsity(matrix, budget=BUDGET)
        assert coloring.lower_bound <= coloring.num_colors == optimum_of_stars(matrix)
        columns = asdex.jacobian_coloring_from_sparsity(matrix, mode="fwd", budget=BUDGET)
        assert columns.lower_bound <= columns.num_colors == optimum_of_columns(matrix)
