"""Acyclic colorings of stencils by lattices."""

import numpy as np
import pytest
from stencils import box, brusselator, cross, delaunay, random_stencil, stencil, symmetric

import asdex
from asdex.coloring.stencils import lattice_acyclic


def num_acyclic_colors(pattern, max_colors=60, shapes=()):
    colors = lattice_acyclic(pattern, 2, max_colors, shapes)
    if colors is None:
        return None
    assert colors.dtype == np.int32
    asdex.check_coloring_acyclic(pattern, colors)
    return int(colors.max()) + 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (stencil((1000,), cross(1)), 2),
        (stencil((1000,), cross(1, 3)), 4),
        (stencil((50, 50), cross(2)), 3),
        (stencil((50, 50), cross(2)[1:]), 3),
        (stencil((40, 41), box(2)), 5),
        (stencil((12, 13, 14), cross(3)), 4),
        (stencil((50, 50), cross(2), True), 5),
        (brusselator(30), 5),
        (brusselator(31, False), 4),
    ],
)
def test_acyclic_colorings(pattern, expected):
    assert num_acyclic_colors(pattern) == expected


def test_the_shape_of_the_input_helps():
    pattern = stencil((30, 40), cross(2))
    assert num_acyclic_colors(pattern, shapes=((30, 40),)) == 3


def test_nothing_is_found_on_a_mesh():
    assert num_acyclic_colors(delaunay(2000, np.random.default_rng(0))) is None


def test_no_more_colors_than_asked_for():
    assert num_acyclic_colors(stencil((50, 50), cross(2)), max_colors=2) is None


def test_random_stencils_are_colored_validly():
    rng = np.random.default_rng(0)
    counts = [num_acyclic_colors(symmetric(random_stencil(rng)), 40) for _ in range(20)]
    assert counts.count(None) < 10
