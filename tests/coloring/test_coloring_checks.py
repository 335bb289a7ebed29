"""The checks of colorings against the definitions, on valid colorings and on corrupted ones."""

import re

import numpy as np
import pytest
from graph_families import (
    arrowhead,
    band,
    bordered,
    edges_of,
    is_no_star_coloring,
    paths_of_four,
    random_graph,
    random_rows,
    shares_a_group,
    unreadable,
)
from hypothesis import given, settings, strategies as st

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
seeds = st.integers(0, 2**32 - 1)


def corrupted(colors, rng, least=0):
    """The coloring with one to three vertices recolored, by an old color or the next new one."""
    result = np.array(colors)
    if len(result):
        chosen = rng.integers(0, len(result), rng.integers(1, 4))
        result[chosen] = rng.integers(least, result.max() + 2, len(chosen))
    return result


def message_of(check, *args):
    """The message of the error, or `None` without one."""
    try:
        check(*args)
    except asdex.InvalidColoringError as error:
        return str(error)
    return None


def numbers(pattern, message):
    found = re.search(pattern, message)
    assert found is not None, message
    return [int(group) for group in found.groups()]


def small_rows(rng):
    m, n = rng.integers(1, 12, 2)
    return random_rows(m, n, int(rng.integers(1, 5)), rng).todense().astype(bool)


def small_graph(rng):
    n = int(rng.integers(1, 11))
    return random_graph(n, int(rng.integers(0, 2 * n)), rng).todense().astype(bool)


@given(seeds)
@settings(max_examples=100)
def test_columns_and_rows(seed):
    rng = np.random.default_rng(seed)
    matrix = small_rows(rng)
    valid = asdex.color_cols(matrix, budget=0)[0]
    assert message_of(asdex.check_coloring_cols, matrix, valid) is None
    colors = corrupted(valid, rng)
    invalid = shares_a_group(matrix, colors)
    for check, one, words in (
        (asdex.check_coloring_cols, matrix, r"row (\d+) contains columns (\d+) and (\d+)"),
        (asdex.check_coloring_rows, matrix.T, r"column (\d+) contains rows (\d+) and (\d+)"),
    ):
        message = message_of(check, one, colors)
        assert (message is not None) == invalid
        if message is not None:
            i, j, k, color = numbers(words + r", which share color (\d+)\.", message)
            assert j != k and matrix[i, j] and matrix[i, k]
            assert colors[j] == colors[k] == color


@given(seeds)
@settings(max_examples=100)
def test_stars(seed):
    rng = np.random.default_rng(seed)
    matrix = small_graph(rng)
    valid = asdex.color_symmetric(matrix, budget=0)[0]
    assert message_of(asdex.check_coloring_symmetric, matrix, valid) is None
    colors = corrupted(valid, rng)
    message = message_of(asdex.check_coloring_symmetric, matrix, colors)
    assert (message is not None) == is_no_star_coloring(matrix, colors)
    if message is not None and "adjacent" in message:
        v, w, color = numbers(r"vertices (\d+) and (\d+) share color (\d+)\.", message)
        assert (v, w) in edges_of(matrix) and colors[v] == colors[w] == color
    elif message is not None:
        words = r"path (\d+) - (\d+) - (\d+) - (\d+) has only the colors (\d+) and (\d+)\."
        *path, one, other = numbers(words, message)
        assert tuple(path) in paths_of_four(matrix)
        assert colors[path].tolist() == [other, one, other, one]


@given(seeds)
@settings(max_examples=100)
def test_both(seed):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 9, 2)
    inner = random_rows(m, n, int(rng.integers(1, 3)), rng)
    pattern = bordered(inner, int(rng.integers(0, 3)), int(rng.integers(0, 3)))
    matrix = pattern.todense().astype(bool)
    check = asdex.check_coloring_bidirectional
    columns, rows, _ = asdex.color_bidirectional(pattern, budget=0)
    assert message_of(check, pattern, columns, rows) is None
    columns, rows = corrupted(columns, rng, -1), corrupted(rows, rng, -1)
    lost = unreadable(matrix, columns, rows)
    message = message_of(check, pattern, columns, rows)
    assert (message is not None) == bool(lost)
    if message is not None:
        words = (
            r"\((\d+), (\d+)\) can be read neither by its column, of color (-?\d+), nor by its row"
        )
        i, j, of_column, of_row = numbers(words + r", of color (-?\d+)\.", message)
        assert (i, j) in lost
        assert (columns[j], rows[i]) == (of_column, of_row)


@pytest.mark.parametrize("num_colors", [3, 31, 33, 64, 127, 129, 200])
def test_one_clash_among_many_colors(num_colors):
    """The check counts colors in words of 32 bits, and sorts where there are very many."""
    n = 4 * num_colors
    pattern = band(n, 0, num_colors - 1)
    colors = np.arange(n) % num_colors
    asdex.check_coloring_cols(pattern, colors)
    for at in (0, n // 2, n - 1):
        wrong = colors.copy()
        neighbor = at + 1 if at + 1 < n else at - 1
        wrong[at] = colors[neighbor]
        with pytest.raises(asdex.InvalidColoringError, match=f"share color {colors[neighbor]}"):
            asdex.check_coloring_cols(pattern, wrong)
    # Only the set of colors matters, not their numbers.
    asdex.check_coloring_cols(pattern, np.random.default_rng(0).permutation(num_colors)[colors])
    asdex.check_coloring_cols(pattern, 10**6 * colors)


def test_groups_that_hold_a_color_many_times_do_not_cancel():
    """A sum of bits overflows into another color's bit; also with as many members as there are bits."""
    for members in (2, 4, 32, 64, 2**16):
        pattern = asdex.SparsityPattern.from_coo(
            np.zeros(members, int), np.arange(members), (1, members)
        )
        with pytest.raises(asdex.InvalidColoringError, match="row 0 contains columns 0 and 1"):
            asdex.check_coloring_cols(pattern, np.zeros(members, int))
        with pytest.raises(asdex.InvalidColoringError):
            asdex.check_coloring_cols(pattern, np.full(members, 31))


def test_messages_name_the_first_offender():
    message = r"row 2 contains columns 1 and 3, which share color 1\. Give them different colors\."
    with pytest.raises(asdex.InvalidColoringError, match=message):
        asdex.check_coloring_cols(band(7, 1, 1), [0, 1, 2, 1, 0, 2, 0])
    with pytest.raises(
        asdex.InvalidColoringError, match=r"path 1 - 2 - 3 - 4 has only the colors 2 and"
    ):
        asdex.check_coloring_symmetric(band(6, 1, 1), [0, 1, 2, 1, 2, 0])
    dense_row = arrowhead(5)
    with pytest.raises(
        asdex.InvalidColoringError,
        match=r"nonzero \(0, 0\) can be read neither by its column, of color 0, nor by its row, of "
        r"color -1\. Give one of them a color that no conflicting column, or row, has\.",
    ):
        asdex.check_coloring_bidirectional(dense_row, [0, 1, 2, 3, 0], [-1, -1, -1, -1, 0])


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ([0, 0, 0], [0, 0], r"one integer color per column, shape \(2,\), got shape \(3,\)"),
        ([0, 0], [0], r"one integer color per row, shape \(2,\), got shape \(1,\)"),
        ([0, -2], [0, 0], "at least -1, got -2 for column 1"),
        ([0, 0], [-3, 0], "at least -1, got -3 for row 0"),
        ([0.0, 1.0], [0, 0], "dtype float64"),
        ([0, 2**31], [0, 0], "got 2147483648 for column 1"),
    ],
)
def test_what_is_no_bidirectional_coloring(columns, rows, message):
    with pytest.raises(asdex.InvalidColoringError, match=message):
        asdex.check_coloring_bidirectional(np.eye(2), columns, rows)


def test_colors_left_out_are_only_for_both():
    for check in (asdex.check_coloring_cols, asdex.check_coloring_rows):
        with pytest.raises(asdex.InvalidColoringError, match="at least 0, got -1"):
            check(np.eye(2), [0, -1])
    with pytest.raises(asdex.InvalidColoringError, match="at least 0, got -1 for vertex 1"):
        asdex.check_coloring_symmetric(np.eye(2), [0, -1])
    asdex.check_coloring_bidirectional(np.eye(2), [0, -1], [-1, 0])
