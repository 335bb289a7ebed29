"""Which elements of values may change from call to call."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import sparse

from asdex.detection import changing_elements


sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from comparison import POINTS
from programs import program


X = jnp.linspace(-1.0, 2.0, 6)
MATRIX = np.triu(1 + np.arange(36.0).reshape(6, 6) % 4)
LAST_TWO = np.arange(6) > 3


def varying(f, *args, **options):
    """One mask, as a string of 0 and 1."""
    (mask,) = changing_elements(jax.make_jaxpr(f)(*args), **options)
    return "".join(str(int(bit)) for bit in np.broadcast_to(mask, mask.shape).ravel())


def entries(f, x=X):
    """Which entries of the Jacobian may change: rows are outputs."""

    def products(x):
        _, linear = jax.linearize(f, x)
        return jax.vmap(linear)(jnp.eye(x.size, dtype=x.dtype))

    (mask,) = changing_elements(jax.make_jaxpr(products)(x))
    return mask.T.astype(int)


def on_diagonal(marks):
    return np.diag([int(mark) for mark in marks])


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x.at[0].set(1.0), "011111"),
        (lambda x: jnp.concatenate([jnp.ones(3), x[:3]]), "000111"),
        (lambda x: jnp.pad(x[:2], (2, 2)), "001100"),
        (lambda x: jnp.where(jnp.arange(6) < 2, x, 3.0), "110000"),
        (lambda x: x * jnp.array([0.0, 1, 0, 2, 0, 0]), "010100"),
        (lambda x: jnp.array([0.0, 1, 0, 2, 0, 0]) / x, "010100"),
        (lambda x: jnp.ones((2, 3)) @ jnp.diag(jnp.array([1.0, 0, 0])) * x[:3], "100100"),
        (lambda x: MATRIX @ x.at[:4].set(1.0), "111111"),
        (lambda x: MATRIX.T @ x.at[:4].set(1.0), "000011"),
        (lambda x: jnp.cumsum(x.at[:3].set(1.0)), "000111"),
        (lambda x: lax.rev(x.at[0].set(0), (0,)), "111110"),
        (lambda x: jnp.sum(x.reshape(2, 3).at[0].set(1.0), axis=1), "01"),
        (lambda x: jnp.convolve(x.at[:4].set(1.0), jnp.ones(2), mode="valid"), "00011"),
        (lambda x: x[np.array([0, 2])], "11"),
        (lambda x: jnp.ones(6)[x[:2].astype(int)], "11"),
        (lambda x: lax.dynamic_slice(jnp.ones(6), (x[0].astype(int),), (2,)), "11"),
        (lambda x: jnp.sort(jnp.stack([x, jnp.ones(6)]), axis=1)[1], "000000"),
        (lambda x: lax.sort([x, jnp.ones(6)], num_keys=1)[1], "111111"),
        (lambda x: jnp.argmax(jnp.stack([x, jnp.ones(6)]), axis=1), "10"),
        (lambda x: lax.stop_gradient(x), "111111"),
        (lambda x: jnp.round(x.at[2].set(0.0)), "110111"),
        (lambda x: x.at[2].set(0.0) > 0, "110111"),
        (lambda x: jnp.int32(x[0]), "1"),
        (lambda x: jax.random.uniform(jax.random.key(0), (2,)), "00"),
        (lambda x: jax.random.uniform(jax.random.key(x[0].astype(int)), (2,)), "11"),
    ],
)
def test_values(f, expected):
    assert varying(f, X) == expected


def test_all_inputs_may_change_whatever_their_type():
    assert varying(lambda i, flag: jnp.stack([i * jnp.ones(()), flag * 1.0, 2.0]), 1, True) == "110"


def test_captured_constants_change_where_they_are_to_be_ignored():
    scale = np.array([1.0, 2.0])
    assert varying(lambda x: scale * 2 + 0 * x[:2], X) == "00"
    assert varying(lambda x: scale * 2 + 0 * x[:2], X, captured="unknown") == "11"
    places = np.array([1, 0])
    assert varying(lambda x: jnp.arange(2.0)[places] + 0 * x[:2], X, captured="unknown") == "00"


def test_what_an_outer_trace_captures_may_change():
    found = []

    @jax.jit
    def outer(y):
        found.append(varying(lambda x: jnp.stack([y, 2.0]), X))
        return y

    outer(1.0)
    assert found == ["10"]


def test_callbacks_change():
    def host(x):
        return (
            jax.pure_callback(lambda: np.float32(1), jax.ShapeDtypeStruct((), np.float32)) + 0 * x
        )

    assert varying(host, 1.0) == "1"


@jax.custom_jvp
def inert(x):
    return 0 * x


inert.defjvp(lambda primals, tangents: (inert(*primals), tangents[0][::-1]))


def test_functions_with_derivative_rules_of_their_own_change_everywhere():
    """The value of `inert` never changes, but its derivative, by its rule, is not zero."""
    assert varying(inert, X) == "1" * 6


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: MATRIX @ x, np.zeros((6, 6))),
        (jax.nn.relu, np.eye(6)),
        (jnp.abs, np.eye(6)),
        (lambda x: jnp.maximum(x, 0.5), np.eye(6)),
        (lambda x: jnp.where(x > 0, x, 2 * x), np.eye(6)),
        (lambda x: jnp.clip(x, -0.5, 0.5), np.eye(6)),
        (lambda x: jnp.concatenate([x[:2] ** 2, 3 * x[2:]]), on_diagonal("110000")),
        (lambda x: MATRIX @ x + jnp.sin(x) * jnp.exp(-x) * x, np.eye(6)),
        (lambda x: MATRIX @ jnp.concatenate([x[:4], jnp.sin(x[4:])]), (MATRIX != 0) & LAST_TWO),
        (lambda x: lax.stop_gradient(x) * x, np.eye(6)),
        (lambda x: jnp.round(x) * x, np.eye(6)),
        (lambda x: x[jnp.argsort(x)], np.ones((6, 6))),
        (lambda x: x[jnp.argmax(x[:2])] * jnp.ones(2), [[1] * 2 + [0] * 4] * 2),
        (lambda x: jax.lax.cond(x[0] > 0, lambda y: 2 * y, lambda y: 3 * y, x), np.eye(6)),
        (lambda x: jax.lax.cond(True, lambda y: 2 * y, lambda y: y**2, x), np.zeros((6, 6))),
        (lambda x: jax.vmap(lambda a, b: a * b)(x[:3], x[3:]), np.eye(3, 6) + np.eye(3, 6, 3)),
        (lambda x: jax.jit(lambda y: 2 * y)(x) + jax.checkpoint(jnp.sin)(x[:1]), [[1] + [0] * 5] * 6),
    ],
)  # fmt: skip
def test_entries_of_jacobians(f, expected):
    np.testing.assert_array_equal(entries(f), np.asarray(expected, int))


def test_a_sparse_matrix_that_is_known_is_followed_entry_by_entry():
    matrix = sparse.BCOO.fromdense(jnp.asarray(MATRIX))
    found = entries(lambda x: matrix @ x.at[4:].set(jnp.sin(x[4:])))
    np.testing.assert_array_equal(found, (MATRIX != 0) & LAST_TWO)


def test_max_pooling_changes_with_the_place_of_the_maximum():
    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (2,), (2,), "VALID")

    window = np.kron(np.eye(3), np.ones((1, 2)))
    np.testing.assert_array_equal(entries(pool), window)
    jacobian = jax.make_jaxpr(jax.jacrev(pool))(X)
    np.testing.assert_array_equal(changing_elements(jacobian)[0], window)


# --- control flow ---------------------------------------------------------------------------------


def test_scan_finds_which_carry_changes():
    def f(x):
        def step(carry, item):
            a, b, c = carry
            return (a + 1, b + item, c), (a, b, c)

        carry, outputs = lax.scan(step, (0.0, 0.0, 5.0), x)
        return jnp.stack([*carry, *(one[0] for one in outputs)])

    # The first slice of an output is the carry before the first step.
    assert varying(f, X) == "010000"


def test_scan_moves_what_changes_step_by_step():
    def f(x, steps):
        start = jnp.zeros(40).at[0].set(x[0])
        return lax.scan(lambda carry, _: (jnp.roll(carry, 1), None), start, None, length=steps)[0]

    assert varying(lambda x: f(x, 2), X) == "001" + "0" * 37
    assert varying(lambda x: f(x, 39), X) == "0" * 39 + "1"


def test_a_scan_without_steps_returns_its_carry():
    def f(x):
        return lax.scan(lambda carry, _: (x[0] + carry, None), jnp.zeros(()), None, length=0)[0]

    assert varying(f, X) == "0"


def test_while_changes_with_its_number_of_steps():
    def f(x, limit):
        def step(state):
            return state[0] + 1, state[1] * 2, state[2]

        return jnp.stack(lax.while_loop(lambda s: s[0] < limit, step, (x[0] * 0, 1.0, 3.0)))

    assert varying(lambda x: f(jnp.zeros(6), 3.0), X) == "000"
    assert varying(lambda x: f(jnp.zeros(6), x[1]), X) == "110"


def test_nested_loops_with_counters():
    def f(x):
        def inner(j, y):
            return y.at[j].set(jnp.where(j < 2, 1.0, 2.0))

        return lax.fori_loop(0, 3, lambda i, y: lax.fori_loop(0, 2, inner, y) + 0 * i, x * 0 + 1)

    assert varying(f, X) == "000000"


def test_a_constant_body_over_changing_slices():
    """Entries of `lax.map(f, x)` change where `f` is not linear, for all slices alike."""

    def f(x):
        return lax.map(lambda row: jnp.stack([2 * row[0], row[1] ** 2]), x.reshape(3, 2)).ravel()

    found = entries(f)
    assert found[1::2].any()
    assert not found[::2].any()


# --- random programs ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_what_is_called_constant_does_not_change(seed):
    rng = np.random.default_rng(seed)
    f = program(lambda limit: int(rng.integers(limit)))
    jaxpr = jax.make_jaxpr(f)(X)
    (mask,) = changing_elements(jaxpr)
    values = np.asarray(jax.jit(jax.vmap(f))(POINTS))
    constant = values[:, ~np.broadcast_to(mask, mask.shape)]
    np.testing.assert_array_equal(constant, np.broadcast_to(constant[0], constant.shape))
