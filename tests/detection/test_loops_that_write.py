"""Loops that write to known places, against their steps one by one and automatic differentiation."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex.testing import check_rule


N = 80
X = jnp.linspace(0.5, 1.5, N)


def neighbors(x):
    return lax.fori_loop(1, N, lambda i, y: y.at[i].set(x[i] * x[i - 1]), x)


def recurrence(x):
    return lax.fori_loop(
        1, N, lambda i, y: y.at[i].set(y[i - 1] * x[i]), jnp.zeros(N).at[0].set(1.0)
    )


def two_arrays(x):
    def body(i, carry):
        y, z = carry
        return y.at[i].set(z[i] * x[i]), z.at[N - 1 - i].set(jnp.sin(y[i]))

    return jnp.stack(lax.fori_loop(0, N, body, (x, jnp.ones(N))))


def windows(x):
    def body(i, y):
        return lax.dynamic_update_slice(y, x[:3] * lax.dynamic_slice(y, (i,), (3,)), (i,))

    return lax.fori_loop(0, N - 3, body, x)


def with_a_sum(x):
    def step(carry, i):
        y, total = carry
        return (y.at[2 * i % N].set(x[i]), total + y[i]), total * x[i]

    (y, total), outputs = lax.scan(step, (jnp.zeros(N), jnp.zeros(())), jnp.arange(N))
    return jnp.concatenate([y, total[None], outputs])


def backwards(x):
    def step(y, item):
        i, a = item
        return y.at[i].set(a * y[(i + 3) % N]), y[i]

    y, outputs = lax.scan(step, x, (jnp.arange(N), x), reverse=True)
    return jnp.concatenate([y, outputs])


def rows_of_a_matrix(x):
    def body(i, y):
        return y.at[i % 4, :].set(y[(i + 1) % 4, ::-1] * x[i])

    return lax.fori_loop(0, 70, body, jnp.zeros((4, 3)).at[:, 0].set(x[:4]))


def dropped(x):
    def body(i, y):
        return y.at[2 * i].set(x[i], mode="drop")

    return lax.fori_loop(0, N, body, jnp.zeros(N))


def unchanged(x):
    def body(i, carry):
        y, z = carry
        return y, z.at[i].set(y[N - 1 - i])

    return lax.fori_loop(0, N, body, (x, jnp.zeros(N)))[1]


def read_after_writing(x):
    """The written array is used in the same step: taken one by one."""

    def step(y, i):
        y = y.at[i].set(x[i])
        return y, y[i] * y[0]

    return lax.scan(step, x, jnp.arange(N))[1]


def added(x):
    return lax.fori_loop(0, N, lambda i, y: y.at[i % 7].add(x[i]), jnp.zeros(7))


def one_place_twice(x):
    def body(i, y):
        return y.at[jnp.stack([i, i])].set(jnp.stack([x[i], 2 * x[i]]))

    return lax.fori_loop(0, N, body, jnp.zeros(N))


def jitted_step(x):
    """The known counter leaves an equation that has unknown operands as well."""

    @jax.jit
    def step(carry, _):
        i, y = carry
        return (i + 1, y.at[i].set(x[i] * x[0])), None

    return lax.scan(step, (0, x), None, length=N)[0][1]


def whole_array(x):
    def step(y, i):
        return jnp.roll(y, 1).at[0].set(x[i]), y[1]

    y, outputs = lax.scan(step, jnp.zeros(3), jnp.arange(N))
    return jnp.concatenate([y, outputs])


def one_index_unknown(x):
    def body(i, y):
        return y.at[i % 5, jnp.argmax(x[:3])].set(x[i])

    return lax.fori_loop(0, N, body, jnp.zeros((5, 3)))


def one_start_unknown(x):
    def body(i, y):
        return lax.dynamic_update_slice(y, x[i][None, None], (i % 5, jnp.argmax(x[:3])))

    return lax.fori_loop(0, N, body, jnp.zeros((5, 3)))


def scanned_keys(x):
    def step(y, item):
        i, key = item
        return y.at[i].set(x[i] * (1 + jax.random.uniform(key))), None

    keys = jax.random.split(jax.random.key(0), N)
    return lax.scan(step, jnp.zeros(N), (jnp.arange(N), keys))[0]


def carried_key(x):
    def body(i, carry):
        y, key = carry
        y = y.at[i].set(x[i] * (1 + jax.random.uniform(key)))
        return y, jax.random.fold_in(key, i)

    return lax.fori_loop(0, N, body, (jnp.zeros(N), jax.random.key(1)))[0]


def exchanged(x):
    def body(i, carry):
        y, z = carry
        return z, y.at[i].set(x[i] * z[0])

    return jnp.stack(lax.fori_loop(0, N, body, (x, 2 * x)))


PAIRS = np.random.default_rng(0).integers(0, N, (N, 2))  # some are a place and itself


def assembled(x):
    """Sums at places that recur, also within a step."""

    def step(carry, pair):
        total, flows = carry
        flow = jnp.sin(x[pair[0]]) * x[pair[1]]
        return (total + flow, flows.at[pair].add(flow * jnp.array([1.0, -1.0]))), None

    total, flows = lax.scan(step, (0.0, x**2), PAIRS)[0]
    return jnp.append(flows, total)


def several_sums(x):
    """Added in one expression, subtracted, and put into zeros before."""

    def body(i, y):
        there = jnp.zeros(N).at[i].set(x[i - 1])
        window = lax.dynamic_update_slice(jnp.zeros(N), lax.dynamic_slice(x, (i,), (2,)), (i,))
        return (there + (2.0 + y.at[N - 1 - i].subtract(x[i] ** 2))) + window

    return lax.fori_loop(0, N, body, jnp.zeros(N))


def running_sum(x):
    """A sum that every step returns is not only a sum."""

    def step(total, one):
        total = total + one
        return total, total

    return lax.scan(step, 0.0, x)[1]


def sum_that_is_read(x):
    return lax.fori_loop(1, N, lambda i, y: y.at[i].add(x[i] * y[i - 1]), x)


def sum_of_all(x):
    """All of an array is added in each step."""
    return lax.fori_loop(0, N, lambda i, y: y + x[i] * jnp.ones(3), jnp.zeros(3))


FUNCTIONS = [
    *(one_index_unknown, one_start_unknown, scanned_keys, carried_key, exchanged),
    *(jitted_step, whole_array),
    *(neighbors, recurrence, two_arrays, windows, with_a_sum, backwards, rows_of_a_matrix),
    *(dropped, unchanged, read_after_writing, added, one_place_twice),
    *(assembled, several_sums, running_sum, sum_that_is_read, sum_of_all),
]


COARSER = [with_a_sum, rows_of_a_matrix]  # what is zero before it is written is known step by step
EXCESS = [*COARSER, one_index_unknown, one_start_unknown]  # no write is known to replace another


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_all_steps_at_once(f, monkeypatch):
    assert check_rule(f, X, points=2).exact or f in EXCESS
    together = asdex.jacobian_sparsity(f, X)
    loops = importlib.import_module("asdex.rules.loops")
    monkeypatch.setattr(loops, "by_writes", lambda *_: None)
    one_by_one = asdex.jacobian_sparsity(f, X)
    assert together | one_by_one == together
    if f not in COARSER:
        assert together == one_by_one


@pytest.mark.parametrize("f", [neighbors, recurrence, with_a_sum, backwards])
def test_hessians(f):
    pattern = asdex.hessian_sparsity(lambda x: jnp.sum(f(x) ** 2), X).todense().astype(bool)
    hessian = np.asarray(jax.hessian(lambda x: jnp.sum(f(x) ** 2))(X))
    assert not ((hessian != 0) & ~pattern).any()


WEIGHTS = np.random.default_rng(0).uniform(1, 2, N).astype(np.float32)
THIRDS = WEIGHTS / np.float32(3)
SINES = np.concatenate([[0], np.asarray(jnp.sin(WEIGHTS))[:-1]]).astype(np.float32)
STEPS = np.arange(N)


def tie_of_slices(x):
    def step(y, slices):
        i, third, bound = slices
        return y.at[i].set(jnp.where(third > bound, x[i], 0.0)), None

    return lax.scan(step, jnp.zeros(N), (STEPS, WEIGHTS / jnp.float32(3), THIRDS))[0]


def tie_of_a_carry(x):
    def step(carry, slices):
        y, last = carry
        i, weight, bound = slices
        return (y.at[i].set(jnp.where(last > bound, x[i], 0.0)), jnp.sin(weight)), None

    return lax.scan(step, (jnp.zeros(N), jnp.float32(0)), (STEPS, WEIGHTS, SINES))[0][0]


def tie_that_counts(x):
    def step(carry, slices):
        y, count = carry
        i, third, bound = slices
        count = count + jnp.where(third > bound, 1, 0)
        return (y.at[i].set(jnp.where(count > 0, x[i], 0.0)), count), None

    slices = STEPS, WEIGHTS / jnp.float32(3), THIRDS
    return lax.scan(step, (jnp.zeros(N), 0), slices)[0][0]


@pytest.mark.parametrize("f", [tie_of_slices, tie_of_a_carry, tie_that_counts])
def test_ties_that_another_program_rounds_otherwise(f):
    """A quotient by a broadcast divisor, and a sine, are a rounding more in some compiled programs."""
    pattern = asdex.jacobian_sparsity(f, X)
    larger = np.flatnonzero(WEIGHTS * np.float32(1 / 3) > THIRDS)
    expected = {
        tie_of_slices: larger,
        tie_of_a_carry: np.arange(1, N),  # zero is not rounded
        tie_that_counts: np.arange(larger[0], N),
    }
    assert set(expected[f].tolist()) <= set(pattern.rows.tolist())


def switched_on(x):
    def body(i, carry):
        y, time = carry
        return y.at[i].set(jnp.where(time >= 0.5, x[i], 0.0)), time + jnp.float32(1 / 64)

    return lax.fori_loop(0, N, body, (jnp.zeros(N), jnp.float32(0)))[0]


def test_a_sum_of_two_numbers_is_rounded_alike_in_all_programs():
    np.testing.assert_array_equal(asdex.jacobian_sparsity(switched_on, X).rows, np.arange(32, N))
