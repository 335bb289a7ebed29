"""Equinox's loops, checks and filtered transformations."""

from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values

import asdex


X = values(8)
KINDS: list[Any] = ["lax", "checkpointed", "bounded"]


def shifted(x):
    return jnp.concatenate([x[1:], x[:1]])


def two_steps(kind: Any):
    """Two steps of a stencil of radius one to the right."""

    def run(x):
        def step(carry):
            return carry[0] + 1, jnp.sin(shifted(carry[1])) + carry[1] ** 2

        return eqxi.while_loop(lambda carry: carry[0] < 2, step, (0, x), max_steps=20, kind=kind)[1]

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_with_a_known_number_of_steps_widens_by_its_radius(kind: Any):
    assert_exact(two_steps(kind), X, nnz=8 * 3)
    assert_exact(jax.vmap(two_steps(kind)), jnp.stack([X, -X]), nnz=2 * 8 * 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_with_an_unknown_number_of_steps_may_take_any(kind: Any):
    def run(x):
        def step(carry):
            return carry[0] + 1.0, shifted(carry[1]) * carry[1]

        proceed = lambda carry: carry[0] < jnp.sum(x)  # noqa: E731
        return eqxi.while_loop(proceed, step, (0.0, x), max_steps=20, kind=kind)[1]

    assert_covers(run, X, nnz=64)


@pytest.mark.parametrize("kind", KINDS)
def test_buffers_are_written_where_the_counter_says(kind: Any):
    def run(x):
        def step(carry):
            i, buffer = carry
            return i + 1, buffer.at[i].set(x[i] ** 2)

        start = (0, jnp.zeros(8))
        return eqxi.while_loop(
            lambda carry: carry[0] < 8, step, start, max_steps=8, kind=kind, buffers=lambda c: c[1]
        )[1]

    assert_exact(run, X, nnz=8)


def test_nested_loops_keep_their_counters():
    """The inner loop leaves a counter behind that the outer one writes by."""

    def run(x):
        def inner(carry):
            i, buffer = carry
            return i + 1, buffer.at[i].set(x[i])

        def outer(carry):
            stop, i, buffer = carry
            state = (i, buffer)
            state = jax.lax.while_loop(lambda c: c[0] < stop, inner, state)
            return stop + 2, *state

        return jax.lax.while_loop(lambda c: c[1] < 8, outer, (2, 0, jnp.zeros(8)))[2]

    assert_exact(run, X, nnz=8)


@pytest.mark.parametrize("kind", ["lax", "checkpointed"])
def test_scan(kind: Any):
    run = lambda x: eqxi.scan(lambda c, z: (c + z, c * z), x[0], x, kind=kind)[1]  # noqa: E731
    assert_exact(run, X, nnz=8 * 9 // 2)


def test_which_modes_a_loop_allows():
    modes = {kind: asdex.jacobian(two_steps(kind), X).coloring.mode for kind in KINDS}
    assert modes["lax"] == "fwd"
    assert modes["checkpointed"] == "rev"
    for kind in KINDS:
        sparse = asdex.jacobian(two_steps(kind), X)(X).todense()
        dense = jax.jit(jax.jacfwd(two_steps("lax")))(X)
        np.testing.assert_allclose(sparse, dense, rtol=1e-5)


def test_hessian_through_a_checkpointed_loop():
    f = lambda x: jnp.sum(two_steps("checkpointed")(x))  # noqa: E731
    dense = jax.jit(jax.jacfwd(jax.grad(f)))(X)
    detected = asdex.hessian_sparsity(f, X).todense().astype(bool)
    assert not ((dense != 0) & ~detected).any()


def test_runtime_checks_pass_values_through():
    checked = lambda x: eqx.error_if(jnp.sin(x), jnp.any(x > 99), "too large")  # noqa: E731
    assert_exact(checked, X, nnz=8)
    branched = lambda x: eqx.branched_error_if(x**2, x > 99, jnp.array(0), ["no"])  # noqa: E731
    assert_exact(branched, X, nnz=8)


def test_custom_derivatives_are_followed():
    @eqx.filter_custom_jvp
    def forward(x):
        return jnp.round(x)

    @forward.def_jvp
    def _(primals, tangents):
        return forward(*primals), tangents[0]

    @eqx.filter_custom_vjp
    def reverse(x, scale):
        return jnp.round(x) * scale

    @reverse.def_fwd
    def _(perturbed, x, scale):
        return reverse(x, scale), None

    @reverse.def_bwd
    def _(residuals, cotangent, perturbed, x, scale):
        return cotangent * scale

    assert_exact(forward, X, nnz=8)
    # What is not differentiated may not be perturbed: Equinox refuses it.
    assert_exact(lambda x: reverse(x, jnp.ones(8)), X, nnz=8)


def test_a_linear_function_that_is_its_own_derivative_rule():
    @jax.custom_jvp
    def scaled(x):
        return 2 * shifted(x)

    @scaled.defjvp
    def _(primals, tangents):
        return scaled(*primals), scaled(*tangents)

    assert_exact(scaled, X, nnz=8)
    assert_exact(lambda x: scaled(jnp.sin(x)) * x, X, nnz=16)


def test_a_stopped_tangent_is_a_value():
    """Within a derivative rule, `stop_gradient` hides tangents from the second derivative alone."""

    @jax.custom_jvp
    def f(x):
        return x**2

    @f.defjvp
    def _(primals, tangents):
        return f(*primals), jax.lax.stop_gradient(2 * primals[0]) * jax.lax.stop_gradient(
            tangents[0]
        )

    assert_exact(f, X, nnz=8)


def test_filtered_transformations():
    product = lambda x: jnp.sin(x) * shifted(x)  # noqa: E731
    for transform in (eqx.filter_jit, eqx.filter_checkpoint, eqxi.noinline):
        assert_exact(transform(product), X, nnz=16)
    assert_exact(lambda x: eqx.filter_closure_convert(product, x)(x), X, nnz=16)
    assert_exact(eqx.filter_vmap(jnp.cumsum), values(2, 3), nnz=2 * 6)
    assert_exact(eqx.filter_grad(lambda x: jnp.sum(product(x))), X, nnz=8 * 3)
    assert_exact(lambda x: eqxi.finalise_fn(product)(x), X, nnz=16)
