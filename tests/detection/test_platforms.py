"""Detection runs on the CPU: what another platform would compute differently is not taken for known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


X = jnp.arange(3.0)


def pattern(fn):
    return asdex.jacobian_sparsity(fn, X).todense()


def by_platform(x):
    return lax.platform_dependent(x, cpu=lambda x: x[::-1], default=lambda x: 2 * x)


@pytest.mark.parametrize("transform", [lambda fn: fn, jax.jit])
def test_all_platforms_count(transform):
    np.testing.assert_array_equal(pattern(transform(by_platform)), np.eye(3) + np.eye(3)[::-1] > 0)


def test_platform_within_a_loop():
    def fn(x):
        def step(carry, _):
            return carry + lax.platform_dependent(cpu=lambda: 1, default=lambda: 2), None

        return x[lax.scan(step, 0, None, length=1)[0]]

    np.testing.assert_array_equal(pattern(fn), np.ones((1, 3)))


def test_hardware_generator_is_unknown():
    def fn(x, key):
        return x[jax.random.randint(key, (), 0, 3)]

    stable, unstable = (jax.random.key(0, impl=name) for name in ("threefry2x32", "rbg"))
    assert pattern(lambda x: fn(x, stable)).sum() == 1
    assert pattern(lambda x: fn(x, unstable)).sum() == 3


def test_callback_within_a_loop_is_not_run():
    calls = []

    def outside(i):
        calls.append(i)
        return np.asarray(i)

    def fn(x):
        def step(carry, _):
            return jax.pure_callback(outside, jax.ShapeDtypeStruct((), jnp.int32), carry), None

        return x[lax.scan(step, jnp.int32(0), None, length=2)[0]]

    np.testing.assert_array_equal(pattern(fn), np.ones((1, 3)))
    assert calls == []
