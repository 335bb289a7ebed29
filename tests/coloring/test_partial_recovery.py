"""Colorings from which only some entries can be read."""

import numpy as np
import pytest
from graph_families import arrowhead, random_rows
from hypothesis import given, settings, strategies as st
from stencils import cross, stencil

import asdex
from asdex.coloring import color_partially, color_required
from asdex.coloring._required_entries import check_required, conflict_groups


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def on_diagonal(pattern):
    return pattern.rows == pattern.cols


def some(pattern, share, seed):
    return np.random.default_rng(seed).random(pattern.nnz) < share


def assert_readable(pattern, required, coloring):
    """Each required entry is read, from products with a matrix of distinct numbers, by its decompressor."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 10**6, pattern.nnz).astype(np.float64)
    dense = np.zeros(pattern.shape)
    dense[pattern.rows, pattern.cols] = values
    if coloring.symmetric:
        dense = dense + dense.T
    bidirectional = coloring.mode == "bidirectional"
    colors = coloring.column_colors if bidirectional else coloring.colors
    forward = (colors == np.arange(coloring.num_colors)[:, None]).astype(float)
    if bidirectional:
        by_row = coloring.num_row_colors
        of_rows = (coloring.row_colors == np.arange(by_row)[:, None]).astype(float)
        B = forward[: coloring.num_colors - by_row] @ dense.T, of_rows @ dense
    else:
        B = forward @ dense if coloring.mode == "rev" else forward @ dense.T
    read = np.asarray(asdex.decompress_data(B, coloring))
    part = coloring.sparsity
    np.testing.assert_array_equal(read, dense[part.rows, part.cols].astype(read.dtype))
    wanted = set(zip(pattern.rows[required], pattern.cols[required], strict=True))
    assert wanted <= set(zip(part.rows, part.cols, strict=True))


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pattern = random_rows(draw(st.integers(1, 12)), draw(st.integers(1, 12)), 4, rng)
    return pattern, rng.random(pattern.nnz) < draw(st.sampled_from([0.0, 0.2, 0.6, 1.0]))


@given(problems(), st.sampled_from(["fwd", "rev"]))
@settings(max_examples=25)
def test_required_entries_are_read(problem, mode):
    pattern, required = problem
    coloring = color_partially(pattern, required, mode)
    assert coloring.sparsity.nnz == required.sum()
    assert_readable(pattern, required, coloring)


@given(problems())
@settings(max_examples=40)
def test_conflicts_are_those_found_by_exhaustion(problem):
    pattern, required = problem
    dense = np.zeros(pattern.shape, bool)
    dense[pattern.rows, pattern.cols] = True
    wanted = np.zeros(pattern.shape, bool)
    wanted[pattern.rows[required], pattern.cols[required]] = True
    active = wanted.any(axis=0)
    expected = {
        (j, k)
        for i, j in zip(*np.nonzero(wanted), strict=True)
        for k in np.flatnonzero(dense[i] & active)
        if k != j
    }
    groups = conflict_groups(pattern, required)
    found = {
        (j, k)
        for row in range(groups.m)
        for j in groups.cols[groups.rows == row]
        for k in groups.cols[groups.rows == row]
        if j != k
    }
    assert found == expected | {(k, j) for j, k in expected}


@pytest.mark.parametrize(("sizes", "expected"), [((40,), 2), ((12, 12), 2), ((6, 6, 6), 2)])
def test_the_diagonal_of_a_laplacian_takes_two_colors(sizes, expected):
    pattern = stencil(sizes, cross(len(sizes)))
    coloring = color_partially(pattern, on_diagonal(pattern), "fwd")
    assert coloring.num_colors == expected
    assert_readable(pattern, on_diagonal(pattern), coloring)


def test_columns_without_required_entries_take_no_part():
    pattern = asdex.SparsityPattern.from_dense(np.ones((3, 5)))
    required = pattern.cols == 2
    coloring = color_partially(pattern, required, "fwd")
    np.testing.assert_array_equal(coloring.colors, [-1, -1, 0, -1, -1])
    by_row = color_partially(pattern, required, "rev")
    np.testing.assert_array_equal(by_row.colors, [0, 1, 2])


def test_a_required_entry_beside_many_others_has_few_conflicts():
    """A full row of which one entry is required: the others may share a color."""
    pattern = arrowhead(30)
    required = on_diagonal(pattern)
    coloring = color_partially(pattern, required, "fwd")
    assert coloring.num_colors == 2
    assert_readable(pattern, required, coloring)


def test_long_rows_become_one_group(monkeypatch):
    monkeypatch.setattr("asdex.coloring._required_entries._SMALL", 0)
    pattern = asdex.SparsityPattern.from_dense(np.ones((40, 80)))
    required = (pattern.cols + pattern.rows) % 2 == 0
    groups = conflict_groups(pattern, required)
    assert groups.nnz <= 9 * pattern.nnz < 40 * 40 * 41
    assert_readable(pattern, required, color_partially(pattern, required, "fwd"))


def test_nothing_required_takes_no_colors():
    pattern = arrowhead(6)
    whole = asdex.jacobian_coloring_from_sparsity(pattern)
    coloring = color_required(pattern, np.zeros(pattern.nnz, bool), whole, ["fwd", "rev"])
    assert (coloring.num_colors, coloring.sparsity.nnz) == (0, 0)
    assert (coloring.colors == -1).all()


def test_the_cheapest_mode_wins():
    pattern = asdex.SparsityPattern.from_dense(np.ones((3, 8)))
    whole = asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd")
    by_column = color_required(pattern, pattern.cols == 0, whole, ["fwd", "rev"])
    assert (by_column.mode, by_column.num_colors) == ("fwd", 1)
    by_row = color_required(pattern, pattern.rows == 0, whole, ["fwd", "rev"])
    assert (by_row.mode, by_row.num_colors) == ("rev", 1)


@pytest.mark.parametrize("recovery", ["direct", "substitution"])
def test_a_symmetric_coloring_of_the_remainder(recovery):
    """A full block in which all entries change, and a long chain in which none does."""
    dense = np.zeros((30, 30), bool)
    dense[:4, :4] = True
    dense |= np.abs(np.subtract.outer(np.arange(30), np.arange(30))) <= 1
    dense[3, 4:] = dense[4:, 3] = True
    pattern = asdex.SparsityPattern.from_dense(dense)
    required = (pattern.rows < 4) & (pattern.cols < 4) & ~on_diagonal(pattern)
    whole = asdex.hessian_coloring_from_sparsity(pattern, recovery=recovery)
    coloring = color_required(pattern, required, whole, ["fwd_over_rev"])
    assert coloring.num_colors <= 4 < 30
    assert_readable(pattern, required, coloring)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_symmetric_remainders_are_read(seed):
    rng = np.random.default_rng(seed)
    dense = rng.random((9, 9)) < 0.3
    pattern = asdex.SparsityPattern.from_dense(dense | dense.T)
    required = rng.random(pattern.nnz) < 0.3
    whole = asdex.hessian_coloring_from_sparsity(pattern)
    assert_readable(pattern, required, color_required(pattern, required, whole, []))


@given(problems())
@settings(max_examples=15)
def test_bidirectional_remainders_are_read(problem):
    pattern, required = problem
    whole = asdex.jacobian_coloring_from_sparsity(pattern, mode="bidirectional")
    assert_readable(pattern, required, color_required(pattern, required, whole, []))


def test_an_entry_that_is_not_alone_is_named():
    pattern = asdex.SparsityPattern.from_dense(np.ones((2, 3)))
    colors = np.array([0, 1, 0], np.int32)
    check_required(pattern, pattern.cols == 1, colors)
    with pytest.raises(asdex.InvalidColoringError, match=r"entry \(0, 2\) shares color 0"):
        check_required(pattern, pattern.cols == 2, colors)
