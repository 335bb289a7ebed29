"""Declared sparsity: derivatives of all kinds, and declarations that do not fit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

import asdex
from asdex.testing import check_rule


X = jnp.array([0.3, 0.7, 1.1, 1.6])


@asdex.with_sparsity("elementwise")
@jax.custom_jvp
def sine(x):
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(np.sin, shape, x, vmap_method="expand_dims")


@asdex.with_sparsity("elementwise")
@jax.custom_jvp
def cosine(x):
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(np.cos, shape, x, vmap_method="expand_dims")


sine.__wrapped__.defjvp(lambda x, t: (sine(*x), cosine(*x) * t[0]))
cosine.__wrapped__.defjvp(lambda x, t: (cosine(*x), -sine(*x) * t[0]))


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_callback_in_both_modes(mode):
    jac_fn = asdex.jacobian(
        lambda x: sine(x) * x[::-1], X, mode=mode, output_format="dense", verify=True
    )
    expected = jax.jacfwd(lambda x: jnp.sin(x) * x[::-1])(X)
    assert jac_fn.sparsity.nnz == 8
    np.testing.assert_allclose(jac_fn(X), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
def test_hessians_of_a_callback(mode):
    def energy(x):
        return jnp.sum(sine(x) * x[::-1])

    hess_fn = asdex.hessian(energy, X, mode=mode, output_format="dense", verify=True)
    expected = jax.hessian(lambda x: jnp.sum(jnp.sin(x) * x[::-1]))(X)
    np.testing.assert_allclose(hess_fn(X), expected, rtol=1e-5, atol=1e-6)


def scanned(g):
    return lambda x: jax.lax.scan(lambda c, y: (g(c) * y, g(y)), x, jnp.stack([x, x + 1]))[0]


WITHIN = {
    "jit": lambda g: jax.jit(lambda x: g(x) * x[::-1]),
    "scan": scanned,
    "vmap": lambda g: lambda x: jax.vmap(lambda y: jnp.stack([y, g(y)]))(x) * x[::-1, None],
    "vmap of scan": lambda g: lambda x: jax.vmap(scanned(g))(x[:, None] * X),
    "while": lambda g: lambda x: jax.lax.fori_loop(0, 2, lambda i, y: g(y) * x[::-1], x),
    "cond": lambda g: lambda x: jax.lax.cond(x[0] > 0, g, lambda x: x[::-1], x),
    "checkpoint": lambda g: jax.checkpoint(lambda x: g(x) * g(x[::-1])),
}


@pytest.mark.parametrize("name", WITHIN)
def test_a_callback_within_jit_and_loops(name):
    called, known = WITHIN[name](sine), WITHIN[name](jnp.sin)
    assert asdex.jacobian_sparsity(called, X) == asdex.jacobian_sparsity(known, X)
    jac_fn = asdex.jacobian(called, X, output_format="dense", verify=True)
    expected = jax.jit(jax.jacfwd(known))(X)
    np.testing.assert_allclose(jax.jit(jac_fn)(X), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", WITHIN)
def test_hessians_of_a_callback_within_jit_and_loops(name):
    def energy(g):
        return lambda x: jnp.sum(jnp.sin(WITHIN[name](g)(x)))

    called, known = energy(sine), energy(jnp.sin)
    assert asdex.hessian_sparsity(called, X) == asdex.hessian_sparsity(known, X)
    hess_fn = asdex.hessian(called, X, output_format="dense", verify=True)
    expected = jax.jit(jax.hessian(known))(X)
    np.testing.assert_allclose(jax.jit(hess_fn)(X), expected, rtol=1e-4, atol=1e-5)


def elementwise_from_outside(call, slope):
    """A declared function with the tangent `slope(x) * t`."""
    function = jax.custom_jvp(call)
    function.defjvp(lambda x, t: (call(*x), slope(x[0]) * t[0]))
    return asdex.with_sparsity("elementwise")(function)


def test_a_foreign_function():
    """Which detection never calls: the target does not exist."""

    def foreign(x):
        return jax.ffi.ffi_call("asdex_has_no_target", jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    g = elementwise_from_outside(foreign, foreign)
    for within in WITHIN.values():
        assert asdex.jacobian_sparsity(within(g), X) == asdex.jacobian_sparsity(within(jnp.sin), X)
    hessian = asdex.hessian_sparsity(lambda x: jnp.sum(g(x) * x[::-1]), X)
    assert hessian == asdex.hessian_sparsity(lambda x: jnp.sum(jnp.sin(x) * x[::-1]), X)


def kernel_of(function):
    def call(x):
        def kernel(x_ref, o_ref):
            o_ref[...] = function(x_ref[...])

        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return pl.pallas_call(kernel, out_shape=shape, interpret=True)(x)

    return call


@pytest.mark.parametrize("name", ["jit", "scan", "vmap"])
def test_a_kernel_of_pallas(name):
    g = elementwise_from_outside(
        kernel_of(jnp.sin), elementwise_from_outside(kernel_of(jnp.cos), lambda x: -jnp.sin(x))
    )
    called, known = WITHIN[name](g), WITHIN[name](jnp.sin)
    jac_fn = asdex.jacobian(called, X, output_format="dense", verify=True)
    assert jac_fn.sparsity == asdex.jacobian_sparsity(known, X)
    np.testing.assert_allclose(jac_fn(X), jax.jit(jax.jacfwd(known))(X), rtol=1e-5, atol=1e-6)
    hess_fn = asdex.hessian(lambda x: jnp.sum(called(x)), X, output_format="dense", verify=True)
    expected = jax.jit(jax.hessian(lambda x: jnp.sum(known(x))))(X)
    np.testing.assert_allclose(hess_fn(X), expected, rtol=1e-5, atol=1e-5)


def test_third_derivatives_and_batches():
    def cubes(x):
        return (jnp.roll(x, -1) - x) ** 3

    pattern = asdex.jacobian_sparsity(cubes, X)
    declared = asdex.with_sparsity(pattern)(cubes)
    third = [
        jax.jit(jax.vmap(jax.jacfwd(jax.hessian(lambda x, g=g: jnp.sum(g(x) ** 2)))))(
            jnp.stack([X, 2 * X])
        )
        for g in (declared, cubes)
    ]
    np.testing.assert_allclose(*third, rtol=1e-4, atol=1e-3)
    hessians = [
        asdex.hessian_sparsity(lambda x, g=g: jnp.sum(g(x) ** 2), X) for g in (declared, cubes)
    ]
    assert hessians[0] == hessians[1]


def test_a_function_with_a_vjp_alone_is_colored_for_reverse_mode():
    @jax.custom_vjp
    def square(x):
        return x**2

    square.defvjp(lambda x: (x**2, x), lambda x, c: (2 * x * c,))
    g = asdex.with_sparsity("elementwise")(square)
    assert asdex.jacobian_sparsity(g, X).modes == ("rev",)
    np.testing.assert_allclose(asdex.jacobian(g, X, output_format="dense")(X), np.diag(2 * X))


def test_check_rule_finds_a_wrong_declaration():
    wrong = asdex.with_sparsity(("elementwise", None))(lambda x, y: x * y)
    with pytest.raises(asdex.VerificationError, match=r"args\[1\]"):
        check_rule(wrong, X, X)
    jac_fn = asdex.jacobian(lambda x: wrong(x, x[::-1]), X, verify="flag")
    assert not jac_fn(X)[1]


def test_captured_values_that_are_differentiated_are_kept():
    def scaled(p):
        return asdex.with_sparsity("elementwise")(lambda x: x * p[0])(p * p[1])

    np.testing.assert_allclose(
        jax.jit(jax.jacfwd(scaled))(X), jax.jacfwd(lambda p: p * p[1] * p[0])(X), rtol=1e-6
    )
    assert check_rule(scaled, X).excess >= 0


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        (np.eye(3), "shape"),
        (asdex.Along(), "apart from the declared axes"),
        (("elementwise", None), "each of 1"),
        (asdex.Along(1), r"axes of an argument of shape \(4,\), got asdex.Along\(1\)"),
        (3.5, "declaration"),
        (lambda eqn, x: x.reduce(0), "Dependences of shapes"),
    ],
)
def test_declarations_that_do_not_fit(sparsity, message):
    function = asdex.with_sparsity(sparsity)(lambda x: jnp.stack([x, x], axis=1))
    with pytest.raises((ValueError, TypeError), match=message):
        function(X)


def test_no_declarations():
    wrong: list[Any] = ["dense", ("elementwise", "dense")]
    for sparsity in wrong:
        with pytest.raises(TypeError, match="a declaration, got 'dense'"):
            asdex.with_sparsity(sparsity)
    with pytest.raises(TypeError, match=r"as in asdex.Along\(0, 1\), got asdex.Along\(\(0,\),\)"):
        asdex.Along((0,))  # pyright: ignore[reportArgumentType]


def test_side_effects_are_refused():
    @asdex.with_sparsity("elementwise")
    def prints(x):
        jax.debug.print("{}", x)
        return x

    with pytest.raises(ValueError, match="side effects"):
        prints(X)
