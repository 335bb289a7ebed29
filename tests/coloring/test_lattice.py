"""Lattice colorings of stencils: known numbers of colors, any size, and validity on anything."""

import numpy as np
import pytest
from stencils import (
    blocks,
    box,
    brusselator,
    cross,
    delaunay,
    local,
    longest_row,
    permuted,
    random_stencil,
    stencil,
)

import asdex
from asdex.coloring.problems import Columns
from asdex.coloring.stencils import lattice_columns
from asdex.coloring.stencils._repair import repair, row_groups


def num_column_colors(pattern, shapes=(), max_colors=60):
    colors = lattice_columns(pattern, longest_row(pattern), max_colors, shapes)
    if colors is None:
        return None
    assert colors.dtype == np.int32
    asdex.check_coloring_cols(pattern, colors)
    return int(colors.max()) + 1


OPTIMAL = {
    "5-point": (stencil((50, 50), cross(2)), 5),
    "5-point, anisotropic": (stencil((31, 46), cross(2)), 5),
    "5-point, prime": (stencil((37, 53), cross(2)), 5),
    "5-point, few rows": (stencil((4, 300), cross(2)), 5),
    "9-point": (stencil((40, 41), box(2)), 9),
    "7-point on triangles": (stencil((40, 41), [*cross(2), (1, -1), (-1, 1)]), 7),
    "upwind": (stencil((40, 41), [(0, 0), (-1, 0), (0, -1)]), 3),
    "biharmonic": (stencil((40, 41), [o for o in box(2, 2) if abs(o[0]) + abs(o[1]) < 3]), 13),
    "25-point": (stencil((40, 41), box(2, 2)), 25),
    "3-D 7-point": (stencil((12, 13, 14), cross(3)), 7),
    "3-D 7-point, cube": (stencil((16, 16, 16), cross(3)), 7),
    "3-D 13-point": (stencil((20, 21, 22), cross(3, 2)), 13),
    "3-D 27-point": (stencil((12, 13, 14), box(3)), 27),
    "4-D 9-point": (stencil((9, 10, 11, 12), cross(4)), 9),
    "tridiagonal": (stencil((1000,), cross(1)), 3),
    "band of 11": (stencil((1000,), cross(1, 5)), 11),
    "periodic tridiagonal": (stencil((999,), cross(1), True), 3),
    "periodic 5-point": (stencil((50, 35), cross(2), True), 5),
    "periodic 9-point": (stencil((45, 45), box(2), True), 9),
    "periodic 27-point": (stencil((18, 9, 9), box(3), True), 27),
    "2 species": (brusselator(31, False), 6),
    "2 species, interleaved": (brusselator(31, False, True), 6),
    "2 species, fully coupled": (
        stencil((40, 41), cross(2), False, 2, [(s, 1 - s, o) for s in (0, 1) for o in cross(2)]),
        10,
    ),
    "4 species": (stencil((40, 31), cross(2), False, 4, local(4, 2)), 8),
    "4 species, interleaved": (stencil((40, 31), cross(2), False, 4, local(4, 2), True), 8),
    "3-D 3 species": (stencil((12, 13, 15), cross(3), False, 3, local(3, 3)), 9),
}


@pytest.mark.parametrize("name", OPTIMAL)
def test_stencils_are_colored_optimally(name):
    pattern, expected = OPTIMAL[name]
    assert longest_row(pattern) == expected
    assert num_column_colors(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (stencil((1000,), cross(1), True), 4),
        (stencil((600,), cross(1, 4), True), 10),
        (stencil((41, 41), box(2), True), 10),
        (stencil((33, 47), cross(2), np.array([[True], [False]])), 6),
        (stencil((30, 47), cross(2), True), 6),
        (stencil((31, 45), cross(2), True), 7),
        (stencil((50, 50, 50), cross(3), True), 8),
        (stencil((40, 41), cross(2, 2)), 10),
        (stencil((15, 16, 17), [o for o in box(3) if np.abs(o).sum() < 3]), 20),
    ],
)
def test_other_stencils_get_few_colors(pattern, expected):
    assert num_column_colors(pattern) == expected


@pytest.mark.parametrize("side", [*range(10, 61, 5), *range(21, 60, 3)])
def test_periodic_five_point_stencils_close_at_any_size(side):
    expected = 5 if side % 5 == 0 else 6
    assert num_column_colors(stencil((side, side), cross(2), True)) == expected


@pytest.mark.parametrize("side", range(20, 61))
def test_periodic_brusselator_at_any_size(side):
    num_colors = num_column_colors(brusselator(side))
    if side % 6 == 0:
        assert num_colors == 6
    elif side % 7 == 0 or side >= 30:
        assert num_colors == 7
    else:
        assert num_colors in (7, 8)


def test_the_grid_may_be_given_or_inferred():
    for side in (23, 30, 35, 41):
        stacked, interleaved = brusselator(side), brusselator(side, interleaved=True)
        expected = num_column_colors(stacked)
        layouts = [
            (stacked, ((2, side, side),)),
            (stacked, ((side, side), (side, side))),
            (stacked, ((side * side,), (side * side,))),
            (stacked, ((2, side * side),)),
            (stacked, ((2 * side * side,),)),
            (interleaved, ((side, side, 2),)),
            (interleaved, ()),
        ]
        assert [num_column_colors(*layout) for layout in layouts] == [expected] * len(layouts)


def test_shapes_come_from_the_abstract_inputs_by_default():
    pattern = asdex.jacobian_sparsity(
        lambda x: x[1:, 1:] - x[:-1, 1:] - x[1:, :-1], np.ones((9, 8))
    )
    colors = Columns(pattern).lattice(10)
    assert colors is not None and colors.max() == 2
    asdex.check_coloring_cols(pattern, colors)


def test_a_misleading_shape_does_no_harm():
    pattern = stencil((30, 40), cross(2))
    for shape in ((40, 30), (1200, 1), (7, 5), (2, 600), (0, 3)):
        assert num_column_colors(pattern, (shape,)) == 5


def test_rows_are_the_columns_of_the_transpose():
    pattern = stencil((30, 41), cross(2))
    inside = np.zeros((30, 41), bool)
    inside[1:-1, 1:-1] = True
    kept = inside.ravel()[pattern.rows]
    number = np.cumsum(inside) - 1
    outputs = asdex.SparsityPattern.from_coo(
        number[pattern.rows[kept]], pattern.cols[kept], (28 * 39, 30 * 41)
    )
    for shapes in ((), ((28, 39),)):
        colors = lattice_columns(outputs.T, 5, 10, shapes)
        assert colors is not None and colors.max() == 4
        asdex.check_coloring_rows(outputs, colors)


def test_other_rows_at_the_boundary():
    pattern = stencil((40, 53), cross(2))
    boundary = np.ones((40, 53), bool)
    boundary[1:-1, 1:-1] = False
    boundary = boundary.ravel()
    dirichlet = ~boundary[pattern.rows] | (pattern.rows == pattern.cols)
    identity = asdex.SparsityPattern.from_coo(
        pattern.rows[dirichlet], pattern.cols[dirichlet], pattern.shape
    )
    assert num_column_colors(identity) == 5
    index = np.arange(40 * 53).reshape(40, 53)
    for reach, expected in ((2, 9), (3, 11)):
        rows, cols = [pattern.rows], [pattern.cols]
        for k in range(1, reach + 1):
            rows += [index[:, 0], index[:, -1], index[0], index[-1]]
            cols += [index[:, k], index[:, -1 - k], index[k], index[-1 - k]]
        one_sided = asdex.SparsityPattern.from_coo(
            np.concatenate(rows), np.concatenate(cols), pattern.shape
        )
        assert num_column_colors(one_sided) == expected


def test_staggered_velocities():
    side = 30
    u = np.arange((side + 1) * side).reshape(side + 1, side)
    v = u.size + np.arange(side * (side + 1)).reshape(side, side + 1)
    p = u.size + v.size + np.arange(side * side).reshape(side, side)
    pairs = [(each, each) for each in (u, v)]
    for each in (u, v):
        pairs += [(each[1:], each[:-1]), (each[:, 1:], each[:, :-1])]
    pairs += [(u[1:], p), (u[:-1], p), (v[:, 1:], p), (v[:, :-1], p)]
    left, right = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    n = int(p.max()) + 1
    pattern = asdex.SparsityPattern.from_coo(
        np.concatenate([left, right]), np.concatenate([right, left]), (n, n)
    )
    assert num_column_colors(pattern, (u.shape, v.shape, p.shape)) == 10


def test_nothing_is_found_without_a_stencil(rng):
    random = asdex.SparsityPattern.from_coo(
        np.repeat(np.arange(5000), 5), rng.integers(0, 5000, 25000), (5000, 5000)
    )
    patterns = [random, delaunay(5000, rng), permuted(blocks(2000, 20), rng)]
    patterns += [permuted(stencil((50, 50), cross(2)), rng)]
    patterns += [asdex.SparsityPattern.from_coo([], [], shape) for shape in ((0, 0), (3, 4))]
    assert [num_column_colors(pattern) for pattern in patterns] == [None] * len(patterns)


def test_contiguous_blocks_are_a_stencil():
    assert num_column_colors(blocks(2000, 20)) == 20


def test_no_more_colors_than_asked_for():
    pattern = brusselator(31)
    assert num_column_colors(pattern, max_colors=7) == 7
    assert num_column_colors(pattern, max_colors=6) is None
    assert lattice_columns(pattern, 8, 7, ()) is None


def test_random_stencils_are_colored_validly_and_reproducibly(rng):
    found = 0
    for _ in range(30):
        pattern = random_stencil(rng)
        colors = lattice_columns(pattern, longest_row(pattern), 40, ())
        again = lattice_columns(pattern, longest_row(pattern), 40, ())
        assert (colors is None) == (again is None)
        if colors is not None:
            asdex.check_coloring_cols(pattern, colors)
            np.testing.assert_array_equal(colors, again)
            found += 1
    assert found > 15


def test_repairs_are_valid_and_bounded(rng):
    pattern = stencil((40, 41), cross(2))
    colors = lattice_columns(pattern, 5, 5, ())
    assert colors is not None
    wrong = colors.copy()
    wrong[rng.integers(0, pattern.n, 20)] = 0
    with pytest.raises(asdex.InvalidColoringError):
        asdex.check_coloring_cols(pattern, wrong)
    repaired = repair(row_groups(pattern), wrong, 9)
    assert repaired is not None and repaired.max() < 9
    asdex.check_coloring_cols(pattern, repaired)
    np.testing.assert_array_equal(repair(row_groups(pattern), colors, 5), colors)
    assert repair(row_groups(pattern), wrong, 4) is None
    assert repair(row_groups(pattern), np.zeros_like(colors), 20) is None


@pytest.fixture
def rng():
    return np.random.default_rng(0)
