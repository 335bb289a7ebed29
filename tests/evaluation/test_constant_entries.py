"""`constant="reuse"`: entries that no call can change are computed once, and only those."""

import pickle
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from constant_programs import compare


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)
POINTS = [X, jnp.linspace(-2.0, 1.7, 6), jnp.array([0.3, -1.2, 2.2, -0.1, 1.5, -3.0])]
A = np.triu(np.arange(36.0).reshape(6, 6) % 5 - 2)


def reuse(f, *args, **options):
    options = {"output_format": "dense", **options}
    return asdex.jacobian(f, *args, constant="reuse", **options)


def passes(derivative):
    return derivative.options.num_colors


@contextmanager
def _warnings():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


@jax.custom_jvp
def straight_through(x):
    return jnp.round(x)


straight_through.defjvp(lambda primals, tangents: (straight_through(*primals), tangents[0]))


def block(x):
    """A linear block, in which nothing changes, above `x**2`."""
    return jnp.concatenate([A @ x, x**2])


def diffusion(u):
    p = jnp.pad(u, 1)
    return p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * u


def reaction_diffusion(u):
    return diffusion(u) + jnp.sin(u) * u


NOTHING, DIAGONAL = 0, 6


@pytest.mark.parametrize(
    ("f", "changing"),
    [
        (jax.nn.relu, DIAGONAL),
        (jnp.abs, DIAGONAL),
        (jnp.round, NOTHING),
        (straight_through, NOTHING),
        (lambda x: straight_through(x) * x, DIAGONAL),
        (lambda x: jnp.floor(x) * x, DIAGONAL),
        (lambda x: jnp.where(x > 0, x, 3 * x), DIAGONAL),
        (lambda x: jnp.where(jnp.arange(6) > 2, x, 3 * x), NOTHING),
        (lambda x: jnp.where(jnp.arange(6) > 2, x, x**2), 3),
        (lambda x: lax.stop_gradient(x) * x, DIAGONAL),
        (lambda x: x + lax.stop_gradient(x), NOTHING),
        (jnp.square, DIAGONAL),
        (lambda x: 3 * x, NOTHING),
        (lambda x: x / 3 - 2, NOTHING),
        (lambda x: 3 / x, DIAGONAL),
        (lambda x: x.at[:3].set(x[:3] ** 2), 3),
        (lambda x: jnp.cumsum(x), NOTHING),
        (lambda x: jnp.maximum(x, 0.4), DIAGONAL),
        (lambda x: jnp.clip(x, -1, 1), DIAGONAL),
        (lambda x: x.astype(jnp.int32).astype(x.dtype) * x, DIAGONAL),
        (lambda x: lax.cond(x[0] > 1, lambda y: 2 * y, lambda y: 3 * y, x), DIAGONAL),
        (lambda x: lax.fori_loop(0, 3, lambda i, y: 2 * y, x), NOTHING),
        (lambda x: lax.fori_loop(0, 3, lambda i, y: y.at[i].set(y[i] ** 2), x), DIAGONAL),
        (lambda x: x**0 * x, NOTHING),
        (block, DIAGONAL),
        (lambda x: jnp.concatenate([block(x), jnp.sum(x)[None]]), DIAGONAL),
    ],
)
def test_entries_that_change_are_computed_in_each_call(f, changing):
    derivative = reuse(f, X)
    if changing < derivative.coloring.sparsity.nnz and derivative.coloring.num_colors > 1:
        assert derivative.coloring.sparsity.nnz - derivative.num_constant == changing
    for x in POINTS:
        np.testing.assert_allclose(derivative(x), jax.jit(jax.jacfwd(f))(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        jnp.sort,
        lambda x: x[jnp.argsort(x)],
        lambda x: x[jnp.argmax(x)] + x,
        lambda x: lax.sort([x, x[::-1]], num_keys=1)[1],
        lambda x: jnp.max(x) + x,
        lambda x: lax.dynamic_slice(x, (jnp.int32(x[0]),), (3,)),
        lambda x: x.at[jnp.int32(jnp.abs(x[0]))].set(1.0),
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID"),
        lambda x: lax.while_loop(lambda y: jnp.sum(y**2) < 50, lambda y: 2 * y, x),
        lambda x: A @ lax.top_k(x, 6)[0],
    ],
)
def test_what_the_values_decide_is_not_constant(f):
    derivative = reuse(f, X)
    assert derivative.num_constant == 0
    for x in POINTS:
        np.testing.assert_allclose(derivative(x), jax.jit(jax.jacfwd(f))(x), rtol=1e-6)


# --- what may change --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "calls"),
    [
        ((X, 2.0), [(X, 3.0), (2 * X, -1.0)]),
        ((X, jnp.float32(2.0)), [(X, jnp.float32(3.0))]),
        ((X, np.arange(6)), [(X, np.arange(6)[::-1]), (3 * X, np.ones(6, int))]),
        ((X, np.arange(6) > 2), [(X, np.arange(6) > 4)]),
    ],
)
def test_other_arguments_change(samples, calls):
    def f(x, p):
        return jnp.concatenate([A @ x, p * x])

    derivative = reuse(f, *samples)
    assert derivative.num_constant == np.count_nonzero(A)
    assert passes(derivative) == 1
    for call in calls:
        np.testing.assert_allclose(derivative(*call), jax.jit(jax.jacfwd(f))(*call), rtol=1e-6)


def test_an_integer_that_picks_changes():
    def f(x, k):
        return jnp.concatenate([A @ x, x[k]])

    derivative = reuse(f, X, np.array([0, 2, 4]))
    assert 0 < derivative.num_constant <= np.count_nonzero(A)
    for k in ([0, 2, 4], [5, 1, 0]):
        args = X, np.array(k)
        np.testing.assert_allclose(derivative(*args), jax.jit(jax.jacfwd(f))(*args), rtol=1e-6)


def test_an_integer_of_python_is_a_constant_that_a_call_must_repeat():
    derivative = reuse(lambda x, k: jnp.concatenate([k * (A @ x), x**2]), X, 2)
    assert derivative.num_constant == np.count_nonzero(A)
    np.testing.assert_allclose(derivative(X, 2)[:6], 2 * A)
    with pytest.raises(ValueError, match=r"Expected args\[1\] to be 2"):
        derivative(X, 3)


class Model(eqx.Module):
    weights: jax.Array
    scale: float
    power: int
    fixed: jax.Array

    def __call__(self, x):
        return jnp.concatenate(
            [self.weights * x, self.scale * x, x**self.power, A @ x, x[self.fixed]]
        )


@pytest.fixture
def model():
    return Model(jnp.arange(1.0, 7.0), 2.0, 1, jnp.arange(3))


def test_floating_point_leaves_of_a_model_change(model):
    derivative = reuse(model, X)
    assert derivative.num_constant == 6 + np.count_nonzero(A) + 3
    other = eqx.tree_at(lambda one: (one.weights, one.scale), model, (-model.weights, 7.0))
    changed = eqx.tree_at(lambda one: one.f, derivative, other)
    np.testing.assert_allclose(changed(X), jax.jit(jax.jacfwd(other))(X))
    np.testing.assert_allclose(derivative(X), jax.jit(jax.jacfwd(model))(X))


def test_all_else_of_a_model_must_stay(model):
    derivative = reuse(model, X)
    for where, value in [
        (lambda one: one.f.power, 2),
        (lambda one: one.f.fixed, jnp.arange(1, 4)),
        (lambda one: one.f, jnp.sin),
    ]:
        with pytest.raises(ValueError, match="Expected the function that the pattern was made for"):
            eqx.tree_at(where, derivative, value)(X)
    same = eqx.tree_at(lambda one: one.f.fixed, derivative, jnp.arange(3))
    np.testing.assert_allclose(same(X), jax.jit(jax.jacfwd(model))(X))


def test_gradients_reach_the_weights_of_a_model(model):
    def loss(one, jacobian):
        return jnp.sum(jacobian(one)(X) ** 3)

    derivative = reuse(model, X)
    for jacobian in (
        lambda one: eqx.tree_at(lambda d: d.f, derivative, one),
        lambda one: jax.jacfwd(one),
    ):
        gradient = eqx.filter_grad(loss)(model, jacobian)
        np.testing.assert_allclose(gradient.weights, 3 * np.arange(1.0, 7.0) ** 2, rtol=1e-6)


def test_constants_are_no_parameters():
    derivative = reuse(block, X)
    assert derivative.num_constant
    assert not jax.tree.leaves(eqx.filter(derivative, eqx.is_inexact_array))
    moved = jax.tree.map(lambda leaf: 0 * leaf if eqx.is_inexact_array(leaf) else leaf, derivative)
    np.testing.assert_allclose(moved(X), jax.jit(jax.jacfwd(block))(X), rtol=1e-6)


def test_captured_arrays_are_constants_unless_they_are_to_be_ignored():
    weights = jnp.arange(1.0, 7.0)

    def f(x):
        return jnp.concatenate([weights * x, jnp.cumsum(x), x**2])

    assert reuse(f, X).num_constant == 6 + 21
    assert reuse(f, X, captured="unknown").num_constant == 21


def test_inside_of_a_trace_what_is_traced_changes():
    found = []

    @jax.jit
    def outer(scale, x):
        def f(x, scale):
            return jnp.concatenate([A @ x, scale * x])

        with_argument = reuse(f, x, scale)
        with_closure = reuse(lambda x: f(x, scale), x)
        found.extend([with_argument.num_constant, with_closure.num_constant])
        return with_argument(x, scale), with_closure(x)

    expected = jax.jit(jax.jacfwd(lambda x: jnp.concatenate([A @ x, 3.0 * x])))(X)
    for got in outer(3.0, X):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert found == [np.count_nonzero(A), 0]


# --- the result -------------------------------------------------------------------------------------------


def test_a_reaction_with_diffusion_takes_two_passes_instead_of_five():
    u = jnp.asarray(np.random.default_rng(0).normal(size=(6, 7)), jnp.float32)
    derivative = reuse(reaction_diffusion, u)
    assert (derivative.coloring.num_colors, passes(derivative)) == (5, 2)
    assert derivative.per_call is not None and derivative.per_call.sparsity.nnz == 42
    np.testing.assert_allclose(
        derivative(3 * u), jax.jit(jax.jacfwd(reaction_diffusion))(3 * u), atol=1e-5
    )


def test_a_linear_function_takes_no_pass():
    derivative = reuse(lambda x: A @ x, X)
    assert passes(derivative) == 0
    assert derivative.num_constant == np.count_nonzero(A)
    jaxpr = str(jax.make_jaxpr(lambda x: derivative(x))(X))
    assert "dot_general" not in jaxpr
    for x in POINTS:
        np.testing.assert_array_equal(derivative(x), A.astype(np.float32))


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional", "auto"])
@pytest.mark.parametrize("f", [block, lambda x: jnp.concatenate([block(x), jnp.sum(x)[None]])])
def test_modes(f, mode):
    derivative = reuse(f, X, mode=mode)
    whole = asdex.jacobian(f, X, mode=mode, output_format="dense")
    assert passes(derivative) < passes(whole)
    assert derivative.coloring.mode == whole.coloring.mode
    assert derivative.per_call is not None
    assert derivative.per_call.mode == mode or mode not in ("fwd", "rev")
    for x in POINTS:
        np.testing.assert_allclose(derivative(x), whole(x), rtol=1e-6)


def test_dense_rows_and_columns_that_are_constant_cost_nothing():
    def f(x):
        return jnp.concatenate([x**2 + x[0], jnp.sum(x)[None]])

    derivative = reuse(f, X)
    assert passes(derivative) == 2  # x[0]**2 + x[0] changes too, beside constant ones in its column
    np.testing.assert_allclose(derivative(2 * X), jax.jit(jax.jacfwd(f))(2 * X), rtol=1e-6)


def test_a_mode_that_the_function_does_not_allow_is_not_chosen():
    """Reverse mode would take one pass. JAX refuses to transpose the loop, though its derivative is zero."""

    def f(x):
        def step(state):
            return state[0] + 1, jnp.floor(state[1]) * 2

        steps = lax.while_loop(lambda state: state[0] < 3, step, (0, x))[1]
        return jnp.concatenate([A @ x, jnp.sum(jnp.sin(x) + steps)[None]])

    with pytest.raises(ValueError, match="Reverse-mode"):
        jax.jit(jax.jacrev(f))(X)
    derivative = reuse(f, X)
    assert derivative.options.mode == "fwd"
    np.testing.assert_allclose(derivative(2 * X), jax.jit(jax.jacfwd(f))(2 * X), rtol=1e-6)


def test_nothing_is_reused_where_it_saves_nothing():
    def f(x):
        return jnp.concatenate([3 * x[:1], x[1:] ** 2])

    derivative = reuse(f, X)
    assert derivative.per_call is None
    assert derivative.num_constant == 0
    np.testing.assert_allclose(derivative(X), jax.jit(jax.jacfwd(f))(X), rtol=1e-6)


@pytest.mark.parametrize(
    "output_format",
    ["bcoo", "bcsr", "dense", "numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc", "data", "bsr"],
)
def test_formats(output_format):
    derivative = reuse(block, X, output_format=output_format)
    assert passes(derivative) == 1
    got, want = derivative(2 * X), asdex.jacobian(block, X, output_format=output_format)(2 * X)
    assert type(got) is type(want)
    if output_format.startswith("scipy") or output_format == "bsr":
        got, want = got.todense(), want.todense()
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_blocks_of_pytrees():
    def f(tree):
        return {"linear": A @ tree["a"] + tree["b"].sum(), "square": tree["b"] ** 2}

    tree = {"a": X, "b": 2 * X[:2]}
    derivative = reuse(f, tree)
    assert passes(derivative) == 1
    want = jax.jit(jax.jacfwd(f))(tree)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), derivative(tree), want)


def test_value_and_auxiliary_data():
    def f(x):
        return block(x), {"sum": jnp.sum(x)}

    derivative = asdex.value_and_jacobian(
        f, X, has_aux=True, constant="reuse", output_format="dense"
    )
    assert passes(derivative) == 1
    (value, aux), jacobian = derivative(2 * X)
    np.testing.assert_allclose(value, block(2 * X), rtol=1e-6)
    np.testing.assert_allclose(aux["sum"], 2 * jnp.sum(X))
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacfwd(block))(2 * X), rtol=1e-6)


def test_the_value_of_a_linear_function():
    value, jacobian = asdex.value_and_jacobian(
        lambda x: A @ x, X, constant="reuse", output_format="dense"
    )(2 * X)
    np.testing.assert_allclose(value, 2 * A @ X, rtol=1e-6)
    np.testing.assert_allclose(jacobian, A)


@pytest.mark.parametrize("f", [block, lambda x: A @ x])
def test_transformations(f):
    derivative, dense = reuse(f, X), jax.jacfwd(f)
    np.testing.assert_allclose(jax.jit(derivative)(X), dense(X), rtol=1e-6)
    np.testing.assert_allclose(eqx.filter_jit(derivative)(X), dense(X), rtol=1e-6)
    batch = jnp.stack(POINTS)
    np.testing.assert_allclose(jax.vmap(derivative)(batch), jax.vmap(dense)(batch), rtol=1e-6)
    second, expected = (
        jax.grad(lambda x, one=one: jnp.sum(jnp.sin(one(x)) @ x))(X) for one in (derivative, dense)
    )
    np.testing.assert_allclose(second, expected, rtol=1e-5)
    np.testing.assert_allclose(
        jax.jit(jax.jacfwd(derivative))(X), jax.jit(jax.jacfwd(dense))(X), rtol=1e-6
    )
    scanned = lax.scan(lambda c, x: (c, derivative(x)), 0, batch)[1]
    np.testing.assert_allclose(scanned, jax.vmap(dense)(batch), rtol=1e-6)


@jax.custom_jvp
def inert(x):
    return 0 * x


inert.defjvp(lambda primals, tangents: (inert(*primals), 3 * tangents[0][::-1]))


def test_a_derivative_rule_can_make_a_constant_change_under_differentiation():
    """`inert(x)` is zero for all `x`, but by its rule the derivative of the Jacobian is not."""

    def f(x):
        return jnp.concatenate(
            [A @ x, lax.stop_gradient(1.0) * x * (1 + lax.stop_gradient(inert(x)))]
        )

    def g(x):
        return jnp.concatenate([A @ x, x[:3] * inert(x[3:])])

    for one in (f, g):
        derivative = reuse(one, X)
        assert derivative.num_constant == np.count_nonzero(A)
        np.testing.assert_allclose(
            jax.jit(jax.jacfwd(derivative))(X), jax.jit(jax.jacfwd(jax.jacfwd(one)))(X), rtol=1e-6
        )


def differences(x):
    return jnp.diff(x) / 2


def test_pickling():
    derivative = reuse(differences, X)
    assert passes(derivative) == 0
    copy = pickle.loads(pickle.dumps(derivative))
    np.testing.assert_array_equal(copy(X), derivative(X))


def test_a_mesh_of_devices():
    mesh = jax.make_mesh((1,), ("colors",))
    derivative = reuse(block, X, mesh=mesh)
    assert passes(derivative) == 1
    np.testing.assert_allclose(derivative(2 * X), jax.jit(jax.jacfwd(block))(2 * X), rtol=1e-6)


# --- samples and values -----------------------------------------------------------------------------------


def test_samples_without_values():
    derivative = reuse(block, jax.ShapeDtypeStruct((6,), jnp.float32))
    assert derivative.num_constant == np.count_nonzero(A)
    np.testing.assert_allclose(derivative(X), jax.jit(jax.jacfwd(block))(X), rtol=1e-6)
    by_shape = asdex.jacobian(block, input_shape=6, constant="reuse", output_format="dense")
    np.testing.assert_allclose(by_shape(X), jax.jit(jax.jacfwd(block))(X), rtol=1e-6)


def test_keys_without_values_are_not_made_up():
    def f(x, key):
        return jnp.concatenate([A @ x, x * jax.random.uniform(key, (6,))])

    key = jax.random.key(1)
    abstract = jax.ShapeDtypeStruct(key.shape, key.dtype)
    assert reuse(f, X, abstract).num_constant == 0
    derivative = reuse(f, X, key)
    assert derivative.num_constant == np.count_nonzero(A)
    other = jax.random.key(2)
    np.testing.assert_allclose(derivative(X, other), jax.jit(jax.jacfwd(f))(X, other), rtol=1e-6)


def test_a_sample_at_which_factors_are_infinite():
    """`0 * inf` is NaN in entries that are constant wherever they are finite."""

    def f(x):
        return A @ x + jnp.log(x)

    derivative = reuse(f, jnp.zeros(6))
    assert derivative.num_constant == np.count_nonzero(np.triu(A, 1))
    np.testing.assert_allclose(derivative(X), jax.jit(jax.jacfwd(f))(X), rtol=1e-6)


def test_entries_that_are_never_finite_are_recomputed():
    with np.errstate(divide="ignore"):
        infinite = np.array([np.inf, 1, 1, 1, 1, 1])

    def f(x):
        return jnp.concatenate([A @ x, infinite * x, x**2])

    derivative = reuse(f, X)
    assert derivative.coloring.sparsity.nnz - derivative.num_constant == 6 + 1
    assert derivative(X)[6, 0] == jnp.inf


def test_what_differs_at_another_point_is_recomputed(monkeypatch):
    """A second line of defense, against a wrong rule."""

    def everything_is_constant(jaxpr, captured):
        return [np.zeros(aval.shape, bool) for aval in jaxpr.out_avals]

    monkeypatch.setattr(
        "asdex.evaluation._constant_entries.changing_elements", everything_is_constant
    )
    derivative = reuse(block, X)
    assert derivative.num_constant == np.count_nonzero(A)
    np.testing.assert_allclose(derivative(3 * X), jax.jit(jax.jacfwd(block))(3 * X), rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_dtypes(dtype):
    derivative = reuse(lambda x: jnp.concatenate([A.astype(dtype) @ x, x**2]), X.astype(dtype))
    assert derivative.num_constant == np.count_nonzero(A)
    got = derivative(X.astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got[:6], A.astype(dtype))


def test_complex_numbers():
    def f(z):
        return jnp.concatenate([(2 + 1j) * A @ z, z**2])

    z = X + 1j * X[::-1]
    derivative = reuse(f, z, holomorphic=True)
    assert derivative.num_constant == np.count_nonzero(A)
    np.testing.assert_allclose(
        derivative(2 * z), jax.jit(jax.jacfwd(f, holomorphic=True))(2 * z), rtol=1e-6
    )


def test_another_dtype_of_the_result_is_refused(enable_x64):
    derivative = reuse(lambda x, p: jnp.concatenate([A @ x, p * x]), X, X.astype(jnp.float16))
    with enable_x64(True):
        with pytest.raises(TypeError, match="Expected a derivative of dtype float32"):
            derivative(X, np.ones(6))


# --- Hessians ---------------------------------------------------------------------------------------------


def chain(x):
    return 0.5 * jnp.sum((x[1:] - x[:-1]) ** 2) + jnp.sum(x**4)


def coupled(x):
    """Four unknowns interact; quadratic terms link all to their neighbors."""
    return jnp.prod(x[:4]) + sum(jnp.sum(x[k:] * x[:-k]) for k in range(1, 6))


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize(
    ("f", "colors", "kept"),
    [(chain, 2, True), (coupled, 4, False), (lambda x: x @ A @ x, 0, False)],
)
def test_hessians(f, colors, kept, mode):
    x = jnp.linspace(-1.0, 2.0, 20) if colors else X
    derivative = asdex.hessian(f, x, mode=mode, constant="reuse", output_format="dense")
    assert passes(derivative) == colors < derivative.coloring.num_colors
    assert derivative.per_call is not None and derivative.per_call.mode == mode
    if kept:
        assert not derivative.per_call.symmetric
    for y in (x, 2 * x + 0.1):
        np.testing.assert_allclose(derivative(y), jax.jit(jax.hessian(f))(y), rtol=1e-5, atol=1e-5)


def test_the_value_beside_a_hessian():
    value, hessian = asdex.value_and_hessian(chain, X, constant="reuse", output_format="dense")(
        2 * X
    )
    np.testing.assert_allclose(value, chain(2 * X), rtol=1e-6)
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(chain))(2 * X), rtol=1e-5)


# --- options ----------------------------------------------------------------------------------------------


def test_recomputing_is_the_default():
    derivative = asdex.jacobian(block, X)
    assert (derivative.per_call, derivative.num_constant) == (None, 0)


def test_unknown_values_are_refused():
    with pytest.raises(ValueError, match="Expected `constant` to be one of 'recompute', 'reuse'"):
        asdex.jacobian(block, X, constant="always")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("make", [asdex.compressed_jacobian, asdex.value_and_compressed_hessian])
def test_compressed_derivatives_have_no_constant_entries(make):
    with pytest.raises(TypeError, match=r"no `constant` for asdex.*what one call computes"):
        make(chain, X, constant="reuse")


def test_a_warning_of_a_dense_coloring_is_given_only_if_it_stays_dense():
    full = np.ones((6, 6))
    with _warnings() as caught:
        reuse(lambda x: full @ x, X)
    assert not caught
    with _warnings() as caught:
        reuse(lambda x: full @ x**2, X)
    assert [one.category for one in caught] == [asdex.DenseColoringWarning]
    assert Path(caught[0].filename).name == Path(__file__).name


# --- random programs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_random_jacobians(seed):
    compare(seed)


@pytest.mark.parametrize("seed", range(4))
def test_random_hessians(seed):
    compare(seed, hessian=True)
