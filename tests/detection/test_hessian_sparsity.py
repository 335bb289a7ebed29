"""Patterns of Hessians."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


def pattern(f, *args, **options):
    return asdex.hessian_sparsity(f, *args, **options).todense().astype(int)


def tridiagonal(n):
    return (abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1).astype(int)


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


X = jnp.linspace(0.4, 1.6, 6)


def test_rosenbrock_is_tridiagonal():
    np.testing.assert_array_equal(pattern(rosenbrock, X), tridiagonal(6))
    np.testing.assert_array_equal(jax.hessian(rosenbrock)(X) != 0, tridiagonal(6))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: jnp.sum(x), np.zeros((6, 6))),
        (lambda x: jnp.sum(x**2), np.eye(6)),
        (lambda x: jnp.sum(x) ** 2, np.ones((6, 6))),
        (lambda x: jnp.dot(x, x[::-1]), np.eye(6)[::-1]),
        (
            lambda x: x[0] * jnp.sum(jnp.abs(x[1:])),
            np.eye(6) * 0 + [[0] + [1] * 5, *[[1] + [0] * 5] * 5],
        ),
        (lambda x: jnp.sum(jnp.round(x) * x), np.zeros((6, 6))),
        (lambda x: jnp.float32(3), np.zeros((6, 6))),
    ],
    ids=["linear", "separable", "dense", "antidiagonal", "arrowhead", "piecewise", "constant"],
)
def test_small_functions(f, expected):
    np.testing.assert_array_equal(pattern(f, X), expected)


@pytest.mark.parametrize(
    "wrap",
    [
        jax.jit,
        jax.checkpoint,
        eqx.filter_jit,
        lambda f: lambda x: lax.cond(x[0] > 0, f, lambda x: f(x) + x[0], x),
        lambda f: lambda x: lax.scan(lambda c, k: (c + k * f(x), None), 0.0, jnp.arange(3.0))[0],
        lambda f: lambda x: lax.fori_loop(0, 3, lambda k, c: c + k * f(x), 0.0),
    ],
    ids=["jit", "checkpoint", "filter_jit", "cond", "scan", "fori_loop"],
)
def test_wrapped_functions_have_the_same_pattern(wrap):
    np.testing.assert_array_equal(pattern(wrap(rosenbrock), X), tridiagonal(6))


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_outputs_with_one_element_are_squeezed(shape):
    np.testing.assert_array_equal(
        pattern(lambda x: rosenbrock(x).reshape(shape), X), tridiagonal(6)
    )
    np.testing.assert_array_equal(
        pattern(lambda x: [rosenbrock(x).reshape(shape)], X), tridiagonal(6)
    )


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x, r"single element, got shape \(6,\).*asdex\.jacobian"),
        (lambda x: x[:0], r"got shape \(0,\)"),
        (lambda x: (x.sum(), x.sum()), r"got shape \(\), \(\)"),
        (lambda x: (), "got no array"),
    ],
)
def test_other_outputs_are_refused(f, message):
    with pytest.raises(ValueError, match=message):
        asdex.hessian_sparsity(f, X)


def test_forward_mode_where_a_loop_cannot_be_reversed():
    def f(x):
        steps = lax.while_loop(lambda c: c < x[0], lambda c: 2 * c, 0.1 * x[1])
        return steps * x[2] + jnp.sum(x[3:] ** 2)

    with pytest.raises(ValueError, match="Reverse-mode"):
        jax.grad(f)(X)
    found = asdex.hessian_sparsity(f, X)
    detected = found.todense() != 0
    true = np.asarray(jax.jacfwd(jax.jacfwd(f))(X)) != 0
    assert true[1, 2] and not (true & ~detected).any()
    # The tangents that enter the loop are known, those that leave it are not.
    assert not (detected & ~true)[:, [0, 1, 3, 4, 5]][[0, 1, 3, 4, 5]].any()
    assert found.modes == ("fwd",)


def test_a_custom_vjp_decides():
    """Its backward pass, differentiated once more, is what the Hessian sees."""

    @jax.custom_vjp
    def f(x):
        return jnp.sum(x**3)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * x * x[::-1],))
    np.testing.assert_array_equal(pattern(f, X), np.eye(6) + np.eye(6)[::-1])


def test_patterns_are_symmetric_even_where_a_derivative_rule_is_not():
    @jax.custom_jvp
    def f(x):
        return jnp.sum(x)

    @f.defjvp
    def _(primals, tangents):
        return f(*primals), jnp.sum(tangents[0] * primals[0][0])

    detected = pattern(f, X)
    np.testing.assert_array_equal(detected, detected.T)
    assert detected[0].all() and detected[:, 0].all() and detected.sum() == 11


def test_several_arguments_pytrees_and_auxiliary_data():
    def f(x, p, y):
        return jnp.sum(p["a"] * x * y["y"]), {"aux": x}

    y = {"y": X[:3]}
    detected = pattern(f, X[:3], {"a": jnp.zeros(3)}, y, argnums=(2, 0), has_aux=True)
    np.testing.assert_array_equal(detected, np.kron([[0, 1], [1, 0]], np.eye(3)))
    detected = pattern(f, X[:3], {"a": jnp.zeros(3)}, y, argnums=1, has_aux=True)
    assert not detected.any()


def test_weights_of_a_module_are_unknown():
    class Quadratic(eqx.Module):
        weight: jax.Array

        def __call__(self, x):
            return jnp.sum(self.weight * x**2)

    model = Quadratic(jnp.zeros(6))
    np.testing.assert_array_equal(pattern(model, X), np.eye(6))
    np.testing.assert_array_equal(pattern(lambda x: model(x), X), np.zeros((6, 6)))
    np.testing.assert_array_equal(pattern(lambda x: model(x), X, captured="unknown"), np.eye(6))
