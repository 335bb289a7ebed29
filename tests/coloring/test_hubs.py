"""Hessians with hubs: a few variables that are coupled to many others, on top of a sparse rest."""

import numpy as np
import pytest
from graph_families import band, diagonal, random_graph, random_tree, renumbered, with_hubs

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
N = 300
RESTS = {
    "nothing": (diagonal(N), 1),
    "path": (band(N, 1, 1), 3),
    "tree": (random_tree(N, np.random.default_rng(0)), 3),
    "sparse": (random_graph(N, N // 2, np.random.default_rng(1)), 4),
    "less sparse": (random_graph(N, N, np.random.default_rng(2)), 6),
}
PLACES = ["first", "last", "anywhere"]


def number(hubs, share, rest, place, seed=0):
    """A graph with hubs, which are numbered in some place."""
    rng = np.random.default_rng(seed)
    graph = with_hubs(rest, hubs, share, rng)
    last = np.arange(graph.n)
    orders = {"last": last, "first": (last + hubs) % graph.n, "anywhere": rng.permutation(graph.n)}
    return renumbered(graph, orders[place])


def num_colors(graph, **options):
    return asdex.color_symmetric(graph, **options)[1]


@pytest.mark.parametrize("name", RESTS)
def test_the_rests(name):
    rest, colors = RESTS[name]
    assert num_colors(rest) <= colors


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("hubs", "share"), [(1, 1.0), (5, 1.0), (5, 0.8), (20, 0.5)])
@pytest.mark.parametrize("name", RESTS)
def test_hubs_cost_a_color_each(name, hubs, share, place):
    rest, colors = RESTS[name]
    graph = number(hubs, share, rest, place)
    found = num_colors(graph, budget=0.05)
    assert found <= hubs + colors + (name == "less sparse")
    assert found <= num_colors(graph, budget=0.0) <= num_colors(graph, order="largest_first")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", RESTS)
def test_full_hubs_on_nothing_and_on_paths_are_optimal(name, place):
    """h full hubs and N others hold a biclique, which needs h + 1 colors; the hubs then all differ."""
    rest, colors = RESTS[name]
    found = num_colors(number(4, 1.0, rest, place), budget=0.05)
    assert found >= 5
    if colors in (1, 3):
        assert found == 4 + colors


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("hubs", "share", "most"), [(20, 0.1, 18), (50, 0.05, 18)])
def test_many_small_hubs_share_colors(hubs, share, most, place):
    """Too small to need a color each, as long as other vertices can tell them apart."""
    for rest in (RESTS["nothing"][0], RESTS["path"][0], RESTS["sparse"][0]):
        graph = number(hubs, share, rest, place)
        found = num_colors(graph, budget=0.03)
        assert found <= most < hubs
        assert found <= num_colors(graph, order="largest_first")


@pytest.mark.parametrize("place", PLACES)
def test_five_hubs_in_five_thousand(place):
    rest = random_graph(5000, 2500, np.random.default_rng(0))
    graph = number(5, 1.0, rest, place)
    assert graph.n == 5005 and graph.nnz > 50_000
    coloring = asdex.hessian_coloring_from_sparsity(graph)
    assert coloring.num_colors <= 10
    assert coloring.lower_bound <= coloring.num_colors


def test_recovery_reads_hubs_from_their_spokes():
    graph = number(3, 1.0, RESTS["sparse"][0], "anywhere")
    coloring = asdex.hessian_coloring_from_sparsity(graph, budget=0.0)
    rng = np.random.default_rng(0)
    matrix = np.zeros(graph.shape, np.int32)
    upper = graph.rows <= graph.cols
    values = rng.integers(1, 100, upper.sum())
    matrix[graph.rows[upper], graph.cols[upper]] = values
    matrix[graph.cols[upper], graph.rows[upper]] = values
    seeds = np.arange(coloring.num_colors)[:, None] == coloring.colors
    compressed = seeds.astype(np.int32) @ matrix
    np.testing.assert_array_equal(asdex.decompress(compressed, coloring, "numpy_dense"), matrix)
