"""Numbers of colors that are known by theorems, or bounded by them."""

import numpy as np
import pytest
from graph_families import (
    arrowhead,
    band,
    blocks,
    bordered,
    box,
    complete,
    complete_bipartite,
    cross,
    cycle,
    diagonal,
    is_no_star_coloring,
    path,
    random_graph,
    random_rows,
    random_tree,
    renumbered,
    shares_a_group,
    star,
)

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def color(pattern, mode):
    if mode == "star":
        return asdex.hessian_coloring_from_sparsity(pattern)
    return asdex.jacobian_coloring_from_sparsity(pattern, mode=mode)


def largest_degree(pattern):
    return int(np.bincount(pattern.rows).max()) - 1


COLUMNS_MEET_THEIR_BOUND = {
    **{f"band, half width {r}": (band(50, r, r), 2 * r + 1) for r in (0, 1, 2, 3, 5)},
    "bidiagonal": (band(50, 0, 1), 2),
    "lower band": (band(50, 3, 0), 4),
    "lopsided band": (band(50, 4, 1), 6),
    "blocks": (blocks(7, 5), 5),
    "5-point": (cross(20, 21), 5),
    "5-point in a strip": (cross(2, 40), 4),
    "7-point": (cross(8, 9, 7), 7),
    "9-point": (box(15, 14), 9),
    "27-point": (box(5, 6, 7), 27),
    "path": (path(30), 3),
    "star": (star(12), 13),
    "complete": (complete(7), 7),
    "arrowhead": (arrowhead(20), 20),
    **{f"cycle of {n}": (cycle(n), 3) for n in (3, 6, 9, 30)},
}


@pytest.mark.parametrize("name", COLUMNS_MEET_THEIR_BOUND)
def test_columns_that_meet_their_bound(name):
    pattern, optimum = COLUMNS_MEET_THEIR_BOUND[name]
    for mode, other in (("fwd", pattern), ("rev", pattern.T)):
        coloring = color(other, mode)
        assert (coloring.num_colors, coloring.lower_bound) == (optimum, optimum)
        assert coloring.optimal


@pytest.mark.parametrize(("n", "optimum"), [(4, 4), (5, 5), (7, 4), (8, 4), (10, 4), (40, 4)])
def test_squares_of_cycles(n, optimum):
    coloring = color(cycle(n), "fwd")
    assert coloring.num_colors == optimum and 3 <= coloring.lower_bound <= optimum
    assert coloring.optimal == (coloring.lower_bound == optimum)


@pytest.mark.parametrize(("a", "b"), [(1, 6), (3, 3), (4, 9)])
def test_columns_of_a_complete_bipartite_graph_all_differ(a, b):
    coloring = color(complete_bipartite(a, b), "fwd")
    assert coloring.num_colors == a + b
    assert max(a, b) + 1 <= coloring.lower_bound <= a + b


@pytest.mark.parametrize("seed", range(5))
def test_trees(seed):
    """Squares of trees are chordal: the largest closed neighborhood is optimal. Stars: 3 suffice."""
    tree = random_tree(250, np.random.default_rng(seed))
    columns, stars = color(tree, "fwd"), color(tree, "star")
    assert columns.num_colors == largest_degree(tree) + 1 and columns.optimal
    assert stars.num_colors == 3 and stars.optimal
    assert asdex.color_symmetric(tree, budget=0.0)[1] == 3


STARS = {
    **{f"band, half width {r}": (band(60, r, r), 2 * r + 1) for r in (0, 1, 2, 3)},
    "blocks": (blocks(7, 5), 5),
    # Fertin, Raspaud and Reed, "Star coloring of graphs" (2004): grids, cycles and bicliques.
    "5-point": (cross(20, 21), 5),
    "5-point, the smallest": (cross(4, 4), 5),
    "5-point, 3 wide": (cross(3, 20), 4),
    "5-point, 2 wide": (cross(2, 20), 4),
    **{f"cycle of {n}": (cycle(n), 4 if n == 5 else 3) for n in (3, 4, 5, 6, 7, 8, 50)},
    **{f"biclique {a}, {b}": (complete_bipartite(a, b), a + 1) for a, b in ((2, 2), (3, 8))},
    "path of 3": (path(3), 2),
    "path of 4": (path(4), 3),
    "path": (path(100), 3),
    "star": (star(40), 2),
    "arrowhead": (arrowhead(40), 2),
    "complete": (complete(7), 7),
}


@pytest.mark.parametrize("name", STARS)
def test_star_colorings(name):
    pattern, optimum = STARS[name]
    coloring = color(pattern, "star")
    assert coloring.num_colors == optimum >= coloring.lower_bound
    assert coloring.optimal == (coloring.lower_bound == optimum)


@pytest.mark.parametrize("name", STARS)
def test_star_bounds_are_sharp_here(name):
    """Counted, or proven by exhausting the colorings of a window."""
    assert color(STARS[name][0], "star").optimal


ACYCLIC = {
    **{f"band, half width {r}": (band(60, r, r), r + 1) for r in (0, 1, 2, 3)},
    # Fertin, Godard and Raspaud, "Acyclic and k-distance coloring of the grid" (2003): d + 1.
    "5-point": (cross(20, 21), 3),
    "7-point": (cross(7, 8, 9), 4),
    "9-point": (box(14, 15), 5),
    "tree": (random_tree(60, np.random.default_rng(0)), 2),
    "cycle": (cycle(30), 3),
    "complete": (complete(7), 7),
    "star": (star(40), 2),
}


@pytest.mark.parametrize("name", ACYCLIC)
def test_acyclic_colorings(name):
    pattern, optimum = ACYCLIC[name]
    coloring = asdex.hessian_coloring_from_sparsity(pattern, recovery="substitution")
    assert coloring.num_colors == optimum
    assert coloring.optimal


@pytest.mark.parametrize(
    ("pattern", "optimum"), [(cross(13, 14), 5), (cross(5, 6, 7), 7), (band(200, 2, 2), 5)]
)
def test_renumbered_stencils(pattern, optimum):
    order = np.random.default_rng(0).permutation(pattern.n)
    coloring = color(renumbered(pattern, order), "star")
    # The lattice is lost, and a sparse search comes near.
    assert optimum <= coloring.num_colors <= optimum + 4


def test_arrowheads():
    pattern = arrowhead(3000)
    both = color(pattern, "auto")
    assert (both.mode, both.num_colors, both.num_row_colors) == ("bidirectional", 3, 1)
    assert both.optimal and both.lower_bound == 3
    assert both.column_colors is not None and both.row_colors is not None
    assert (both.column_colors >= -1).all()
    assert (
        np.flatnonzero(both.row_colors >= 0).size == 1
        or np.flatnonzero(both.column_colors >= 0).size == 1
    )
    assert "forward alone takes 3000" in both.reason
    hessian = color(pattern, "star")
    assert (hessian.num_colors, hessian.optimal) == (2, True)


@pytest.mark.parametrize(
    ("pattern", "num_colors"),
    [
        (bordered(band(300, 1, 1), 2, 2), 7),
        (bordered(cross(20, 20), 2, 2), 9),
        (bordered(random_rows(500, 500, 5, np.random.default_rng(0)), 2, 3), 15),
        (bordered(diagonal(40), 0, 1), 2),
        (bordered(diagonal(40), 1, 0), 2),
        (complete(6), 6),
        (band(40, 1, 1), 3),
    ],
)
def test_bordered_matrices(pattern, num_colors):
    for mode in ("bidirectional", "auto"):
        coloring = color(pattern, mode)
        assert coloring.lower_bound <= coloring.num_colors <= num_colors
    assert color(pattern, "bidirectional").num_colors <= min(
        color(pattern, mode).num_colors for mode in ("fwd", "rev")
    )


@pytest.mark.parametrize("seed", range(8))
def test_random_patterns_lie_between_bounds(seed):
    rng = np.random.default_rng(seed)
    pattern = random_rows(50, 40, int(rng.integers(1, 6)), rng)
    matrix = pattern.todense().astype(bool)
    conflicts = matrix.T.astype(int) @ matrix > 0
    columns = color(pattern, "fwd")
    assert not shares_a_group(matrix, columns.colors)
    assert columns.lower_bound == matrix.sum(1).max()
    # First-fit in any order, and hence the best of several, needs at most one color more than conflicts.
    assert columns.lower_bound <= columns.num_colors <= conflicts.sum(1).max()
    graph = random_graph(30, int(rng.integers(5, 60)), rng)
    stars, by_columns = color(graph, "star"), color(graph, "fwd")
    assert not is_no_star_coloring(graph.todense().astype(bool), stars.colors)
    # A distance-2 coloring is a star coloring, so nothing more may be needed.
    assert stars.lower_bound <= stars.num_colors <= by_columns.num_colors
