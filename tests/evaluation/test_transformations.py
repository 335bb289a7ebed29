"""The callables inside jax's and Equinox's transformations, and what a plain call compiles."""

import pickle
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)
BATCH = jnp.stack([X, 2 * X, X - 1])


def f(x):
    return x[1:] ** 2 * x[:-1]


def energy(x):
    return jnp.sum(x[1:] ** 2 * x[:-1])


class Model(eqx.Module):
    weight: jax.Array
    activation: Callable[[jax.Array], jax.Array]

    def __call__(self, x):
        return self.activation(self.weight * x)


class Counted:
    """Counts the executions of a function by Python."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *args, **kwargs):
        self.count += 1
        return self.function(*args, **kwargs)


JACOBIAN = jax.jit(jax.jacobian(f))(X)
EXPECTED = {
    "bcoo": lambda result: result.todense(),
    "bcsr": lambda result: result.todense(),
    "dense": lambda result: result,
}


@pytest.mark.parametrize("output_format", EXPECTED)
@pytest.mark.parametrize(
    "transform",
    [
        lambda jac_fn: jax.jit(jac_fn),
        lambda jac_fn: jax.jit(lambda x: jac_fn(x)),
        lambda jac_fn: eqx.filter_jit(jac_fn),
        lambda jac_fn: lambda x: eqx.filter_jit(lambda g, y: g(y))(jac_fn, x),
        lambda jac_fn: jax.checkpoint(jac_fn),
        lambda jac_fn: lambda x: jax.vmap(jac_fn)(x[None]),
    ],
    ids=["jit", "jit around", "filter_jit", "filter_jit argument", "checkpoint", "vmap"],
)
def test_results_do_not_depend_on_the_transformation(transform, output_format):
    jac_fn = asdex.jacobian(f, X, output_format=output_format)
    result = EXPECTED[output_format](transform(jac_fn)(X)).reshape(5, 6)
    np.testing.assert_allclose(result, JACOBIAN, rtol=1e-6)


def test_vmap():
    jac_fn = asdex.jacobian(f, X)
    batched = jax.vmap(jac_fn)(BATCH)
    np.testing.assert_allclose(batched.todense(), jax.vmap(jax.jacobian(f))(BATCH), rtol=1e-5)
    shared = jax.vmap(lambda g, x: g(x).todense(), in_axes=(None, 0))(jac_fn, BATCH)
    np.testing.assert_allclose(shared, batched.todense(), rtol=1e-6)


def test_vmap_of_a_hessian():
    hessians = jax.vmap(asdex.hessian(energy, X, output_format="dense"))(BATCH)
    np.testing.assert_allclose(hessians, jax.vmap(jax.hessian(energy))(BATCH), rtol=1e-5)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_gradient_through_a_jacobian(mode):
    jac_fn = asdex.jacobian(f, X, mode=mode)
    gradient = jax.grad(lambda x: jnp.sum(jac_fn(x).data ** 2))(X)
    expected = jax.jit(jax.grad(lambda x: jnp.sum(jax.jacobian(f)(x) ** 2)))(X)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
def test_gradient_through_a_hessian(mode):
    hess_fn = asdex.hessian(energy, X, mode=mode)
    gradient = jax.grad(lambda x: jnp.sum(hess_fn(x).data ** 2))(X)
    expected = jax.jit(jax.grad(lambda x: jnp.sum(jax.hessian(energy)(x) ** 2)))(X)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_jvp_through_a_jacobian():
    jac_fn = asdex.jacobian(f, X, output_format="dense")
    tangent = jnp.arange(6.0)
    _, out = jax.jvp(jac_fn, (X,), (tangent,))
    _, expected = jax.jvp(jax.jacobian(f), (X,), (tangent,))
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_loops():
    jac_fn = asdex.jacobian(lambda x: jnp.cos(x) * 0.5, X)

    def newton(x, _):
        return x - (x - 0.5 * jnp.cos(x)) / (1 - jac_fn(x).data), jnp.sum(jac_fn(x).data)

    expected = X
    for _ in range(20):
        expected = 0.5 * jnp.cos(expected)
    solution, traced = jax.lax.scan(newton, X, None, length=8)
    np.testing.assert_allclose(solution, expected, rtol=1e-5)
    np.testing.assert_allclose(traced[-1], -0.5 * jnp.sum(jnp.sin(solution)), rtol=1e-5)
    _, solution = jax.lax.while_loop(
        lambda state: state[0] < 8, lambda state: (state[0] + 1, newton(state[1], None)[0]), (0, X)
    )
    np.testing.assert_allclose(solution, expected, rtol=1e-5)


def test_a_sparse_jacobian_inside_a_differentiated_function():
    inner = asdex.jacobian(f, X)

    def outer(x):
        return inner(x).data ** 2

    jacobian = asdex.jacobian(outer, X, output_format="dense")(X)
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(outer))(X), rtol=1e-6)
    hessian = asdex.hessian(lambda x: jnp.sum(outer(x)), X, output_format="dense")(X)
    np.testing.assert_allclose(hessian, jax.hessian(lambda x: jnp.sum(outer(x)))(X), rtol=1e-5)


def test_the_function_may_be_a_sparse_derivative():
    inner = asdex.jacobian(f, X, output_format="data")
    jacobian = asdex.jacobian(inner, X, output_format="dense")(X)
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(inner))(X), rtol=1e-6)


def test_detection_inside_a_trace():
    @jax.jit
    def newton_matrix(x, scale):
        return asdex.jacobian(lambda y: scale * f(y), x)(x).todense()

    np.testing.assert_allclose(newton_matrix(X, 2.0), 2 * JACOBIAN, rtol=1e-6)


def jacobian_at_constants(scale):
    return asdex.jacobian(lambda x: scale * f(x), X, output_format="dense")(X)


def compressed_at_constants(scale):
    return asdex.compressed_jacobian(lambda x: scale * f(x), X, mode="rev")(X)


def value_and_jacobian_at_constants(scale):
    coloring = asdex.jacobian_coloring(f, X)
    value, matrix = asdex.value_and_jacobian_from_coloring(lambda x: scale * f(x), coloring)(X)
    return value.sum() + matrix.data


def hessian_at_constants(scale):
    return asdex.hessian(partial(lambda s, x: jnp.sum(s * f(x) ** 2), scale), X)(X).data


@pytest.mark.parametrize(
    "derivative",
    [
        *(jacobian_at_constants, compressed_at_constants),
        *(value_and_jacobian_at_constants, hessian_at_constants),
    ],
)
def test_traced_values_reach_the_function_at_constant_points(derivative):
    """What the function closes over is traced, its arguments are not; each is linear in the scale."""
    once = derivative(1.0)
    np.testing.assert_allclose(jax.jit(derivative)(2.0), 2 * once, rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(derivative)(2.0), once, rtol=1e-6)
    np.testing.assert_allclose(jax.jacrev(derivative)(2.0), once, rtol=1e-6)
    both = jax.vmap(derivative)(jnp.array([2.0, 3.0]))
    np.testing.assert_allclose(both, [2 * once, 3 * once], rtol=1e-6)
    scanned = lax.scan(lambda _, scale: (None, derivative(scale)), None, jnp.array([2.0, 3.0]))[1]
    np.testing.assert_allclose(scanned, both, rtol=1e-6)


def test_no_trace_is_kept_with_a_function_that_closes_over_its_values():
    with jax.checking_leaks():
        matrix = jax.jit(jacobian_at_constants)(2.0)
    np.testing.assert_allclose(matrix, 2 * JACOBIAN, rtol=1e-6)


def test_a_method_of_a_traced_model_at_a_constant_point():
    model = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))

    @eqx.filter_jit
    def matrix(model):
        return asdex.jacobian(model.__call__, X[:3], output_format="dense")(X[:3])

    np.testing.assert_allclose(matrix(model), jax.jacobian(model)(X[:3]), rtol=1e-5)


def test_abstract_evaluation():
    shape = jax.eval_shape(asdex.jacobian(f, X, output_format="dense"), X)
    assert (shape.shape, shape.dtype) == ((5, 6), jnp.float32)


@pytest.mark.parametrize("make", [asdex.jacobian, asdex.value_and_jacobian])
def test_repeated_calls_trace_once(make):
    counted = Counted(f)
    jac_fn = make(counted, X)
    counted.count = 0
    for scale in range(4):
        jac_fn(X * scale)
    assert counted.count == 1
    asdex.jacobian(counted, X)(X)
    assert counted.count <= 3  # detection, and at most one more trace


def test_new_data_arguments_trace_nothing():
    counted = Counted(lambda x, t, s: t * x * s)
    jac_fn = asdex.jacobian(counted, X, 1.0, s=X)
    counted.count = 0
    for t in (0.0, 1.0, 2.5):
        data = jac_fn(X, t, s=X + t).data
    assert counted.count == 1
    np.testing.assert_allclose(data, 2.5 * (X + 2.5), rtol=1e-6)


def test_models_of_one_structure_share_a_compilation():
    counted = Counted(jnp.sin)
    jac_fn = asdex.jacobian(Model(X, counted), X)
    counted.count = 0
    jac_fn(X)
    assert counted.count == 1
    scaled = eqx.tree_at(lambda g: g.f.weight, jac_fn, 2 * X)
    data = scaled(X).data
    assert counted.count == 1
    np.testing.assert_allclose(data, 2 * X * jnp.cos(2 * X * X), rtol=1e-5)
    other = asdex.jacobian(Model(3 * X, counted), X)
    counted.count = 0
    other(X)
    assert counted.count == 0


def test_a_model_inside_is_trainable():
    jac_fn = asdex.jacobian(Model(X, jnp.sin), X)

    def loss(g):
        return jnp.sum(g(X).data)

    expected = jax.grad(lambda w: jnp.sum(w * jnp.cos(w * X)))(X)
    gradient = eqx.filter_grad(loss)(jac_fn)
    np.testing.assert_allclose(gradient.f.weight, expected, rtol=1e-5)
    np.testing.assert_allclose(
        eqx.filter_jit(eqx.filter_grad(loss))(jac_fn).f.weight, expected, rtol=1e-5
    )
    trained = eqx.apply_updates(jac_fn, gradient)
    np.testing.assert_allclose(trained.f.weight, X + expected, rtol=1e-5)
    assert np.isfinite(trained(X).data).all()


def test_training_from_zero_weights():
    jac_fn = asdex.jacobian(Model(jnp.zeros(6), jnp.sin), X)
    trained = eqx.tree_at(lambda g: g.f.weight, jac_fn, X)
    np.testing.assert_allclose(trained(X).data, X * jnp.cos(X * X), rtol=1e-6)


def test_identity():
    first, second = asdex.jacobian(f, X), asdex.jacobian(f, X)
    assert first == first
    assert first != second
    assert len({first, first, second}) == 2


def test_flattening():
    jac_fn = asdex.jacobian(f, X)
    leaves, tree = jax.tree.flatten(jac_fn)
    rebuilt = jax.tree.unflatten(tree, leaves)
    np.testing.assert_allclose(rebuilt(X).todense(), JACOBIAN, rtol=1e-6)
    assert jax.tree.structure(rebuilt) == tree
    assert jax.tree.structure(asdex.jacobian(f, X)) == tree
    assert hash(jax.tree.structure(asdex.jacobian(f, X))) == hash(tree)


@pytest.mark.parametrize("output_format", ["bcoo", "scipy_csr"])
def test_pickling(output_format):
    jac_fn = asdex.jacobian(f, X, output_format=output_format)
    restored = pickle.loads(pickle.dumps(jac_fn))
    np.testing.assert_allclose(restored(X).todense(), JACOBIAN, rtol=1e-6)
    with pytest.raises(ValueError, match="shape"):
        restored(X[1:])


def test_index_arrays_are_inputs_of_the_compiled_function():
    jac_fn = asdex.jacobian(f, X, output_format="data")
    leaves, tree = jax.tree.flatten(eqx.filter(jac_fn, eqx.is_array))
    assert all(jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in leaves)
    jaxpr = eqx.filter_make_jaxpr(lambda g, x: g(x))(jac_fn, X)[0]
    assert not any(np.size(const) >= jac_fn.coloring.sparsity.nnz for const in jaxpr.consts)
    assert tree == jax.tree.structure(eqx.filter(jac_fn, eqx.is_array))
