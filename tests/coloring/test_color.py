"""Colorings: validity on random patterns, counts on known ones, choice of the mode."""

import warnings

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st
from jax.experimental.sparse import BCOO

import asdex


def banded(n, *offsets):
    rows = np.concatenate([np.arange(max(0, -k), n - max(0, k)) for k in offsets])
    cols = np.concatenate([np.arange(max(0, k), n - max(0, -k)) for k in offsets])
    return sp.csr_array((np.ones(len(rows)), (rows, cols)), shape=(n, n))


def five_point(side):
    line, eye = banded(side, -1, 0, 1), banded(side, 0)
    return sp.kron(line, eye) + sp.kron(eye, line)


def pattern_of(matrix):
    rows, cols = matrix.nonzero()
    return asdex.SparsityPattern.from_coo(rows, cols, matrix.shape)


@st.composite
def dense_patterns(draw, square=False):
    m = draw(st.integers(1, 12))
    n = m if square else draw(st.integers(1, 12))
    density = draw(st.sampled_from([0.05, 0.2, 0.5, 0.95]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (rng.random((m, n)) < density).astype(np.int8)


def has_conflict(dense, colors):
    """Whether two columns of one color share a row: the definition, by brute force."""
    gram = dense.T.astype(int) @ dense
    same = colors[:, None] == colors[None, :]
    return bool(np.any(gram[same & ~np.eye(len(colors), dtype=bool)]))


def has_two_colored_path(dense, colors):
    """Whether a path on four vertices has two colors, or an edge has one, by brute force."""
    edges = (dense != 0) & ~np.eye(len(dense), dtype=bool)
    if np.any(edges & (colors[:, None] == colors)):
        return True
    for b, c in zip(*np.nonzero(edges), strict=True):
        ends_a = edges[:, b] & (colors == colors[c]) & (np.arange(len(dense)) != c)
        ends_d = edges[:, c] & (colors == colors[b]) & (np.arange(len(dense)) != b)
        if ends_a.any() and ends_d.any():
            return True
    return False


@given(dense_patterns())
def test_columns_and_rows_are_structurally_orthogonal(dense):
    colors, num_colors = asdex.color_cols(dense)
    assert colors.dtype == np.int32 and colors.shape == (dense.shape[1],)
    assert not has_conflict(dense, colors)
    used = dense.any(0)
    assert num_colors == len(np.unique(colors[used]))
    assert num_colors >= dense.sum(1).max()
    row_colors, num_row_colors = asdex.color_rows(dense)
    assert not has_conflict(dense.T, row_colors)
    assert num_row_colors == asdex.color_cols(dense.T)[1]


@given(dense_patterns(square=True))
def test_symmetric_colorings_have_no_two_colored_path(dense):
    dense = dense | dense.T
    colors, num_colors, _ = asdex.color_symmetric(dense)
    assert not has_two_colored_path(dense, colors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", asdex.DenseColoringWarning)
        coloring = asdex.hessian_coloring_from_sparsity(dense)
    assert coloring.lower_bound <= num_colors == coloring.num_colors


@given(dense_patterns(square=True), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_checks_agree_with_the_definitions(dense, num_colors, seed):
    colors = np.random.default_rng(seed).integers(0, num_colors, len(dense))
    symmetric = dense | dense.T
    cases = [
        (asdex.check_coloring_cols, dense, has_conflict(dense, colors)),
        (asdex.check_coloring_rows, dense, has_conflict(dense.T, colors)),
        (asdex.check_coloring_symmetric, symmetric, has_two_colored_path(symmetric, colors)),
    ]
    for check, matrix, invalid in cases:
        if invalid:
            with pytest.raises(asdex.InvalidColoringError):
                check(matrix, colors)
        else:
            check(matrix, colors)


@given(dense_patterns(square=True))
def test_stars_partition_the_edges(dense):
    dense = dense | dense.T
    colors, _, stars = asdex.color_symmetric(dense)
    v, w = np.nonzero(np.triu(dense, 1))
    assert stars.star.shape == v.shape and stars.star.dtype == stars.hub.dtype == np.int32
    first = np.unique(stars.star, return_index=True)[1]
    assert len(stars.hub) == len(first) and np.all(np.diff(first) > 0)
    for index, hub in enumerate(stars.hub):
        members = stars.star == index
        if hub < 0:
            assert members.sum() == 1
        else:
            assert members.sum() >= 2
            assert np.all((v[members] == hub) | (w[members] == hub))
            spokes = np.where(v[members] == hub, w[members], v[members])
            assert len(np.unique(colors[spokes])) == 1
    hubs = stars.hub[stars.star]
    spoke_colors = np.where(v == hubs, colors[w], colors[v])[hubs >= 0]
    keys = np.stack([hubs[hubs >= 0], spoke_colors], 1)
    assert len(np.unique(keys, axis=0)) == np.sum(stars.hub >= 0)


@pytest.mark.parametrize(
    ("matrix", "column_colors", "star_colors"),
    [
        (banded(10_000, -1, 0, 1), 3, 3),
        (banded(60, -2, -1, 0, 1, 2), 5, 5),
        (five_point(40), 5, 5),
        (banded(30, 0), 1, 1),
        (sp.block_diag([sp.coo_array(np.ones((4, 4)))] * 5), 4, 4),
        (np.ones((6, 6)), 6, 6),
    ],
)
def test_color_counts(matrix, column_colors, star_colors):
    pattern = pattern_of(matrix)
    assert asdex.color_cols(pattern)[1] == column_colors
    assert asdex.color_rows(pattern)[1] == column_colors
    assert asdex.color_symmetric(pattern)[1] == star_colors


def test_arrowhead_needs_two_star_colors_at_any_size():
    n = 20_000
    v = np.arange(1, n)
    zeros = np.zeros(n - 1, int)
    pattern = asdex.SparsityPattern.from_coo(
        np.concatenate([v, v, zeros, [0]]), np.concatenate([v, zeros, v, [0]]), (n, n)
    )
    colors, num_colors, stars = asdex.color_symmetric(pattern)
    assert num_colors == 2 and colors[0] != colors[1]
    np.testing.assert_array_equal(stars.hub, [0])
    coloring = asdex.hessian_coloring_from_sparsity(pattern)
    assert coloring.optimal and coloring.lower_bound == 2
    with pytest.warns(asdex.DenseColoringWarning):
        assert asdex.hessian_coloring_from_sparsity(pattern, symmetric=False).num_colors == n


def test_a_nearly_dense_row_at_scale():
    n = 20_000
    rows = np.concatenate([np.zeros(n - 1, int), np.arange(1, n)])
    cols = np.concatenate([np.arange(n - 1), np.arange(1, n)])
    pattern = asdex.SparsityPattern.from_coo(rows, cols, (n, n))
    assert asdex.color_cols(pattern)[1] == n - 1
    assert asdex.jacobian_coloring_from_sparsity(pattern).mode == "rev"
    assert asdex.color_rows(pattern)[1] == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_patterns_without_nonzeros_need_no_colors(shape):
    pattern = asdex.SparsityPattern.from_coo([], [], shape)
    colors, num_colors = asdex.color_cols(pattern)
    assert num_colors == 0
    np.testing.assert_array_equal(colors, np.zeros(shape[1]))
    coloring = asdex.jacobian_coloring_from_sparsity(pattern)
    assert coloring.num_colors == coloring.lower_bound == 0 and coloring.optimal
    if shape[0] == shape[1]:
        assert asdex.hessian_coloring_from_sparsity(pattern).num_colors == 0
        stars = asdex.color_symmetric(pattern)[2]
        assert stars.star.size == stars.hub.size == 0


def test_every_form_of_pattern_is_accepted():
    dense = np.array([[1, 1, 0], [0, 1, 1]])
    for form in (
        dense,
        BCOO.fromdense(jnp.asarray(dense)),
        asdex.SparsityPattern.from_dense(dense),
    ):
        assert asdex.color_cols(form)[1] == 2
    with pytest.raises(TypeError, match="got str"):
        asdex.color_cols("pattern")  # pyright: ignore


def test_check_messages_name_the_conflict():
    dense = np.array([[1, 1, 0], [0, 1, 1]])
    with pytest.raises(asdex.InvalidColoringError, match="row 1 contains columns 1 and 2"):
        asdex.check_coloring_cols(dense, [0, 1, 1])
    with pytest.raises(asdex.InvalidColoringError, match="column 1 contains rows 0 and 1"):
        asdex.check_coloring_rows(dense, [0, 0])
    path = banded(4, -1, 0, 1).toarray()
    with pytest.raises(asdex.InvalidColoringError, match="vertices 2 and 3 share color 0"):
        asdex.check_coloring_symmetric(path, [0, 1, 0, 0])
    with pytest.raises(asdex.InvalidColoringError, match="path 0 - 1 - 2 - 3 has only the colors"):
        asdex.check_coloring_symmetric(path, [0, 1, 0, 1])
    asdex.check_coloring_symmetric(path, [0, 1, 0, 2])


@pytest.mark.parametrize(
    "colors", [[0, 1], [0, 1, -1], [0, 1, 2**40], [0.0, 1.0, 2.0], [[0, 1, 2]]]
)
def test_checks_refuse_what_is_no_coloring(colors):
    with pytest.raises(asdex.InvalidColoringError):
        asdex.check_coloring_cols(np.eye(3), colors)


def test_asymmetric_patterns_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"entry \(0, 2\) has no mirror image.*union"):
        asdex.color_symmetric(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1]]))
    with pytest.raises(ValueError, match=r"square pattern, got shape \(2, 3\)"):
        asdex.color_symmetric(np.ones((2, 3)))
    with pytest.raises(ValueError, match="symmetric=False"):
        asdex.jacobian_coloring_from_sparsity(np.triu(np.ones((3, 3))), symmetric=True)
    with pytest.raises(ValueError, match=r"square, got shape \(2, 3\)"):
        asdex.hessian_coloring_from_sparsity(np.eye(2, 3))


def test_auto_takes_the_mode_with_fewer_colors_and_prefers_forward():
    wide = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]])
    choose = asdex.jacobian_coloring_from_sparsity
    assert (choose(wide).mode, choose(wide).num_colors) == ("rev", 2)
    assert (choose(wide.T).mode, choose(wide.T).num_colors) == ("fwd", 2)
    bidiagonal = banded(6, 0, 1)
    tie = choose(pattern_of(bidiagonal), mode="auto")
    assert (tie.mode, tie.num_colors, tie.optimal) == ("fwd", 2, True)
    reverse = choose(pattern_of(bidiagonal), mode="rev")
    assert reverse.mode == "rev" and not reverse.symmetric and reverse.star_set is None
    assert choose(wide, mode="rev").colors.shape == (3,)


@pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
@pytest.mark.parametrize(
    ("by_column", "by_row", "mode"),
    [(5, 4, "rev"), (12, 11, "fwd"), (12, 10, "rev"), (3, 3, "fwd")],
)
def test_auto_takes_a_reverse_pass_for_more_than_a_forward_one(by_column, by_row, mode):
    coloring = asdex.jacobian_coloring_from_sparsity(np.ones((by_row, by_column)))
    assert coloring.mode == mode
    assert coloring.num_colors == {"fwd": by_column, "rev": by_row}[mode]


def test_symmetric_jacobians_are_star_colored():
    pattern = pattern_of(five_point(12))
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, symmetric=True)
    assert (coloring.mode, coloring.symmetric, coloring.num_colors) == ("fwd", True, 5)
    assert isinstance(coloring.star_set, asdex.StarSet)
    reverse = asdex.jacobian_coloring_from_sparsity(pattern, symmetric=True, mode="rev")
    assert (reverse.mode, reverse.num_colors) == ("rev", 5)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
def test_hessian_modes(mode):
    pattern = pattern_of(banded(9, -1, 0, 1))
    coloring = asdex.hessian_coloring_from_sparsity(pattern, mode=mode)
    assert (coloring.mode, coloring.symmetric) == (mode, True)
    assert asdex.hessian_coloring_from_sparsity(pattern).mode == "fwd_over_rev"
    assert asdex.hessian_coloring_from_sparsity(pattern, mode="auto").mode == "fwd_over_rev"


def test_unknown_modes_are_refused():
    with pytest.raises(
        ValueError, match="one of 'auto', 'fwd', 'rev', 'bidirectional', got 'fwd_over_rev'"
    ):
        asdex.jacobian_coloring_from_sparsity(np.eye(3), mode="fwd_over_rev")  # pyright: ignore
    with pytest.raises(ValueError, match="'rev_over_rev', got 'fwd'"):
        asdex.hessian_coloring_from_sparsity(np.eye(3), mode="fwd")  # pyright: ignore


def test_dense_colorings_warn_once_and_at_the_caller():
    with pytest.warns(asdex.DenseColoringWarning, match="3 colors for a 3×5 Jacobian") as caught:
        asdex.jacobian_coloring_from_sparsity(np.ones((3, 5)))
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(asdex.DenseColoringWarning, match="4 colors for a 4×4 Hessian"):
        asdex.hessian_coloring_from_sparsity(np.ones((4, 4)))
    with pytest.warns(asdex.DenseColoringWarning, match="5 colors"):
        asdex.jacobian_coloring_from_sparsity(np.ones((3, 5)), mode="fwd")


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (0, 4)])
def test_single_rows_and_columns_do_not_warn(shape):
    for mode in ("auto", "fwd", "rev"):
        asdex.jacobian_coloring_from_sparsity(np.ones(shape), mode=mode)


def test_colorings_survive_files_and_are_pytrees(tmp_path):
    pattern = pattern_of(five_point(5))
    coloring = asdex.hessian_coloring_from_sparsity(pattern, mode="rev_over_rev")
    coloring.save(tmp_path / "coloring")
    loaded = asdex.ColoredPattern.load(tmp_path / "coloring.npz")
    np.testing.assert_array_equal(loaded.colors, coloring.colors)
    np.testing.assert_array_equal(loaded.sparsity.todense(), pattern.todense())
    assert loaded.colors.dtype == np.int32
    for name in ("num_colors", "symmetric", "mode", "lower_bound"):
        assert getattr(loaded, name) == getattr(coloring, name)
        assert type(getattr(loaded, name)) is type(getattr(coloring, name))
    through = eqx.filter_jit(lambda c: c)(coloring)
    np.testing.assert_array_equal(through.colors, coloring.colors)
    assert through.num_colors == coloring.num_colors
    assert coloring == coloring and coloring != loaded and len({coloring, loaded}) == 2
    pattern.save(tmp_path / "pattern")
    with pytest.raises(ValueError, match=r"SparsityPattern\.load"):
        asdex.ColoredPattern.load(tmp_path / "pattern")
