"""Results of loops that are known although other results of the same loop are not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex.detection.known import _evaluations


N = 12
PAIRS = np.random.default_rng(0).integers(0, N, (9, 2))
X = jnp.linspace(0.5, 1.5, N)


def of_pair(pair):
    return jnp.sin(pair[0] * pair[1])


def mapped(x):
    return jnp.sum(lax.map(lambda pair: of_pair(x[pair]), PAIRS))


def summed(x):
    return lax.scan(lambda total, pair: (total + of_pair(x[pair]), None), 0.0, PAIRS)[0]


def from_the_end(x):
    return lax.scan(lambda total, pair: (total + of_pair(x[pair]), None), 0.0, PAIRS, reverse=True)[
        0
    ]


def by_counter(x):
    return lax.fori_loop(0, N - 1, lambda i, total: total + x[i] * x[i + 1] ** 2, 0.0)


def in_loops(x):
    """The indices of the inner loop are known at each step of the outer one."""

    def outer(total, pairs):
        return total + jnp.sum(lax.map(lambda pair: of_pair(x[pair]), pairs)), None

    return lax.scan(outer, 0.0, PAIRS.reshape(3, 3, 2))[0]


def by_a_carried_index(x):
    def step(carry, _):
        index, total = carry
        return ((5 * index + 1) % N, total + of_pair(x[jnp.stack([index, (index + 2) % N])])), index

    return lax.scan(step, (3, 0.0), None, length=8)[0][1]


@pytest.mark.parametrize(
    "f", [mapped, summed, from_the_end, by_counter, in_loops, by_a_carried_index]
)
@pytest.mark.parametrize("captured", ["constant", "unknown"])
def test_a_reverse_pass_reads_known_indices_again(f, captured):
    pattern = asdex.hessian_sparsity(f, X, captured=captured).todense()
    truth = sum(np.abs(jax.hessian(f)(point)) for point in (X, X**2, jnp.cos(5 * X))) > 0
    np.testing.assert_array_equal(pattern, truth | pattern & np.eye(N, dtype=bool))


def test_outputs_and_the_last_carry():
    """Values that the body computes of indices alone serve as indices after the loop."""

    def f(x):
        def step(carry, pair):
            count, total = carry
            return (count + pair[0], total * x[0]), (pair[1] * 2 % N, x[count % N])

        (count, _), (places, read) = lax.scan(step, (1, 1.0), PAIRS)
        return jnp.concatenate([x[places], x[count % N][None], read])

    pattern = asdex.jacobian_sparsity(f, X)
    np.testing.assert_array_equal(pattern.todense(), jax.jacobian(f)(X) != 0)


def test_a_result_that_an_unknown_value_steers_is_not_known():
    def f(x, start):
        def step(index, pair):
            return (index + pair[0]) % N, (index, pair[0] * x[0])

        _, (places, scaled) = lax.scan(step, start, PAIRS)
        return x[places] * scaled

    pattern = asdex.jacobian_sparsity(f, X, jnp.array(0)).todense()
    for start in range(N):
        assert not np.any((jax.jacobian(f)(X, start) != 0) & ~pattern)


@pytest.mark.parametrize("length", [3, 100])
def test_which_of_several_updates_stays_in_a_step_is_not_known(length):
    def mask():
        return jnp.zeros(4).at[np.array([1, 1])].set(jnp.array([1.0, 0.0]))

    def of_each(x):
        return lax.scan(lambda c, _: (c * x[0], mask()), 1.0, None, length=length)[1][0] * x

    def carried(x):
        def step(carry, _):
            return (mask(), carry[1] * x[0]), None

        return lax.scan(step, (jnp.zeros(4), 1.0), None, length=length)[0][0] * x

    for f in (of_each, carried):
        assert asdex.jacobian_sparsity(f, jnp.ones(4)).todense()[1, 1]


def test_random_numbers_and_effects_in_a_loop(capfd):
    """What would be computed twice is predictable and prints nothing."""

    def f(x):
        def step(total, pair):
            jax.debug.print("step {}", pair[0])
            return total + x[pair[0]] * x[pair[1]], pair

        total, pairs = lax.scan(step, 0.0, PAIRS)
        return total * x[pairs[0, 0]]

    assert asdex.hessian_sparsity(f, X).nnz > 0
    assert "step" not in capfd.readouterr().out


def test_each_of_two_loops_is_compiled_once(monkeypatch):
    """The inner one is analysed at each step of the outer one, on other numbers."""
    compiled = []
    in_three = _evaluations.in_three

    def counted(*arguments):
        compiled.append(arguments)
        return in_three(*arguments)

    monkeypatch.setattr(_evaluations, "in_three", counted)

    def f(x):
        def step(i, y):
            angle = lax.fori_loop(0, 3, lambda _, t: jnp.sin(t), i.astype(float))
            return y.at[i].set(x[(10 * angle).astype(int)])

        return lax.fori_loop(0, 5, step, x)

    pattern = asdex.jacobian_sparsity(f, X).todense().astype(bool)
    np.testing.assert_array_equal(pattern, np.asarray(jax.jacobian(f)(X)) != 0)
    assert len(compiled) == 2  # one for each of the loops
