"""Decompression: exact recovery of integer matrices, output formats, and transformations."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st
from jax.core import Tracer
from jax.experimental.sparse import BCOO, BCSR

import asdex
from asdex.decompression import (
    ColumnDecompressor,
    decompressor_for,
    RowDecompressor,
    StarDecompressor,
)
from asdex.formats import assemble


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


@st.composite
def integer_matrices(draw, symmetric=False):
    m = draw(st.integers(1, 14))
    n = m if symmetric else draw(st.integers(1, 14))
    density = draw(st.sampled_from([0.0, 0.1, 0.3, 0.9]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matrix = rng.integers(-9, 10, (m, n)) * (rng.random((m, n)) < density)
    return (matrix + matrix.T if symmetric else matrix).astype(np.int32)


def seeds(coloring):
    return (np.arange(coloring.num_colors)[:, None] == coloring.colors).astype(np.int32)


def compress(matrix, coloring):
    return seeds(coloring) @ (matrix if coloring.mode == "rev" else matrix.T)


@given(integer_matrices(), st.sampled_from(["fwd", "rev"]))
def test_partitions_recover_the_matrix(matrix, mode):
    coloring = asdex.jacobian_coloring_from_sparsity(matrix, mode=mode)
    B = compress(matrix, coloring)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "numpy_dense"), matrix)
    expected = matrix[coloring.sparsity.rows, coloring.sparsity.cols]
    np.testing.assert_array_equal(asdex.decompress_data(B, coloring), expected)


@given(integer_matrices(symmetric=True), st.booleans())
def test_stars_recover_the_matrix(matrix, symmetric):
    coloring = asdex.hessian_coloring_from_sparsity(matrix, symmetric=symmetric)
    B = compress(matrix, coloring)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "numpy_dense"), matrix)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_symmetric_jacobians_recover_in_both_modes(mode):
    rng = np.random.default_rng(0)
    lower = np.tril(rng.integers(1, 9, (30, 30)) * (rng.random((30, 30)) < 0.15))
    matrix = lower + lower.T
    coloring = asdex.jacobian_coloring_from_sparsity(matrix, symmetric=True, mode=mode)
    B = compress(matrix, coloring)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "dense"), matrix)


@pytest.mark.parametrize(
    ("coloring", "kind", "shape"),
    [
        (asdex.jacobian_coloring_from_sparsity(np.eye(3, 4), mode="fwd"), ColumnDecompressor, 3),
        (asdex.jacobian_coloring_from_sparsity(np.eye(3, 4), mode="rev"), RowDecompressor, 4),
        (asdex.hessian_coloring_from_sparsity(np.eye(4)), StarDecompressor, 4),
    ],
)
def test_a_wrong_compressed_shape_is_refused(coloring, kind, shape):
    decompressor = decompressor_for(coloring)
    assert type(decompressor) is kind
    assert decompressor.compressed_shape == (1, shape)
    with pytest.raises(
        ValueError, match=rf"shape \(1, {shape}\), one row per color, got \({shape}, 1\)"
    ):
        decompressor(jnp.ones((shape, 1)))


@pytest.fixture
def case():
    matrix = np.array([[4, 1, 0, 0], [0, 0, 2, 0], [0, 5, 0, 3]], np.float32)
    coloring = asdex.jacobian_coloring_from_sparsity(matrix)
    return matrix, coloring, jnp.asarray(compress(matrix, coloring))


@pytest.mark.parametrize(
    ("output_format", "kind", "form"),
    [
        ("bcoo", BCOO, None),
        ("bcsr", BCSR, None),
        ("dense", jax.Array, None),
        ("numpy_dense", np.ndarray, None),
        ("scipy_coo", sp.coo_array, "coo"),
        ("scipy_csr", sp.csr_array, "csr"),
        ("scipy_csc", sp.csc_array, "csc"),
    ],
)
def test_output_formats(case, output_format, kind, form):
    matrix, coloring, B = case
    result = asdex.decompress(B, coloring, output_format)
    assert isinstance(result, kind) and result.dtype == np.float32
    if form is not None:
        assert result.format == form
        result = result.toarray()
    elif output_format in ("bcoo", "bcsr"):
        assert result.indices_sorted and result.unique_indices
        result = result.todense()
    np.testing.assert_array_equal(result, matrix)


def test_default_and_data_formats(case):
    matrix, coloring, B = case
    np.testing.assert_array_equal(asdex.decompress(B, coloring).todense(), matrix)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "data"), [4, 1, 2, 5, 3])


def test_unknown_formats_are_refused(case):
    _, coloring, B = case
    with pytest.raises(ValueError, match=r"one of 'bcoo', 'bcsr', .*'scipy_bsr', got 'csr'"):
        asdex.decompress(B, coloring, "csr")  # pyright: ignore


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "dense", "data"])
def test_jax_formats_inside_jit_and_with_traced_patterns(case, output_format):
    _, coloring, B = case
    expected = asdex.decompress(B, coloring, output_format)
    closed_over = jax.jit(lambda B: asdex.decompress(B, coloring, output_format))(B)

    @eqx.filter_jit
    def passed(decompressor, sparsity, B):
        return assemble(decompressor(B), sparsity, output_format)

    argument = passed(decompressor_for(coloring), coloring.sparsity, B)
    for result in (closed_over, argument):
        jax.tree.map(np.testing.assert_array_equal, result, expected)


@pytest.mark.parametrize("output_format", ["numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc"])
def test_host_formats_inside_jit_are_refused(case, output_format):
    _, coloring, B = case
    with pytest.raises(TypeError, match=f"{output_format!r} lives outside JAX"):
        jax.jit(lambda B: asdex.decompress(B, coloring, output_format))(B)


def test_a_coloring_may_be_an_argument(case):
    matrix, coloring, B = case
    for transform in (jax.jit, eqx.filter_jit):
        dense = transform(lambda B, c: asdex.decompress(B, c, "dense"))(B, coloring)
        np.testing.assert_array_equal(dense, matrix)


def test_recovery_by_substitution_needs_a_known_coloring():
    matrix = np.diag(np.arange(1, 7)) + np.diag(np.arange(1, 6), 1) + np.diag(np.arange(1, 6), -1)
    coloring = asdex.hessian_coloring_from_sparsity(matrix, recovery="substitution")
    with pytest.raises(TypeError, match="Close over the coloring"):
        eqx.filter_jit(asdex.decompress_data)(np.zeros((coloring.num_colors, 6)), coloring)


def test_a_decompressor_built_inside_a_trace_is_concrete(case):
    matrix, coloring, B = case
    kept = []

    @jax.jit
    def first(B):
        kept.append(decompressor_for(coloring))
        return kept[0](B)

    first(B)
    assert not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(kept[0]))
    np.testing.assert_array_equal(kept[0](2 * B), 2 * matrix[matrix != 0])


def test_a_coloring_that_came_out_of_jit_still_works(case):
    matrix, coloring, B = case
    device = jax.jit(lambda c: c)(coloring)
    assert isinstance(device.colors, jax.Array)
    inside = jax.jit(lambda B: asdex.decompress(B, device, "dense"))(B)
    np.testing.assert_array_equal(inside, matrix)
    assert asdex.color_cols(device.sparsity)[1] == coloring.num_colors
    assert str(device) == str(coloring)
    star = asdex.hessian_coloring_from_sparsity(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]]))
    on_device = jax.jit(lambda c: c)(star)
    assert on_device.star_set is not None and star.star_set is not None
    np.testing.assert_array_equal(on_device.star_set.star, star.star_set.star)
    (place,), (same_place,) = (
        jax.tree.leaves(decompressor_for(coloring)) for coloring in (on_device, star)
    )
    np.testing.assert_array_equal(place, same_place)


def test_batches_and_derivatives(case):
    matrix, coloring, B = case
    decompressor = decompressor_for(coloring)
    scaled = jax.vmap(decompressor)(jnp.stack([B, -B]))
    np.testing.assert_array_equal(scaled, [matrix[matrix != 0], -matrix[matrix != 0]])
    weights = jnp.arange(1.0, 6.0)
    gradient = jax.grad(lambda B: decompressor(B) @ weights)(B)
    expected = np.zeros_like(matrix)
    expected[matrix != 0] = weights
    np.testing.assert_array_equal(gradient, compress(expected, coloring))


@pytest.mark.parametrize(
    ("mode", "symmetric"), [("fwd", False), ("rev", False), ("fwd_over_rev", True)]
)
def test_full_matrices_are_read_as_they_are(mode, symmetric):
    m, n = (6, 6) if symmetric else (5, 7)
    matrix = np.arange(1.0, m * n + 1).reshape(m, n)
    matrix = matrix + matrix.T if symmetric else matrix
    pattern = asdex.SparsityPattern.from_dense(matrix)
    if symmetric:
        coloring = asdex.hessian_coloring_from_sparsity(pattern)
    else:
        coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode=mode)
    decompressor = asdex.decompressor_for(coloring)
    # In the order of the nonzeros they take no index.
    assert bool(jax.tree.leaves(decompressor)) == (mode != "rev")
    B = jnp.asarray(matrix if mode == "rev" else matrix.T)
    np.testing.assert_array_equal(decompressor(B), matrix.ravel())
    with pytest.raises(ValueError, match="Expected a compressed matrix of shape"):
        decompressor(B[1:])
    shuffled = dataclasses.replace(coloring, colors=coloring.colors[::-1].copy())
    gather = asdex.decompressor_for(shuffled)
    np.testing.assert_array_equal(gather(B[::-1]), matrix.ravel())


def test_patterns_that_only_have_the_size_of_a_full_one_are_gathered():
    """Leaves that take the place of others need not be sorted."""
    matrix = jnp.arange(1.0, 7.0).reshape(2, 3)
    rows, cols = np.divmod(np.array([5, 0, 3, 1, 4, 2], np.int32), 3)
    pattern = asdex.SparsityPattern.from_dense(np.ones((2, 3)))
    pattern = jax.tree.unflatten(jax.tree.structure(pattern), [rows, cols])
    coloring = asdex.ColoredPattern(pattern, np.arange(3, dtype=np.int32), 3, False, "fwd")
    decompressor = asdex.decompressor_for(coloring)
    np.testing.assert_array_equal(decompressor(matrix.T), matrix[rows, cols])


@given(integer_matrices(), st.sampled_from(["fwd", "rev"]), st.randoms(use_true_random=False))
def test_the_order_in_which_a_pattern_is_given_does_not_matter(matrix, mode, random):
    entries = [(i, j) for i, j in zip(*np.nonzero(matrix), strict=True) for _ in range(2)]
    random.shuffle(entries)
    rows, cols = np.array(entries, np.int64).reshape(-1, 2).T
    pattern = asdex.SparsityPattern(rows, cols, matrix.shape)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode=mode)
    B = compress(matrix, coloring)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "numpy_dense"), matrix)


def test_compressed_matrices_beyond_int32_are_gathered_by_two_indices():
    size = 50_000
    index = np.arange(size)
    sparsity = asdex.SparsityPattern.from_coo(index, index, (size, size))
    assert len(ColumnDecompressor(sparsity, index, 40_000).index) == 1
    decompressor = ColumnDecompressor(sparsity, index, size)
    color, position = decompressor.index
    assert color.dtype == position.dtype == jnp.int32
    np.testing.assert_array_equal(color, index)
    np.testing.assert_array_equal(position, index)
    shape = jax.eval_shape(decompressor, jax.ShapeDtypeStruct((size, size), jnp.int8))
    assert shape.shape == (size,)
    small = eqx.tree_at(
        lambda d: d.index, ColumnDecompressor(sparsity, index % 2, 2), (color % 2, position)
    )
    B = jnp.stack([jnp.arange(size), -jnp.arange(size)])
    np.testing.assert_array_equal(small(B), np.where(index % 2, -index, index))


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "dense", "numpy_dense", "scipy_csr"])
def test_matrices_without_nonzeros(output_format):
    coloring = asdex.jacobian_coloring_from_sparsity(np.zeros((2, 3)))
    result = asdex.decompress(jnp.zeros((0, 2)), coloring, output_format)
    assert result.shape == (2, 3)
    assert asdex.decompress(jnp.zeros((0, 2)), coloring, "data").shape == (0,)
