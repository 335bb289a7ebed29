"""The interpreter: nested calls, functions with derivative rules of their own, dead code."""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive

import asdex
from asdex.testing import check_rule


def pattern(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, **options).todense().astype(int)


def stencil(x):
    return x[1:] * x[:-1]


X = jnp.linspace(0.3, 1.7, 5)
DIAGONAL = np.eye(5, dtype=int)
STENCIL = np.eye(4, 5, dtype=int) + np.eye(4, 5, 1, dtype=int)


# --- calls ----------------------------------------------------------------------------------------


def custom_vmapped(x):
    f = jax.custom_batching.custom_vmap(stencil)
    f.def_vmap(lambda size, batched, x: (jax.vmap(stencil)(x), True))
    return f(x)


@pytest.mark.parametrize(
    "f",
    [
        jax.jit(stencil),
        jax.jit(jax.jit(lambda x: jax.jit(stencil)(x))),
        jax.checkpoint(stencil),
        jax.checkpoint(jax.jit(stencil), static_argnums=()),
        jax.named_call(stencil, name="stencil"),
        lambda x: jax.closure_convert(stencil, x)[0](x),
        custom_vmapped,
    ],
    ids=["jit", "nested jit", "checkpoint", "checkpoint of jit", "named", "closure", "custom_vmap"],
)
def test_calls_are_looked_into(f):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(pattern(f, X), STENCIL)


def test_transformed_calls_are_looked_into():
    """Differentiated code holds the calls that transformations make of the user's."""
    f = jax.checkpoint(lambda x: jnp.sin(stencil(jax.jit(jnp.cos)(x))))
    report = check_rule(jax.grad(lambda x: f(x).sum()), X)
    np.testing.assert_array_equal(report.detected, abs(np.subtract.outer(range(5), range(5))) <= 1)
    rows = jnp.stack([X, X])
    np.testing.assert_array_equal(
        pattern(jax.vmap(f), rows), np.kron(np.eye(2, dtype=int), STENCIL)
    )


def test_each_call_of_one_jaxpr_has_its_own_environment():
    """jax traces a jitted function once, so both calls hold the same variables."""
    double = jax.jit(lambda y: 2 * y)

    def f(x):
        first, second = double(x[:2]), double(x[2:4])
        return jnp.concatenate([first, second, double(first)])

    np.testing.assert_array_equal(pattern(f, X), DIAGONAL[[0, 1, 2, 3, 0, 1]])


def test_a_call_sees_known_operands_of_each_call():
    take = jax.jit(lambda x, i: x[i])
    np.testing.assert_array_equal(
        pattern(lambda x: jnp.stack([take(x, 3), take(x, 0)]), X), DIAGONAL[[3, 0]]
    )


# --- dead code ------------------------------------------------------------------------------------


opaque = Primitive("opaque_in_dead_code")
opaque.def_abstract_eval(lambda x: x)


def test_dead_code_is_not_evaluated():
    def inner(x):
        return opaque.bind(x), 3 * x

    def f(x):
        opaque.bind(x)
        _, used = jax.jit(inner)(x)
        return used

    np.testing.assert_array_equal(pattern(f, X, unknown="error"), DIAGONAL)


def test_dead_branch_results_are_not_evaluated():
    def f(x):
        _, used = lax.cond(
            x[0] > 0, lambda x: (opaque.bind(x), 3 * x), lambda x: (x, jnp.flip(x)), x
        )
        return used

    np.testing.assert_array_equal(pattern(f, X, unknown="error"), DIAGONAL | DIAGONAL[::-1])


def test_results_that_are_inputs_constants_or_repeated():
    def f(x):
        y = 2 * x
        return x, y, y, jnp.ones(2), 3.0

    expected = np.concatenate([DIAGONAL, DIAGONAL, DIAGONAL, np.zeros((3, 5), int)])
    np.testing.assert_array_equal(pattern(f, X), expected)


# --- functions with derivative rules of their own -------------------------------------------------


@jax.custom_jvp
def straight_round(x):
    return jnp.round(x)


@straight_round.defjvp
def _(primals, tangents):
    return straight_round(*primals), tangents[0]


@jax.custom_jvp
def forward_flip(x, n):
    return jnp.where(n > 0, x, 0.0), n


@forward_flip.defjvp
def _(primals, tangents):
    x, n = primals
    out = forward_flip(x, n)
    return out, (tangents[0][::-1], np.zeros(np.shape(n), jax.dtypes.float0))


@partial(jax.custom_jvp, nondiff_argnums=(0, 2))
def scaled(f, tree, scale):
    return {"out": scale * f(tree["a"] + tree["b"])}


@scaled.defjvp
def _(f, scale, primals, tangents):
    out = scaled(f, primals[0], scale)
    return out, {"out": scale * tangents[0]["a"]}


@jax.custom_vjp
def straight_sign(x):
    return jnp.sign(x)


straight_sign.defvjp(lambda x: (jnp.sign(x), None), lambda _, g: (g,))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def lookup(shift, tree, index):
    return tree["x"][index], tree["y"].sum()


def _lookup_forward(shift, tree, index):
    return lookup(shift, tree, index), (tree["x"].shape, index)


def _lookup_backward(shift, saved, cotangents):
    _, index = saved
    g, h = cotangents
    to_x = jnp.zeros(5).at[(index + shift) % 5].add(g)
    return {"x": to_x, "y": jnp.full(2, h)}, None


lookup.defvjp(_lookup_forward, _lookup_backward)

INDEX = jnp.array([4, 0, 2])


def test_custom_jvp_follows_its_rule():
    assert check_rule(straight_round, X).exact
    np.testing.assert_array_equal(pattern(straight_round, X), DIAGONAL)


def test_custom_jvp_with_integer_operand_and_result():
    def f(x):
        flipped, integers = forward_flip(x, jnp.arange(5) - 2)
        return flipped, integers.astype(float)

    expected = np.concatenate([DIAGONAL[::-1], np.zeros((5, 5), int)])
    np.testing.assert_array_equal(pattern(f, X), expected)


def test_custom_jvp_with_pytrees_and_static_arguments():
    tree = {"a": X, "b": X + 1}
    expected = np.hstack([DIAGONAL, np.zeros((5, 5), int)])
    np.testing.assert_array_equal(pattern(lambda t: scaled(jnp.cumsum, t, 2.0), tree), expected)


def test_custom_jvp_of_jax_itself():
    """`jax.nn.relu` and `logsumexp` define rules that skip parts of the function."""
    assert check_rule(jax.nn.relu, X - 1).exact
    assert check_rule(lambda x: jax.nn.logsumexp(x.reshape(2, 3), axis=1), jnp.arange(6.0)).exact


def test_custom_vjp_follows_its_rule_transposed():
    np.testing.assert_array_equal(pattern(straight_sign, X), DIAGONAL)
    assert check_rule(straight_sign, X).exact


def test_custom_vjp_with_pytrees_integers_and_static_arguments():
    def f(tree):
        return lookup(1, tree, INDEX)

    tree = {"x": X, "y": jnp.ones(2)}
    report = check_rule(f, tree)
    assert report.exact
    expected = np.zeros((4, 7), int)
    expected[[0, 1, 2], [0, 1, 3]] = 1
    expected[3, 5:] = 1
    np.testing.assert_array_equal(report.detected, expected)


def test_custom_vjp_of_an_unknown_index_is_dense_in_the_indexed_array():
    def f(tree, index):
        return lookup(1, tree, index)

    detected = pattern(f, {"x": X, "y": jnp.ones(2)}, INDEX)
    np.testing.assert_array_equal(detected, [[1] * 5 + [0] * 2] * 3 + [[0] * 5 + [1] * 2])


@pytest.mark.parametrize("f", [straight_round, straight_sign])
def test_derivative_rules_under_vmap_scan_cond_and_jit(f):
    rows = jnp.stack([X, X])
    np.testing.assert_array_equal(pattern(jax.vmap(f), rows), np.eye(10))
    np.testing.assert_array_equal(pattern(lambda x: lax.map(f, x), rows), np.eye(10))

    def running(x):
        return lax.scan(lambda c, y: (c + f(y), c), jnp.float32(0), x)[1]

    np.testing.assert_array_equal(pattern(running, X), np.tri(5, k=-1))

    def either(x):
        return lax.cond(x[0] > 0, jax.jit(f), jnp.floor, x)

    np.testing.assert_array_equal(pattern(either, X), DIAGONAL)


def test_derivative_rules_within_derivative_rules():
    @jax.custom_jvp
    def outer(x):
        return jnp.round(x)

    @outer.defjvp
    def _(primals, tangents):
        return outer(*primals), straight_round(primals[0]) * tangents[0][::-1]

    np.testing.assert_array_equal(pattern(outer, X), DIAGONAL[::-1])


def test_a_dependence_that_only_one_operand_carries():
    """The other operand is a constant, whose tangent is zero."""

    @jax.custom_jvp
    def f(x, y):
        return x + y.sum()

    @f.defjvp
    def _(primals, tangents):
        return f(*primals), tangents[0] + tangents[1].sum()

    np.testing.assert_array_equal(pattern(lambda x: f(x, jnp.ones(3)), X), DIAGONAL)
    np.testing.assert_array_equal(pattern(lambda x: f(jnp.ones(3), x), X), np.ones((3, 5)))


def test_a_broken_derivative_rule_gives_a_dense_pattern_and_a_warning():
    """Differentiation itself will raise the user's error."""

    @jax.custom_jvp
    def f(x):
        return x

    @f.defjvp
    def _(primals, tangents):
        return primals[0], broken(tangents[0])

    def broken(tangent):
        raise KeyError("the user's own mistake")

    with pytest.warns(asdex.UnknownPrimitiveWarning, match=r"custom_jvp_call.*test_interpreter"):
        np.testing.assert_array_equal(pattern(lambda x: f(x), X), np.ones((5, 5)))


@pytest.mark.parametrize("rounded", [jnp.round, jnp.floor, jnp.ceil, jnp.sign])
def test_a_derivative_rule_may_round(rounded):
    """As that of a network with quantized gradients."""

    @jax.custom_vjp
    def double(x):
        return 2 * x

    double.defvjp(lambda x: (2 * x, None), lambda _, cotangent: (rounded(3 * cotangent),))
    np.testing.assert_array_equal(asdex.jacobian_sparsity(double, jnp.ones(3)).todense(), np.eye(3))
