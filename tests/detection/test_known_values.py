"""What detection may take for known: constants and integers; never what training or a call changes."""

import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex
from asdex.detection.interpreter._interpreter import Interpreter
from asdex.detection.known._evaluations import Evaluation


def pattern(f, *args, **options):
    return asdex.jacobian_sparsity(f, *args, **options).todense().astype(int)


N = 6
X = jnp.linspace(0.3, 1.7, N)
DIAGONAL = np.eye(N, dtype=int)


# --- index arithmetic -----------------------------------------------------------------------------

INDICES = {
    "remainder": lambda i: (i + 2) % N,
    "where": lambda i: jnp.where(i % 2 == 0, i, N - 1 - i),
    "cumsum": lambda i: jnp.cumsum(jnp.ones_like(i)) - 1,
    "sort": lambda i: jnp.argsort((i * 5 + 3) % 7),
    "astype": lambda i: (i.astype(jnp.float32) * 0.5).astype(int),
    "jit": jax.jit(lambda i: N - 1 - i),
    "scan": lambda i: lax.scan(lambda c, k: (c + k, (c + k) % N), 0, i)[1],
    "while": lambda i: lax.while_loop(lambda j: j[0] < 4, lambda j: (j + 1) % N, i),
    "cond": lambda i: lax.cond(i[1] > 0, lambda i: i[::-1], lambda i: i, i),
    "vmap": jax.vmap(lambda k: (3 * k) % N),
    "random": lambda i: jax.random.permutation(jax.random.key(3), i),
    "linear algebra": lambda i: jnp.round(jnp.linalg.inv(jnp.eye(N)) @ i.astype(float)).astype(int),
}


@pytest.mark.parametrize("name", INDICES)
def test_index_arithmetic_from_constants_is_exact(name):
    expected = DIAGONAL[np.asarray(INDICES[name](jnp.arange(N)))]
    np.testing.assert_array_equal(pattern(lambda x: x[INDICES[name](jnp.arange(N))], X), expected)
    captured = np.arange(N)
    np.testing.assert_array_equal(
        pattern(jax.jit(lambda x: x[INDICES[name](jnp.asarray(captured))]), X), expected
    )


def test_known_values_pass_through_calls_beside_unknown_ones():
    @jax.jit
    def pick(x, i):
        return x[i], (i + 1) % N

    def f(x):
        first, i = pick(x, jnp.array([4, 5]))
        second, _ = pick(x, i)
        return first, second

    np.testing.assert_array_equal(pattern(f, X), DIAGONAL[[4, 5, 5, 0]])


def test_known_draws_are_those_of_the_settings():
    """What is compiled for a detection is used again in the next one."""

    def f(x):
        return x[jax.random.randint(jax.random.fold_in(jax.random.key(1), 2), (8,), 0, 64)]

    x, found = jnp.arange(64.0), []
    for partitionable in (True, False, True):
        with jax.threefry_partitionable(partitionable):
            found.append(asdex.jacobian_sparsity(f, x).cols)
            np.testing.assert_array_equal(found[-1], f(x))
    assert (found[0] != found[1]).any()
    np.testing.assert_array_equal(found[0], found[2])


def test_a_value_computed_from_an_input_is_not_known():
    """Its index is an integer, but another call may have another."""
    np.testing.assert_array_equal(pattern(lambda x: x[jnp.argmax(x)], X), np.ones((1, N)))
    np.testing.assert_array_equal(pattern(lambda x: x[(0 * x[:1]).astype(int)], X), np.ones((1, N)))


def test_sparse_constants_are_exact():
    a = np.tril(np.triu(np.ones((N, N), np.float32), -1), 1)
    a[2] = 0
    np.testing.assert_array_equal(pattern(lambda x: a @ x, X), a)
    np.testing.assert_array_equal(pattern(jax.jit(lambda x: jnp.asarray(a) @ x), X), a)
    np.testing.assert_array_equal(pattern(lambda x: (jnp.abs(a) * x).sum(1), X), a)


# --- laziness -------------------------------------------------------------------------------------


@pytest.fixture
def evaluations(monkeypatch):
    """Counts the equations that detection evaluates."""
    count = []
    settle = Evaluation.settle

    def counted(self, results, **options):
        count.append(1)
        settle(self, results, **options)

    monkeypatch.setattr(Evaluation, "settle", counted)
    return count


def test_constants_that_no_rule_asks_for_are_not_computed(evaluations):
    """Were they, this would allocate terabytes."""

    def f(x):
        table = jnp.ones((1_000_000, 1_000_000))
        return x + (jnp.sin(table) @ table)[0, :N]

    np.testing.assert_array_equal(pattern(f, X), DIAGONAL)
    assert not evaluations


def test_constants_are_computed_once(evaluations):
    def f(x):
        i = jnp.flip(jnp.arange(N))
        return jnp.stack([x[i], x[i], x[i]])

    asdex.jacobian_sparsity(f, X)
    first = len(evaluations)
    asdex.jacobian_sparsity(lambda x: x[jnp.flip(jnp.arange(N))], X)
    assert 0 < first < 3 * (len(evaluations) - first)


@pytest.mark.parametrize("asked", [True, False])
def test_long_chains_of_constants_do_not_recurse(asked, evaluations):
    def f(x):
        i = jnp.arange(N)
        for _ in range(5_000):
            i = lax.rem(i + 1, N)
        return x[i] if asked else x + i

    expected = np.roll(DIAGONAL, 5_000 % N, axis=1) if asked else DIAGONAL
    np.testing.assert_array_equal(pattern(f, X), expected)
    assert len(evaluations) > 5_000 if asked else not evaluations


@pytest.mark.usefixtures("optimized")
def test_a_known_value_rounds_as_its_equation_does_alone():
    """Whatever is compiled beside it: the program for all of them computes what JAX does at once."""
    points = jnp.linspace(0.05, 0.95, 400)
    functions = lax.erf_inv, lax.lgamma, lax.digamma, lax.bessel_i0e, lax.asinh, jnp.tanh

    def every_one():
        scaled = 0.9 * points
        return [of(scaled) for of in functions]

    values = Interpreter().run(jax.make_jaxpr(every_one)(), [])
    for of, value in zip(functions, values, strict=True):
        assert value.known is not None
        np.testing.assert_array_equal(value.known.get(), of(0.9 * points))


def test_callbacks_are_never_run():
    """A callback may have effects, so its result is unknown, even on constants."""

    def host(i):
        raise AssertionError("detection ran a callback")

    def f(x):
        i = jax.pure_callback(host, jax.ShapeDtypeStruct((2,), jnp.int32), jnp.arange(2))
        return x[i]

    np.testing.assert_array_equal(pattern(f, X), np.ones((2, N)))


# --- what may change ------------------------------------------------------------------------------


class Gated(eqx.Module):
    """A diagonal layer, then a gather; the floats are weights, the integers are structure."""

    weight: jax.Array
    index: jax.Array
    scale: float = 1.0

    def __call__(self, x):
        return self.scale * (self.weight * x)[self.index]

    def method(self, x):
        return self(x)


ZEROS = jnp.zeros(N)
REVERSED = jnp.arange(N)[::-1]


def test_floating_leaves_of_a_module_are_unknown_and_integers_known():
    model = Gated(ZEROS, REVERSED)
    np.testing.assert_array_equal(pattern(model, X), DIAGONAL[::-1])
    np.testing.assert_array_equal(pattern(model.method, X), DIAGONAL[::-1])
    np.testing.assert_array_equal(pattern(eqx.filter_jit(model), X), DIAGONAL[::-1])
    partial = jax.tree_util.Partial(lambda w, x: w * x, ZEROS)
    np.testing.assert_array_equal(pattern(partial, X), DIAGONAL)
    scalar = jax.tree_util.Partial(lambda w, x: w * x, jnp.array(0.0))
    np.testing.assert_array_equal(pattern(scalar, X), DIAGONAL)


def test_a_network_with_a_zero_last_layer_has_a_full_pattern():
    mlp = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    last = lambda m: (m.layers[-1].weight, m.layers[-1].bias)  # noqa: E731
    zeroed = eqx.tree_at(last, mlp, replace_fn=jnp.zeros_like)
    np.testing.assert_array_equal(pattern(zeroed, jnp.ones(3)), np.ones((2, 3)))


def test_abstract_weights_are_enough():
    model = Gated(jax.ShapeDtypeStruct((N,), jnp.float32), REVERSED)  # pyright: ignore
    np.testing.assert_array_equal(
        pattern(model, jax.ShapeDtypeStruct((N,), jnp.float32)), DIAGONAL[::-1]
    )


def test_a_closure_keeps_its_constants_unless_told_otherwise():
    model = Gated(ZEROS.at[1].set(2), REVERSED)
    only = np.zeros((N, N), int)
    only[N - 2, 1] = 1
    np.testing.assert_array_equal(pattern(lambda x: model(x), X), only)
    np.testing.assert_array_equal(
        pattern(lambda x: model(x), X, captured="unknown"), DIAGONAL[::-1]
    )


@pytest.mark.parametrize(
    "zeros",
    [np.zeros(N, np.float32), jnp.zeros(N), jnp.array(0.0), jnp.zeros((), jnp.bfloat16)],
    ids=["numpy", "jax", "scalar", "bfloat16"],
)
def test_captured_floats_of_any_shape_are_hidden_when_values_are_ignored(zeros):
    np.testing.assert_array_equal(pattern(lambda x: zeros * x, X), 0 * DIAGONAL)
    np.testing.assert_array_equal(pattern(lambda x: zeros * x, X, captured="unknown"), DIAGONAL)
    inner = jax.jit(lambda x: zeros * x)
    np.testing.assert_array_equal(pattern(inner, X, captured="unknown"), DIAGONAL)


def test_literals_and_integers_stay_known_when_values_are_ignored():
    reverse = np.arange(N)[::-1].copy()
    np.testing.assert_array_equal(
        pattern(lambda x: x[reverse], X, captured="unknown"), DIAGONAL[::-1]
    )
    np.testing.assert_array_equal(pattern(lambda x: 0.0 * x, X, captured="unknown"), 0 * DIAGONAL)


@pytest.mark.parametrize("a", [0.0, np.float32(0), jnp.zeros(()), jnp.zeros(N)])
def test_arguments_that_are_not_differentiated_are_unknown(a):
    np.testing.assert_array_equal(pattern(lambda x, a: a * x, X, a), DIAGONAL)
    np.testing.assert_array_equal(pattern(lambda x, *, a: a * x, X, a=a), DIAGONAL)
    np.testing.assert_array_equal(
        pattern(lambda x, tree: tree["a"][0] * x, X, {"a": [a]}), DIAGONAL
    )


def test_integer_arrays_among_the_arguments_are_unknown_and_python_integers_known():
    np.testing.assert_array_equal(pattern(lambda x, i: x[i], X, jnp.array([2])), np.ones((1, N)))
    np.testing.assert_array_equal(pattern(lambda x, i: x[jnp.array([i])], X, 2), DIAGONAL[[2]])


# --- detection inside a trace ---------------------------------------------------------------------


def test_detection_inside_filter_jit_equals_detection_outside():
    outside = pattern(Gated(ZEROS, REVERSED), X)
    found = []

    @eqx.filter_jit
    def step(weight, x):
        model = Gated(weight, REVERSED)
        found.append(pattern(model, x))
        found.append(pattern(lambda y: model(y), x))
        return model(x)

    step(ZEROS, X)
    np.testing.assert_array_equal(outside, DIAGONAL[::-1])
    for inside in found:
        np.testing.assert_array_equal(inside, outside)
    assert len(found) == 2


def test_a_traced_constant_is_unknown():
    found = {}

    @jax.jit
    def outer(weight, index):
        found["weight"] = pattern(lambda x: weight * x, X)
        found["index"] = pattern(lambda x: x[index], X)
        found["inner"] = pattern(jax.jit(lambda x: jnp.sin(weight) * x[::-1]), X)
        found["known"] = pattern(lambda x: x[jnp.arange(3) + 1], X)
        return weight

    outer(ZEROS, jnp.array([0]))
    np.testing.assert_array_equal(found["weight"], DIAGONAL)
    np.testing.assert_array_equal(found["index"], np.ones((1, N)))
    np.testing.assert_array_equal(found["inner"], DIAGONAL[::-1])
    np.testing.assert_array_equal(found["known"], DIAGONAL[1:4])


def test_detection_under_vmap_and_grad():
    def loss(weight):
        assert (pattern(lambda x: (weight * x)[::-1], X) == DIAGONAL[::-1]).all()
        return weight.sum()

    jax.grad(loss)(ZEROS)
    jax.vmap(loss)(jnp.zeros((2, N)))


@pytest.mark.parametrize("places", [[0, 1, 1, 3], [1, 2, 3, 2, 4, 1], [2, 2, 5, -1]])
def test_which_of_several_updates_stays_is_not_known(places):
    """JAX differentiates `x.at[places].set(y)` by the positions of those that stay; any of them may."""
    places = np.asarray(places)

    def f(x):
        rows = jnp.tanh(jnp.stack([x, 2 * x]))
        updates = jnp.tile(x[None, : len(places)][:, ::-1] ** 2, (2, 1))
        return jnp.sum(jnp.sin(rows.at[:, places].set(updates)) ** 2 * x)

    x = jnp.linspace(0.3, 0.9, 6)
    pattern = asdex.hessian_sparsity(f, x).todense() != 0
    hessian = np.asarray(jax.jit(jax.hessian(f))(x))
    assert not np.any((hessian != 0) & ~pattern)
    mask = jnp.zeros(6).at[places].set(1.0)
    assert asdex.jacobian_sparsity(lambda x: mask * x, x).nnz == np.unique(places % 6).size
    traced = asdex.jacobian_sparsity(lambda x: jnp.zeros(6).at[places].set(1.0) * x, x)
    assert traced.nnz == np.unique(places % 6).size  # all updates are equal
    # Update k reads the element at len(places) - 1 - k, and may stay at its place.
    assert np.all(pattern[places, np.arange(len(places))[::-1]])


CHECK = """
import asdex, jax, jax.numpy as jnp, numpy as np

def check(f, x, *derivatives):
    patterns = [asdex.jacobian_sparsity(f, x, local=local).todense() for local in (False, True)]
    for derivative in derivatives:
        dense = np.asarray(derivative(x)).reshape(-1, x.size)
        for pattern in patterns:
            assert not dense[pattern == 0].any()
"""


LARGEST = """
x = jnp.ones(8)
for number, known in enumerate(np.random.default_rng(0).uniform(0.1, 4, (20, 8)).astype(np.float32)):
    of = (jnp.tanh, jnp.tanh, jax.lax.lgamma, jax.lax.bessel_i0e)[number % 4]
    largest = of(known).max()
    f = lambda x: jnp.where(of(known) >= largest, x, 0)
    assert jax.jacfwd(f)(x).any()
    check(f, x, jax.jacfwd(f), jax.jit(jax.jacfwd(f)))
"""


ROUNDED = """
x, rng = jnp.ones(12), np.random.default_rng(0)
scale = jnp.asarray(rng.uniform(0.1, 1, 12), jnp.float32)
for _ in range(3):
    known = jnp.asarray(rng.uniform(0.1, 1, (3, 12)), jnp.float32)
    quotients = [
        lambda w: w / jnp.sum(w, axis=0),
        lambda w: w / 3,
        lambda w: w / scale,
        lambda w: w / w[0],
        lambda w: jnp.floor(8 * (w / w[1] * w[1] / known)),
    ]
    for of in (*quotients, lambda w: jnp.linspace(0, 1, 12) * w):
        for found in (of(known)[0], jax.jit(of)(known)[0]):
            one = np.asarray(found)
            compared = lambda x: jnp.where(of(known)[0] >= one[:, None], x, 2 * x[::-1])
            canceled = lambda x: (of(known)[0] - one) * x
            pairs = lambda x: (jnp.stack([of(known)[0], one], 1), jnp.stack([x, 2 * x[::-1]], 1))
            ordered = lambda x: jax.lax.sort(pairs(x), num_keys=1)[1]
            summed = lambda x: jnp.where(jnp.sum(of(known)[0] - one) > 0, x, 2 * x[::-1])
            below = lambda x: jnp.where(jnp.sum(of(known)[0] - one) < 0, x, 2 * x[::-1])
            for f in (compared, canceled, ordered, summed, below) if of in quotients else (compared,):
                check(f, x, jax.jacobian(f), jax.jit(jax.jacobian(f)))
"""


FUSED = """
def square(n):
    return jnp.meshgrid(*2 * (jnp.linspace(-1, 1, n),))

for n, bound in ((31, 1.0), (41, 0.25), (41, 0.65), (51, 1.0)):
    grid = lambda: jnp.arange(n * n) * (2 / (n - 1)) - 1
    disk = lambda: sum(one**2 for one in square(n)).ravel()
    ring = lambda: 1 - disk()
    for of, limit in ((grid, bound), (disk, bound**2), (ring, 1 - bound**2)):
        for f in (
            lambda x: jnp.where(of() <= limit, x, 0.0),
            lambda x: jnp.where(of() <= limit, 0.0, x),
        ):
            check(f, jnp.ones(n * n), jax.jit(jax.jacfwd(f)))
"""


OF_PRODUCTS = """
rng = np.random.default_rng(0)
for _ in range(3):
    a, b = (jnp.asarray(rng.normal(size=(24, 24)), jnp.float32) for _ in range(2))
    z = jnp.asarray(rng.normal(size=24) + 1j * rng.normal(size=24), jnp.complex64)
    squares = jax.jit(lambda z: (z * z).real)(z)
    for f in (
        lambda x: (a @ (a @ b) - (a @ a) @ b) @ x,
        lambda x: jnp.where((z * z).real > squares, x, 0.0),
        lambda x: jnp.where((z * z).real < squares, x, 0.0),
    ):
        check(f, jnp.ones(24), jax.jit(jax.jacfwd(f)))
"""


REASSOCIATED = """
def at(indices, n=64):
    return lambda x: x[jnp.floor(indices()).astype(int)]

n, half = jnp.arange(64.0), jnp.float16
x = jnp.arange(1.0, 65.0)
functions = [
    at(lambda: (jnp.arange(6.0) + 0.1) - 0.1),
    at(lambda: jnp.arange(20.0) * 0.7 / 0.7),
    at(lambda: jnp.rad2deg(jnp.deg2rad(jnp.arange(64.0)))),
    at(lambda: jnp.arange(8.0) / 0.7 / 0.3 * 0.21),
    at(lambda: (jnp.sort(jnp.asarray(np.arange(6, dtype=np.float32))) + 0.1) - 0.1),
    at(lambda: jnp.broadcast_to(jnp.arange(6.0), (2, 6)).T.ravel() + 0.1 - 0.1),
    at(lambda: jnp.cumsum(jnp.ones(9)) + 0.1 - 0.1),
    at(lambda: jax.vmap(lambda t: (t + 0.3) - 0.3)(jnp.arange(20.0))),
    at(lambda: jnp.sqrt(jnp.arange(8.0)) ** 2),
    at(lambda: jnp.arange(64, dtype=half) * half(0.1) * half(10)),
    at(lambda: jnp.arange(64, dtype=half) * half(0.1) + half(0.9)),
    lambda x: jnp.where((jnp.arange(64.0) * 0.1 - 0.3) - 0.1 >= 0, x, -x[::-1]),
    lambda x: x[:6] * ((jnp.arange(6.0) * 0.3 + 12582912.0) - 12582912.0),
    lambda x: jax.lax.cond(
        jnp.all((jnp.arange(12.0) + 0.1) - 0.1 >= jnp.arange(12.0)), lambda x: x, lambda x: x[::-1], x
    ),
    lambda x: jax.lax.sort(((jnp.arange(12.0) + 1e8) - 1e8, -jnp.arange(12), x[:12]), num_keys=2)[2],
    lambda x: jax.lax.fori_loop(
        0, 12, lambda i, y: y.at[jnp.floor((i + 0.1) - 0.1).astype(int)].add(x[i]), jnp.zeros(64)
    ),
]
for f in functions:
    check(f, x, jax.jit(jax.jacobian(f)))
"""


IN_LOOPS = """
x, n, far = jnp.arange(1.0, 65.0), jnp.arange(12.0), jnp.float32(12582912)
lax = jax.lax

def rounded(t):
    return (t * 0.3 + far) - far

def whole(t):
    return jnp.floor((n + 0.1) - 0.1).astype(int)

functions = [
    lambda x: x[lax.scan(lambda s, t: (s, jnp.floor(rounded(t)).astype(int)), 0, n)[1]],
    lambda x: x[lax.map(lambda t: jnp.floor(rounded(t)).astype(int), n)],
    lambda x: x[:12] * lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, rounded(s[1])), (0, n))[1],
    lambda x: x[lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, whole(s)), (0, whole(0) * 0))[1]],
    lambda x: x[:12] * lax.cond(n[1] > 0, rounded, lambda t: t, n),
    lambda x: x[lax.cond(n[1] > 0, whole, lambda t: t.astype(int), n)],
    lambda x: x[:12] * lax.map(lambda t: (t * 0.1 + 0.3) - 0.3 - t * 0.1, n),
]

def custom(function):
    outer = jax.custom_jvp(function)
    outer.defjvp(lambda primals, tangents: (outer(*primals), tangents[0]))
    return outer

def without(t):
    return t - far

def once(t):
    return lax.scan(lambda s, _: (s - far, None), t, None, length=1)[0]

for inner in (jax.jit(without), custom(without), jax.checkpoint(without), once):
    functions += [
        lambda x, inner=inner: x[lax.map(lambda t: jnp.floor(inner(t + far)).astype(int), n * 0.9)],
        lambda x, inner=inner: x[jnp.floor(inner(n * 0.9 + far)).astype(int)],
    ]
for f in functions:
    check(f, x, jax.jit(jax.jacobian(f)))
"""


BESIDE_KEYS = """
x, n, far = jnp.arange(1.0, 65.0), jnp.arange(12.0), jnp.float32(12582912)
key, lax = jax.random.key(0), jax.lax

def rounded(t):
    return (t * 0.3 + far) - far

def whole(t):
    return jnp.floor(rounded(t)).astype(int)

def split(key):
    return jax.random.split(key)[0]

functions = [
    lambda x: x[lax.scan(lambda key, t: (split(key), whole(t)), key, n)[1]],
    lambda x: x[lax.scan(lambda key, t: (key, whole(t)), key, n)[1]],
    lambda x: x[jnp.floor(lax.scan(lambda key, t: (split(key), rounded(t)), key, n)[1]).astype(int)],
    lambda x: x[lax.scan(lambda key, t: (split(key), (t + far - far).astype(int)), key, n * 0.9)[1]],
    lambda x: x[lax.cond(n[1] > 0, lambda k: (split(k), whole(n)), lambda k: (k, n.astype(int)), key)[1]],
]
for f in functions:
    check(f, x, jax.jit(jax.jacobian(f)))
"""


AFTER_SUMS = """
x, ones = jnp.ones(3), jnp.ones(1 << 21, jnp.float32)

def many(terms):
    y = ones
    for _ in range(terms):
        y = y + ones
    return y

sums = [
    lambda y: jnp.sum(y),
    lambda y: jnp.cumsum(y)[-1],
    lambda y: jnp.zeros(3).at[jnp.zeros(y.shape, int)].add(y)[0],
    lambda y: jnp.sum(y.reshape(2, -1), axis=1)[1] * 2,
]
for terms in (1, 9):
    for add_up in sums:
        def f(x):
            total = add_up(many(terms))
            return jnp.where((total + 0.25) + 0.25 > total, x, 0.0)
        check(f, x, jax.jit(jax.jacobian(f)))
"""


PASSED_ON = """
n, far = jnp.arange(64.0) * 0.5, jnp.float32(12582912)
lax = jax.lax
x = jnp.full(64, 1.5)

def whole(t):
    return jnp.floor(t).astype(int)

def unrolled(t, steps, unroll):
    return lax.scan(lambda s, _: (s - far / steps, None), t, None, length=steps, unroll=unroll)[0]

same = [
    lax.stop_gradient,
    lambda q: jnp.array(q, copy=True),
    lambda q: jnp.where(n > 3, q, q),
    lambda q: lax.complex(q, q).real,
    lambda q: q[:, None].sum(1),
    lambda q: q[:, None].max(1),
    lambda q: q * 1.0,
    lambda q: lax.integer_pow(q, 1),
    lambda q: jnp.cumsum(q[:, None], 1)[:, 0],
    lambda q: lax.bitcast_convert_type(lax.bitcast_convert_type(q, jnp.int32), jnp.float32),
    lambda q: lax.scan(lambda s, _: (s[::-1], None), q[::-1], None, length=1)[0],
    lambda q: lax.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, s[1][::-1]), (0, q[::-1]))[1],
    lambda q: jax.vmap(lambda s: lax.cond(s > far, lambda t: t, lambda t: t, s))(q),
]
functions = [lambda x, one=one: x[whole(one(jnp.arange(64.0) * 0.5 + far) - far)] for one in same]
inside = [
    lambda q: lax.map(lambda i: whole(q - far)[i], jnp.arange(64)),
    lambda q: lax.fori_loop(0, 5, lambda i, s: whole(q - far), jnp.zeros(64, int)),
    lambda q: lax.scan(lambda s, i: (s, whole(s - far)[i]), q, jnp.arange(64))[1],
    lambda q: whole(unrolled(q, 2, 2)),
    lambda q: whole(unrolled(q, 8, 4)),
    lambda q: whole(unrolled(q, 8, True)),
]
functions += [lambda x, one=one: x[one(jnp.arange(64.0) * 0.5 + far)] for one in inside]
for f in functions:
    check(f, x, jax.jit(jax.jacobian(f)))
"""


# Loops of which a part is known: sums of it over their steps are merged where these are unrolled.
UNROLLED = """
far, lax, x = jnp.float32(12582912), jax.lax, jnp.full(64, 1.5)

def signs(count):
    return np.float32(12582912) * (-1.0) ** np.arange(count).astype(np.float32)

def whole(t):
    return jnp.floor(t).astype(int)

def beside_a_product(x, unroll):
    def step(carry, s):
        return (carry[0] * x[0], carry[1] + s), None
    y, t = lax.scan(step, (x[1], jnp.arange(64.0) * 0.5), signs(8), unroll=unroll)[0]
    return x[whole(t)] * y

def beside_writes(x, unroll):
    def step(carry, slices):
        (y, t), (i, s) = carry, slices
        return (y.at[i].set(x[i] * x[0]), t + s), None
    carry = jnp.zeros(64), jnp.arange(64.0) * 0.5
    y, t = lax.scan(step, carry, (jnp.arange(64), signs(64)), unroll=unroll)[0]
    return x[whole(t)] + 0 * y[:1]

def in_writes(x, unroll):
    def step(carry, slices):
        (y, t), (i, s) = carry, slices
        return (y.at[i].set(x[whole(t + s)[i]]), t + s), None
    carry = jnp.zeros(64), jnp.arange(64.0) * 0.5
    return lax.scan(step, carry, (jnp.arange(64), signs(64)), unroll=unroll)[0][0]

def slices(x, unroll):
    def step(y, slices):
        i, t = slices
        return y.at[i].set(x[whole(t - far)]), None
    inputs = jnp.arange(64), jnp.arange(64.0) * 0.5 + far
    return lax.scan(step, jnp.zeros(64), inputs, unroll=unroll)[0]

def loop_inside(x, unroll):
    def step(y, i):
        def inside(carry, s):
            y, t = carry
            return (y.at[i].set(x[0] * x[i]), t + s), None
        y, t = lax.scan(inside, (y, jnp.arange(64.0) * 0.5), signs(4), unroll=unroll)[0]
        return y.at[i].set(x[whole(t)[i]]), None
    return lax.scan(step, jnp.zeros(64), jnp.arange(64))[0]

for one in (beside_a_product, beside_writes, in_writes, slices, loop_inside):
    f = lambda x: one(x, True)
    check(f, x, jax.jit(jax.jacobian(f)))
"""


SUBNORMAL = """
x = jnp.arange(1.0, 5.0)
weights = np.exp(-np.array([0.0, 9.4, 9.7, 12.0], np.float32) ** 2)
tiny = float(jnp.finfo(jnp.float32).tiny)
functions = [
    lambda x: jnp.where(jnp.exp(-jnp.array([0.0, 9.4, 9.7, 12.0]) ** 2) > 0, x, 0),
    lambda x: jnp.where(jnp.asarray(weights) > 0, x, 0),
    lambda x: jnp.asarray(weights) * 1e30 * x,
    lambda x: x * (jnp.array([3.0, 2.0, 1.0, 0.0]) * 1e-20 * 1e-20 * 1e38),
    lambda x: x * (jnp.array([3.0, 2.0, 1.0, 0.0]) * 1e-25 * 1e-25 * 1e38),
    lambda x: jnp.where(jnp.arange(4.0) * tiny / 4 > 0, x, 2 * x[::-1]),
    lambda x: jnp.where(jnp.sign(jnp.asarray(weights) - 0.5e-40) > 0, x, 2 * x[::-1]),
    lambda x: jax.lax.sort((jnp.asarray(weights), x), num_keys=1)[1],
    lambda x: jnp.where(jnp.isfinite(jnp.arange(4.0) * 2e38 * 0.5), x, 0),
    lambda x: jnp.where(jnp.exp(jnp.arange(4.0) * 90) / jnp.exp(jnp.arange(4.0) * 90) > 0.5, x, 0),
    lambda x: jnp.where(jnp.exp(jnp.arange(4.0) * -90) / jnp.exp(jnp.arange(4.0) * -90) > 0.5, x, 0),
]
for f in functions:
    check(f, x, jax.jit(jax.jacobian(f)))
"""


@pytest.mark.parametrize(
    "program",
    [
        *(LARGEST, ROUNDED, FUSED, OF_PRODUCTS, REASSOCIATED, IN_LOOPS, BESIDE_KEYS),
        *(AFTER_SUMS, PASSED_ON, UNROLLED, SUBNORMAL),
    ],
)
def test_known_values_round_as_in_programs_of_users(program):
    """An element of a known array is found again, to the last bit; tests compile otherwise."""
    variables = os.environ | {"XLA_FLAGS": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    subprocess.run([sys.executable, "-c", CHECK + program], env=variables, check=True)


@pytest.mark.parametrize(
    ("dtype", "factor"), [(jnp.bfloat16, 0.95), (jnp.float16, 0.4), (jnp.float8_e5m2, 0.7)]
)
def test_half_precision_may_be_computed_in_single(dtype, factor):
    """Accelerators need not round in between."""
    factors = np.array([factor, 3], dtype)

    def places(dtype):
        first, second = factors.astype(dtype)
        return jnp.floor(jnp.arange(8, dtype=dtype) * first * second).astype(int)

    pattern = asdex.jacobian_sparsity(lambda x: x[places(dtype)], jnp.ones(24)).todense()
    assert (places(dtype) != places(jnp.float32)).any()
    for found in (places(dtype), places(jnp.float32)):
        assert (pattern[np.arange(8), found] != 0).all()


def test_ranges_of_numbers_of_few_digits():
    """17 is none: it becomes 16."""

    def f(x, k):
        return x[jnp.clip(k, 17, 18).astype(jnp.float8_e5m2).astype(int)]

    pattern = asdex.jacobian_sparsity(f, jnp.ones(64), 17).todense()
    found = np.asarray(jax.jacobian(f)(jnp.ones(64), 17))
    assert found[16] == 1
    assert pattern[0, 16] != 0


EXACT_INSIDE = {
    "halves": lambda n: lax.map(lambda t: (t * 0.5 + 0.5).astype(int), n),
    "counter of floats": lambda n: lax.scan(
        lambda t, _: (t + 1.0, t.astype(int)), jnp.zeros(()), n
    )[1],
    "beside a sine": lambda n: lax.scan(
        lambda t, s: (t + 1, (t.astype(int), jnp.sin(s))), jnp.zeros(()), n
    )[1][0],
    "steps of a quarter": lambda n: lax.while_loop(
        lambda s: s[0] < 3, lambda s: (s[0] + 0.25, jnp.roll(s[1], 1)), (0.0, n.astype(int))
    )[1],
    "many steps of an eighth": lambda n: lax.while_loop(
        lambda s: s[0] < 1.5, lambda s: (s[0] + 0.125, jnp.roll(s[1], 1)), (0.0, n.astype(int))
    )[1],
    "no operands": lambda n: lax.cond(
        n[1] > 0, lambda: (jnp.arange(N) * 2.0 / 2.0).astype(int), lambda: jnp.zeros(N, int)
    ),
    "function with a rule": lambda n: jax.nn.relu(n * 1.0 - 2).astype(int),
}


@pytest.mark.parametrize("name", EXACT_INSIDE)
def test_what_is_exact_within_loops_and_branches_stays_known(name):
    def f(x):
        return x[EXACT_INSIDE[name](jnp.arange(float(N)))]

    np.testing.assert_array_equal(pattern(f, X), np.asarray(jax.jacobian(f)(X)) != 0)


def test_rounded_values_that_jax_computed_are_scattered():
    def f(x):
        known = lax.cummax(jnp.tanh(jnp.arange(6.0)))
        return jnp.where(known.at[jnp.arange(1, 4)].set(known[3:]) > 0.5, x, 2 * x[::-1])

    np.testing.assert_array_equal(pattern(f, X)[0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(pattern(f, X)[1:], DIAGONAL[1:])


@pytest.mark.parametrize(("number", "is_known"), [(5, True), (-5, False)])
def test_leading_zeros_of_negative_numbers_are_not_known(number, is_known):
    """Compiled by XLA, a negative constant of 32 bits has -32 of them."""
    array = np.array([number, 1], np.int32)
    masked = pattern(lambda x: jnp.where(lax.clz(array) > 0, x, 0.0), X[:2])
    np.testing.assert_array_equal(masked, np.eye(2))
    chosen = pattern(lambda x: jnp.where(lax.clz(array) > 0, x, x[::-1]), X[:2])
    np.testing.assert_array_equal(chosen, np.eye(2) if is_known else np.ones((2, 2)))
