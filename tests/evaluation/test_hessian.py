"""Values of sparse Hessians against `jax.hessian`, over modes, formats and options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from kinds_of_matrices import dense, KINDS

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 1.5, 8)
MODES = ["auto", "fwd_over_rev", "rev_over_fwd", "rev_over_rev"]


def rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def arrow(x):
    return x[0] * jnp.sum(jnp.sin(x[1:])) + jnp.sum(x**4)


def assert_close(actual, expected):
    # Relative to the largest entry: the tridiagonal terms cancel.
    expected = np.asarray(expected)
    np.testing.assert_allclose(dense(actual), expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", [rosenbrock, arrow])
def test_modes_agree_with_jax(f, mode, symmetric):
    hess_fn = asdex.hessian(f, X, mode=mode, symmetric=symmetric)
    assert hess_fn.coloring.symmetric == symmetric
    hessian = hess_fn(X)
    assert isinstance(hessian, BCOO)
    assert_close(hessian, jax.jit(jax.hessian(f))(X))


def test_an_arrowhead_needs_two_colors_by_symmetry():
    assert asdex.hessian_coloring(arrow, X).num_colors == 2
    assert asdex.hessian_coloring(arrow, X, symmetric=False).num_colors == 8


@pytest.mark.parametrize(("output_format", "kind"), KINDS.items())
def test_output_formats(output_format, kind):
    hess_fn = asdex.hessian(rosenbrock, X, output_format=output_format)
    hessian = hess_fn(X)
    assert isinstance(hessian, kind)
    assert_close(hessian, jax.jit(jax.hessian(rosenbrock))(X))
    twin = asdex.hessian_from_coloring(rosenbrock, hess_fn.coloring, output_format)(X)
    np.testing.assert_array_equal(dense(twin), dense(hessian))


def test_data_format_follows_the_pattern():
    hess_fn = asdex.hessian(arrow, X, output_format="data")
    pattern = hess_fn.coloring.sparsity
    assert_close(hess_fn(X), np.asarray(jax.jit(jax.hessian(arrow))(X))[pattern.rows, pattern.cols])


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("chunk_size", [1, 2, 100])
def test_chunks_change_nothing(mode, chunk_size):
    hess_fn = asdex.hessian(rosenbrock, X, mode=mode, chunk_size=chunk_size)
    assert hess_fn.coloring.num_colors == 3  # so that 2 does not divide it
    assert_close(hess_fn(X), jax.jit(jax.hessian(rosenbrock))(X))


def test_value_and_hessian():
    value, hessian = asdex.value_and_hessian(rosenbrock, X)(X)
    assert value.shape == ()
    np.testing.assert_allclose(value, rosenbrock(X), rtol=1e-6)
    assert_close(hessian, jax.jit(jax.hessian(rosenbrock))(X))
    coloring = asdex.hessian_coloring(rosenbrock, X)
    twin = asdex.value_and_hessian_from_coloring(rosenbrock, coloring, "dense")(X)
    np.testing.assert_array_equal(twin[0], value)
    np.testing.assert_array_equal(twin[1], dense(hessian))


@pytest.mark.parametrize("mode", MODES[1:])
def test_compressed_hessian(mode):
    coloring = asdex.hessian_coloring(arrow, X, mode=mode)
    expected = np.asarray(jax.jit(jax.hessian(arrow))(X))
    seeds = np.arange(2)[:, None] == coloring.colors
    B = asdex.compressed_hessian(arrow, X, mode=mode)(X)
    assert B.shape == (2, 8)
    assert_close(B, seeds @ expected)
    np.testing.assert_array_equal(B, asdex.compressed_hessian_from_coloring(arrow, coloring)(X))
    for value, compressed in (
        asdex.value_and_compressed_hessian(arrow, X, mode=mode)(X),
        asdex.value_and_compressed_hessian_from_coloring(arrow, coloring)(X),
    ):
        np.testing.assert_allclose(value, arrow(X), rtol=1e-6)
        np.testing.assert_array_equal(compressed, B)
    assert_close(asdex.decompress(B, coloring, "dense"), expected)
    pattern = coloring.sparsity
    assert_close(asdex.decompress_data(B, coloring), expected[pattern.rows, pattern.cols])


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
@pytest.mark.parametrize("mode", MODES[1:])
def test_outputs_with_one_element_are_scalars(shape, mode):
    def f(x):
        return jnp.reshape(rosenbrock(x), shape)

    value, hessian = asdex.value_and_hessian(f, X, mode=mode)(X)
    assert value.shape == shape
    assert_close(hessian, jax.jit(jax.hessian(rosenbrock))(X))


def test_shapes_of_the_input_appear_twice():
    u = jnp.linspace(1.0, 2.0, 6).reshape(2, 3)

    def f(v):
        return jnp.sum(v[0] ** 2 * v[1])

    hessian = asdex.hessian(f, u)(u)
    assert hessian.shape == (2, 3, 2, 3)
    assert_close(hessian, jax.jit(jax.hessian(f))(u))


@pytest.mark.parametrize("mode", MODES[1:])
def test_scalar_and_empty_inputs(mode):
    assert asdex.hessian(lambda t: t**3, 2.0, mode=mode)(2.0).todense() == 12.0
    hess_fn = asdex.hessian(jnp.sum, X, mode=mode, chunk_size=3)
    assert hess_fn.coloring.num_colors == 0
    assert not dense(hess_fn(X)).any()
    none = jnp.zeros(0)
    assert asdex.hessian(lambda v: jnp.sum(v**2), none, mode=mode)(none).shape == (0, 0)


def test_input_shape_keyword():
    assert_close(asdex.hessian(rosenbrock, input_shape=8)(X), jax.jit(jax.hessian(rosenbrock))(X))


@pytest.mark.parametrize("mode", MODES[1:])
def test_blocks_of_a_pytree(mode):
    def f(params, scale):
        return scale * jnp.sum(params["a"] ** 2 * params["b"][1:]) + jnp.sum(params["b"] ** 3)

    params = {"a": jnp.arange(1.0, 4.0), "b": jnp.arange(2.0, 6.0)}
    expected = jax.jit(jax.hessian(f))(params, 2.0)
    hessian = asdex.hessian(f, params, 1.0, mode=mode)(params, 2.0)
    for row in "ab":
        for col in "ab":
            assert hessian[row][col].shape == expected[row][col].shape
            assert_close(hessian[row][col], expected[row][col])


@pytest.mark.parametrize("argnums", [1, (0, 1), (1, 0), -1])
def test_argnums(argnums):
    def f(x, y):
        return jnp.sum(x**2 * y) + jnp.sum(jnp.cos(y))

    y = X + 1.0
    expected = jax.jit(jax.hessian(f, argnums))(X, y)
    hessian = asdex.hessian(f, X, y, argnums=argnums)(X, y)
    is_block = {"is_leaf": lambda leaf: isinstance(leaf, BCOO)}
    assert jax.tree.structure(hessian, **is_block) == jax.tree.structure(expected)
    for got, want in zip(
        jax.tree.leaves(hessian, **is_block), jax.tree.leaves(expected), strict=True
    ):
        assert_close(got, want)


@pytest.mark.parametrize("mode", MODES[1:])
def test_auxiliary_data(mode):
    def f(x):
        return rosenbrock(x), {"twice": 2 * x, "name": "rosenbrock"}

    hessian, aux = asdex.hessian(f, X, has_aux=True, mode=mode)(X)
    assert_close(hessian, jax.jit(jax.hessian(rosenbrock))(X))
    np.testing.assert_array_equal(aux["twice"], 2 * X)
    assert aux["name"] == "rosenbrock"
    (value, aux), _ = asdex.value_and_hessian(f, X, has_aux=True, mode=mode)(X)
    np.testing.assert_allclose(value, rosenbrock(X), rtol=1e-6)
    assert aux["name"] == "rosenbrock"


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("symmetric", [True, False])
def test_nan_stays_where_it_is_read(mode, symmetric):
    def f(x):
        return jnp.sum(x[1:] ** 2 * x[:-1] ** 2)

    x = X.at[0].set(jnp.nan)
    hessian = dense(asdex.hessian(f, X, mode=mode, symmetric=symmetric)(x))
    expected = np.asarray(jax.jit(jax.hessian(f))(X))
    assert np.isnan(hessian[0, :2]).all()
    # Rows 0 and 1 of the gradient read x[0].
    np.testing.assert_allclose(hessian[3:], expected[3:], rtol=1e-5)
    assert np.isfinite(hessian[2, 2:]).all()
