"""Counted and conditional loops, against automatic differentiation and exact patterns."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checked_patterns import checked, DIAGONAL, exact, N, pattern, X
from jax import lax

import asdex


loop_powers = importlib.import_module("asdex.rules.loop_powers")


def dynamic_while(proceed, body, start):
    """A loop that data stop, or a counter, so that it ends wherever it is evaluated."""
    return lax.while_loop(
        lambda state: (state[0] < 20) & proceed(state[1]),
        lambda state: (state[0] + 1, body(state[1])),
        (0, start),
    )[1]


# --- fori_loop ------------------------------------------------------------------------------------


def test_fori_loop_that_copies():
    def f(x):
        return lax.fori_loop(0, N, lambda i, c: c.at[i].set(x[i]), jnp.zeros(N))

    np.testing.assert_array_equal(exact(f, X), DIAGONAL)


def test_fori_loop_over_part_of_the_array():
    def f(x):
        return lax.fori_loop(2, 5, lambda i, c: c.at[i].mul(x[i - 2]), x)

    np.testing.assert_array_equal(
        exact(f, X), DIAGONAL | np.diag([0, 0, 1, 1, 1, 0]) @ np.eye(N, k=-2, dtype=int)
    )


def test_fori_loop_that_applies_a_stencil():
    def f(x):
        def step(i, c):
            return c.at[i].set(x[i - 1] - 2 * x[i] + x[i + 1])

        return lax.fori_loop(1, N - 1, step, jnp.zeros(N))

    expected = np.eye(N, k=-1) + np.eye(N) + np.eye(N, k=1)
    expected[[0, -1]] = 0
    np.testing.assert_array_equal(exact(f, X), expected)


def test_fori_loop_as_a_recurrence():
    def f(x):
        return lax.fori_loop(1, N, lambda i, c: c.at[i].set(c[i - 1] * x[i]), x)

    np.testing.assert_array_equal(exact(f, X), np.tri(N))


def test_fori_loop_with_repeated_steps():
    """An explicit time stepper: each step widens the stencil by one."""
    n, steps = 12, 3

    def f(x):
        return lax.fori_loop(0, steps, lambda _, c: c + jnp.roll(c, 1) * 0.1, x)

    distance = np.subtract.outer(np.arange(n), np.arange(n)) % n
    np.testing.assert_array_equal(exact(f, jnp.linspace(1.0, 2.0, n)), distance <= steps)


def test_fori_loop_with_bounds_that_are_data():
    """Any number of steps may be taken."""

    def f(x):
        stop = jnp.floor(3 * x[0]).astype(int)
        return lax.fori_loop(0, stop, lambda _, c: c.at[1:].add(c[:-1]), x)

    np.testing.assert_array_equal(checked(f, X), np.tri(N))


# --- while ----------------------------------------------------------------------------------------


def test_while_with_a_known_trip_count():
    def f(x):
        def body(state):
            i, c = state
            return i + 2, c.at[i].set(x[i] * c[i + 1])

        return lax.while_loop(lambda state: state[0] < 5, body, (0, x))[1]

    expected = DIAGONAL.copy()
    expected[[0, 2, 4], [1, 3, 5]] = 1
    np.testing.assert_array_equal(exact(f, X), expected)


def test_while_that_takes_no_step():
    detected = exact(lambda x: lax.while_loop(lambda c: False, lambda c: c[::-1], x), X)
    np.testing.assert_array_equal(detected, DIAGONAL)


def test_while_until_data_say_stop():
    """The closure of the step: element k can reach every element before it."""

    def f(x):
        return dynamic_while(lambda c: c[-1] < 9, lambda c: c.at[1:].add(c[:-1] + 1), x)

    np.testing.assert_array_equal(checked(f, X), np.tri(N))


def test_while_joins_cycles():
    """A permutation with cycles (0 1 2) and (3 4): each element reaches its own cycle."""
    order = np.array([1, 2, 0, 4, 3, 5])

    def f(x):
        return dynamic_while(lambda c: c.sum() < 20, lambda c: c[order] * 1.5, x)

    expected = np.kron(np.diag([1, 0]), np.ones((3, 3), int))
    expected[3:5, 3:5] = 1
    expected[5, 5] = 1
    np.testing.assert_array_equal(checked(f, X), expected)


def test_while_with_several_carries_and_constants():
    """An unrelated carried value stays apart, and constants enter only where they are read."""

    def f(x):
        def body(state):
            a, b, count, c = state
            return a * x[4], b + a, count + 1, c

        start = (x[0], x[1:3], 0, x[3])
        a, b, count, c = dynamic_while(lambda s: s[0] < x[5] + 3, body, start)
        return a, b, jnp.asarray(count, float), c

    expected = np.zeros((5, N), int)
    expected[0, [0, 4]] = 1
    expected[[1, 2], [1, 2]] = 1
    expected[[1, 2]] |= expected[0]
    expected[4, 3] = 1
    np.testing.assert_array_equal(checked(f, X), expected)


def test_while_whose_only_dependence_is_in_its_condition():
    def f(x):
        return x * lax.while_loop(lambda i: i < x[0] * 10, lambda i: i + 1, 1)

    np.testing.assert_array_equal(exact(f, X), DIAGONAL)


def test_while_with_a_known_carry_beside_a_dynamic_stop():
    """The counter is known at each step, but not how many there are: its last value is unknown."""

    def f(x):
        i, _ = lax.while_loop(
            lambda s: (s[0] < 20) & (s[1] < 9), lambda s: (s[0] + 1, 2 * s[1]), (0, x[0])
        )
        return x[jnp.array([i % 2])]

    assert checked(f, X)[:, :2].all()


def test_while_with_many_steps_is_counted():
    """More steps than are taken one by one, as many as a second counter says, with and without writes."""

    def writing(x):
        def body(state):
            i, k, c = state
            return i + 1, (3 * k) % 1009, c.at[i % N].set(c[(i + 1) % N] * x[k % N])

        return lax.while_loop(lambda s: (s[0] < 11_000) & (s[1] != 2), body, (0, 1, x))[2]

    def rolling(x):
        return lax.while_loop(
            lambda s: s[0] < 12_001, lambda s: (s[0] + 1, jnp.roll(s[1], 1)), (0, x)
        )[1]

    def counting(x):
        return x[jnp.array([lax.while_loop(lambda s: s < 11_000, lambda s: s + 7, 3) % N])]

    assert pattern(counting, X).sum() == 1
    np.testing.assert_array_equal(pattern(rolling, X), np.roll(DIAGONAL, 12_001 % N, axis=0))
    derivative = np.asarray(jax.jacfwd(writing)(jnp.linspace(0.99, 1.01, N)))
    np.testing.assert_array_equal(pattern(writing, X), derivative != 0)


def test_while_with_more_steps_than_are_followed_is_closed():
    def f(x):
        return lax.while_loop(
            lambda s: s[0] < 1_000_000, lambda s: (s[0] + 1, jnp.roll(s[1], 2)), (0, x)
        )[1]

    parity = np.equal.outer(np.arange(N) % 2, np.arange(N) % 2)
    np.testing.assert_array_equal(pattern(f, X), parity)


def test_newton_iteration_keeps_its_components_apart():
    """A vmapped scalar solver is diagonal, however many steps it takes."""

    def root(a):
        def body(y):
            return 0.5 * (y + a / y)

        return dynamic_while(lambda y: abs(y * y - a) > 1e-4, body, a)

    np.testing.assert_array_equal(exact(jax.vmap(root), X), DIAGONAL)


def test_loops_within_conditionals_within_loops():
    def f(x):
        def step(c, v):
            deep = lambda c: lax.fori_loop(0, 2, lambda _, c: jnp.roll(c, 1), c)  # noqa: E731
            return lax.cond(v > 1, deep, lambda c: c, c) + v, None

        return lax.scan(step, x, x[:2])[0]

    expected = np.zeros((N, N), int)
    for shift in (0, 2, 4):
        expected |= np.roll(DIAGONAL, shift, axis=0)
    expected[:, :2] = 1
    np.testing.assert_array_equal(checked(f, X), expected)


@pytest.mark.parametrize("block", [1, 20, 60, 200, 10_000])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 9, 16, 21])
def test_steps_that_are_taken_together(length, block, monkeypatch):
    """Powers of a body that are too large are not formed: then fewer steps are taken at a time."""
    monkeypatch.setattr(loop_powers, "_BLOCK", block)

    def spreading(x):
        return lax.scan(lambda y, _: (y + jnp.roll(y, 1) + jnp.roll(y, -1), None), x, None, length)[
            0
        ]

    def feeding(x):
        def step(y, z):
            y = jnp.roll(y, 1) * 2 + z
            return y, y * z

        return lax.scan(step, x[:N], jnp.outer(jnp.arange(1.0, length + 1), x[N:]))

    x = jnp.arange(1.0, 2 * N + 1)
    reached = np.abs((np.arange(2 * N)[:, None] - np.arange(2 * N) + N) % (2 * N) - N) <= length
    np.testing.assert_array_equal(asdex.jacobian_sparsity(spreading, x).todense(), reached)
    flat = lambda x: jnp.concatenate([leaf.ravel() for leaf in feeding(x)])  # noqa: E731
    dense = jax.jacobian(flat)(x)
    np.testing.assert_array_equal(asdex.jacobian_sparsity(flat, x).todense(), dense != 0)
