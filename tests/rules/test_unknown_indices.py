"""Indices that are arguments: the pattern must hold for all their values, and touch nothing else."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from rule_case import detect, points

import asdex
from asdex.testing import check_rule


def compare(fn, *floats, indices) -> tuple[np.ndarray, np.ndarray]:
    """The pattern for an unknown last argument, and the union of the derivatives for all its values."""
    indices = [jnp.asarray(i) for i in indices]
    detected = detect(fn, *floats, indices[0]).astype(bool)
    derivative = jax.jit(jax.jacfwd(fn, argnums=tuple(range(len(floats)))))
    rng = np.random.default_rng(0)
    true = np.zeros_like(detected)
    for i in indices:
        np.testing.assert_array_equal(detect(fn, *floats, i), detected)
        for _ in range(3):
            point = [rng.standard_normal(one.shape).astype(one.dtype) for one in floats]
            blocks = [
                np.asarray(block).reshape(len(detected), -1) for block in derivative(*point, i)
            ]
            true |= np.concatenate(blocks, axis=1) != 0
    assert not (true & ~detected).any()
    return detected, true


ROWS, COLUMNS = 3, 4
X = points((ROWS, COLUMNS))
LINE = points((5,))
LONG = points((20, 2))
SCALARS = list(range(-7, 9))
PAIRS = [
    np.array(pair) for pair in [(-6, 2), (-1, 7), (0, 2), (2, 0), *((k, 4 - k) for k in range(5))]
]
ALL_PAIRS = [np.array(pair) for pair in itertools.product(range(ROWS), range(COLUMNS))]

READS = {
    "element": (lambda x, i: x[i], LINE, SCALARS),
    "row": (lambda x, i: x[i, :], X, SCALARS),
    "column": (lambda x, i: x[:, i], X, SCALARS),
    "element of a known row": (lambda x, i: x[1, i], X, SCALARS),
    "elements": (lambda x, i: x[i], LINE, PAIRS),
    "rows": (lambda x, i: x[i], X, PAIRS),
    "columns": (lambda x, i: x[:, i], X, PAIRS),
    "row and column": (lambda x, i: x[i[0], i[1]], X, ALL_PAIRS),
    "row of a long array": (lambda x, i: x[i], LONG, range(20)),
    "vmap over indices": (lambda x, i: jax.vmap(lambda k: x[k, :])(i), X, PAIRS),
    "vmap over rows": (lambda x, i: jax.vmap(lambda row, k: row[k])(x[:2], i), X, PAIRS),
    "take clip": (lambda x, i: jnp.take(x, i, axis=1, mode="clip"), X, PAIRS),
    "take fill": (lambda x, i: jnp.take(x, i, axis=0, mode="fill", fill_value=0), X, PAIRS),
    "take wrap": (lambda x, i: jnp.take(x, i, mode="wrap"), LINE, PAIRS),
    "take along axis": (
        lambda x, i: jnp.take_along_axis(x[:2], i[:, None], axis=1, mode="clip"),
        X,
        PAIRS,
    ),
    "dynamic slice": (lambda x, i: lax.dynamic_slice(x, (i, i), (1, 2)), X, SCALARS),
    "dynamic slice, one start known": (
        lambda x, i: lax.dynamic_slice(x, (1, i), (2, 1)),
        X,
        SCALARS,
    ),
    "dynamic slice of full rows": (
        lambda x, i: lax.dynamic_slice(x, (i, i), (1, COLUMNS)),
        X,
        SCALARS,
    ),
    "dynamic index in dim": (lambda x, i: lax.dynamic_index_in_dim(x, i, 1), X, SCALARS),
    "clipped": (lambda x, i: x[jnp.clip(i, 1, 3)], LINE, SCALARS),
    "remainder": (lambda x, i: x[i % 2], LINE, SCALARS),
    "one of two": (lambda x, i: x[jnp.where(i > 1, 0, 3)], LINE, SCALARS),
    "shifted": (lambda x, i: x[jnp.clip(i, 0, 2) + 1], LINE, SCALARS),
    "argmax of a part": (lambda x, i: x[2 + jnp.argmax(jnp.arange(3) == i)], LINE, SCALARS),
    "unsigned": (lambda x, i: x[i.astype(jnp.uint8)], LINE, SCALARS),
}
LOOSE = {
    # Both starts are one index: the rule takes all combinations.
    "dynamic slice",
}


@pytest.mark.parametrize("name", READS)
def test_reads(name: str):
    fn, x, indices = READS[name]
    detected, true = compare(fn, x, indices=indices)
    if name in LOOSE:
        assert not np.array_equal(detected, true), "The pattern is exact now: drop it from `LOOSE`."
    else:
        np.testing.assert_array_equal(detected, true)


WRITES = {
    "element": (lambda at, x, v, i: at(x, i)(v[0, 0]), LINE, SCALARS),
    "elements": (lambda at, x, v, i: at(x, i)(v[0, :2]), LINE, PAIRS),
    "row": (lambda at, x, v, i: at(x, i)(v[0]), X, SCALARS),
    "column": (lambda at, x, v, i: at(x, (slice(None), i))(v[:, 0]), X, SCALARS),
    "rows": (lambda at, x, v, i: at(x, i)(v[:2]), X, PAIRS),
    "columns": (lambda at, x, v, i: at(x, (slice(None), i))(v[:, :2]), X, PAIRS),
    "long": (lambda at, x, v, i: at(x, i)(v[0, :2]), LONG, range(20)),
    "vmap": (
        lambda at, x, v, i: jax.vmap(lambda r, k, one: at(r, k)(one))(x[:2], i, v[:2, 0]),
        X,
        PAIRS,
    ),
}


@pytest.mark.parametrize("method", ["set", "add", "multiply"])
@pytest.mark.parametrize("name", WRITES)
def test_writes(name: str, method: str):
    fn, x, indices = WRITES[name]
    options = {"unique_indices": True} if method == "multiply" else {}
    if method == "multiply":
        # A promise of unique indices must be kept.
        indices = [i for i in indices if np.ndim(i) == 0 or i[0] != i[1]]

    def at(array, index):
        return lambda v: getattr(array.at[index], method)(v, **options)

    detected, true = compare(lambda x, v, i: fn(at, x, v, i), x, X + 0.05, indices=indices)
    np.testing.assert_array_equal(detected, true)


@pytest.mark.parametrize("method", ["min", "max"])
@pytest.mark.parametrize("name", WRITES)
def test_writes_of_extrema(name: str, method: str):
    # Which of them is the extremum depends on the point: the pattern is that of a sum.
    fn, x, indices = WRITES[name]
    detected, _ = compare(
        lambda x, v, i: fn(lambda a, k: getattr(a.at[k], method), x, v, i),
        *(x, X),
        indices=indices[3:5],
    )
    added = detect(
        lambda x, v, i: fn(lambda a, k: a.at[k].add, x, v, i), x, X, jnp.asarray(indices[0])
    )
    np.testing.assert_array_equal(detected, added)


def test_unknown_row_keeps_the_columns_apart():
    detected, _ = compare(lambda x, i: x[i, :], X, indices=[0])
    np.testing.assert_array_equal(detected, np.hstack([np.eye(COLUMNS)] * ROWS))


def test_unknown_segments():
    def fn(x, segments):
        return jax.ops.segment_sum(x, segments, num_segments=3)

    indices = [np.array(one) for one in itertools.product(range(-1, 4), repeat=3)]
    detected, true = compare(fn, points((3, 2)), indices=indices[::3])
    np.testing.assert_array_equal(detected, true)
    np.testing.assert_array_equal(detected, np.kron(np.ones((3, 3)), np.eye(2)))


@pytest.mark.parametrize(("size", "total"), [(1, 5), (2, 5), (4, 5), (5, 5), (3, 60)])
def test_dynamic_slice_and_its_inverse(size: int, total: int):
    x, update = points((total,)), points((size,))
    starts = range(-2, total + 2)
    read, true = compare(lambda x, i: lax.dynamic_slice(x, (i,), (size,)), x, indices=starts)
    written, true_written = compare(
        lambda x, u, i: lax.dynamic_update_slice(x, u, (i,)), x, update, indices=starts
    )
    if total <= 32:
        np.testing.assert_array_equal(read, true)
        np.testing.assert_array_equal(written, true_written)
    else:
        # Too many starts to follow one by one: a window is taken to be able to move anywhere.
        assert read.all()
        np.testing.assert_array_equal(written, np.hstack([np.eye(total), np.ones((total, size))]))


def test_place_that_every_window_overwrites():
    # Windows of length three in an array of length four always cover the two places in the middle.
    detected, true = compare(
        lambda x, u, i: lax.dynamic_update_slice(x, u, (i,)),
        *(points((4,)), points((3,))),
        indices=range(-1, 3),
    )
    np.testing.assert_array_equal(detected, true)
    np.testing.assert_array_equal(detected[:, :4], np.diag([1, 0, 0, 1]))


def test_partly_known_starts_of_an_update():
    detected, true = compare(
        lambda x, u, i: lax.dynamic_update_slice(x, u, (1, i)), X, points((2, 1)), indices=SCALARS
    )
    np.testing.assert_array_equal(detected, true)
    first_row = detected[:COLUMNS]
    np.testing.assert_array_equal(first_row, np.eye(COLUMNS, X.size + 2))


def test_index_computed_from_the_differentiated_input():
    def fn(x):
        return x[jnp.argmax(x[:3])] * x[3:]

    report = check_rule(fn, LINE, points=64)
    np.testing.assert_array_equal(report.detected, [[1, 1, 1, 1, 0], [1, 1, 1, 0, 1]])
    assert report.exact


def test_index_computed_from_nan():
    # A comparison with NaN is false, whatever the bounds of the other values.
    def fn(x, y):
        return x[jnp.where(jnp.clip(y, 0, 1) < 2, 0, 1)]

    report = check_rule(fn, points((3,)), jnp.float32(jnp.nan))
    assert report.detected[0, :2].all()


def test_index_rounded_up_by_a_conversion():
    # 1 - 2**-24 is a float32, and rounds to 1 in half precision.
    def fn(x, y):
        return x[jnp.clip(y, 0, 1 - 2.0**-24).astype(jnp.float16).astype(jnp.int32)]

    report = check_rule(fn, points((3,)), jnp.float32(5))
    assert report.detected[0, :2].all()


def test_index_that_saturates():
    def fn(x, y):
        return x[jnp.clip(y, 0, 300).astype(jnp.int8)]

    report = check_rule(fn, points((200,)), jnp.float32(300))
    assert report.detected[0].sum() == 200


SQUARE = points((7, 7))
MIXTURES = {
    # Elements of one array that take their values apart, and meet in one index.
    "sum of two elements": lambda x, i: x[0, i[0] + i[1]],
    "difference of neighbors": lambda x, i: x[0, 3 + i[1:] - i[:-1]],
    "sum with the reversed": lambda x, i: x[0, i + i[::-1]],
    "sum of the reversed": lambda x, i: x[0, i[::-1] + i],
    "sum of the greatest": lambda x, i: x[0, jnp.max(i) + i],
    "sum with a reshaped slice": lambda x, i: x[0, i + i[:1]],
    "all pairs": lambda x, i: x[0, i[:, None] + i[None, :]],
    "components from different elements": lambda x, i: x[i, i[::-1]],
    "components from neighbors": lambda x, i: x[i[:2], i[1:]],
    "rows of two components": lambda x, i: x[i[0], i[1]],
    "vectors in one array": lambda x, i: lax.gather(
        x,
        jnp.stack([i[:2], i[1:]]),
        lax.GatherDimensionNumbers((), (0, 1), (0, 1)),
        (1, 1),
    ),
    "transposed": lambda x, i: x[0, (i[:2, None] * jnp.ones(2, jnp.int32)).T * 2 + i[:2]],
    "transposed by reshaping": lambda x, i: x[
        0, lax.reshape(i[:2, None] * np.arange(1, 3), (4,), (1, 0)) + i[np.array([0, 0, 1, 1])]
    ],
    "greatest of all": lambda x, i: x[0, i + jnp.max(i)],
    "sorted": lambda x, i: x[0, i + 2 * jnp.sort(i)],
    "table": lambda x, i: x[0, i + 2 * i[i]],
    "window": lambda x, i: x[0, i[:2] + lax.dynamic_slice(i, (i[2],), (2,))],
    "scalar and array": lambda x, i: x[0, i + 2 * i[0]],
    "in a scan": lambda x, i: lax.scan(
        lambda last, k: (jnp.clip(last + k, 0, 1), x[0, last + k]), jnp.int32(0), i
    )[1],
}


@pytest.mark.parametrize("name", MIXTURES)
def test_elements_of_one_array_take_their_values_apart(name: str):
    values = [np.array(one, np.int32) for one in itertools.product((0, 1), repeat=3)]
    compare(lambda x, i: MIXTURES[name](x, jnp.clip(i, 0, 1)), SQUARE, indices=values)


@pytest.mark.parametrize("value", [jnp.nan, 0.4, -2.5])
def test_neighbors_on_a_line(value: float):
    places = np.arange(40)

    def step(u):
        return u[(places + jnp.clip(u.astype(int), -1, 1)) % 40]

    def floor(u):
        foot = jnp.floor(places - jnp.clip(u, -0.9, 0.9)).astype(int)
        return u[jnp.clip(foot, 0, 39)]

    u = jnp.full(40, value, jnp.float32)
    line = np.eye(40) + np.roll(np.eye(40), 1, axis=1) + np.roll(np.eye(40), -1, axis=1)
    np.testing.assert_array_equal(check_rule(step, u).detected, line)
    # One of two neighbors, and the element that NaN points to.
    expected = np.eye(40, dtype=bool) | np.eye(40, k=-1, dtype=bool)
    expected[:, 0] = True
    np.testing.assert_array_equal(check_rule(floor, u).detected, expected)


@pytest.mark.parametrize(("start", "expected"), [(200, [0, 200]), (100, [100])])
def test_a_known_start_whose_first_bit_is_set(start, expected):
    """Compiled by XLA, such an unsigned constant is negative, and clamped to zero."""
    pattern = asdex.jacobian_sparsity(lambda x: x[jnp.uint8(start)], jnp.ones(256))
    assert pattern.cols.tolist() == expected
    window = asdex.jacobian_sparsity(
        lambda x: lax.dynamic_slice(x, (jnp.uint8(start),), (2,)), jnp.ones(256)
    )
    assert window.nnz == 2 * len(expected)
