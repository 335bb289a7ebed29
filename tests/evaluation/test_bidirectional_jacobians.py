"""Jacobians by some forward and some reverse passes, against `jax.jacobian`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


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


def test_one_of_the_modes_may_have_no_colors_without_jit():
    jacobian = asdex.jacobian(lambda x: x[1:] * x[:-1], X, mode="bidirectional")
    rows, columns = jacobian.coloring.row_colors, jacobian.coloring.column_colors
    assert rows is not None and columns is not None
    assert min(rows.max(), columns.max()) < 0
    with jax.disable_jit():
        dense = jacobian(X).todense()
    np.testing.assert_allclose(dense, jax.jit(jax.jacobian(lambda x: x[1:] * x[:-1]))(X))


def test_transformations_of_a_jacobian_in_both_modes():
    jacobian = asdex.jacobian(arrow, X, mode="bidirectional", output_format="dense")
    for transformed in (
        eqx.filter_jit(jacobian),
        jax.jit(lambda x: jacobian(x)),
        jax.jit(jacobian),
    ):
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
    if mode == "bidirectional":
        assert 0 < jacobian.coloring.num_row_colors < jacobian.coloring.num_colors
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
    coloring = asdex.jacobian_coloring(arrow, X, mode="auto")
    forward, reverse = asdex.compressed_jacobian_from_coloring(arrow, coloring)(X)
    rows = coloring.num_row_colors
    assert forward.shape == (coloring.num_colors - rows, 12) and reverse.shape == (rows, 12)
    expected = np.asarray(exact(X))
    for found, colors, sums in (
        (forward, coloring.column_colors, expected.T),
        (reverse, coloring.row_colors, expected),
    ):
        groups = np.arange(len(found))[:, None] == colors
        np.testing.assert_allclose(found, groups @ sums, rtol=1e-6)
    matrix = asdex.decompress((forward, reverse), coloring, "dense")
    np.testing.assert_allclose(matrix, expected, rtol=1e-6)


def test_colorings_for_both_modes_survive_files(tmp_path):
    coloring = asdex.jacobian_coloring(arrow, X, mode="auto")
    coloring.save(tmp_path / "arrow")
    loaded = asdex.ColoredPattern.load(tmp_path / "arrow.npz")
    assert loaded.row_colors is not None and loaded.row_colors.dtype == np.int32
    np.testing.assert_array_equal(loaded.row_colors, coloring.row_colors)
    np.testing.assert_array_equal(loaded.column_colors, coloring.column_colors)
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

    forward = asdex.jacobian_coloring(halved, X)
    assert forward.mode == "fwd" and forward.sparsity.modes == ("fwd",)

    @jax.custom_vjp
    def only_reverse(x):
        return arrow(x)

    only_reverse.defvjp(lambda x: (arrow(x), x), lambda x, ct: (jax.vjp(arrow, x)[1](ct)[0],))
    reverse = asdex.jacobian_coloring(only_reverse, X)
    assert reverse.mode == "rev" and "allows no forward mode" in reverse.reason
    jacobian = asdex.jacobian_from_coloring(only_reverse, reverse, "dense")(X)
    np.testing.assert_allclose(jacobian, exact(X), rtol=1e-6)
