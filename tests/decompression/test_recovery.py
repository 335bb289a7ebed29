"""Exact recovery of integer matrices from what their colorings compress them to."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import asdex
from asdex.decompression import decompressor_for


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
KINDS = ["fwd", "rev", "bidirectional", "star"]


def color(pattern, kind, **options):
    if kind == "star":
        return asdex.hessian_coloring_from_sparsity(pattern, budget=0.0, **options)
    return asdex.jacobian_coloring_from_sparsity(pattern, mode=kind, budget=0.0, **options)


def columns_together(matrix, colors, num_colors):
    """Row c is the sum of the columns of color c."""
    B = np.zeros((num_colors, matrix.shape[0]), matrix.dtype)
    for j, c in enumerate(np.asarray(colors)):
        if c >= 0:
            B[c] += matrix[:, j]
    return B


def compress(matrix, coloring):
    """The compressed matrix, by its definition."""
    if coloring.mode == "bidirectional":
        rows = coloring.num_row_colors
        return (
            columns_together(matrix, coloring.column_colors, coloring.num_colors - rows),
            columns_together(matrix.T, coloring.row_colors, rows),
        )
    groups = matrix.T if coloring.mode == "rev" else matrix
    # A pattern without nonzeros has colors, all 0, and no passes.
    return columns_together(groups, coloring.colors, coloring.num_colors or 1)[
        : coloring.num_colors
    ]


def random_pattern(rng, kind):
    """Sparse or dense, with or without full rows and columns, and with empty ones."""
    m, n = rng.integers(1, 16, 2)
    m = n if kind == "star" else m
    matrix = rng.random((m, n)) < rng.choice([0.0, 0.1, 0.3, 0.6, 1.0])
    matrix[rng.integers(0, m, rng.integers(0, 2))] = True
    matrix[:, rng.integers(0, n, rng.integers(0, 2))] = True
    matrix[rng.integers(0, m, rng.integers(0, 2))] = False
    return matrix | matrix.T if kind == "star" else matrix


def random_values(rng, pattern, kind, dtype):
    """Integers without zeros; symmetric for a star coloring."""
    values = rng.integers(1, 1000, pattern.shape) * rng.choice([-1, 1], pattern.shape)
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.integers(-1000, 1000, pattern.shape)
    if kind == "star":
        values = np.tril(values) + np.tril(values, -1).T
    return (values * pattern).astype(dtype)


def gathered(decompressor, B):
    """What the decompressor reads, by NumPy: its index arrays without a compilation per shape."""
    if isinstance(B, tuple):
        columns, rows = (
            read(part, index) if part.size or not index else np.zeros(len(*index), part.dtype)
            for part, index in zip(
                B, (decompressor.column_index, decompressor.row_index), strict=True
            )
        )
        return np.where(decompressor.from_columns, columns, rows)
    return read(B, decompressor.index)


def read(B, index):
    return B.ravel()[np.asarray(*index)] if index else B.ravel()


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
@settings(max_examples=200)
def test_every_pattern(seed, kind):
    rng = np.random.default_rng(seed)
    pattern = random_pattern(rng, kind)
    matrix = random_values(rng, pattern, kind, np.int32)
    coloring = color(pattern, kind)
    values = gathered(decompressor_for(coloring), compress(matrix, coloring))
    np.testing.assert_array_equal(values, matrix[np.nonzero(pattern)])


def assert_recovered(matrix, pattern, kind):
    """Plain, and inside `jit` and `vmap`."""
    coloring = color(pattern, kind)
    B = compress(matrix, coloring)
    expected = matrix[np.nonzero(pattern)]
    decompressor = decompressor_for(coloring)
    compiled = jax.jit(lambda B: asdex.decompress_data(B, coloring))
    for result in (decompressor(jax.tree.map(jnp.asarray, B)), compiled(B)):
        assert result.dtype == matrix.dtype and result.shape == expected.shape
        np.testing.assert_array_equal(result, expected)
    stacked = jax.tree.map(lambda part: np.stack([part, 2 * part, -part]), B)
    batched = eqx.filter_jit(eqx.filter_vmap(decompressor, in_axes=(0,)))(stacked)
    np.testing.assert_array_equal(batched, [expected, 2 * expected, -expected])
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "numpy_dense"), matrix)


PATTERNS = {kind: random_pattern(np.random.default_rng(0), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.complex64])
def test_random_matrices_are_recovered_exactly(kind, dtype):
    pattern = PATTERNS[kind]
    assert 20 < np.sum(pattern) < pattern.size
    assert_recovered(random_values(np.random.default_rng(1), pattern, kind, dtype), pattern, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.complex128])
def test_random_matrices_in_double_precision(kind, dtype, enable_x64):
    pattern = PATTERNS[kind]
    values = random_values(np.random.default_rng(2), pattern, kind, dtype)
    with enable_x64(True):  # for numbers beyond what single precision can hold
        assert_recovered(values * 2**30 + pattern, pattern, kind)


SQUARES, RECTANGLES = [(0, 0), (1, 1), (4, 4)], [(0, 3), (3, 0), (1, 6), (6, 1), (2, 5)]


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(kind, shape) for kind in KINDS for shape in SQUARES]
    + [(kind, shape) for kind in KINDS[:3] for shape in RECTANGLES],
)
@pytest.mark.parametrize("full", [False, True])
def test_empty_and_full_patterns(kind, shape, full):
    pattern = np.full(shape, full)
    matrix = np.arange(1, 1 + pattern.size, dtype=np.int32).reshape(shape) * pattern
    matrix = matrix + matrix.T if kind == "star" else matrix
    coloring = color(pattern, kind)
    m, n = shape
    passes = {"fwd": n, "rev": m, "bidirectional": min(m, n), "star": n}[kind]
    assert coloring.num_colors == (passes if pattern.any() else 0)
    B = compress(matrix, coloring)
    np.testing.assert_array_equal(asdex.decompress(B, coloring, "numpy_dense"), matrix)


def bordered(n, rows, columns):
    """A tridiagonal matrix with full rows and columns, wherever they happen to be."""
    rng = np.random.default_rng(n)
    pattern = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1
    pattern[rng.choice(n, rows, replace=False)] = True
    pattern[:, rng.choice(n, columns, replace=False)] = True
    return pattern


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3)])
def test_bordered_matrices(rows, columns):
    pattern = bordered(40, rows, columns)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode="auto")
    assert coloring.mode == "bidirectional"
    assert coloring.num_colors <= rows + columns + 3
    assert 0 < coloring.num_row_colors < coloring.num_colors
    matrix = random_values(np.random.default_rng(0), pattern, "bidirectional", np.float32)
    assert_recovered(matrix, pattern, "bidirectional")
    symmetric = pattern | pattern.T
    hessian = random_values(np.random.default_rng(1), symmetric, "star", np.float32)
    assert color(symmetric, "star").num_colors <= rows + columns + 3
    assert_recovered(hessian, symmetric, "star")


def test_one_kind_of_border_needs_one_kind_of_pass():
    for pattern, mode in ((bordered(40, 2, 0), "rev"), (bordered(40, 0, 2), "fwd")):
        coloring = asdex.jacobian_coloring_from_sparsity(pattern)
        assert coloring.mode == mode and coloring.num_colors == 5


def test_wrong_shapes_of_a_pair_are_refused():
    coloring = color(bordered(12, 1, 1), "bidirectional")
    forward, reverse = compress(np.ones((12, 12)), coloring)
    message = r"Expected a compressed matrix of shape \(\d+, 12\)"
    for wrong in ((forward[:-1], reverse), (forward, reverse.T)):
        with pytest.raises(ValueError, match=message):
            asdex.decompress(wrong, coloring)
