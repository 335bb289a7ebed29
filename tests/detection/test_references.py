"""Mutable references: their contents are followed, and what cannot be followed is refused, never lost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


pytestmark = pytest.mark.skipif(not hasattr(jax, "new_ref"), reason="this jax has no jax.new_ref")

X = jnp.arange(3.0)


def in_place(x):
    ref = jax.new_ref(jnp.zeros(3))
    ref[0] = x[0]
    ref[1:] += 2 * x[:2]
    return ref[...]


def in_loop(x):
    ref = jax.new_ref(jnp.zeros(3))

    def step(i, carry):
        ref[i] = 2 * x[i]
        return carry

    lax.fori_loop(0, 3, step, 0)
    return ref[...]


@jax.jit
def in_jit(x):
    ref = jax.new_ref(x)
    ref[0] = x[1]
    return jax.freeze(ref)


def in_branch(x):
    ref = jax.new_ref(x)

    def write():
        ref[0] = x[2]
        return 0

    lax.cond(x[0] > 0, write, lambda: 0)
    return ref[...]


def in_scan(x):
    def step(carry, y):
        ref = jax.new_ref(y)
        ref[...] *= 2
        return carry, ref[...]

    return lax.scan(step, 0.0, x)[1]


@pytest.mark.parametrize(
    ("fn", "pattern"),
    [
        (in_place, [[1, 0, 0], [1, 0, 0], [0, 1, 0]]),
        (in_loop, np.eye(3)),
        (in_jit, [[0, 1, 0], [0, 1, 0], [0, 0, 1]]),
        (in_branch, [[1, 0, 1], [0, 1, 0], [0, 0, 1]]),
        (in_scan, np.eye(3)),
    ],
)
def test_pattern(fn, pattern):
    np.testing.assert_array_equal(asdex.jacobian_sparsity(fn, X).todense(), pattern)


def test_hessian():
    pattern = asdex.hessian_sparsity(lambda x: jnp.prod(in_place(x)[:2]) + in_place(x)[2] ** 2, X)
    np.testing.assert_array_equal(pattern.todense(), np.diag([1, 1, 0]))


def test_captured_reference_is_refused():
    ref = jax.new_ref(jnp.zeros(3))

    def keeps(x):
        ref[...] = x
        return ref[...]

    with pytest.raises(NotImplementedError, match=r"outside of the function.*x\.at\[i\]\.set\(v\)"):
        asdex.jacobian_sparsity(keeps, X)


def test_reference_within_a_custom_rule_is_refused():
    @jax.custom_jvp
    def fn(x):
        return in_place(x)

    fn.defjvp(lambda primals, tangents: (fn(*primals), tangents[0]))
    with pytest.raises(NotImplementedError, match="mutable references"):
        asdex.jacobian_sparsity(fn, X)
