"""Decisions by tied values within functions and loops, or by primitives of which little is known."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental.sparse import BCOO

import asdex


TIED, APART = jnp.array([1.5, 2.0]), jnp.array([1.0, 1.25])
MANY = 40


def above(a, c):
    return a > c


def by_steps(a, c, of=above):
    """The last of many steps decides."""
    return lax.scan(lambda carry, _: (of(a, c), None), jnp.zeros(2, bool), None, length=MANY)[0]


def by_condition(a, c):
    def step(carry):
        return carry[0] + 1, a > c

    return lax.while_loop(lambda carry: carry[0] < MANY, step, (0, jnp.zeros(2, bool)))[1]


def sharded(a, c):
    mesh, spec = jax.make_mesh((1,), ("i",)), jax.sharding.PartitionSpec()
    is_public = hasattr(jax, "shard_map")
    module = jax if is_public else importlib.import_module("jax.experimental.shard_map")
    mapped: Any = module.shard_map(above, mesh=mesh, in_specs=(spec, spec), out_specs=spec)
    return mapped(a, c)


def combined(a, c):
    """A reduction by a function of its own."""
    pair, start = jnp.stack([a - c, jnp.full(2, -9.0)]), jnp.float32(-jnp.inf)
    return lax.reduce(pair, start, lambda p, q: jnp.where(p > 0, p, q), (0,)) > 0


def pooled(a, c):
    """The gradient of max pooling says which element is the larger one."""

    def largest(z):
        return lax.reduce_window(z, -jnp.inf, lax.max, (1, 2), (1, 2), "VALID").sum()

    return jax.grad(largest)(jnp.stack([c, a], 1))[:, 1] > 0.5


def solved(a, c):
    """A linear system whose matrix is decided."""
    return lax.custom_linear_solve(
        lambda z: jnp.where(a > c, 1.0, 2.0) * z,
        jnp.ones(2),
        lambda _, b: b / jnp.where(a > c, 1.0, 2.0),
        lambda _, b: b / jnp.where(a > c, 1.0, 2.0),
    )


def with_a_zero(a, c):
    """The decided coefficient multiplies an unknown that is not zero, though its right-hand side is."""
    factor = jnp.where(a > c, 1.0, 2.0)
    solution = lax.custom_linear_solve(
        lambda z: jnp.stack([z[0], z[0] + factor * z[1]]),
        jnp.stack([jnp.ones(2), jnp.zeros(2)]),
        lambda _, b: jnp.stack([b[0], (b[1] - b[0]) / factor]),
        lambda _, b: jnp.stack([b[0] - b[1] / factor, b[1] / factor]),
    )
    return solution[1]


def beside_a_solution(a, c):
    """What the solver says besides."""

    def solve(_, b):
        return b / 2, b > 2 * c / 2

    return lax.custom_linear_solve(lambda z: 2 * z, a, solve, solve, has_aux=True)[1]


def first_pivots(a, c):
    matrices = jnp.stack([jnp.stack([a, jnp.ones(2)]), jnp.stack([c, 2 * jnp.ones(2)])])
    return lax.linalg.lu(jnp.moveaxis(matrices, -1, 0))[1][:, 0]


def with_jvp(function, tangent):
    outer = jax.custom_jvp(function)
    outer.defjvp(lambda primals, tangents: (outer(*primals), tangent(*primals, *tangents)))
    return outer


def with_vjp(function):
    outer = jax.custom_vjp(function)
    outer.defvjp(
        lambda a, c: (outer(a, c), (a, c)), lambda saved, g: tuple(map(jnp.zeros_like, saved))
    )
    return outer


def jump(a, c):
    return jnp.where(a > c, 1.0, 0.0)


FOLLOWED = {
    "custom JVP": with_jvp(above, lambda a, *_: np.zeros(a.shape, jax.dtypes.float0)),
    "custom JVP with a derivative": lambda a, c: with_jvp(jump, lambda a, c, t, s: t)(a, c) > 0.5,
    "custom VJP": with_vjp(above),
    "custom VJP of a number": lambda a, c: with_vjp(jump)(a, c) > 0.5,
    "custom JVP within a loop": lambda a, c: by_steps(a, c, FOLLOWED["custom JVP"]),
    "loop within a custom JVP": with_jvp(
        lambda a, c: by_steps(a, c), lambda a, *_: np.zeros(a.shape, jax.dtypes.float0)
    ),
    "isfinite": lambda a, c: jnp.isfinite(1 / (a - c)) & (a > 0),
    "isinf": lambda a, c: jnp.isinf(1 / (a - c)),
    "linear system": lambda a, c: solved(a, c) > 0.75,
    "linear system with a zero on the right": lambda a, c: with_a_zero(a, c) < -0.75,
    "first pivot": lambda a, c: first_pivots(a, c) == 0,
    "max pooling": pooled,
    "truth value": lambda a, c: (a - c).astype(bool),
    "sign": lambda a, c: jnp.sign(a - c) > 0,
    "remainder": lambda a, c: lax.rem(a, c) > 0.5,
    "pole": lambda a, c: 1 / (a - c) > 0,
    "loop": by_steps,
    "while": by_condition,
}
NOT_FOLLOWED = {
    "auxiliary result": beside_a_solution,
    "signbit": lambda a, c: jnp.signbit(c - a),
    "bits": lambda a, c: lax.bitcast_convert_type(a, int) > lax.bitcast_convert_type(c, int),
    "copysign": lambda a, c: jnp.copysign(1.0, c - a) < 0,
    "shard_map": sharded,
    "reduce": combined,
}


def pattern(decide, a, c):
    """Which of two sides the pattern of a decision keeps, as an array of shape (2 elements, 2 sides)."""

    def f(x):
        a, c, left, right = x.reshape(4, 2)
        return jnp.where(decide(a, c), left, right)

    x = jnp.concatenate([a, c, jnp.ones(4)])
    kept = asdex.jacobian_sparsity(f, x, local=True).todense()[:, 4:].astype(int)
    return kept.reshape(2, 2, 2).diagonal(axis1=0, axis2=2).T


@pytest.mark.parametrize("name", [*FOLLOWED, *NOT_FOLLOWED])
def test_a_tie_keeps_both_sides(name):
    decide = (FOLLOWED | NOT_FOLLOWED)[name]
    np.testing.assert_array_equal(pattern(decide, TIED, TIED), 1)


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_is_no_tie_is_decided(name):
    decide = FOLLOWED[name]
    expected = np.asarray(decide(APART, TIED)).astype(int)
    np.testing.assert_array_equal(
        pattern(decide, APART, TIED), np.stack([expected, 1 - expected], 1)
    )


@pytest.mark.parametrize("decide", [by_steps, by_condition])
def test_a_tie_in_a_loop_of_too_many_steps(decide, monkeypatch):
    for name in ("loops", "while_loops"):
        module = importlib.import_module(f"asdex.rules.{name}")
        monkeypatch.setattr(module, "FOLLOWED_STEPS", MANY // 2)
    np.testing.assert_array_equal(pattern(decide, TIED, TIED), 1)


ROUNDED = {
    "cast": lambda a: a.astype(jnp.bfloat16).astype(a.dtype),
    "reduce_precision": lambda a: lax.reduce_precision(a, 8, 7),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_a_number_between_two_of_fewer_digits_is_undecided(name):
    """One rounding more or less takes it to the other one, which is not tied with the limit."""
    between = jnp.full(2, 1 + 2.0**-8)

    def decide(a, c):
        return ROUNDED[name](jnp.exp(jnp.log(a))) > c

    np.testing.assert_array_equal(pattern(decide, between, between), 1)
    np.testing.assert_array_equal(pattern(decide, between + 2.0**-10, between), [[1, 0]] * 2)


@pytest.mark.parametrize("second", [[1, 0], [0, 1]])
def test_a_later_key_does_not_tell_apart_what_varies(second):
    def f(x):
        return lax.sort((x[:2], jnp.array(second), x[2:]), num_keys=2)[2]

    found = asdex.jacobian_sparsity(f, jnp.array([1.0, 1.0, 3.0, 4.0]), local=True)
    np.testing.assert_array_equal(found.todense(), [[0, 0, 1, 1]] * 2)


def test_a_sparse_matrix_times_undecided_values():
    """The rule returns values, not dependences."""

    def f(x):
        chosen = jnp.where(x[:2] > x[1::-1], x[2:4], x[4:6])
        return BCOO.fromdense(jnp.eye(2), nse=2) @ chosen

    found = asdex.jacobian_sparsity(f, jnp.ones(6), local=True)
    np.testing.assert_array_equal(found.todense(), [[0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 1]])


def test_a_loop_that_may_end_at_any_step():
    """It is not followed to its end 10,000 times."""

    def f(x):
        def step(state):
            return state[0] + 1, jnp.roll(state[1], 1)

        return lax.while_loop(lambda state: (x[0] >= x[1]) & (state[0] < 300), step, (0, x))[1]

    found = asdex.jacobian_sparsity(f, jnp.array([1.0, 1.0, 3.0, 4.0]), local=True)
    assert found.nnz == 16
