"""Loops that compute values and tangents in the same steps, with nothing stored for all steps."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex import _jaxprs as jaxprs


pytestmark = [
    pytest.mark.usefixtures("batches_of_a_cpu"),
    pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning"),
]
N, STEPS = 12, 3
X = jnp.linspace(0.5, 1.5, N)
W = jnp.linspace(1.0, 2.0, STEPS)


def step(x: Any, w: Any = 1.0):
    return x + 0.1 * w * jnp.sin(x) * jnp.concatenate([x[1:], x[:1]])


def carried(x):
    return lax.scan(lambda x, _: (step(x), None), x, None, length=STEPS)[0]


def backwards_over_slices(x):
    """Known slices, slices of an input, and results of all steps."""
    rows = jnp.outer(W, x**2)

    def one(carry, slices):
        w, row = slices
        return step(carry, w) + 0.1 * row, (jnp.cos(carry[:3]) * row[:3], w)

    last, (stacked, weights) = lax.scan(one, x, (W, rows), reverse=True)
    return jnp.concatenate([last, stacked.ravel(), weights * x[:STEPS]])


def constants_that_vary(x):
    return lax.scan(lambda y, w: (y * jnp.sin(w * x), None), jnp.ones(N), W)[0]


def carry_that_varies_later(x):
    """The second carried value depends on inputs from the second step on, the third never does."""

    def one(carry, _):
        a, b, c = carry
        return (step(a), b + a**2 * c, c * 1.5), None

    return lax.scan(one, (x, jnp.zeros(N), jnp.ones(N)), None, length=STEPS)[0][1]


def nested(x):
    def outer(x, w):
        y = lax.fori_loop(0, 3, lambda i, y: step(y, w * i), x)
        return y + 0.1 * jnp.tanh(x), y[0]

    last, heads = lax.scan(outer, x, W)
    return last * heads.sum()


def in_turn(x):
    return jnp.exp(-(carried(jnp.tanh(carried(x)) + 1)))


def with_a_branch(x):
    def one(x, k):
        return lax.cond(k % 2 == 0, step, lambda x: jnp.cos(x) * x[::-1], x), None

    return lax.scan(one, x, jnp.arange(STEPS))[0]


@jax.custom_jvp
def clipped(x):
    return jnp.clip(x, 0.6, 1.4)


@clipped.defjvp
def _pass_through(primals, tangents):
    return clipped(*primals), tangents[0] * 2


def with_a_rule(x):
    return lax.scan(lambda x, w: (jnp.sin(clipped(x)) * w, None), x, W)[0]


def recomputed(x):
    return lax.scan(lambda x, w: (jax.checkpoint(step)(x, w), None), x, W)[0]


def unrolled(x):
    return lax.scan(lambda x, w: (step(x, w), None), x, W, unroll=2)[0]


def with_draws(x):
    def one(carry, _):
        x, key = carry
        key, now = jax.random.split(key)
        return (step(x, jax.random.normal(now, (N,))), key), None

    return lax.scan(one, (x, jax.random.key(0)), None, length=STEPS)[0][0]


def flagged(x):
    """What is carried beside is no number that has a derivative."""

    def one(carry, _):
        x, flags, count = carry
        return (jnp.where(flags, step(x), x * count), ~flags, count + 1), None

    return lax.scan(one, (x, jnp.arange(N) % 2 == 0, 1), None, length=STEPS)[0][0]


def batched(x):
    def of_row(row):
        return lax.scan(lambda y, _: (jnp.sin(y) * y, None), row, None, length=STEPS)[0]

    return jax.vmap(of_row)(x.reshape(3, -1)).ravel()


PROGRAMS = (
    *(carried, backwards_over_slices, constants_that_vary, carry_that_varies_later, nested),
    *(in_turn, with_a_branch, with_a_rule, recomputed, unrolled, with_draws, flagged, batched),
)


def scans(jaxpr):
    """The scans of a jaxpr and of those nested in it."""
    for eqn in jaxprs.open_jaxpr(jaxpr).eqns:
        if eqn.primitive.name == "scan":
            yield eqn
        for inner in jaxprs.nested_jaxprs(eqn):
            yield from scans(inner)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_values_are_those_of_jax(f):
    derivative = asdex.value_and_jacobian(f, X, mode="fwd")
    dense = jax.jacfwd(f)
    for call in (derivative, jax.jit(lambda x: derivative(x))):
        value, matrix = call(X)
        np.testing.assert_allclose(value, f(X), rtol=1e-5)
        np.testing.assert_allclose(matrix.todense(), dense(X), rtol=1e-4, atol=1e-6)
    points = jnp.stack([X, X[::-1]])
    batch = jax.vmap(lambda x: derivative(x)[1].todense())(points)
    np.testing.assert_allclose(batch, jax.vmap(dense)(points), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_derivatives_of_values_are_those_of_jax(f):
    derivative = asdex.jacobian(f, X, mode="fwd")

    def norm(of):
        return lambda x: jnp.sum(jnp.sin(of(x)))

    sparse, dense = norm(lambda x: derivative(x).todense()), norm(jax.jacfwd(f))
    np.testing.assert_allclose(jax.grad(sparse)(X), jax.grad(dense)(X), rtol=1e-3, atol=1e-4)
    for tangent in (jnp.ones(N), X**2):
        (_, got), (_, expected) = (jax.jvp(one, (X,), (tangent,)) for one in (sparse, dense))
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("make", [asdex.jacobian, asdex.value_and_jacobian])
@pytest.mark.parametrize("f", [carried, in_turn, unrolled, with_a_rule], ids=lambda f: f.__name__)
def test_nothing_is_stored_for_all_steps(f, make):
    """And no loop is run more than once."""
    derivative = make(f, X, mode="fwd")
    found = list(scans(jax.make_jaxpr(lambda x: jax.tree.leaves(derivative(x)))(X)))
    assert len(found) == len(list(scans(jax.make_jaxpr(f)(X))))
    for scan in found:
        assert all(variable.aval.shape[:1] != (STEPS,) for variable in scan.outvars)


def test_values_are_computed_once_for_all_colors():
    derivative = asdex.jacobian(carried, X, mode="fwd")
    (scan,) = scans(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    body = jaxprs.open_jaxpr(scan.params["jaxpr"])
    (branch,) = (eqn for eqn in body.eqns if eqn.primitive.name == "cond")
    sines = [eqn for eqn in body.eqns if eqn.primitive.name in ("sin", "cos")]
    assert not sines
    assert {variable.aval.shape for variable in branch.outvars} == {(N,)}


def test_loops_of_several_batches_store_their_steps():
    """Values would be computed once for each batch."""
    derivative = asdex.jacobian(carried, X, mode="fwd", chunk_size=2)
    _, *others = scans(jax.make_jaxpr(lambda x: derivative(x).data)(X))
    assert others
    np.testing.assert_allclose(derivative(X).todense(), jax.jacfwd(carried)(X), rtol=1e-5)


def test_loops_that_print_do_so_once_at_each_step(capfd):
    def printing(x):
        def one(x, k):
            jax.debug.print("step {}", k)
            return step(x), None

        return lax.scan(one, x, jnp.arange(STEPS))[0]

    derivative = asdex.jacobian(printing, X, mode="fwd")
    jax.block_until_ready(derivative(X))
    capfd.readouterr()
    matrix = derivative(X)
    jax.effects_barrier()
    assert capfd.readouterr().out.count("step 2") == 1
    np.testing.assert_allclose(matrix.todense(), jax.jacfwd(carried)(X), rtol=1e-5)
