"""Plots of patterns and colorings."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jax.experimental import sparse

import asdex
from asdex.display._raster import palette


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
    assert 300 < image.shape[0] < 500  # as many as the axes are high
    np.testing.assert_array_equal(~image.mask, np.eye(len(image), dtype=bool))


@pytest.mark.parametrize("shape", [(3000, 500), (700, 5000), (9, 4000), (5000, 5000)])
def test_no_nonzero_is_lost_on_the_screen(shape):
    """Each shows as at least one pixel, whatever matplotlib scales."""
    agg = pytest.importorskip("matplotlib.backends.backend_agg")
    figure = figures.Figure()
    agg.FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    row, col = shape[0] // 3, shape[1] // 3
    asdex.spy(asdex.SparsityPattern.from_coo([row], [col], shape), ax=axes)
    axes.set_axis_off()
    figure.canvas.draw()
    dark = np.asarray(figure.canvas.buffer_rgba())[..., 0] < 128
    assert 1 <= np.count_nonzero(dark) < 0.05 * dark.size


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (4, 5)])
def test_patterns_without_nonzeros(ax, shape):
    pattern = asdex.SparsityPattern.from_coo([], [], shape)
    asdex.spy(pattern, ax=ax)
    assert drawn(ax).mask.all()
    ax.clear()
    asdex.spy(asdex.jacobian_coloring_from_sparsity(pattern), ax=ax, compressed="beside")


def test_groups_have_the_colors_of_the_palette(ax, coloring):
    asdex.spy(coloring, ax=ax)
    (image,) = ax.images
    inks = image.to_rgba(image.get_array(), bytes=True)[..., :3]
    where = coloring.sparsity.rows, coloring.sparsity.cols
    hexes = ["#" + bytes(ink).hex() for ink in inks[where]]
    assert hexes == [palette(2)[group] for group in coloring.colors[coloring.sparsity.cols]]


ARROW = np.eye(9, dtype=bool)
ARROW[0] = ARROW[:, 0] = True


def test_pattern_and_compressed_forms_beside_each_other(ax):
    both = asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto")
    assert (both.num_colors, both.num_row_colors) == (3, 1)
    assert asdex.spy(both, ax=ax, compressed="beside") is ax
    assert drawn(ax)[0, 1] == 2  # the row is the last group
    right, below = (drawn(one) for one in ax.figure.axes[1:])
    np.testing.assert_array_equal(right[1:], np.tile([0, 1], (8, 1)))
    np.testing.assert_array_equal(below, np.full((1, 9), 2))
    ax.figure.draw_without_rendering()
    boxes = [one.get_position() for one in ax.figure.axes]
    assert boxes[1].x0 > boxes[0].x1 and boxes[2].y1 < boxes[0].y0
    assert boxes[1].height == pytest.approx(boxes[0].height)
    assert boxes[2].width == pytest.approx(boxes[0].width)


def test_either_compressed_form_of_both(ax):
    both = asdex.jacobian_coloring_from_sparsity(ARROW, mode="auto")
    asdex.spy(both, ax=ax, compressed="rows")
    np.testing.assert_array_equal(drawn(ax), np.full((1, 9), 2))
    ax.clear()
    asdex.spy(both, ax=ax, compressed="columns")
    assert drawn(ax).shape == (9, 2)


def test_forms_that_are_not_there(ax, coloring):
    with pytest.raises(ValueError, match="groups of rows, got one of mode 'fwd'"):
        asdex.spy(coloring, ax=ax, compressed="rows")
    with pytest.raises(ValueError, match="'beside', got 'left'"):
        asdex.spy(coloring, ax=ax, compressed="left")  # pyright: ignore[reportArgumentType]


def test_traced_patterns_are_refused(ax, coloring):
    with pytest.raises(ValueError, match="known indices, got ColoredPattern"):
        jax.jit(lambda one: asdex.spy(one, ax=ax) and 0)(coloring)


def bsr_of(dense):
    """Blocks of one element, as a derivative returns them."""
    kept = jnp.asarray(dense != 0, dense.dtype)
    coloring = asdex.jacobian_coloring_from_sparsity(kept)
    function = asdex.jacobian_from_coloring(lambda x: kept @ x, coloring, "bsr")
    return function(jnp.ones(dense.shape[1]))


MATRICES = {
    "dense": np.asarray,
    "of jax": jnp.asarray,
    "BCOO": lambda dense: sparse.BCOO.fromdense(jnp.asarray(dense)),
    "BCSR": lambda dense: sparse.BCSR.fromdense(jnp.asarray(dense)),
    "BSR": bsr_of,
    "SciPy array": sp.csc_array,
    "SciPy matrix": sp.csr_matrix,
}


@pytest.mark.parametrize("kind", MATRICES)
def test_matrices_are_shown_by_their_patterns(ax, kind):
    dense = np.array([[0.5, 0, 0, -2], [0, np.nan, 0, 0], [0, 0, 3, 0]], np.float32)
    asdex.spy(MATRICES[kind](dense), ax=ax)
    np.testing.assert_array_equal(~drawn(ax).mask, dense != 0)


def test_blocks_whose_components_come_first(ax):
    """They are shown in the order of the unknowns, and not node by node."""

    def f(x):
        u, v = x
        coupled = jnp.roll(u, 1) * jnp.roll(v, 1)
        return jnp.stack([u * v + coupled, u - v + coupled])

    pattern = asdex.jacobian_sparsity(f, jnp.ones((2, 4)))
    blocks = asdex.BlockPattern.from_sparsity(pattern)
    assert blocks.components == "first"
    matrix = blocks(jnp.ones(pattern.nnz))
    asdex.spy(matrix, ax=ax)
    np.testing.assert_array_equal(~drawn(ax).mask, np.asarray(matrix.todense()) != 0)


def test_what_is_no_pattern_gets_cause_and_remedy(ax):
    derivative = asdex.jacobian(jnp.sin, jnp.ones(3))
    with pytest.raises(TypeError, match=r"2-D matrix .*got SparseDerivative.*`coloring`"):
        asdex.spy(derivative, ax=ax)  # pyright: ignore[reportArgumentType]
    asdex.spy(derivative.coloring, ax=ax)
    with pytest.raises(TypeError, match="got list"):
        asdex.spy([[1, 0], [0, 1]], ax=ax)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"2-D array, got shape \(3,\)"):
        asdex.spy(np.ones(3), ax=ax)
    with pytest.raises(ValueError, match="known indices"):
        jax.jit(lambda one: asdex.spy(one, ax=ax) and 0)(np.eye(3))
    with pytest.raises(ValueError, match="needs a ColoredPattern, got a SparsityPattern"):
        asdex.spy(np.eye(3), ax=ax, compressed=True)


def test_compressed_needs_a_coloring(ax, coloring):
    with pytest.raises(ValueError, match="needs a ColoredPattern, got a SparsityPattern"):
        asdex.spy(coloring.sparsity, ax=ax, compressed=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch, coloring):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "asdex\[plot\]"'):
        asdex.spy(coloring)
