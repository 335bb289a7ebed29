"""Loops that write to known places, against their steps one by one and automatic differentiation."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex.testing import check_rule


N = 24
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

    return lax.fori_loop(0, N, body, jnp.zeros((4, 3)).at[:, 0].set(x[:4]))


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


def added_to_all(x):
    """One number is added to all places, which needs no equation of its own to be as many."""

    def body(i, y):
        return x[i][None] + y.at[i % 5].add(x[i - 1]) - jnp.zeros(1).at[i % 1].set(x[0] * x[i])

    return lax.fori_loop(0, N, body, jnp.zeros(5))


def added_to_what_is_read(x):
    def body(i, y):
        return jnp.zeros(1).at[i % 1].set(x[i]) + y.at[i % 5].set(y[0])

    return lax.fori_loop(0, 3, body, x[:5])


def jitted_write(x):
    @jax.jit
    def write(i, y):
        return jax.checkpoint(lambda y: y.at[i].set(x[i] * y[i - 1]))(y)

    return lax.fori_loop(0, N, write, x**2)


def literal_write(x):
    return lax.fori_loop(0, N // 2, lambda i, y: y.at[2 * i].set(0.0), x**2)


def guarded_by_where(x):
    def body(i, y):
        return jnp.where(i % 3 == 0, y.at[i].set(x[i - 1]), y)

    return lax.fori_loop(0, N, body, x**2)


def guarded_otherwise(x):
    """The other case writes; both do, to other places; what is not written is read."""

    def body(i, y):
        y = jnp.where(i < 10, y, y.at[i - 10].set(x[i]))
        z = y.at[2].set(y[i] * x[0])
        return jnp.where(i % 2 == 0, z, y.at[i].set(z[2]).at[0].multiply(x[i]))

    return lax.fori_loop(0, N, body, x**2)


def guarded_windows(x):
    """Starts are moved inside before they are guarded, of any type."""

    def body(i, y):
        window = x[:3] * lax.dynamic_slice(y, (i,), (3,))
        y = jnp.where(i % 2 == 0, lax.dynamic_update_slice(y, window, (i,)), y)
        last = i.astype(jnp.uint8)
        return jnp.where(i % 5 == 0, y, y.at[last].set(x[i], mode="clip"))

    return lax.fori_loop(0, N + 5, body, x[: N - 6])


def guarded_by_small_integers(x):
    """255 is the largest `uint8`, and a place."""

    def body(i, y):
        written = lax.dynamic_update_slice(y, x[i][None], (lax.convert_element_type(i, np.uint8),))
        return jnp.where(i % 3 == 0, written, y)

    return lax.fori_loop(0, N, body, jnp.zeros(300).at[255].set(x[3]))


def written_in_branches(x):
    def body(i, carry):
        y, _ = carry
        branches = [
            lambda y: (y.at[i].set(x[i] * y[i - 1]), x[0]),
            lambda y: (y.at[i].set(x[i]).at[i - 1].add(y[i - 3]), y[1]),
            lambda y: (y, y[2]),
        ]
        y, one = lax.switch((i + i // 7) % 4 - 1, branches, y)
        return y, one * x[i]

    return jnp.append(*lax.fori_loop(0, N, body, (x**2, 0.0)))


def written_in_nested_branches(x):
    def body(i, y):
        def inner(y):
            y = lax.cond(i % 4 == 0, lambda y: y.at[i].set(x[i]), lambda y: y.at[i].set(y[0]), y)
            return y.at[i + 1].set(y[i])

        return lax.cond(i % 2 == 0, inner, lambda y: y.at[0].set(x[i]), y)

    return lax.fori_loop(0, N - 1, body, x**2)


def swept_in_turn(x):
    """Each array reads what has just been written to the other one."""

    def body(i, carry):
        y, z = carry
        y = y.at[i].set(x[i] * z[i - 1])
        z = z.at[i].set(y[i] + y[(i + 1) % N])
        y = y.at[i - 1].set(y[i - 1] * z[0])
        return y, z

    return jnp.stack(lax.fori_loop(1, N, body, (x, x**2)))


def combined(x):
    """Multiplied, and the larger or the smaller one, with what is there."""

    def body(i, y):
        y = y.at[i, 0].multiply(x[i - 1]).at[i, 1].max(x[0]).at[0].min(x[i])
        return y.at[i].subtract(y[i - 1])

    return lax.fori_loop(1, N, body, jnp.stack([x, 2 * x], axis=1))


def combined_at_recurring_places(x):
    """Two of the places are one: taken one by one."""

    def body(i, y):
        return y.at[jnp.stack([i, i // 2])].add(x[i] * y[0])

    return lax.fori_loop(0, N, body, x)


def guarded_by_data(x):
    def body(i, y):
        return jnp.where(x[i] > 1.0, y.at[i].set(x[0]), y)

    return lax.fori_loop(0, N, body, x**2)


def scalars(x):
    """Nothing says where they are written."""

    def body(i, carry):
        y, z = carry
        y = jnp.where(i % 2 == 0, y.at[...].set(x[i]), y)
        return y, z.at[:].set(x[:2] * y)

    y, z = lax.fori_loop(0, N, body, (x[0], x[:2]))
    return jnp.append(z, y)


def swept_in_rows(x):
    """Gauss-Seidel: each step of the inner loop reads what those before it have written."""

    def row(i, u):
        def element(j, u):
            around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
            return u.at[i, j].set(around / 4 + x[i])

        return lax.fori_loop(1, 5, element, u)

    return lax.fori_loop(1, 3, row, x.reshape(4, 6))


def eliminated(x):
    """All of the inner loop reads a row as it was before that loop."""

    def column(k, a):
        pivot = a[k] / (2 + a[k, k])
        a = a.at[k].set(pivot)

        def row(i, a):
            return a.at[(k + i) % 4].add(-a[(k + i) % 4, k] * pivot)

        a = lax.fori_loop(1, 3, row, a)
        return a.at[0, 0].multiply(a[k, 1])

    return lax.fori_loop(0, N, lambda k, a: column(k % 4, a), x[:16].reshape(4, 4))


def summed_in_rows(x):
    """Sums of the steps of both loops, one of which also writes."""

    def row(i, carry):
        y, total = carry

        def element(carry, j):
            y, total = carry
            return (y.at[i, j].set(x[i] * y[i, j - 1]), total.at[i].add(x[6 * i + j])), None

        y, total = lax.scan(element, (y, total), jnp.arange(6), reverse=True)[0]
        return y, total.at[3 - i].add(x[i])

    y, total = lax.fori_loop(0, 4, row, (jnp.ones((4, 6)), jnp.zeros(4)))
    return jnp.append(y, total)


def three_loops(x):
    """A counter of its own in the second loop, a guard in the third."""

    def plane(i, u):
        def row(carry, j):
            u, at = carry
            u = u.at[i, at, 0].set(x[j])

            def element(k, u):
                return jnp.where(k == j, u, u.at[i, j, k].set(u[i - 1, j, k] * u[i, at, 0]))

            return (lax.fori_loop(0, 4, element, u), (at + 2) % 3), None

        return lax.scan(row, (u, i % 3), jnp.arange(3))[0][0]

    return lax.fori_loop(0, 2, plane, x.reshape(2, 3, 4))


def inner_results(x):
    """A loop inside that carries more than what it writes to, and one with results: taken as one equation."""

    def row(i, y):
        def element(j, carry):
            y, total = carry
            return y.at[i].set(total * x[j]), total + x[j]

        y, total = lax.fori_loop(0, 3, element, (y, x[i]))
        y, ys = lax.scan(lambda y, j: (y.at[j].set(x[i]), y[j]), y, jnp.arange(2))
        return y.at[(i + 1) % N].set(total * ys[1])

    return lax.fori_loop(0, N, row, x**2)


def triangular(x):
    """The inner loop has another length in each step."""

    def row(i, y):
        return lax.fori_loop(0, i, lambda j, y: y.at[i].set(y[j] * x[i]), y)

    return lax.fori_loop(0, 6, row, x**2)


def products_of_rows(x):
    """The inner loop adds up what the outer one writes."""
    a = x[:12].reshape(3, 4)

    def row(i, y):
        total = lax.fori_loop(0, 4, lambda j, total: total + a[i, j] * y[j % 3], 0.0)
        return y.at[i].set(total)

    return lax.fori_loop(0, 3, row, x[-3:])


FUNCTIONS = [
    *(added_to_all, added_to_what_is_read),
    *(swept_in_rows, eliminated, summed_in_rows, three_loops, inner_results, triangular),
    products_of_rows,
    *(jitted_write, literal_write, guarded_by_where, guarded_otherwise, guarded_windows),
    guarded_by_small_integers,
    *(written_in_branches, written_in_nested_branches, swept_in_turn, combined),
    *(combined_at_recurring_places, guarded_by_data, scalars),
    *(one_index_unknown, one_start_unknown, scanned_keys, carried_key, exchanged),
    *(jitted_step, whole_array),
    *(neighbors, recurrence, two_arrays, windows, with_a_sum, backwards, rows_of_a_matrix),
    *(dropped, unchanged, read_after_writing, added, one_place_twice),
    *(assembled, several_sums, running_sum, sum_that_is_read, sum_of_all),
]


COARSER = [with_a_sum, rows_of_a_matrix]  # what is zero before it is written is known step by step
# No write is known to replace another; of two numbers the larger one is taken.
EXCESS = [*COARSER, one_index_unknown, one_start_unknown, guarded_by_data, combined]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_all_steps_at_once(f, monkeypatch):
    steps = importlib.import_module("asdex.rules.loop_writes")
    monkeypatch.setattr(steps, "FEW_STEPS", 1)
    assert check_rule(f, X, points=2).exact or f in EXCESS
    together = asdex.jacobian_sparsity(f, X)
    loops = importlib.import_module("asdex.rules.loops")
    monkeypatch.setattr(loops, "by_writes", lambda *_: None)
    monkeypatch.setattr(loops, "are_alike", lambda *_: False)
    one_by_one = asdex.jacobian_sparsity(f, X)
    assert together | one_by_one == together
    if f not in COARSER:
        assert together == one_by_one


def chosen_value(x):
    def body(i, y):
        value = lax.cond(i % 2 == 0, lambda: x[i] * x[i - 1], lambda: x[i])
        return y.at[i].set(value)

    return lax.fori_loop(1, N, body, x)


def products_in_rows(x):
    """The results of the loop inside, which its reverse pass reads, are results of the outer one."""
    x = x.reshape(4, 6)

    def row(i, y):
        return lax.fori_loop(1, 6, lambda j, y: y.at[i, j].set(x[i - 1, j] * x[i, j - 1]), y)

    return lax.fori_loop(1, 4, row, x)


REVERSED = [swept_in_rows, eliminated, summed_in_rows, three_loops, guarded_otherwise]
REVERSED += [neighbors, recurrence, with_a_sum, backwards, swept_in_turn, written_in_branches]


@pytest.mark.parametrize("f", REVERSED, ids=lambda f: f.__name__)
def test_hessians(f, monkeypatch):
    monkeypatch.setattr(importlib.import_module("asdex.rules.loop_writes"), "FEW_STEPS", 1)
    pattern = asdex.hessian_sparsity(lambda x: jnp.sum(f(x) ** 2), X).todense().astype(bool)
    hessian = np.asarray(jax.hessian(lambda x: jnp.sum(f(x) ** 2))(X))
    assert not ((hessian != 0) & ~pattern).any()


MANY = 80
"""Steps that are taken at once, as they are for users."""


@pytest.mark.parametrize("f", [chosen_value, products_in_rows], ids=lambda f: f.__name__)
def test_exact_hessians(f, monkeypatch):
    """What one branch saves for the reverse pass is empty in the other one; steps add to what they read."""
    monkeypatch.setattr(importlib.import_module("asdex.rules.loop_writes"), "FEW_STEPS", 1)
    loops = importlib.import_module("asdex.rules.loops")
    monkeypatch.delattr(loops.Loop, "_interpreted")  # no loop is taken step by step
    pattern = asdex.hessian_sparsity(lambda x: jnp.sum(f(x) ** 3), X)
    hessian = jax.hessian(lambda x: jnp.sum(f(x) ** 3))(X)
    np.testing.assert_array_equal(pattern.todense().astype(bool), np.asarray(hessian) != 0)


WEIGHTS = np.random.default_rng(0).uniform(1, 2, MANY).astype(np.float32)
THIRDS = WEIGHTS / np.float32(3)
SINES = np.concatenate([[0], np.asarray(jnp.sin(WEIGHTS))[:-1]]).astype(np.float32)
STEPS = np.arange(MANY)


def tie_of_slices(x):
    def step(y, slices):
        i, third, bound = slices
        return y.at[i].set(jnp.where(third > bound, x[i], 0.0)), None

    return lax.scan(step, jnp.zeros(MANY), (STEPS, WEIGHTS / jnp.float32(3), THIRDS))[0]


def tie_of_a_carry(x):
    def step(carry, slices):
        y, last = carry
        i, weight, bound = slices
        return (y.at[i].set(jnp.where(last > bound, x[i], 0.0)), jnp.sin(weight)), None

    return lax.scan(step, (jnp.zeros(MANY), jnp.float32(0)), (STEPS, WEIGHTS, SINES))[0][0]


def tie_that_counts(x):
    def step(carry, slices):
        y, count = carry
        i, third, bound = slices
        count = count + jnp.where(third > bound, 1, 0)
        return (y.at[i].set(jnp.where(count > 0, x[i], 0.0)), count), None

    slices = STEPS, WEIGHTS / jnp.float32(3), THIRDS
    return lax.scan(step, (jnp.zeros(MANY), 0), slices)[0][0]


@pytest.mark.parametrize("f", [tie_of_slices, tie_of_a_carry, tie_that_counts])
def test_ties_that_another_program_rounds_otherwise(f):
    """A quotient by a broadcast divisor, and a sine, are a rounding more in some compiled programs."""
    pattern = asdex.jacobian_sparsity(f, jnp.ones(MANY))
    larger = np.flatnonzero(WEIGHTS * np.float32(1 / 3) > THIRDS)
    expected = {
        tie_of_slices: larger,
        tie_of_a_carry: np.arange(1, MANY),  # zero is not rounded
        tie_that_counts: np.arange(larger[0], MANY),
    }
    assert set(expected[f].tolist()) <= set(pattern.rows.tolist())


def switched_on(x):
    def body(i, carry):
        y, time = carry
        return y.at[i].set(jnp.where(time >= 0.5, x[i], 0.0)), time + jnp.float32(1 / 64)

    return lax.fori_loop(0, MANY, body, (jnp.zeros(MANY), jnp.float32(0)))[0]


def test_a_sum_of_two_numbers_is_rounded_alike_in_all_programs():
    np.testing.assert_array_equal(
        asdex.jacobian_sparsity(switched_on, jnp.ones(MANY)).rows, np.arange(32, MANY)
    )
