"""Values of sparse Jacobians against `jax.jacobian`, over modes, formats and options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from kinds_of_matrices import dense, KINDS

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 7)
MODES = ["fwd", "rev", "auto"]


def differences(x):
    return (x[1:] - x[:-1]) ** 2 * x[:-1]


def arrow(x):
    """A dense first row: many colors for columns, two for rows."""
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] ** 3])


def laplacian(x):
    """A symmetric Jacobian."""
    return 2.0 * x - jnp.pad(x[1:], (0, 1)) - jnp.pad(x[:-1], (1, 0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", [differences, arrow, laplacian])
def test_modes_agree_with_jax(f, mode):
    jacobian = asdex.jacobian(f, X, mode=mode)(X)
    assert isinstance(jacobian, BCOO)
    np.testing.assert_allclose(dense(jacobian), jax.jit(jax.jacobian(f))(X), rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_symmetric_jacobians_share_entries(mode):
    coloring = asdex.jacobian_coloring(laplacian, X, mode=mode, symmetric=True)
    assert coloring.symmetric
    jacobian = asdex.jacobian_from_coloring(laplacian, coloring)(X)
    np.testing.assert_allclose(dense(jacobian), jax.jit(jax.jacobian(laplacian))(X), rtol=1e-6)


@pytest.mark.parametrize(("output_format", "kind"), KINDS.items())
def test_output_formats(output_format, kind):
    jac_fn = asdex.jacobian(differences, X, output_format=output_format)
    jacobian = jac_fn(X)
    assert isinstance(jacobian, kind)
    np.testing.assert_allclose(dense(jacobian), jax.jit(jax.jacobian(differences))(X), rtol=1e-6)
    twin = asdex.jacobian_from_coloring(differences, jac_fn.coloring, output_format)(X)
    assert isinstance(twin, kind)
    np.testing.assert_array_equal(dense(twin), dense(jacobian))


def test_data_format_follows_the_pattern():
    jac_fn = asdex.jacobian(differences, X, output_format="data")
    pattern = jac_fn.coloring.sparsity
    expected = np.asarray(jax.jit(jax.jacobian(differences))(X))[pattern.rows, pattern.cols]
    assert expected.shape == (12,)
    np.testing.assert_allclose(jac_fn(X), expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 100])
def test_chunks_change_nothing(mode, chunk_size):
    def f(x):  # seven colors in forward mode, three or more in reverse mode
        return jnp.concatenate([jnp.cumsum(x**2)[-2:], x[1:] * x[:-1]])

    jac_fn = asdex.jacobian(f, X, mode=mode, chunk_size=chunk_size)
    assert jac_fn.coloring.num_colors >= 3
    np.testing.assert_allclose(dense(jac_fn(X)), jax.jit(jax.jacobian(f))(X), rtol=1e-6)


def test_bcoo_is_sorted_and_holds_only_the_pattern():
    jacobian = asdex.jacobian(differences, X)(X)
    assert jacobian.nse == 12
    assert jacobian.indices_sorted and jacobian.unique_indices
    assert jacobian.data.dtype == jnp.float32


def test_value_and_jacobian():
    value, jacobian = asdex.value_and_jacobian(differences, X)(X)
    np.testing.assert_allclose(value, differences(X), rtol=1e-6)
    np.testing.assert_allclose(dense(jacobian), jax.jit(jax.jacobian(differences))(X), rtol=1e-6)
    coloring = asdex.jacobian_coloring(differences, X)
    twin = asdex.value_and_jacobian_from_coloring(differences, coloring, "dense")(X)
    np.testing.assert_array_equal(twin[0], value)
    np.testing.assert_array_equal(twin[1], dense(jacobian))


@pytest.mark.parametrize(("mode", "length"), [("fwd", 6), ("rev", 7)])
def test_compressed_jacobian(mode, length):
    coloring = asdex.jacobian_coloring(differences, X, mode=mode)
    expected = np.asarray(jax.jit(jax.jacobian(differences))(X))
    seeds = np.arange(2)[:, None] == coloring.colors
    B = asdex.compressed_jacobian(differences, X, mode=mode)(X)
    assert B.shape == (2, length)
    np.testing.assert_allclose(B, seeds @ (expected if mode == "rev" else expected.T), rtol=1e-6)
    np.testing.assert_array_equal(
        B, asdex.compressed_jacobian_from_coloring(differences, coloring)(X)
    )
    for value, compressed in (
        asdex.value_and_compressed_jacobian(differences, X, mode=mode)(X),
        asdex.value_and_compressed_jacobian_from_coloring(differences, coloring)(X),
    ):
        np.testing.assert_allclose(value, differences(X), rtol=1e-6)
        np.testing.assert_array_equal(compressed, B)
    np.testing.assert_allclose(asdex.decompress(B, coloring, "dense"), expected, rtol=1e-6)
    pattern = coloring.sparsity
    np.testing.assert_allclose(
        asdex.decompress_data(B, coloring), expected[pattern.rows, pattern.cols], rtol=1e-6
    )


@pytest.mark.parametrize("input_shape", [7, (7,)])
def test_input_shape_keyword(input_shape):
    jac_fn = asdex.jacobian(differences, input_shape=input_shape)
    np.testing.assert_allclose(dense(jac_fn(X)), jax.jit(jax.jacobian(differences))(X), rtol=1e-6)


def test_input_shape_of_several_dimensions_and_of_a_scalar():
    field = jnp.arange(6.0).reshape(2, 3)
    jacobian = asdex.jacobian(jnp.sin, input_shape=(2, 3))(field)
    np.testing.assert_allclose(dense(jacobian), jax.jit(jax.jacobian(jnp.sin))(field), rtol=1e-6)
    assert asdex.jacobian(jnp.sin, input_shape=())(0.0).todense() == 1.0


def test_samples_may_be_shapes():
    jac_fn = asdex.jacobian(differences, jax.ShapeDtypeStruct((7,), jnp.float32))
    np.testing.assert_allclose(dense(jac_fn(X)), jax.jit(jax.jacobian(differences))(X), rtol=1e-6)


def test_arrays_of_several_dimensions():
    def f(u):  # a nine-point-like coupling of a field with its transpose
        return u[1:, :] * u[:-1, :] + jnp.roll(u, 1, axis=1)[1:, :]

    u = jnp.linspace(1.0, 2.0, 12).reshape(3, 4)
    expected = jax.jit(jax.jacobian(f))(u)
    jacobian = asdex.jacobian(f, u)(u)
    assert jacobian.shape == expected.shape == (2, 4, 3, 4)
    np.testing.assert_allclose(dense(jacobian), expected, rtol=1e-6)
    flat = asdex.jacobian(f, u, output_format="scipy_csr")(u)
    np.testing.assert_allclose(flat.toarray(), expected.reshape(8, 12), rtol=1e-6)
    np.testing.assert_allclose(
        asdex.jacobian(f, u, output_format="numpy_dense")(u), expected, rtol=1e-6
    )


@pytest.mark.parametrize("mode", MODES)
def test_scalar_inputs_and_outputs(mode):
    for f, x in [
        (jnp.sin, jnp.float32(0.3)),
        (lambda t: t * X, jnp.float32(0.3)),
        (lambda v: jnp.sum(v**2), X),
    ]:
        expected = jax.jit(jax.jacobian(f))(x)
        jacobian = asdex.jacobian(f, x, mode=mode)(x)
        assert jacobian.shape == expected.shape
        np.testing.assert_allclose(dense(jacobian), expected, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output_format", ["bcoo", "dense", "scipy_csr"])
def test_empty_patterns_need_no_pass(mode, output_format):
    jac_fn = asdex.jacobian(jnp.sign, X, mode=mode, output_format=output_format, chunk_size=2)
    assert jac_fn.coloring.num_colors == 0
    jacobian = jac_fn(X)
    assert jacobian.shape == (7, 7)
    assert not dense(jacobian).any()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_arrays_without_elements(mode, shape):
    x = jnp.zeros(shape)
    jacobian = asdex.jacobian(lambda v: 2 * v, x, mode=mode, output_format="dense")(x)
    assert jacobian.shape == (*shape, *shape)
    nothing = asdex.jacobian(lambda v: v[:0], X, mode=mode, output_format="dense")(X)
    assert nothing.shape == (0, 7)


def test_keywords_belong_to_the_function():
    def f(x, *, scale, power=2):
        return scale * x**power

    jac_fn = asdex.jacobian(f, X, scale=X, power=3)
    jacobian = jac_fn(X, scale=2 * X, power=3)
    np.testing.assert_allclose(dense(jacobian), np.diag(np.asarray(2 * X * 3 * X**2)), rtol=1e-5)
    value, _ = asdex.value_and_jacobian(f, X, scale=X)(X, scale=3 * X)
    np.testing.assert_allclose(value, 3 * X**3, rtol=1e-6)


def test_nan_stays_in_the_rows_that_read_it():
    x = X.at[3].set(jnp.nan)
    jacobian = dense(asdex.jacobian(differences, X, mode="fwd")(x))
    reads = np.zeros((6, 7), bool)  # outputs 2 and 3 read input 3
    reads[2, [2, 3]] = reads[3, [3, 4]] = True
    np.testing.assert_array_equal(np.isnan(jacobian), reads)
    expected = np.asarray(jax.jit(jax.jacobian(differences))(X))
    np.testing.assert_allclose(jacobian[~reads], expected[~reads], rtol=1e-6)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_nan_spreads_no_further_than_in_jax(mode):
    x = X.at[3].set(jnp.nan)
    jac_fn = asdex.jacobian(differences, X, mode=mode)
    reference = {"fwd": jax.jacfwd, "rev": jax.jacrev}[mode](differences)(x)
    expected = np.where(jac_fn.coloring.sparsity.todense() == 1, reference, 0)
    assert 0 < np.isnan(expected).sum() < 12
    np.testing.assert_allclose(dense(jac_fn(x)), expected, rtol=1e-6)


def test_infinity_stays_in_its_rows():
    x = X.at[0].set(jnp.inf)
    jacobian = dense(asdex.jacobian(differences, X)(x))
    assert np.isfinite(jacobian[1:]).all()
    assert not np.isfinite(jacobian[0, :2]).any()


def test_a_coloring_serves_every_function_with_its_pattern():
    coloring = asdex.jacobian_coloring(differences, X)

    def other(x):
        return jnp.sin(x[1:]) * x[:-1]

    jacobian = asdex.jacobian_from_coloring(other, coloring, "dense")(X)
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(other))(X), rtol=1e-6)


def test_patterns_without_shapes_give_a_matrix():
    u = jnp.arange(1.0, 7.0).reshape(2, 3)
    coloring = asdex.jacobian_coloring_from_sparsity(np.eye(6))
    jacobian = asdex.jacobian_from_coloring(jnp.square, coloring)(u)
    assert jacobian.shape == (6, 6)
    np.testing.assert_allclose(dense(jacobian), np.diag(2 * np.arange(1.0, 7.0)), rtol=1e-6)


def test_saved_colorings_evaluate(tmp_path):
    coloring = asdex.jacobian_coloring(differences, X)
    coloring.save(tmp_path / "coloring")
    loaded = asdex.ColoredPattern.load(tmp_path / "coloring")
    jacobian = asdex.jacobian_from_coloring(differences, loaded, "dense")(X)
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(differences))(X), rtol=1e-6)
