"""Acyclic colorings: the definition by brute force, optima on known graphs, and the kernel."""

import itertools
import re

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st
from scipy.sparse import csgraph

import asdex
from asdex.coloring import check_coloring_acyclic
from asdex.coloring.greedy import adjacency
from asdex.coloring.greedy._acyclic import greedy_acyclic
from asdex.coloring.greedy._orders import largest_first, natural
from asdex.coloring.problems._lower_bounds import acyclic_lower_bound


def colors_of(graph, order, **options):
    colors = greedy_acyclic(graph, order, **options)
    assert colors is not None
    return colors


def graph_of(matrix):
    return adjacency(pattern_of(matrix))


def pattern_of(matrix):
    rows, cols = sp.csr_array(matrix).nonzero()
    return asdex.SparsityPattern.from_coo(rows, cols, matrix.shape)


def band(n, half_width):
    i = np.arange(n)
    return sp.csr_array(np.abs(i[:, None] - i) <= half_width, dtype=float)


def five_point(side):
    return sp.kronsum(band(side, 1), band(side, 1))


def nine_point(side):
    return sp.kron(band(side, 1), band(side, 1))


def cycle(n):
    ring = sp.coo_array((np.ones(n), (np.arange(n), np.roll(np.arange(n), 1))), shape=(n, n))
    return ring + ring.T


def random_tree(n, seed):
    rng = np.random.default_rng(seed)
    parents = rng.integers(0, np.arange(1, n))
    lower = sp.coo_array((np.ones(n - 1), (np.arange(1, n), parents)), shape=(n, n))
    return lower + lower.T


def random_graph(n, degree, seed):
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, n, (2, n * degree // 2))
    half = sp.coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n, n))
    return half + half.T


@st.composite
def symmetric_patterns(draw, max_size=12):
    n = draw(st.integers(1, max_size))
    density = draw(st.sampled_from([0.05, 0.2, 0.5, 0.95]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dense = rng.random((n, n)) < density
    return (dense | dense.T).astype(np.int8)


def is_acyclic(dense, colors):
    """Whether neighbors differ and any two colors induce a forest; vertices of color -1 are left out."""
    edges = (dense != 0) & ~np.eye(len(dense), dtype=bool) & (colors >= 0) & (colors >= 0)[:, None]
    if np.any(edges & (colors[:, None] == colors)):
        return False
    for pair in itertools.combinations(np.unique(colors[colors >= 0]), 2):
        among = np.isin(colors, pair)
        part = edges[np.ix_(among, among)]
        if part.sum() // 2 != len(part) - csgraph.connected_components(part)[0]:
            return False
    return True


def least_number_of_colors(dense):
    """The optimum, by trying all colorings up to the names of the colors."""

    def extend(colors, v, k):
        if v == len(colors):
            return True
        for color in range(min(k, colors.max(initial=-1) + 2)):
            colors[v] = color
            if is_acyclic(dense, colors) and extend(colors, v + 1, k):
                return True
        colors[v] = -1
        return False

    n = len(dense)
    return next(k for k in range(1, n + 1) if extend(np.full(n, -1), 0, k))


@given(symmetric_patterns(), st.randoms(use_true_random=False))
def test_each_vertex_gets_the_least_color_that_closes_no_cycle(dense, random):
    order = list(range(len(dense)))
    random.shuffle(order)
    expected = np.full(len(dense), -1)
    for v in order:
        expected[v] = 0
        while not is_acyclic(dense, expected):
            expected[v] += 1
    colors = colors_of(graph_of(dense), np.array(order))
    assert colors.dtype == np.int32
    np.testing.assert_array_equal(colors, expected)


@given(symmetric_patterns(max_size=6))
def test_the_optimum_lies_between_the_bound_and_the_best_order(dense):
    graph = graph_of(dense)
    orders = itertools.permutations(range(len(dense)))
    found = min(colors_of(graph, np.array(order)).max() + 1 for order in orders)
    optimum = least_number_of_colors(dense)
    assert acyclic_lower_bound(graph) <= optimum <= found
    check_coloring_acyclic(dense, colors_of(graph, np.arange(len(dense))))


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.zeros((3, 3)), 1),
        (np.ones((1, 1)), 1),
        (np.ones((7, 7)), 7),
        (band(40, 1), 2),
        (band(40, 2), 3),
        (band(40, 5), 6),
        (cycle(3), 3),
        (cycle(8), 3),
        (cycle(9), 3),
        (random_tree(200, 0), 2),
        (random_tree(200, 1), 2),
        (sp.block_diag([np.ones((4, 4)), band(9, 1), np.ones((6, 6))]), 6),
    ],
)
def test_optima_are_met_and_proven(matrix, expected):
    graph = graph_of(matrix)
    assert acyclic_lower_bound(graph) == expected
    assert colors_of(graph, natural(graph)).max() + 1 == expected


@pytest.mark.parametrize("half_width", [1, 2, 3])
def test_the_optimum_of_a_band_is_half_its_off_diagonals_and_one(half_width):
    dense = band(7, half_width).toarray()
    assert least_number_of_colors(dense) == half_width + 1


@pytest.mark.parametrize(("matrix", "expected"), [(five_point(30), 4), (nine_point(30), 6)])
def test_stencils_in_natural_order(matrix, expected):
    graph = graph_of(matrix)
    colors = colors_of(graph, natural(graph))
    check_coloring_acyclic(pattern_of(matrix), colors)
    assert colors.max() + 1 == expected


def test_an_example_of_the_literature():
    gallery = pytest.importorskip("pyamg.gallery")
    graph = graph_of(gallery.load_example("local_disc_galerkin_diffusion")["A"])
    orders = [natural(graph)] + [
        np.random.default_rng(seed).permutation(graph.num_vertices) for seed in range(4)
    ]
    assert min(colors_of(graph, order).max() + 1 for order in orders) <= 33


def test_hubs_are_no_harder_than_other_vertices():
    """To visit the neighbors of each neighbor of a hub would take n**2 steps."""
    n, hubs = 20_000, 4
    rest = sp.csr_array(five_point(142))[: n - hubs, : n - hubs]
    border = sp.csr_array(np.ones((n - hubs, hubs)))
    matrix = sp.bmat([[rest, border], [border.T, np.ones((hubs, hubs))]])
    graph = graph_of(matrix)
    colors = colors_of(graph, largest_first(graph))
    check_coloring_acyclic(pattern_of(matrix), colors)
    assert colors.max() + 1 <= hubs + 6


def test_a_vertex_gets_a_new_color_where_too_many_close_cycles():
    """Two vertices of one color leave no two of their common neighbors the same color."""
    n = 1000
    border = np.ones((2, n))
    matrix = sp.bmat([[None, border], [border.T, band(n, 1)]])
    graph = graph_of(matrix)
    colors = colors_of(graph, natural(graph))
    check_coloring_acyclic(pattern_of(matrix), colors)
    assert colors.max() == n


@given(symmetric_patterns(), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_coloring_is_accepted_exactly_if_it_is_acyclic(dense, num_colors, seed):
    colors = np.random.default_rng(seed).integers(0, num_colors, len(dense))
    if is_acyclic(dense, colors):
        check_coloring_acyclic(dense, colors)
        return
    with pytest.raises(asdex.InvalidColoringError) as error:
        check_coloring_acyclic(dense, colors)
    message = str(error.value)
    if named := re.search(r"the cycle ([-\d ]*) has only the colors (\d+) and (\d+)", message):
        vertices = [int(v) for v in named[1].split(" - ")]
        assert len(set(vertices)) == len(vertices) >= 4
        assert set(colors[vertices]) == {int(named[2]), int(named[3])}
        assert all(dense[v, w] for v, w in itertools.pairwise([*vertices, vertices[0]]))
    else:
        v, w, color = map(int, re.findall(r"\d+", message))
        assert v != w and dense[v, w] and colors[v] == colors[w] == color


def test_a_long_cycle_is_named_in_part():
    matrix = sp.block_diag([band(50, 1), cycle(1000)])
    colors = np.arange(1050) % 2
    with pytest.raises(
        asdex.InvalidColoringError, match=r"- \.\.\. \(1000 vertices\) has only the"
    ):
        check_coloring_acyclic(pattern_of(matrix), colors)


@pytest.mark.parametrize(
    ("pattern", "colors", "error", "match"),
    [
        (np.ones((3, 3)), [0, 1], asdex.InvalidColoringError, r"shape \(3,\), got shape \(2,\)"),
        (np.ones((3, 3)), [0, 1, -1], asdex.InvalidColoringError, "got -1 for vertex 2"),
        (np.ones((2, 3)), [0, 1], ValueError, "square pattern"),
        (np.array([[1, 1], [0, 1]]), [0, 1], ValueError, "structurally symmetric"),
    ],
)
def test_what_is_no_coloring_is_refused(pattern, colors, error, match):
    with pytest.raises(error, match=match):
        check_coloring_acyclic(pattern, np.array(colors))
