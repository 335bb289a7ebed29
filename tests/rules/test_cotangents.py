"""Backward rules that are not linear in the cotangent, and what they add to the pattern."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


X = jnp.arange(1.0, 5.0)


def ruled(function, backward):
    """A function with a backward rule of its residual and the cotangent."""
    made = jax.custom_vjp(function)
    made.defvjp(lambda *args: (function(*args), args), lambda args, g: backward(*args, g))
    return made


LOSS = ruled(lambda x: jnp.sum(x**2), lambda x, g: (2 * x,))
BESIDE = ruled(lambda y, a: y, lambda y, a, g: (g, jnp.ones_like(a)))
COMPARED = ruled(lambda x: jnp.sum(x**2), lambda x, g: (jnp.where(g > 0, 2 * x, 0),))
STEPS = ruled(lambda x: jnp.sum(x**2), lambda x, g: (jnp.where(x > 0, 1.0, 0.0),))
UNUSED = ruled(lambda y, a: y * 1.0, lambda y, a, g: (g, jnp.zeros_like(a)))
CLIPPED = ruled(lambda y: y * 1.0, lambda y, g: (jnp.clip(g, -0.5, 0.5),))


@pytest.mark.parametrize(
    "f",
    [
        LOSS,
        lambda x: BESIDE(x[0], jnp.sum(x[2:] ** 2)),
        COMPARED,
        lambda x: 3 * LOSS(x[1:]) + x[0],
    ],
    ids=["without the cotangent", "beside it", "where it is positive", "within a sum"],
)
def test_entries_that_do_not_depend_on_the_cotangent(f):
    expected = jax.grad(f)(X)
    np.testing.assert_array_equal(asdex.jacobian_sparsity(f, X).todense()[0], expected != 0)
    np.testing.assert_allclose(asdex.jacobian(f, X)(X).todense(), expected)


@pytest.mark.parametrize(
    ("f", "nnz"), [(lambda x: UNUSED(x[:2], x[2:]), 2), (CLIPPED, 4)], ids=["zeros", "clipped"]
)
def test_other_rules_stay_exact(f, nnz):
    assert asdex.jacobian_sparsity(f, X).nnz == nnz


def test_ties_in_a_rule_at_a_point():
    x = jnp.array([0.0, 1.0, -1.0])
    found = asdex.jacobian_sparsity(STEPS, x, local=True).todense()
    np.testing.assert_array_equal(found, [[True, True, False]])
