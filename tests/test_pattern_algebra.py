"""The algebra of patterns against that of dense boolean matrices."""

import functools
import itertools
import operator
import pickle
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st

import asdex
from asdex import SparsityPattern


def random_pattern(rng, m, n):
    return SparsityPattern.from_dense(rng.random((m, n)) < rng.choice([0.0, 0.2, 0.5, 1.0]))


def assert_is(pattern, dense):
    """The nonzeros are those of the dense matrix, in the one order that there is."""
    assert pattern.shape == dense.shape
    np.testing.assert_array_equal([pattern.rows, pattern.cols], np.nonzero(dense))
    assert pattern.rows.dtype == pattern.cols.dtype == np.int32


sizes = st.integers(0, 7)
seeds = st.integers(0, 2**32 - 1)


@given(seeds, sizes, sizes, sizes)
def test_sums_products_and_transposes(seed, m, k, n):
    rng = np.random.default_rng(seed)
    a, b, c = random_pattern(rng, m, k), random_pattern(rng, m, k), random_pattern(rng, k, n)
    dense_a, dense_b, dense_c = (one.todense().astype(bool) for one in (a, b, c))
    for total in (a | b, a + b, a - b, a - 0.5 * b, -a + b / 3, b * np.float64(2) - a):
        assert_is(total, dense_a | dense_b)
    assert_is(a @ c, dense_a @ dense_c)
    assert_is(a.T, dense_a.T)
    assert a.T.T == a and a | a == a and (a @ c).T == c.T @ a.T


@given(seeds, sizes, sizes, st.data())
def test_parts(seed, m, n, data):
    rng = np.random.default_rng(seed)
    pattern = random_pattern(rng, m, n)
    dense = pattern.todense()

    def some(size):
        start, stop = (st.none() | st.integers(-9, 9) for _ in range(2))
        steps = st.sampled_from([None, 1, 2, -1, -3])
        kinds = [st.builds(slice, start, stop, steps), st.just(rng.random(size) < 0.5)]
        if size:
            numbers = st.lists(st.integers(-size, size - 1), max_size=9)  # also repeated
            kinds += [numbers, numbers.map(lambda one: jnp.array(one, int))]
        return data.draw(st.one_of(kinds))

    rows, cols = some(m), some(n)
    chosen_rows, chosen_cols = (
        np.arange(size)[one if isinstance(one, slice) else np.array(one, None if len(one) else int)]
        for one, size in ((rows, m), (cols, n))
    )
    assert_is(pattern[rows, cols], dense[np.ix_(chosen_rows, chosen_cols)])


def test_wrong_parts_are_refused():
    pattern = SparsityPattern.from_dense(np.eye(3, 4))
    wrong: list[Any] = [0, (0, 1), (slice(None), 2), (np.ones((3, 4), bool), [0]), ([0], [[1]])]
    for index in wrong:
        with pytest.raises(TypeError, match=r"pattern\[rows, cols\]|slices, masks or"):
            pattern[index]
    for index in (
        ([3], [0]),
        ([0], [-5]),
        (np.ones(2, bool), [0]),
        (np.ones(0, bool), [0]),
        ([0.5], [0]),
    ):
        with pytest.raises(IndexError):
            pattern[index]
    with pytest.raises(TypeError, match="not iterable"):
        list(pattern)  # pyright: ignore


@pytest.mark.parametrize("count", [255, 256, 257, 512, 65_536])
def test_many_ways_through_a_product_do_not_cancel(count):
    row = SparsityPattern.from_dense(np.ones((1, count)))
    assert_is(row @ row.T, np.ones((1, 1)))
    total = functools.reduce(operator.or_, [row] * 256)
    assert total.nnz == count


def test_the_chain_rule():
    def inner(x):
        return x[1:] * x[:-1]

    def outer(y):
        return jnp.stack([y[0] + y[1], y[3]])

    x = jax.ShapeDtypeStruct((6,), jnp.float32)
    parts = asdex.jacobian_sparsity(outer, inner(jnp.ones(6))), asdex.jacobian_sparsity(inner, x)
    whole = asdex.jacobian_sparsity(lambda x: outer(inner(x)), x)
    product = parts[0] @ parts[1]
    assert product == whole
    assert product.input_avals == whole.input_avals and product.output_avals == whole.output_avals


def test_the_matrix_of_an_implicit_step_and_free_unknowns():
    """`M - gamma J` at the unknowns that are not fixed, colored and evaluated."""
    n, gamma = 12, 0.1
    mass = np.diag(np.arange(1.0, n + 1))
    free = np.arange(n) % 5 != 0

    def f(x):
        return jnp.concatenate([x[:1], x[2:] * x[:-2], x[-1:]])

    pattern = (SparsityPattern.from_dense(mass) - gamma * asdex.jacobian_sparsity(f, jnp.ones(n)))[
        free, free
    ]

    def residual(unknowns):
        x = jnp.zeros(n).at[np.flatnonzero(free)].set(unknowns)
        return (jnp.asarray(mass) @ x - gamma * f(x))[np.flatnonzero(free)]

    at = jnp.arange(1.0, free.sum() + 1)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern)
    found = asdex.jacobian_from_coloring(residual, coloring, output_format="dense")(at)
    np.testing.assert_allclose(found, jax.jit(jax.jacobian(residual))(at), rtol=1e-6)


def test_labels_stay_where_they_are_sure():
    x = jnp.ones(3)
    first, second = (asdex.jacobian_sparsity(lambda x, y: x * y, x, x, argnums=k) for k in (0, 1))
    plain = SparsityPattern.from_dense(np.ones((3, 3)))
    for total in (second | second, second | plain, plain | second):
        assert total.argnums == 1
        assert total.input_avals == second.input_avals and total.output_avals
    for other in (first | second, second.T, second[:, :]):
        assert other.argnums == 0 and not other.input_avals and not other.output_avals
    assert (plain @ second).argnums == 1 and (second @ plain).argnums == 0
    assert not (plain @ second).input_avals


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        (operator.or_, r"one shape, got \(2, 3\) and \(3, 4\)"),
        (operator.sub, r"one shape, got \(2, 3\) and \(3, 4\)"),
        (lambda a, b: b @ a, r"\(m, k\) and \(k, n\), got \(3, 4\) and \(2, 3\)"),
    ],
)
def test_other_shapes_are_refused(combine, message):
    with pytest.raises(ValueError, match=message):
        combine(*(SparsityPattern.from_dense(np.ones(shape)) for shape in ((2, 3), (3, 4))))


def test_what_is_no_pattern_is_refused():
    pattern = SparsityPattern.from_dense(np.eye(3))
    for other in (np.eye(3), jnp.eye(3), "abc", None):
        for combine in (operator.or_, operator.add, operator.sub, operator.matmul, operator.mul):
            for pair in ((pattern, other), (other, pattern)):
                with pytest.raises(TypeError):
                    combine(*pair)  # pyright: ignore
    with pytest.raises(TypeError):
        pattern * pattern  # pyright: ignore
    for scalar in (2, 0, 1j, np.float32(3), np.array(3.0), jnp.array(3.0)):
        assert scalar * pattern == pattern * scalar == pattern
    assert jax.jit(lambda gamma: jnp.ones((gamma * pattern).nnz))(2.0).shape == (3,)


def test_equality_and_hash_follow_the_content():
    entries = ([0, 1, 1], [2, 0, 3])
    pattern = SparsityPattern(*entries, (2, 4))
    others = [
        SparsityPattern(*entries, (2, 5)),
        SparsityPattern(*entries, (3, 4)),
        SparsityPattern([0, 1, 1], [2, 1, 3], (2, 4)),
        SparsityPattern([0, 1], [2, 0], (2, 4)),
        SparsityPattern(*entries, (2, 4), argnums=1),
        SparsityPattern(*entries, (2, 4), argnums=(0,)),
    ]
    twins = [
        SparsityPattern([1, 0, 1, 1], [3, 2, 0, 0], (2, 4)),
        SparsityPattern(*entries, (2, 4), input_avals=[jax.ShapeDtypeStruct((4,), jnp.int8)]),
        jax.jit(lambda p: p)(pattern),
        jax.tree.map(lambda leaf: leaf.astype(np.int64), pattern),
        pickle.loads(pickle.dumps(pattern)),
    ]
    for one, other in itertools.combinations([pattern, *others], 2):
        assert one != other and hash(one) != hash(other)
    for twin in twins:
        assert twin == pattern and hash(twin) == hash(pattern)
    assert {pattern: "found"}[twins[0]] == "found"
    assert len({pattern, *twins, *others}) == 1 + len(others)
    assert pattern != "pattern" and pattern != None  # noqa: E711


def test_a_pickled_pattern_is_found_in_another_process(tmp_path):
    pattern = SparsityPattern([0, 1], [1, 0], (2, 2))
    hash(pattern)
    (tmp_path / "pattern").write_bytes(pickle.dumps(pattern))
    code = (
        "import pickle, sys, asdex; p = pickle.load(open(sys.argv[1], 'rb')); "
        "assert p in {asdex.SparsityPattern([0, 1], [1, 0], (2, 2))}"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "pattern"], check=True)


def test_equal_patterns_are_one_static_argument():
    traced = []

    @functools.partial(jax.jit, static_argnums=0)
    def ones(pattern):
        traced.append(pattern)
        return pattern.to_bcoo().todense()

    for _ in range(3):
        ones(SparsityPattern.from_dense(np.eye(3)))
    assert len(traced) == 1
    ones(SparsityPattern.from_dense(np.ones((3, 3))))
    assert len(traced) == 2


@given(seeds, sizes, sizes)
def test_membership_and_positions(seed, m, n):
    rng = np.random.default_rng(seed)
    pattern = random_pattern(rng, m, n)
    dense = pattern.todense()
    for i, j in itertools.product(range(-1, m + 1), range(-1, n + 1)):
        inside = 0 <= i < m and 0 <= j < n
        assert ((i, np.int64(j)) in pattern) == (inside and bool(dense[i, j]))
    wanted = rng.permutation(np.repeat(np.arange(pattern.nnz), 2))
    found = pattern.positions(pattern.rows[wanted], pattern.cols[wanted])
    np.testing.assert_array_equal(found, wanted)
    for i, j in zip(*np.nonzero(dense == 0), strict=True):
        rows, cols = np.append(pattern.rows, i), np.append(pattern.cols, j)
        with pytest.raises(ValueError, match=rf"got \({i}, {j}\) at position {pattern.nnz}"):
            pattern.positions(rows, cols)


def test_values_in_an_order_of_ones_own():
    """A client that keeps values column after column reads them by one gather."""
    x = jnp.arange(1.0, 6.0)
    jac_fn = asdex.jacobian(lambda x: x[1:] * x[:-1], x, output_format="data")
    pattern = jac_fn.coloring.sparsity
    by_column = np.lexsort((pattern.rows, pattern.cols))
    rows, cols = pattern.rows[by_column], pattern.cols[by_column]
    theirs = jac_fn(x)[pattern.positions(rows, cols)]
    np.testing.assert_array_equal(
        theirs, jax.jit(jax.jacobian(lambda x: x[1:] * x[:-1]))(x)[rows, cols]
    )


def test_wrong_entries_are_refused():
    pattern = SparsityPattern.from_dense(np.eye(3))
    for entry in (0, (0, 1, 2), (0.5, 0), ("a", "b"), ([0], [1])):
        with pytest.raises(TypeError, match="two integers"):
            assert entry in pattern  # pyright: ignore
    with pytest.raises(ValueError, match="`cols` must lie in"):
        pattern.positions([0], [3])
    with pytest.raises(ValueError, match="same length"):
        pattern.positions([0, 1], [0])


@pytest.mark.parametrize(
    "use",
    [
        lambda p, q: p == q,
        lambda p, q: q == p,
        lambda p, q: hash(p),
        lambda p, q: (0, 0) in p,
        lambda p, q: p | q,
        lambda p, q: q @ p,
        lambda p, q: p.T,
        lambda p, q: p[:, [0]],
        lambda p, q: p.positions([0], [0]),
    ],
)
def test_traced_patterns_are_refused(use):
    known = SparsityPattern.from_dense(np.eye(3))

    def traced(p):
        assert p == p
        return use(p, known)

    with pytest.raises(TypeError, match=r"known `rows` and `cols`.*Close over the pattern"):
        jax.jit(traced)(known)


def test_a_million_columns():
    n = 10**6
    every = np.arange(n)
    before = np.maximum(every - 1, 0)
    band = SparsityPattern(np.tile(every, 2), np.append(every, before), (n, n))
    square = band @ band
    assert square.nnz == 3 * n - 3 and (n - 1, n - 3) in square and (n - 1, n - 4) not in square
    assert (band | band.T).nnz == 3 * n - 2
    inner = band[every % 2 == 0, every % 2 == 0]
    assert inner == SparsityPattern(every[: n // 2], every[: n // 2], (n // 2, n // 2))
