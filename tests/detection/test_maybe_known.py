"""The estimate of what a loop carries that stays known, against the analyses of its body."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


loop_bodies = importlib.import_module("asdex.rules.loop_bodies")
N = 4


@jax.custom_jvp
def square(x):
    return x * x


square.defjvp(lambda primals, tangents: (square(*primals), 2 * primals[0] * tangents[0]))


def inner_scan(i, y):
    return lax.scan(lambda c, _: ((c[0] + 1, c[1] * y[0]), None), (i, y), None, length=3)[0]


def inner_while(i, y):
    return lax.while_loop(
        lambda c: c[0] < 9, lambda c: (c[0] + 1, c[1] * 2, c[2] + y[0]), (i, i, y)
    )[1:]


BODIES = {
    # name: (a step of a counter, a known vector and an unknown one; how many of them stay known)
    "a counter and a vector": (lambda i, k, y: (i + 1, 2 * k, y[jnp.minimum(i, 3)] * k), 2),
    "a vector that is lost at once": (lambda i, k, y: (i + 1, k + y, y * k), 1),
    "all of them, one after another": (lambda i, k, y: (i + jnp.int32(k[0]), y + 1, y * k), 0),
    "within a call": (lambda i, k, y: (*jax.jit(lambda i, k: (i + 1, k * i))(i, k), y * k), 2),
    "partly, within a call": (
        lambda i, k, y: (*jax.jit(lambda i, k, y: (i + 1, k * y))(i, k, y), y * i),
        1,
    ),
    "with a derivative of its own": (lambda i, k, y: (i + 1, square(k), square(y) * k), 2),
    "in a branch by a counter": (
        lambda i, k, y: (i + 1, lax.cond(i > 2, lambda k, y: k, lambda k, y: k * 2, k, y), y * k),
        2,
    ),
    "after a scan": (lambda i, k, y: (inner_scan(i, y)[0], 2 * k, inner_scan(i, y)[1] * k), 2),
    "after a while": (lambda i, k, y: (inner_while(i, y)[0], 2 * k, inner_while(i, y)[1] * k), 2),
}


@pytest.fixture
def analyses(monkeypatch):
    """Of each loop whose body is analysed: what may stay known, what does, and how often it was analysed."""
    found = []
    body, estimate = loop_bodies.LoopBody, loop_bodies.may_stay_known
    analyse, structure = body.analyse, body._structure

    def analysed(self):
        found.append(self)
        self.times = 0
        analyse(self)

    def counted(self, operands):
        self.times += 1
        return structure(self, operands)

    def estimated(*args):
        found[-1].may_stay = estimate(*args)
        return found[-1].may_stay

    monkeypatch.setattr(body, "analyse", analysed)
    monkeypatch.setattr(body, "_structure", counted)
    monkeypatch.setattr(loop_bodies, "may_stay_known", estimated)
    return found


def by_scan(step, y):
    start = 0, jnp.arange(1.0, N + 1), y
    return lax.scan(lambda carry, _: (step(*carry), None), start, None, length=5)[0][2]


def by_while(step, y):
    start = y[0], (0, jnp.arange(1.0, N + 1), y)
    return lax.while_loop(
        lambda carry: carry[0] < 3, lambda carry: (carry[0] + 1, step(*carry[1])), start
    )[1][2]


@pytest.mark.parametrize("loop", [by_scan, by_while])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_analysed_once_where_the_estimate_is_right(name, loop, analyses):
    step, count = BODIES[name]
    y = jnp.linspace(0.5, 1.5, N)
    found = asdex.jacobian_sparsity(lambda y: loop(step, y), y).todense()
    outer = analyses[0]
    assert outer.may_stay[-3:] == [True] * count + [False] * (3 - count)
    assert outer.kept == outer.may_stay and outer.times == 1
    true = jax.jacfwd(lambda y: loop(step, y))(y) != 0
    assert not (true & ~found.astype(bool)).any()


def test_what_the_estimate_takes_for_known_is_found_to_be_lost(analyses):
    """The branch that is taken is the one that loses it."""

    def step(i, k, y):
        return i + 1, lax.cond(i < 2, lambda k, y: 2 * k, lambda k, y: y, k, y), k * y

    y = jnp.linspace(0.5, 1.5, N)
    found = asdex.jacobian_sparsity(lambda y: by_scan(step, y), y).todense()
    outer = analyses[0]
    assert outer.may_stay == [True, True, False]
    assert outer.kept == [True, False, False] and outer.times == 2
    np.testing.assert_array_equal(found.astype(bool), np.eye(N, dtype=bool))


def test_loops_within_loops_are_analysed_once_for_each_analysis_around_them(analyses):
    """What each of them carries is lost one after the other."""

    def nested(depth, y):
        def step(carry, _):
            _, b, c, z = carry
            return (b, c, z, nested(depth - 1, z) if depth else jnp.sin(z)), None

        start = *(jnp.full(N, float(i)) for i in range(3)), y
        return lax.scan(step, start, None, length=100)[0][3]

    asdex.jacobian_sparsity(lambda y: nested(2, y), jnp.ones(N))
    assert all(one.times == 1 for one in analyses)
    assert len(analyses) == 3
