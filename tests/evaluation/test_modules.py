"""What the public functions return is a module: of a model and a coloring, inside all transformations."""

import dataclasses
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivative_callables import BY_MODE, CASES, X

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

every_function = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_mode = pytest.mark.parametrize("case", BY_MODE, ids=lambda case: case.name)


def assert_same(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def check(case, derivative, model, x=X):
    """Compare a derivative with that of `model` by jax."""
    result = derivative(x)
    assert_same(case.dense(result, derivative.coloring), case.expected(model, x))


@every_function
def test_modules_of_the_function_and_its_coloring(case):
    model = case.model
    derivative = case.make(model)
    assert isinstance(derivative, eqx.Module)
    assert type(derivative) is asdex.SparseDerivative
    assert derivative.f is model
    assert isinstance(derivative.coloring, asdex.ColoredPattern)
    check(case, derivative, model)


@every_function
def test_flattening(case):
    derivative = case.make(case.model)
    leaves, tree = jax.tree.flatten(derivative)
    assert all(isinstance(leaf, jax.Array | np.ndarray) for leaf in leaves)
    rebuilt = jax.tree.unflatten(tree, leaves)
    check(case, rebuilt, case.model)
    again, tree_again = jax.tree.flatten(rebuilt)
    assert tree_again == tree and hash(tree_again) == hash(tree)
    assert all(one is other for one, other in zip(leaves, again, strict=True))


@every_function
def test_serialising_leaves(case, tmp_path):
    derivative = case.make(case.model)
    eqx.tree_serialise_leaves(tmp_path / "derivative.eqx", derivative)
    like = eqx.tree_at(lambda d: d.f.weight, derivative, jnp.zeros(6))
    check(case, eqx.tree_deserialise_leaves(tmp_path / "derivative.eqx", like), case.model)


@every_function
def test_partition_and_combine(case):
    derivative = case.make(case.model)
    weights, others = eqx.partition(derivative, eqx.is_inexact_array)
    (weight,) = jax.tree.leaves(weights)
    assert weight is derivative.f.weight
    doubled = jax.tree.map(lambda w: 2 * w, weights)
    check(case, eqx.combine(doubled, others), type(case.model)(2 * weight))


@every_function
def test_replacing_the_model(case):
    derivative = case.make(case.model)
    other = type(case.model)(case.model.weight[::-1])
    check(case, eqx.tree_at(lambda d: d.f, derivative, other), other)
    check(case, eqx.tree_at(lambda d: d.f.weight, derivative, other.weight), other)


@every_function
def test_pickling(case):
    check(case, pickle.loads(pickle.dumps(case.make(case.model))), case.model)


@every_mode
def test_compiling(case):
    derivative = case.make(case.model)
    expected = case.expected(case.model, X)
    for compiled in (
        jax.jit(derivative),
        eqx.filter_jit(derivative),
        lambda x: jax.jit(lambda d, x: d(x))(derivative, x),
        lambda x: eqx.filter_jit(lambda d, x: d(x))(derivative, x),
    ):
        assert_same(case.dense(compiled(X), derivative.coloring), expected)


@every_mode
def test_batches_of_inputs(case):
    derivative = case.make(case.model)
    batch = jnp.stack([X, 2 * X, X - 3])
    values, matrices = jax.vmap(lambda x: case.dense(derivative(x), derivative.coloring))(batch)
    for i, x in enumerate(batch):
        assert_same((values[i], matrices[i]), case.expected(case.model, x))


@every_mode
def test_batches_of_models(case):
    derivative = case.make(case.model)
    models = [type(case.model)(scale * case.model.weight) for scale in (1.0, -0.5, 2.0)]
    batch = jax.tree.map(lambda *weights: jnp.stack(weights), *models)

    def evaluate(model):
        changed = eqx.tree_at(lambda d: d.f, derivative, model)
        return case.dense(changed(X), derivative.coloring)

    values, matrices = jax.jit(jax.vmap(evaluate))(batch)
    # The same batch inside of the module, which is then mapped over where it is of floating-point numbers.
    batched = eqx.tree_at(lambda d: d.f, derivative, batch)
    results = eqx.filter_vmap(
        lambda d: case.dense(d(X), derivative.coloring),
        in_axes=(jax.tree.map(lambda leaf: 0 if eqx.is_inexact_array(leaf) else None, batched),),
    )(batched)
    for i, model in enumerate(models):
        assert_same((values[i], matrices[i]), case.expected(model, X))
        assert_same((results[0][i], results[1][i]), case.expected(model, X))


def penalty(case, derivative):
    """A function of the model and of the input, through all that the derivative returns."""

    def function(model, x):
        changed = eqx.tree_at(lambda d: d.f, derivative, model)
        value, matrix = case.dense(changed(x), derivative.coloring)
        return jnp.sum(matrix**2) + jnp.sum(value**2)

    return function


def dense_penalty(case):
    def function(model, x):
        value, matrix = case.expected(model, x)
        return jnp.sum(matrix**2) + jnp.sum(value**2)

    return function


@every_mode
def test_gradients_with_respect_to_the_model_and_the_input(case):
    sparse, dense = penalty(case, case.make(case.model)), dense_penalty(case)
    expected = jax.grad(dense, argnums=(0, 1))(case.model, X)
    for function in (sparse, jax.checkpoint(sparse)):
        model, x = jax.jit(jax.grad(function, argnums=(0, 1)))(case.model, X)
        np.testing.assert_allclose(model.weight, expected[0].weight, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(x, expected[1], rtol=1e-4, atol=1e-4)


@every_mode
def test_a_second_jacobian(case):
    derivative = case.make(case.model)

    def matrix(x):
        return case.dense(derivative(x), derivative.coloring)[1]

    expected = jax.jit(jax.jacobian(lambda x: case.expected(case.model, x)[1]))(X)
    second = asdex.jacobian(matrix, X)
    assert 0 < second.coloring.sparsity.density < 0.25
    np.testing.assert_allclose(second(X).todense(), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(matrix))(X), expected, rtol=1e-4, atol=1e-4)


@every_mode
def test_loops(case):
    derivative = case.make(case.model)

    def step(x, d):
        return 0.9 * x + 0.01 * jnp.sum(case.dense(d(x), derivative.coloring)[1])

    expected = X
    for _ in range(3):
        expected = 0.9 * expected + 0.01 * jnp.sum(case.expected(case.model, expected)[1])
    scanned, _ = jax.lax.scan(lambda x, _: (step(x, derivative), None), X, None, length=3)
    np.testing.assert_allclose(scanned, expected, rtol=1e-5)
    # The derivative itself goes around the loop.
    _, repeated, _ = jax.lax.while_loop(
        lambda state: state[0] < 3,
        lambda state: (state[0] + 1, step(*state[1:]), state[2]),
        (0, X, derivative),
    )
    np.testing.assert_allclose(repeated, expected, rtol=1e-5)


@every_mode
def test_colorings_and_models_as_arguments(case):
    coloring = case.make(case.model).coloring
    twin = asdex.hessian_from_coloring if case.hessian else asdex.jacobian_from_coloring

    def evaluate(model, coloring, x):
        return twin(model, coloring, output_format="dense")(x)

    if coloring.recovery == "substitution":
        with pytest.raises(TypeError, match="needs a known coloring"):
            jax.jit(evaluate)(case.model, coloring, X)
        return
    expected = case.expected(case.model, X)[1]
    for transform in (jax.jit, eqx.filter_jit):
        np.testing.assert_allclose(
            transform(evaluate)(case.model, coloring, X), expected, rtol=1e-5
        )


def test_colorings_as_arguments_are_told_apart():
    """Two colorings of one size, in one compiled function: a repeated color, moved."""
    model, traces = CASES[0].model, []

    @jax.jit
    def evaluate(model, coloring, x):
        traces.append(coloring)
        return asdex.jacobian_from_coloring(model, coloring, output_format="dense")(x)

    coloring = asdex.jacobian_coloring(model, X, mode="fwd")
    swapped = dataclasses.replace(coloring, colors=1 - coloring.colors)
    shifted = dataclasses.replace(
        coloring, colors=np.arange(6, dtype=np.int32), num_colors=6, lower_bound=0
    )
    changed = eqx.tree_at(lambda one: one.colors, coloring, 1 - coloring.colors)
    for one in (coloring, swapped, shifted, changed, pickle.loads(pickle.dumps(coloring))):
        result = evaluate(model, one, X)
        np.testing.assert_allclose(result, jax.jit(jax.jacobian(model))(X), rtol=1e-5)
    assert len(traces) == 2  # for two and for six colors


def test_several_outputs_of_a_coloring_that_is_an_argument():
    """A tree of blocks, whose numbers of nonzeros only the pattern says: its values may be had."""

    def f(params):
        return {"a": params["u"] ** 2 * params["v"][0], "b": jnp.sum(params["v"])}

    params = {"u": X, "v": X[:2]}
    coloring = asdex.jacobian_coloring(f, params)
    with pytest.raises(TypeError, match="blocks needs a known coloring"):
        jax.jit(lambda c, p: asdex.jacobian_from_coloring(f, c)(p))(coloring, params)


@pytest.mark.parametrize("shared", [True, False])
def test_threads(shared):
    """The first calls of one derivative, or the making of several, from eight threads at once."""
    case = CASES[0]
    expected = case.expected(case.model, X)[1]
    derivative = case.make(case.model)

    def work(i):
        own = derivative if shared else case.make(type(case.model)((i + 1.0) * case.model.weight))
        return own(X + i / 8).todense()

    with ThreadPoolExecutor(8) as executor:
        results = list(executor.map(work, range(8)))
    assert not np.allclose(results[1], expected)
    for i, result in enumerate(results):
        model = case.model if shared else type(case.model)((i + 1.0) * case.model.weight)
        assert_same((0, result), (0, case.expected(model, X + i / 8)[1]))


def test_a_derivative_has_the_name_and_the_signature_of_its_function():
    def scaled(x, factor=2.0):
        return factor * x

    jac_fn = asdex.jacobian(scaled, jnp.ones(3))
    assert jac_fn.__name__ == "scaled"
    assert inspect.signature(jac_fn) == inspect.signature(scaled)
    assert "jit_scaled" in jax.jit(jac_fn).lower(jnp.ones(3)).as_text()
