"""Conditionals and scans, against automatic differentiation and against exact patterns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checked_patterns import checked, DIAGONAL, exact, N, pattern, X
from jax import lax

import asdex


# --- cond -----------------------------------------------------------------------------------------

BRANCHES = [lambda x: x, lambda x: x[::-1], lambda x: jnp.roll(x, 1), jnp.zeros_like]


@pytest.mark.parametrize("index", [0, 1, 2, 3, -1, 7])
def test_switch_with_a_known_index_takes_one_branch(index):
    taken = BRANCHES[min(max(index, 0), 3)]
    expected = np.asarray(jax.jacobian(taken)(X)) != 0
    np.testing.assert_array_equal(pattern(lambda x: lax.switch(index, BRANCHES, x), X), expected)
    known = np.array(index)
    inside = jax.jit(lambda x: lax.switch(jnp.asarray(known) + 0, BRANCHES, x))
    np.testing.assert_array_equal(pattern(inside, X), expected)


def test_switch_with_an_unknown_index_takes_any_branch():
    def f(x, index):
        return lax.switch(index, BRANCHES, x)

    expected = DIAGONAL | DIAGONAL[::-1] | np.roll(DIAGONAL, 1, axis=0)
    np.testing.assert_array_equal(pattern(f, X, jnp.array(1)), expected)
    by_data = checked(lambda x: lax.switch(jnp.floor(x[0]).astype(int), BRANCHES, x), X)
    np.testing.assert_array_equal(by_data, expected)


def test_many_branches():
    """More branches than a union keeps apart."""
    count = 40
    branches = [lambda x, k=k: jnp.roll(x, k)[:3] * k for k in range(count)]
    x = jnp.linspace(0.0, 1.0, count)
    detected = pattern(lambda x: lax.switch(jnp.argmax(x), branches, x), x)
    expected = np.ones((3, count), int)
    expected[[0, 1, 2], [0, 1, 2]] = 0
    np.testing.assert_array_equal(detected, expected)


def test_cond_with_pytrees_integers_and_dead_results():
    def f(x):
        yes = lambda t: {"a": t[0][:2], "n": t[1]}  # noqa: E731
        no = lambda t: {"a": t[0][2:4] * t[1], "n": t[1] + 1}  # noqa: E731
        out = lax.cond(x[5] > 1, yes, no, (x, 3))
        return out["a"], jnp.asarray(out["n"], float)

    expected = np.zeros((3, N), int)
    expected[[0, 1, 0, 1], [0, 1, 2, 3]] = 1
    np.testing.assert_array_equal(exact(f, X), expected)


def test_values_stay_known_through_a_cond_with_a_known_index():
    def f(x):
        y, i = lax.cond(True, lambda x: (2 * x, jnp.arange(2)), lambda x: (x, jnp.ones(2, int)), x)
        return y[i + 3]

    np.testing.assert_array_equal(exact(f, X), DIAGONAL[[3, 4]])


# --- scan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_with_constants_carry_slices_and_outputs(reverse):
    weights = jnp.linspace(1.0, 2.0, 2)

    def f(x):
        def step(carry, row):
            carry = carry * weights + row[:2] * x[0]
            return carry, (carry.sum(), row[2])

        return lax.scan(step, x[:2], jnp.stack([x[:3], x[3:]]), reverse=reverse)

    detected = exact(f, X)
    np.testing.assert_array_equal(detected[:2], [[1, 0, 0, 1, 0, 0], [1, 1, 0, 0, 1, 0]])
    rows = [[1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0]]
    if reverse:
        rows = [[1, 1, 0, 1, 1, 0], [1, 1, 0, 1, 1, 0]]
    np.testing.assert_array_equal(detected[2:4], rows)
    np.testing.assert_array_equal(detected[4:], [[0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1]])


def test_scan_as_cumulative_sum_both_ways():
    def f(x, reverse):
        return lax.scan(lambda c, v: (c + v, c + v), jnp.float32(0), x, reverse=reverse)[1]

    np.testing.assert_array_equal(exact(lambda x: f(x, False), X), np.tri(N))
    np.testing.assert_array_equal(exact(lambda x: f(x, True), X), np.tri(N).T)


def test_scan_without_slices():
    def f(x):
        return lax.scan(lambda c, _: (jnp.roll(c, 1), c[0]), x, length=3)

    expected = np.concatenate([np.roll(DIAGONAL, 3, axis=0), DIAGONAL[[0, 5, 4]]])
    np.testing.assert_array_equal(exact(f, X), expected)


def test_scan_with_outputs_alone():
    np.testing.assert_array_equal(exact(lambda x: lax.map(jnp.sin, x), X), DIAGONAL)
    rows = X.reshape(2, 3)
    np.testing.assert_array_equal(
        exact(lambda x: lax.map(jnp.flip, x), rows), np.kron(np.eye(2), np.eye(3)[::-1])
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_of_length_zero(reverse):
    def over_nothing(x):
        return lax.scan(lambda c, v: (2 * c, (v, c)), x[1], x[:0], reverse=reverse)

    np.testing.assert_array_equal(exact(over_nothing, X), DIAGONAL[[1]])

    def no_steps(x):
        return lax.scan(lambda c, _: (2 * c, c[::-1]), x, length=0, reverse=reverse)

    np.testing.assert_array_equal(pattern(no_steps, X), DIAGONAL)


def test_scan_over_known_slices():
    indices = np.array([[0, 1], [5, 5], [2, 0]])

    def f(x):
        return lax.scan(lambda c, i: (c + x[i[0]], x[i] * c), jnp.float32(0), indices)

    expected = np.zeros((7, N), int)
    expected[0, [0, 5, 2]] = 1
    expected[1:3] = 0  # the carry is zero in the first step, but not known to be
    rows = [[0], [1], [5, 0], [5, 0], [2, 0, 5], [0, 5]]
    for k, columns in enumerate(rows):
        expected[1 + k, columns] = 1
    detected = checked(f, X)
    np.testing.assert_array_equal(detected[3:], expected[3:])
    np.testing.assert_array_equal(detected[0], expected[0])


def test_scan_over_known_slices_that_no_rule_asks_for():
    table = np.arange(12.0, dtype=np.float32).reshape(N, 2)

    def f(x):
        return lax.scan(lambda c, t: (c, t[0] * c + t[1]), x, table)[1]

    np.testing.assert_array_equal(pattern(f, X), np.concatenate([0 * DIAGONAL, *[DIAGONAL] * 5]))


def test_scan_with_a_known_integer_carry():
    def f(x):
        def step(carry, v):
            i, total = carry
            return ((i + 2) % N, total + v), x[i] * v

        return lax.scan(step, (1, jnp.float32(0)), x)[1]

    np.testing.assert_array_equal(exact(f, X), DIAGONAL | DIAGONAL[[1, 3, 5, 1, 3, 5]])


def test_scan_with_an_integer_carry_that_data_decide():
    def f(x):
        def step(i, v):
            return jnp.where(v > 1, i + 1, i), x[i]

        return lax.scan(step, 0, x)[1]

    np.testing.assert_array_equal(checked(f, X), np.ones((N, N)))


def test_a_known_carry_that_does_not_stay_known():
    """It starts as a constant, and takes up an input later."""

    def f(x):
        return lax.scan(lambda c, v: ((c[1], v), c[0]), (1.0, 2.0), x)[1]

    np.testing.assert_array_equal(exact(f, X), np.eye(N, k=-2))


def test_nested_scans():
    def f(x):
        def row(carry, values):
            total, columns = lax.scan(lambda c, v: (c + v, c * v), carry, values)
            return total, columns

        return lax.scan(row, x[0], x.reshape(2, 3))

    # In row-major order the two loops are one: output k reads inputs up to k, and input 0.
    total, columns = np.ones((1, N)), np.tri(N)
    np.testing.assert_array_equal(exact(f, X), np.concatenate([total, columns]))


def test_nested_loops_whose_inner_values_the_outer_loop_knows():
    table = jnp.array([[0, 1], [2, 3], [5, 5]])

    def f(x):
        def row(carry, indices):
            return carry, lax.scan(lambda c, i: (c + x[i], None), 0.0, indices)[0]

        return lax.scan(row, 0.0, table)[1]

    np.testing.assert_array_equal(
        exact(f, X), [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1]]
    )


@pytest.mark.parametrize("lower", [False, True])
def test_an_inner_loop_whose_length_the_outer_loop_knows(lower):
    def f(x):
        def row(i, result):
            first, last = (0, i + 1) if lower else (i, N)
            total = lax.fori_loop(first, last, lambda j, s: s + x[j], 0.0)
            return result.at[i].set(total)

        return lax.fori_loop(0, N, row, jnp.zeros(N))

    np.testing.assert_array_equal(exact(f, X), np.tri(N) if lower else np.tri(N).T)


def test_scan_of_keys_and_booleans():
    keys = jax.random.split(jax.random.key(0), N)
    flags = np.arange(N) % 2 == 0

    def f(x):
        def step(c, slices):
            key, flag, v = slices
            return c, jnp.where(flag, v, x[0]) * jax.random.normal(key)

        return lax.scan(step, 0.0, (keys, flags, x))[1]

    np.testing.assert_array_equal(exact(f, X), np.where(flags[:, None], DIAGONAL, DIAGONAL[:1]))


def test_long_scan():
    """10,000 steps, whose structure is found once; the pattern of each step is exact."""
    n = 10_000
    sparsity = asdex.jacobian_sparsity(
        lambda x: lax.scan(lambda c, v: ((v, c[0]), c[0] * v - c[1]), (x[0], x[0]), x)[1],
        jnp.zeros(n),
    )
    k = np.arange(n)
    offsets = [(k, np.maximum(k - back, 0)) for back in (0, 1, 2)]
    expected = {(int(r), int(c)) for rows, cols in offsets for r, c in zip(rows, cols, strict=True)}
    assert set(zip(sparsity.rows.tolist(), sparsity.cols.tolist(), strict=True)) == expected


def test_long_scan_that_reaches_a_fixed_point():
    n, steps = 20, 10_000

    def f(x):
        return lax.scan(lambda c, _: (c + jnp.roll(c, 1), c[0]), x, length=steps)

    sparsity = asdex.jacobian_sparsity(f, jnp.ones(n))
    expected = np.tri(steps, n, dtype=int)[:, ::-1]
    expected = np.roll(expected, 1, axis=1)
    np.testing.assert_array_equal(sparsity.todense()[:n], 1)
    np.testing.assert_array_equal(sparsity.todense()[n:], expected)
