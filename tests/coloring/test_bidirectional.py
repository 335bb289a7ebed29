"""Colorings of rows and columns together: what is peeled, what is left out, and when it is chosen."""

import numpy as np
import pytest
from graph_families import (
    arrowhead,
    band,
    bordered,
    complete,
    cross,
    diagonal,
    random_rows,
    unreadable,
)
from hypothesis import given, settings, strategies as st

import asdex
from asdex.coloring.problems import Bidirectional


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def colored(pattern, **options):
    return asdex.jacobian_coloring_from_sparsity(pattern, mode="bidirectional", **options)


def permuted(pattern, seed):
    rng = np.random.default_rng(seed)
    rows, cols = rng.permutation(pattern.m), rng.permutation(pattern.n)
    return asdex.SparsityPattern.from_coo(rows[pattern.rows], cols[pattern.cols], pattern.shape)


def assert_numbered(colors, number):
    """All colors from 0 occur, and nothing below -1."""
    assert colors.dtype == np.int32
    np.testing.assert_array_equal(np.unique(colors[colors >= 0]), np.arange(number))
    assert colors.min(initial=0) >= -1


@st.composite
def bordered_patterns(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, n = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    inner = random_rows(m, n, draw(st.integers(0, 3)), rng)
    outer = bordered(inner, draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    return permuted(outer, draw(st.integers(0, 9)))


@given(bordered_patterns(), st.sampled_from([0.0, 0.005]))
@settings(max_examples=60)
def test_every_nonzero_can_be_read(pattern, budget):
    coloring = colored(pattern, budget=budget)
    columns, rows = coloring.column_colors, coloring.row_colors
    assert unreadable(pattern.todense().astype(bool), columns, rows) == []
    assert_numbered(rows, coloring.num_row_colors)
    assert_numbered(columns, coloring.num_colors - coloring.num_row_colors)
    assert coloring.lower_bound <= coloring.num_colors
    assert coloring.num_colors <= min(
        asdex.color_cols(pattern, budget=0)[1], asdex.color_rows(pattern, budget=0)[1]
    )
    of_columns, of_rows, number = asdex.color_bidirectional(pattern, budget=budget)
    np.testing.assert_array_equal(of_columns, columns)
    np.testing.assert_array_equal(of_rows, rows)
    assert number == coloring.num_colors


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("inner", "inner_colors"), [(diagonal(60), 1), (band(60, 1, 1), 3), (cross(8, 8), 5)]
)
@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (1, 1), (3, 0), (2, 3)])
def test_full_rows_and_columns_cost_a_color_each(inner, inner_colors, rows, columns, seed):
    pattern = permuted(bordered(inner, rows, columns), seed)
    coloring = colored(pattern, budget=0.02)
    permutation_costs = {1: 0, 3: 1, 5: 2}[inner_colors]
    assert coloring.num_colors <= rows + columns + inner_colors + permutation_costs
    if rows and columns:  # one kind is read by rows and the other by columns, and the rest as well
        assert coloring.num_colors > rows + columns


def test_only_what_is_needed_takes_part():
    coloring = colored(bordered(diagonal(50), 1, 0))
    assert coloring.num_colors == 2
    coloring = colored(arrowhead(50))
    assert coloring.column_colors is not None and coloring.row_colors is not None
    # The full row and column have a pass each, and a third one reads the rest by columns or by rows.
    assert coloring.num_colors == 3 and coloring.num_row_colors in (1, 2)
    assert np.sum(coloring.column_colors < 0) + np.sum(coloring.row_colors < 0) == 49


def test_wide_and_tall_matrices():
    wide = bordered(random_rows(10, 400, 40, np.random.default_rng(0)), 0, 0)
    coloring = colored(wide)
    assert coloring.num_colors <= 10
    assert colored(wide.T).num_colors <= 10
    assert asdex.jacobian_coloring_from_sparsity(wide).mode == "rev"
    assert asdex.jacobian_coloring_from_sparsity(wide.T).mode == "fwd"


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (3, 5)])
def test_nothing_to_color(shape):
    pattern = asdex.SparsityPattern.from_coo([], [], shape)
    columns, rows, number = asdex.color_bidirectional(pattern)
    assert number == 0
    np.testing.assert_array_equal(columns, np.full(shape[1], -1))
    np.testing.assert_array_equal(rows, np.full(shape[0], -1))
    coloring = colored(pattern)
    assert coloring.optimal and coloring.num_colors == coloring.lower_bound == 0


def test_one_entry():
    coloring = colored(complete(1))
    assert (coloring.num_colors, coloring.lower_bound) == (1, 1)
    assert not unreadable(np.ones((1, 1), bool), coloring.column_colors, coloring.row_colors)


def test_the_bound_counts_what_a_pass_returns():
    assert Bidirectional(complete(7)).lower_bound == 7
    assert Bidirectional(arrowhead(100)).lower_bound == 3
    assert Bidirectional(random_rows(30, 90, 1, np.random.default_rng(0))).lower_bound == 1
    assert Bidirectional(asdex.SparsityPattern.from_coo([], [], (0, 0))).lower_bound == 0


def test_splits_read_each_nonzero_once_and_the_best_comes_first():
    pattern = permuted(bordered(band(50, 1, 1), 2, 2), 0)
    splits = Bidirectional(pattern).splits
    assert [split.bound for split in splits] == sorted(split.bound for split in splits)
    for split in splits:
        by_row, by_column = split.by_row, ~split.by_row
        columns = np.bincount(pattern.cols[by_row], minlength=1).max()
        rows = np.bincount(pattern.rows[by_column], minlength=1).max()
        assert columns + rows == split.bound
    assert splits[0].bound == 7


def test_the_choice_weighs_the_second_kind_of_pass():
    """Two kinds must save more than one pass, because the function is transposed as well."""
    for n, expected in ((4, ("fwd", 4)), (5, ("bidirectional", 3))):
        coloring = asdex.jacobian_coloring_from_sparsity(arrowhead(n), mode="auto")
        assert (coloring.mode, coloring.num_colors) == expected
    bounded = asdex.jacobian_coloring_from_sparsity(cross(12, 12), mode="auto")
    assert bounded.mode == "fwd" and bounded.num_colors == 5
    symmetric = asdex.jacobian_coloring_from_sparsity(arrowhead(9), symmetric=True)
    assert (symmetric.mode, symmetric.num_colors) == ("fwd", 2)
    with pytest.raises(ValueError, match="one kind of pass"):
        asdex.jacobian_coloring_from_sparsity(arrowhead(9), symmetric=True, mode="bidirectional")


def test_the_reason_is_printed():
    coloring = asdex.jacobian_coloring_from_sparsity(arrowhead(40), mode="auto")
    assert coloring.reason == "both modes; forward alone takes 40, reverse alone at least 40"
    assert coloring.reason in str(coloring)
    assert colored(arrowhead(40)).reason == ""
