"""Star colorings of stencils by lattices."""

import numpy as np
import pytest
from stencils import box, brusselator, cross, delaunay, local, random_stencil, stencil, symmetric

import asdex
from asdex.coloring.stencils import lattice_star


def num_star_colors(pattern, max_colors=60):
    colors = lattice_star(pattern, 2, max_colors, ())
    if colors is None:
        return None
    assert colors.dtype == np.int32
    asdex.check_coloring_symmetric(pattern, colors)
    return int(colors.max()) + 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (stencil((50, 50), cross(2)), 5),
        (stencil((50, 50), cross(2)[1:]), 5),
        (stencil((50, 50), cross(2), True), 5),
        (stencil((51, 51), cross(2), True), 6),
        (stencil((40, 41), box(2)), 9),
        (stencil((12, 13, 14), cross(3)), 7),
        (stencil((1000,), cross(1, 3)), 7),
        (brusselator(31, False), 6),
        (brusselator(31, False, True), 6),
        (brusselator(30), 6),
        (brusselator(31), 7),
        # Three more species that each point of the first alone knows may share colors.
        (
            stencil(
                (40, 40),
                [(0, 0)],
                False,
                4,
                [(0, 0, o) for o in cross(2)] + [c for c in local(4, 2) if 0 in c[:2]],
            ),
            5,
        ),
    ],
)
def test_star_colorings(pattern, expected):
    assert num_star_colors(pattern) == expected


def test_nothing_is_found_on_a_mesh():
    assert num_star_colors(delaunay(2000, np.random.default_rng(0))) is None


def test_no_more_colors_than_asked_for():
    assert num_star_colors(brusselator(31), max_colors=7) == 7
    assert num_star_colors(brusselator(31), max_colors=6) is None


def test_random_stencils_are_colored_validly():
    rng = np.random.default_rng(0)
    counts = [num_star_colors(symmetric(random_stencil(rng)), 40) for _ in range(20)]
    assert counts.count(None) < 10


def test_many_unknowns_at_each_point_are_no_lattice():
    """The items of a batch along the last axis: a search over each of its 40 unknowns would not end."""
    items = np.random.default_rng(0).random((40, 40)) < 0.1
    item = asdex.SparsityPattern.from_dense(items | items.T | np.eye(40, dtype=bool))
    batch = np.arange(300)
    rows, cols = ((300 * of[:, None] + batch).ravel() for of in (item.rows, item.cols))
    pattern = asdex.SparsityPattern.from_coo(rows, cols, (12_000, 12_000))
    assert lattice_star(pattern, 2, 60, ((40, 300),)) is None


def test_at_most_so_many_colors():
    """Of two species that are coupled with each other alone."""
    couplings = [(s, 1 - s, offset) for s in (0, 1) for offset in cross(2)]
    pattern = stencil((12, 13), [], species=2, couplings=couplings)
    assert lattice_star(pattern, 1, 5) is None
    colors = lattice_star(pattern, 1, 6)
    assert colors is not None
    assert np.unique(colors).size == 6
