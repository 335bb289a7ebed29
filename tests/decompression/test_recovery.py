"""Recovery of matrices from what a coloring compresses them to: exactly, and through AD."""

import warnings

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
            columns_together(matrix, coloring.colors, coloring.num_colors - rows),
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
            part.ravel()[np.asarray(*index)] if part.size else np.zeros(len(*index), part.dtype)
            for part, index in zip(
                B, (decompressor.column_index, decompressor.row_index), strict=True
            )
        )
        return np.where(decompressor.from_columns, columns, rows)
    return B.ravel()[np.asarray(*decompressor.index)]


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
    assert_recovered(
        random_values(np.random.default_rng(1), pattern, kind, dtype), pattern, kind
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.complex128])
def test_random_matrices_in_double_precision(kind, dtype, enable_x64):
    pattern = PATTERNS[kind]
    values = random_values(np.random.default_rng(2), pattern, kind, dtype)
    with enable_x64(True):  # for numbers beyond what single precision can hold
        assert_recovered(values * 2**30 + pattern, pattern, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (4, 4), (0, 3), (3, 0), (1, 6), (6, 1), (2, 5)])
@pytest.mark.parametrize("full", [False, True])
def test_trivial_patterns(kind, shape, full):
    if kind == "star" and shape[0] != shape[1]:
        pytest.skip("symmetric matrices are square")
    pattern = np.full(shape, full)
    matrix = np.arange(1, 1 + pattern.size, dtype=np.int32).reshape(shape) * pattern
    matrix = matrix + matrix.T if kind == "star" else matrix
    coloring = color(pattern, kind)
    assert coloring.num_colors == (min(shape) if kind == "bidirectional" and full else 0) or full
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
    coloring = asdex.jacobian_coloring_from_sparsity(pattern)
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


def arrow(x):
    """A full first row, a full first column and a diagonal."""
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] ** 3 * x[0]])


X = jnp.linspace(0.5, 2.0, 12)
exact = jax.jit(jax.jacobian(arrow))


@pytest.mark.parametrize("mode", ["bidirectional", "auto"])
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_jacobians_of_an_arrow(mode, chunk_size):
    jacobian = asdex.jacobian(arrow, X, mode=mode, chunk_size=chunk_size)
    assert jacobian.coloring.mode == "bidirectional" and jacobian.coloring.num_colors == 3
    np.testing.assert_allclose(jacobian(X).todense(), exact(X), rtol=1e-6)


def test_transformations_of_a_jacobian_in_both_modes():
    jacobian = asdex.jacobian(arrow, X, mode="bidirectional", output_format="dense")
    for transformed in (eqx.filter_jit(jacobian), jax.jit(lambda x: jacobian(x)), jax.jit(jacobian)):
        np.testing.assert_allclose(transformed(X), exact(X), rtol=1e-6)
    passed = eqx.filter_jit(lambda jacobian, x: jacobian(x))(jacobian, X)
    np.testing.assert_allclose(passed, exact(X), rtol=1e-6)
    points = jnp.stack([X, X + 1])
    batched = jax.jit(jax.vmap(jacobian))(points)
    np.testing.assert_allclose(batched, jax.jit(jax.vmap(exact))(points), rtol=1e-6)
    for derivative in (jax.jacfwd, jax.jacrev):
        second, expected = (jax.jit(derivative(first))(X) for first in (jacobian, exact))
        np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-6)


def on_trees(tree, scale):
    """From a pair in a dictionary to a dictionary of a matrix and a vector."""
    x, y = tree["x"], tree["y"]["z"]
    total = jnp.sum(x) * scale
    return {"first": (x[:6].reshape(2, 3) * y[0]) ** 2, "second": jnp.append(y**3, total * y[1])}


TREE = {"x": jnp.linspace(1.0, 2.0, 8), "y": {"z": jnp.array([0.5, 1.5, 2.5])}}


def assert_blocks_agree(result, expected):
    assert jax.tree.structure(result) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), result, expected)


@pytest.mark.parametrize("mode", ["bidirectional", "auto"])
@pytest.mark.parametrize("argnums", [0, (0, 1)])
def test_trees_in_and_out(mode, argnums):
    args = (TREE, jnp.float32(3.0))
    options = {"argnums": argnums, "mode": mode, "output_format": "dense"}
    jacobian = asdex.jacobian(on_trees, *args, **options)
    expected = jax.jit(jax.jacobian(on_trees, argnums=argnums))(*args)
    assert_blocks_agree(jacobian(*args), expected)


def test_integer_leaves_have_zero_derivatives():
    def f(x, k):
        return jnp.append(arrow(x), jnp.sum(x) * k)

    jacobian = asdex.jacobian(
        f, X, 3, argnums=(0, 1), mode="bidirectional", allow_int=True, output_format="dense"
    )
    by_x, by_k = jacobian(X, 3)
    np.testing.assert_allclose(by_x, jax.jit(jax.jacobian(f))(X, 3), rtol=1e-6)
    np.testing.assert_array_equal(by_k, np.zeros(13))


@pytest.mark.parametrize("mode", ["bidirectional", "auto"])
def test_values_and_auxiliary_data(mode):
    def with_aux(x):
        return arrow(x), {"norm": jnp.sum(x), "name": "arrow"}

    options = {"mode": mode, "output_format": "dense"}
    expected, value = exact(X), arrow(X)
    result = asdex.value_and_jacobian(arrow, X, **options)(X)
    np.testing.assert_allclose(result[0], value, rtol=1e-6)
    np.testing.assert_allclose(result[1], expected, rtol=1e-6)
    jacobian, aux = asdex.jacobian(with_aux, X, has_aux=True, **options)(X)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-6)
    assert aux["name"] == "arrow" and aux["norm"] == jnp.sum(X)
    result = asdex.value_and_jacobian(with_aux, X, has_aux=True, **options)(X)
    np.testing.assert_allclose(result[0][0], value, rtol=1e-6)
    assert result[0][1]["norm"] == jnp.sum(X)
    np.testing.assert_allclose(result[1], expected, rtol=1e-6)


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "numpy_dense", "scipy_csr", "data"])
def test_formats(output_format):
    jacobian = asdex.jacobian(arrow, X, mode="bidirectional", output_format=output_format)(X)
    expected = np.asarray(exact(X))
    if output_format == "data":
        np.testing.assert_allclose(jacobian, expected[expected != 0], rtol=1e-6)
        return
    for method in ("todense", "toarray"):
        jacobian = getattr(jacobian, method)() if hasattr(jacobian, method) else jacobian
    np.testing.assert_allclose(np.asarray(jacobian), expected, rtol=1e-6)


def test_compressed_jacobians_are_pairs():
    coloring = asdex.jacobian_coloring(arrow, X)
    forward, reverse = asdex.compressed_jacobian_from_coloring(arrow, coloring)(X)
    rows = coloring.num_row_colors
    assert forward.shape == (coloring.num_colors - rows, 12) and reverse.shape == (rows, 12)
    expected = np.asarray(exact(X))
    for found, defined in zip((forward, reverse), compress(expected, coloring), strict=True):
        np.testing.assert_allclose(found, defined, rtol=1e-6)
    matrix = asdex.decompress((forward, reverse), coloring, "dense")
    np.testing.assert_allclose(matrix, expected, rtol=1e-6)


def test_colorings_for_both_modes_survive_files(tmp_path):
    coloring = asdex.jacobian_coloring(arrow, X)
    coloring.save(tmp_path / "arrow")
    loaded = asdex.ColoredPattern.load(tmp_path / "arrow.npz")
    assert loaded.row_colors is not None and loaded.row_colors.dtype == np.int32
    np.testing.assert_array_equal(loaded.row_colors, coloring.row_colors)
    np.testing.assert_array_equal(loaded.colors, coloring.colors)
    for name in ("mode", "num_colors", "num_row_colors", "lower_bound", "recovery", "reason"):
        value = getattr(loaded, name)
        assert value == getattr(coloring, name) and type(value) is type(getattr(coloring, name))
    assert loaded.optimal and str(loaded) == str(coloring)
    jacobian = asdex.jacobian_from_coloring(arrow, loaded, "dense")(X)
    np.testing.assert_allclose(jacobian, exact(X), rtol=1e-6)
    through = jax.jit(lambda c: c)(coloring)
    jacobian = asdex.jacobian_from_coloring(arrow, through, "dense")(X)
    np.testing.assert_allclose(jacobian, exact(X), rtol=1e-6)


def test_a_trainable_model_stays_one():
    class Model(eqx.Module):
        weight: jax.Array

        def __call__(self, x):
            return arrow(x) * self.weight

    model = Model(jnp.float32(2.0))
    jacobian = asdex.jacobian(model, X, mode="bidirectional", output_format="dense")

    @eqx.filter_grad
    def loss(jacobian):
        return jnp.sum(jacobian(X))

    total = jnp.sum(exact(X))
    np.testing.assert_allclose(loss(jacobian).f.weight, total, rtol=1e-5)
    heavier = eqx.tree_at(lambda j: j.f.weight, jacobian, jnp.float32(5.0))
    np.testing.assert_allclose(heavier(X), 5 * exact(X), rtol=1e-6)


def test_functions_that_allow_one_mode_are_not_colored_for_both():
    def halved(x):
        """A loop whose number of steps depends on the values has no reverse mode."""
        return jax.lax.while_loop(lambda y: y[0] > 1, lambda y: arrow(y) / 100, x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forward = asdex.jacobian_coloring(halved, X)
    assert forward.mode == "fwd"

    @jax.custom_vjp
    def only_reverse(x):
        return arrow(x)

    only_reverse.defvjp(
        lambda x: (arrow(x), x), lambda x, ct: (jax.vjp(arrow, x)[1](ct)[0],)
    )
    reverse = asdex.jacobian_coloring(only_reverse, X)
    assert reverse.mode == "rev" and "allows no forward mode" in reverse.reason
    jacobian = asdex.jacobian_from_coloring(only_reverse, reverse, "dense")(X)
    np.testing.assert_allclose(jacobian, exact(X), rtol=1e-6)
