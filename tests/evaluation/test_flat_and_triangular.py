"""`flatten` gives one matrix for trees and grids, `triangle` half of a Hessian, the gradient beside it."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

GRID = jnp.linspace(0.5, 2.0, 12).reshape(3, 4)
TREE = {"a": GRID, "b": (jnp.arange(1.0, 4.0), jnp.float32(2.0))}
SPARSE = ["bcoo", "bcsr", "scipy_coo", "scipy_csr", "scipy_csc"]


def on_grid(u):
    return u**2 + jnp.roll(u, 1, 0) * jnp.roll(u, 1, 1)


def on_tree(p):
    return {"u": p["a"] * p["b"][1], "v": p["b"][0] ** 2 + p["a"][0, 0]}


def energy(p):
    return jnp.sum(p["a"] ** 3) * p["b"][1] + jnp.sum(p["b"][0] ** 2 * p["a"][:, 0])


def flattened(f, x):
    flat, unravel = jax.flatten_util.ravel_pytree(x)
    return lambda z: jax.flatten_util.ravel_pytree(f(unravel(z)))[0], flat


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix.todense())


@pytest.mark.parametrize("output_format", [*SPARSE, "dense", "numpy_dense"])
@pytest.mark.parametrize("f, x", [(on_grid, GRID), (on_tree, TREE)], ids=["grid", "tree"])
def test_jacobians(f, x, output_format):
    g, z = flattened(f, x)
    expected = jax.jit(jax.jacobian(g))(z)
    matrix = asdex.jacobian(f, x, flatten=True, output_format=output_format)(x)
    assert matrix.shape == expected.shape
    got = dense(matrix) if output_format in SPARSE else matrix
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_products_of_a_flat_jacobian():
    matrix = asdex.jacobian(on_grid, GRID, flatten=True)(GRID)
    v = jnp.arange(12.0)
    expected = jax.jvp(on_grid, (GRID,), (v.reshape(3, 4),))[1]
    np.testing.assert_allclose((matrix @ v).reshape(3, 4), expected, rtol=1e-5)


def test_several_arguments_come_one_after_the_other():
    def f(x, y):
        return x[:2] * y[0, 0], jnp.sum(y, 0)

    x, y = jnp.arange(1.0, 4.0), GRID
    matrix = asdex.jacobian(f, x, y, argnums=(1, 0), flatten=True, output_format="dense")(x, y)
    blocks = jax.jit(jax.jacobian(f, argnums=(1, 0)))(x, y)
    expected = np.block([[np.reshape(block, (len(block), -1)) for block in row] for row in blocks])
    np.testing.assert_allclose(matrix, expected, rtol=1e-6)


def test_with_a_coloring_inside_jit_and_by_parts():
    coloring = asdex.jacobian_coloring(on_grid, GRID)
    derivative = asdex.value_and_jacobian_from_coloring(on_grid, coloring, flatten=True)
    value, matrix = jax.jit(derivative)(GRID)
    g, z = flattened(on_grid, GRID)
    np.testing.assert_allclose(value, on_grid(GRID), rtol=1e-6)
    np.testing.assert_allclose(matrix.todense(), jax.jit(jax.jacobian(g))(z), rtol=1e-6)


def test_a_linear_map():
    matrix = asdex.materialize(lambda u: jnp.roll(u, 1, 0) - u, GRID, flatten=True)
    expected = jax.jacobian(flattened(lambda u: jnp.roll(u, 1, 0) - u, GRID)[0])(GRID.ravel())
    np.testing.assert_array_equal(matrix.todense(), expected)


@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("recovery", ["direct", "substitution"])
@pytest.mark.parametrize("output_format", [*SPARSE, "dense"])
def test_triangles(triangle, recovery, output_format):
    g, z = flattened(energy, TREE)
    cut = np.tril if triangle == "lower" else np.triu
    expected = cut(jax.jit(jax.hessian(lambda z: g(z)[0]))(z))
    options = {"triangle": triangle, "recovery": recovery, "output_format": output_format}
    matrix = asdex.hessian(energy, TREE, flatten=True, **options)(TREE)
    got = dense(matrix) if output_format in SPARSE else matrix
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("constant", ["recompute", "reuse"])
def test_the_values_of_a_triangle_and_their_pattern(constant):
    def f(x):
        return jnp.sum(x[1:] * x[:-1]) + x[0] ** 3

    x = jnp.arange(1.0, 7.0)
    derivative = asdex.hessian(f, x, triangle="lower", output_format="data", constant=constant)
    pattern = derivative.sparsity
    assert np.all(pattern.rows >= pattern.cols) and pattern.nnz < derivative.coloring.sparsity.nnz
    np.testing.assert_allclose(
        derivative(x), jax.jit(jax.hessian(f))(x)[pattern.rows, pattern.cols], rtol=1e-6
    )
    assert (derivative.num_constant > 0) == (constant == "reuse")


def test_a_triangle_of_a_tree_of_blocks():
    blocks = asdex.hessian(energy, TREE, triangle="lower", output_format="dense")(TREE)
    expected = jax.jit(jax.hessian(energy))(TREE)
    np.testing.assert_allclose(blocks["b"][1]["a"], expected["b"][1]["a"], rtol=1e-6)
    assert not np.any(blocks["a"]["b"][1])


def test_a_triangle_inside_jit_from_a_coloring():
    coloring = asdex.hessian_coloring(energy, TREE)
    derivative = asdex.hessian_from_coloring(energy, coloring, triangle="upper", flatten=True)
    g, z = flattened(energy, TREE)
    expected = np.triu(jax.jit(jax.hessian(lambda z: g(z)[0]))(z))
    np.testing.assert_allclose(jax.jit(derivative)(TREE).todense(), expected, rtol=1e-5, atol=1e-5)


def test_a_triangle_is_lower_or_upper():
    with pytest.raises(ValueError, match="`triangle` to be one of 'lower', 'upper', got 'left'"):
        asdex.hessian(energy, TREE, triangle="left")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("flatten", [False, True])
def test_value_gradient_and_hessian(mode, flatten):
    derivative = asdex.value_gradient_and_hessian(energy, TREE, mode=mode, flatten=flatten)
    expected = jax.grad(energy)(TREE)
    if flatten:
        expected = jax.flatten_util.ravel_pytree(expected)[0]
    for call in (derivative, jax.jit(derivative)):
        value, gradient, matrix = call(TREE)
        np.testing.assert_allclose(value, energy(TREE), rtol=1e-6)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), gradient, expected)
    if flatten:
        g, z = flattened(energy, TREE)
        np.testing.assert_allclose(
            matrix.todense(), jax.jit(jax.hessian(lambda z: g(z)[0]))(z), rtol=1e-5, atol=1e-5
        )


def test_the_gradient_beside_auxiliary_data_and_integers():
    def f(x, n):
        return jnp.sum(x**3 * n), {"sum": jnp.sum(x), "name": "f"}

    x, n = jnp.arange(1.0, 4.0), jnp.array([1, 2, 3])
    derivative = asdex.value_gradient_and_hessian(
        f, x, n, argnums=(0, 1), has_aux=True, allow_int=True, output_format="dense"
    )
    (value, aux), (by_x, by_n), hessian = derivative(x, n)
    assert value == 98 and aux["name"] == "f" and aux["sum"] == 6
    np.testing.assert_allclose(by_x, 3 * x**2 * n)
    assert by_n.dtype == jax.dtypes.float0 and by_n.shape == (3,)
    np.testing.assert_allclose(hessian[0][0], np.diag(6 * x * n))


def test_the_gradient_of_a_full_and_of_a_linear_function():
    x = jnp.arange(1.0, 7.0)
    _, gradient, hessian = asdex.value_gradient_and_hessian(lambda x: jnp.sum(x) ** 2, x)(x)
    np.testing.assert_allclose(gradient, np.full(6, 42.0))
    np.testing.assert_allclose(hessian.todense(), np.full((6, 6), 2.0))
    _, gradient, hessian = asdex.value_gradient_and_hessian(lambda x: jnp.sum(3 * x), x)(x)
    np.testing.assert_allclose(gradient, np.full(6, 3.0))
    assert hessian.nse == 0


def test_integer_leaves_do_not_widen_a_gradient():
    x = jnp.ones(3, jnp.float16), jnp.arange(2)
    call = asdex.value_gradient_and_hessian(
        lambda x: jnp.sum(x[0] ** 2), x, allow_int=True, flatten=True
    )
    value, gradient, hessian = call(x)
    assert value.dtype == gradient.dtype == hessian.dtype == jnp.float16
    np.testing.assert_array_equal(gradient, [2, 2, 2, 0, 0])
