"""Loops at each step of which something is known, which may or may not matter."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


N = 40
STEPS = 12
MANY = 70
"""Steps of which the known part is computed in one program."""
X = jnp.linspace(0.5, 1.5, N)
WEIGHTS = np.random.default_rng(0).uniform(0.5, 1.0, (STEPS, N)).astype(np.float32)


def mixed(x, weight):
    return x + jnp.roll(x, 1) * weight


def weighted(x):
    return lax.scan(lambda y, w: (mixed(y, w), None), x, jnp.asarray(WEIGHTS))[0]


def weighted_by_number(x):
    weights = jnp.asarray(WEIGHTS)
    return lax.fori_loop(0, STEPS, lambda i, y: mixed(y, weights[i]), x)


def forced(x):
    return lax.fori_loop(0, STEPS, lambda i, y: mixed(y, jnp.sin(0.1 * i + 0.05)), x)


def backwards(x):
    return lax.scan(lambda y, w: (mixed(y, w), y[:3]), x, jnp.asarray(WEIGHTS), reverse=True)[1]


def drawing(x):
    def step(carry, _):
        y, key = carry
        key, now = jax.random.split(key)
        return (mixed(y, jax.random.uniform(now, (N,), minval=0.5)), key), None

    return lax.scan(step, (x, jax.random.key(0)), length=STEPS)[0][0]


def timed(x):
    def step(carry):
        y, time = carry
        return mixed(y, 1.0 + time), time + 0.125

    y, time = lax.while_loop(lambda carry: carry[1] < STEPS / 8, step, (x, 0.0))
    return y * x[jnp.asarray(8 * time, int)]


def nested(x):
    def row(i, y):
        return lax.fori_loop(0, STEPS, lambda j, y: mixed(y, 1.0 + i + j), y)

    return lax.fori_loop(0, STEPS, row, x)


def set_few_steps(few, monkeypatch):
    loops = importlib.import_module("asdex.rules.loops")
    monkeypatch.setattr(loops, "FEW_STEPS", few)
    return loops


def assert_exact(f):
    pattern = asdex.jacobian_sparsity(f, X).todense().astype(bool)
    jacobian = np.asarray(jax.jacfwd(f)(X)).reshape(pattern.shape)
    np.testing.assert_array_equal(pattern, jacobian != 0)


@pytest.mark.parametrize("few", [1, 64])
@pytest.mark.parametrize(
    "f",
    [weighted, weighted_by_number, forced, backwards, drawing, timed, nested],
    ids=lambda f: f.__name__,
)
def test_steps_are_not_taken_one_by_one(f, few, monkeypatch):
    """Only the first four are, where there are few."""
    loops = set_few_steps(few, monkeypatch)
    monkeypatch.setattr(loops, "by_writes", lambda *_: None)
    followed, interpreted = [0], loops.Loop._interpreted

    def noted(self, order):
        followed.append(len(order))
        return interpreted(self, order)

    monkeypatch.setattr(loops.Loop, "_interpreted", noted)
    assert_exact(f)
    assert max(followed) <= (0 if few == 1 else loops._TRIED)


def drawing_by_number(x):
    key = jax.random.key(0)

    def step(i, y):
        return mixed(y, jax.random.uniform(jax.random.fold_in(key, i), (N,), minval=0.5))

    return lax.fori_loop(0, MANY, step, x)


def drawing_while(x):
    def step(carry):
        y, key, i = carry
        key, now = jax.random.split(key)
        return y * jax.random.uniform(now, (N,), minval=0.9), key, i + 1

    return lax.while_loop(lambda carry: carry[2] < MANY, step, (x, jax.random.key(0), 0))[0]


def drawing_in_turn(x):
    def step(y, key):
        return y * jax.random.uniform(key, (N,), minval=0.9), None

    return lax.scan(step, x, jax.random.split(jax.random.key(0), MANY))[0]


def writing_what_is_drawn(x):
    key = jax.random.key(0)

    def step(i, y):
        return y.at[i % N].set(x[i % N] * jax.random.uniform(jax.random.fold_in(key, i)))

    return lax.fori_loop(0, MANY, step, jnp.zeros(N))


@pytest.mark.parametrize(
    "f",
    [drawing_by_number, drawing_while, drawing_in_turn, writing_what_is_drawn],
    ids=lambda f: f.__name__,
)
def test_keys_that_are_constant_carried_or_scanned_over_in_many_steps(f):
    assert_exact(f)


def without_one_weight(x):
    weights = WEIGHTS.copy()
    weights[5, 7:] = 0
    return lax.scan(lambda y, w: (mixed(y, w), y * w), x, jnp.asarray(weights))[1]


def stopping(x):
    return lax.fori_loop(0, STEPS, lambda i, y: jnp.where(i < STEPS - 1, mixed(y, 2.0), y), x)


def pausing(x):
    """In the middle of all steps, and of those that are left after four."""

    def step(i, y):
        return jnp.where((i == 6) | (i == 8), y, mixed(y, 2.0))

    return lax.fori_loop(0, STEPS, step, x)


def starting(x):
    return lax.fori_loop(0, STEPS, lambda i, y: jnp.where(i > 0, mixed(y, 2.0), y), x)


def shrinking(x):
    def step(i, y):
        return jnp.where(jnp.arange(N) >= 3 * i, mixed(y, 2.0), y)

    return lax.fori_loop(0, STEPS, step, x)


@pytest.mark.parametrize("few", [1, 64])
@pytest.mark.parametrize(
    "f",
    [without_one_weight, stopping, pausing, starting, shrinking],
    ids=lambda f: f.__name__,
)
def test_what_matters_at_one_of_these_steps_is_seen(f, few, monkeypatch):
    set_few_steps(few, monkeypatch)
    assert_exact(f)
