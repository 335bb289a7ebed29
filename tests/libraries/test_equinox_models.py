"""Patterns of models that training changes, or that are differentiated by rules of their own."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


X = jnp.linspace(-1.2, 1.7, 6)


@jax.custom_jvp
def rounded_forwards(x):
    return jnp.round(x)


rounded_forwards.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))


@jax.custom_vjp
def rounded_backwards(x):
    return jnp.round(x)


rounded_backwards.defvjp(lambda x: (jnp.round(x), None), lambda _, g: (g,))


@eqx.filter_custom_vjp
def rounded_by_equinox(x):
    return jnp.round(x)


rounded_by_equinox.def_fwd(lambda _perturbed, x: (jnp.round(x), None))
rounded_by_equinox.def_bwd(lambda _residuals, g, _perturbed, _x: g)


def rounded_by_difference(x):
    return x + lax.stop_gradient(jnp.round(x) - x)


STRAIGHT_THROUGH = [
    *(rounded_forwards, rounded_backwards, rounded_by_equinox, rounded_by_difference)
]


class Quantised(eqx.Module):
    """Rounds its input by a straight-through estimator, then scales it."""

    scale: jax.Array
    rounding: Callable = eqx.field(static=True)

    def __call__(self, x):
        return self.scale * self.rounding(x)


@pytest.mark.parametrize("rounding", STRAIGHT_THROUGH)
def test_a_straight_through_estimator_has_a_diagonal(rounding):
    np.testing.assert_array_equal(asdex.jacobian_sparsity(rounding, X).todense(), np.eye(6))
    model = Quantised(jnp.zeros(6), rounding)
    np.testing.assert_array_equal(asdex.jacobian_sparsity(model, X).todense(), np.eye(6))
    derivative = jax.jacrev(Quantised(jnp.ones(6), rounding))(X)
    np.testing.assert_array_equal(derivative, np.eye(6))


def test_rounding_itself_has_none():
    assert asdex.jacobian_sparsity(jnp.round, X).nnz == 0


class Residual(eqx.Module):
    """A local convolution whose last layer is zero at first, as residual branches are initialised."""

    first: eqx.nn.Conv1d
    last: eqx.nn.Conv1d

    def __init__(self, key):
        keys = jax.random.split(key)
        self.first = eqx.nn.Conv1d(1, 2, 3, padding=1, key=keys[0])
        last = eqx.nn.Conv1d(2, 1, 1, key=keys[1])
        self.last = jax.tree.map(lambda w: 0 * w if eqx.is_array(w) else w, last)

    def __call__(self, x):
        return x + self.last(jnp.tanh(self.first(x[None])))[0]


def test_a_pattern_found_before_training_holds_during_training():
    band = np.abs(np.subtract.outer(range(6), range(6))) <= 1
    model = Residual(jax.random.key(0))
    found = []

    @eqx.filter_jit
    def step(model):
        found.append(asdex.jacobian_sparsity(model, X).todense())
        found.append(asdex.jacobian_sparsity(lambda x: model(x), X).todense())
        gradient = eqx.filter_grad(lambda model: jnp.sum((model(X) - X[::-1]) ** 2))(model)
        return eqx.apply_updates(model, jax.tree.map(lambda g: -0.1 * g, gradient))

    before = asdex.jacobian_sparsity(model, X).todense()
    for _ in range(2):
        model = step(model)
    for pattern in (before, *found):
        np.testing.assert_array_equal(pattern, band)
    assert len(found) == 2  # traced once
    np.testing.assert_array_equal(jax.jit(jax.jacobian(model))(X) != 0, band)
