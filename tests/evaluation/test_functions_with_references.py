"""Functions that keep values in mutable references: what is read depends on what was written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.skipif(not hasattr(jax, "new_ref"), reason="jax has no references yet")
X = jnp.linspace(0.5, 1.5, 8)


def plain(x):
    return x * jnp.roll(x, 1) + jnp.sin(x)


def inside(x):
    reference = jax.new_ref(1.0 * x)
    reference[...] = reference[...] * jnp.roll(x, 1)
    return reference[...] + jnp.sin(x)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_written_and_read_in_the_function(mode):
    coloring = asdex.jacobian_coloring(plain, X, mode=mode)
    jac_fn = asdex.jacobian_from_coloring(inside, coloring, output_format="dense")
    expected = jax.jit(jax.jacobian(plain))(2 * X)
    for one in (jac_fn, jax.jit(jac_fn)):
        np.testing.assert_allclose(one(2 * X), expected, rtol=1e-6)


def test_hessians():
    coloring = asdex.hessian_coloring(lambda x: jnp.sum(plain(x) ** 2), X, mode="fwd_over_rev")
    hess_fn = asdex.hessian_from_coloring(
        lambda x: jnp.sum(inside(x) ** 2), coloring, output_format="dense"
    )
    expected = jax.hessian(lambda x: jnp.sum(plain(x) ** 2))(X)
    np.testing.assert_allclose(hess_fn(X), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_written_outside_of_the_function(mode):
    calls = jax.new_ref(jnp.zeros(()))

    def counting(x):
        calls[...] = calls[...] + 1
        return plain(x)

    coloring = asdex.jacobian_coloring(plain, X, mode=mode)
    jac_fn = asdex.jacobian_from_coloring(counting, coloring, output_format="dense")
    for number in (1, 2, 3):
        np.testing.assert_allclose(jac_fn(X), jax.jit(jax.jacobian(plain))(X), rtol=1e-6)
        assert calls[...] == number


def test_references_that_cannot_be_replaced_by_values():
    calls = jax.new_ref(jnp.zeros(()))

    def both(x):
        calls[...] = calls[...] + 1
        return inside(x)

    jac_fn = asdex.jacobian_from_coloring(both, asdex.jacobian_coloring(plain, X))
    with pytest.raises(NotImplementedError, match="of its own alone"):
        jac_fn(X)
