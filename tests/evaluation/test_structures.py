"""Pytrees, several arguments and auxiliary data: blocks, order and trees as jax has them."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 5)
Y = jnp.linspace(-1.0, 1.0, 3)
MODES = ["fwd", "rev"]


class State(NamedTuple):
    u: jax.Array
    v: jax.Array


class Network(eqx.Module):
    weight: jax.Array
    bias: jax.Array

    def __call__(self, x):
        return jnp.tanh(self.weight * x + self.bias)


def assert_same_blocks(actual, expected):
    is_block = {"is_leaf": lambda leaf: isinstance(leaf, BCOO)}
    assert jax.tree.structure(actual, **is_block) == jax.tree.structure(expected)
    blocks = jax.tree.leaves(actual, **is_block)
    for block, want in zip(blocks, jax.tree.leaves(expected), strict=True):
        got = block.todense() if isinstance(block, BCOO) else block
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output_format", ["bcoo", "dense", "numpy_dense"])
def test_trees_of_blocks(mode, output_format):
    def f(params):
        a, (b, c) = params["a"], params["rest"]
        return {"first": a[1:] * b[0], "second": (c**2, jnp.sum(a) + c[0, 0])}

    params = {"a": X, "rest": (Y, jnp.arange(6.0).reshape(2, 3))}
    jac_fn = asdex.jacobian(f, params, mode=mode, output_format=output_format)
    assert_same_blocks(jac_fn(params), jax.jit(jax.jacobian(f))(params))


def test_blocks_hold_only_their_part_of_the_pattern():
    def f(state):
        return State(u=state.u**2, v=state.v[1:] * state.u[0])

    state = State(X, Y)
    jacobian = asdex.jacobian(f, state)(state)
    blocks = jax.tree.leaves(jacobian, is_leaf=lambda leaf: isinstance(leaf, BCOO))
    assert [block.nse for block in blocks] == [5, 0, 2, 2]
    assert_same_blocks(jacobian, jax.jit(jax.jacobian(f))(state))


def test_data_of_a_tree_is_one_vector():
    def f(state):
        return State(u=state.u**2, v=state.v * 3)

    state = State(X, Y)
    data = asdex.jacobian(f, state, output_format="data")(state)
    np.testing.assert_allclose(data, np.concatenate([2 * X, np.full(3, 3.0)]), rtol=1e-6)


def test_scipy_blocks_of_a_tree():
    def f(state):
        return State(u=state.u[1:] * state.u[:-1], v=state.v[:, None] * jnp.ones((3, 2)))

    state = State(X, Y)
    jacobian = asdex.jacobian(f, state, output_format="scipy_csr")(state)
    expected = jax.jit(jax.jacobian(f))(state)
    np.testing.assert_allclose(jacobian.u.u.toarray(), expected.u.u, rtol=1e-6)
    np.testing.assert_allclose(jacobian.v.v.toarray(), expected.v.v.reshape(6, 3), rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (0, 1), (1, 0), (-1, 0), (0, 2), (2, 0, 1)])
def test_argnums(argnums, mode):
    def f(x, y, z):
        return {"sum": x * jnp.sum(y) + z["w"], "y": y**2 * z["w"][:3]}

    args = (X, Y, {"w": X + 1.0})
    jac_fn = asdex.jacobian(f, *args, argnums=argnums, mode=mode)
    assert_same_blocks(jac_fn(*args), jax.jit(jax.jacobian(f, argnums))(*args))


def test_order_of_argnums_is_the_order_of_columns():
    def f(x, y):
        return x[:3] * y

    coloring = asdex.jacobian_coloring(f, X, Y, argnums=(1, 0))
    assert coloring.sparsity.argnums == (1, 0)
    np.testing.assert_array_equal(coloring.sparsity.todense()[:, :3], np.eye(3))
    first, second = asdex.jacobian_from_coloring(f, coloring, "dense")(X, Y)
    np.testing.assert_allclose(first, np.diag(X[:3]), rtol=1e-6)
    np.testing.assert_allclose(second[:, :3], np.diag(Y), rtol=1e-6)


def test_a_module_can_be_differentiated():
    network = Network(X, X - 1.0)

    def f(model):
        return model(X)

    jacobian = asdex.jacobian(f, network, output_format="dense")(network)
    assert_same_blocks(jacobian, jax.jit(jax.jacobian(f))(network))


def test_undifferentiated_arguments_are_data():
    def f(x, scale):
        return scale * x**2

    jac_fn = asdex.jacobian(f, X, jnp.zeros(5), output_format="dense")
    np.testing.assert_allclose(jac_fn(X, X), np.diag(2 * X**2), rtol=1e-6)


def test_undifferentiated_numbers_are_data():
    jac_fn = asdex.jacobian(lambda t, x: t * x**2, 0.0, X, argnums=1, output_format="dense")
    np.testing.assert_allclose(jac_fn(3.0, X), np.diag(6 * X), rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_auxiliary_data(mode):
    def f(x):
        aux = {"square": x**2, "name": "f", "count": 3, "none": None, "list": [x[0], "text"]}
        return x[1:] * x[:-1], aux

    def check(aux):
        assert (aux["name"], aux["count"], aux["none"]) == ("f", 3, None)
        np.testing.assert_array_equal(aux["square"], X**2)
        assert aux["list"][0] == X[0] and aux["list"][1] == "text"

    expected, _ = jax.jacobian(f, has_aux=True)(X)
    jac_fn = asdex.jacobian(f, X, has_aux=True, mode=mode)
    for _ in range(2):  # compiled, and from the cache
        jacobian, aux = jac_fn(X)
        assert_same_blocks(jacobian, expected)
        check(aux)
    coloring = jac_fn.coloring
    (value, aux), jacobian = asdex.value_and_jacobian_from_coloring(f, coloring, has_aux=True)(X)
    np.testing.assert_array_equal(value, X[1:] * X[:-1])
    assert_same_blocks(jacobian, expected)
    check(aux)
    B, aux = asdex.compressed_jacobian_from_coloring(f, coloring, has_aux=True)(X)
    assert B.shape[0] == coloring.num_colors
    check(aux)
    (_, aux), _ = asdex.value_and_compressed_jacobian(f, X, has_aux=True, mode=mode)(X)
    check(aux)


def test_auxiliary_data_of_numpy():
    def f(x):
        return x**2, np.arange(3)

    for _ in range(2):
        _, aux = asdex.jacobian(f, X, has_aux=True)(X)
        np.testing.assert_array_equal(aux, np.arange(3))
