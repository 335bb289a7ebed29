"""Plots of patterns and colorings."""

import sys

import numpy as np
import pytest

import asdex


figures = pytest.importorskip("matplotlib.figure")


@pytest.fixture
def ax():
    return figures.Figure().subplots()


@pytest.fixture
def coloring():
    return asdex.jacobian_coloring_from_sparsity(
        np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    )


def drawn(ax):
    (image,) = ax.images
    return image.get_array()


def test_pattern(ax, coloring):
    assert asdex.spy(coloring.sparsity, ax=ax) is ax
    np.testing.assert_array_equal(~drawn(ax).mask, coloring.sparsity.todense() == 1)
    assert ax.images[0].get_extent() == [-0.5, 3.5, 2.5, -0.5]


def test_coloring_shows_the_groups(ax, coloring):
    asdex.spy(coloring, ax=ax)
    expected = np.where(coloring.sparsity.todense(), coloring.colors, -1)
    np.testing.assert_array_equal(drawn(ax).filled(-1), expected)


def test_compressed_columns_and_rows(ax, coloring):
    asdex.spy(coloring, ax=ax, compressed=True)
    np.testing.assert_array_equal(drawn(ax), np.tile([0, 1], (3, 1)))
    ax.clear()
    by_row = asdex.jacobian_coloring_from_sparsity(coloring.sparsity, mode="rev")
    asdex.spy(by_row, ax=ax, compressed=True)
    np.testing.assert_array_equal(drawn(ax).filled(-1), [[0, 0, 0, 0], [-1, 1, 1, -1]])


def test_options_reach_matplotlib(ax, coloring):
    asdex.spy(coloring, ax=ax, cmap="viridis", alpha=0.5, aspect="auto")
    assert ax.images[0].get_cmap().name == "viridis"
    assert ax.images[0].get_alpha() == 0.5


def test_the_current_axes_are_the_default(coloring):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    figure, axes = pyplot.subplots()
    try:
        assert asdex.spy(coloring) is axes
    finally:
        pyplot.close(figure)


def test_large_patterns_are_binned(ax):
    index = np.arange(1_000_000)
    pattern = asdex.SparsityPattern.from_coo(index, index, (1_000_000, 1_000_000))
    asdex.spy(pattern, ax=ax)
    image = drawn(ax)
    assert image.shape == (1024, 1024)
    np.testing.assert_array_equal(~image.mask, np.eye(1024, dtype=bool))


def test_compressed_needs_a_coloring(ax, coloring):
    with pytest.raises(ValueError, match="needs a ColoredPattern, got a SparsityPattern"):
        asdex.spy(coloring.sparsity, ax=ax, compressed=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch, coloring):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "asdex\[plot\]"'):
        asdex.spy(coloring)
