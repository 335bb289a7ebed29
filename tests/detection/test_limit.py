"""Patterns that do not fit into memory: how much detection takes, and where it refuses."""

import inspect
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from jax import lax

import asdex
from asdex.detection import _limit
from asdex.detection.dependence import _set_array


def vector(n):
    return jax.ShapeDtypeStruct((n,), jnp.float32)


def shares(x):
    return x / jnp.sum(x)


def measured(detect, f, n, **options):
    """The result of a detection and the most memory that NumPy's arrays took at a time."""
    detect(f, vector(10))
    tracemalloc.start()
    try:
        return detect(f, vector(n), **options), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- memory ---------------------------------------------------------------------------------------


def test_a_stencil_takes_little_more_than_twice_its_pattern():
    """And its coloring as much in addition."""

    def stencil(x):
        p = jnp.pad(x, 2)
        return p[4:] - p[3:-1] + p[2:-2] ** 2 - p[1:-3] + p[:-4]

    pattern, memory = measured(asdex.jacobian_sparsity, stencil, 1_000_000)
    size = pattern.rows.nbytes + pattern.cols.nbytes
    assert memory < 2.7 * size
    tracemalloc.start()
    try:
        coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd")
        assert tracemalloc.get_traced_memory()[1] < 2.1 * size
    finally:
        tracemalloc.stop()
    assert coloring.num_colors == 5


@pytest.mark.parametrize(
    ("f", "nnz"),
    [
        (shares, 4000**2),
        (jnp.cumsum, 4000 * 4001 // 2),
        (jnp.sort, 4000**2),
        (lambda x: jnp.sin(jax.nn.softmax(x)) + x[::-1], 4000**2),
        (lambda x: jnp.repeat(shares(x)[:100], 40), 4000**2),
    ],
)
def test_a_dense_jacobian_takes_half_again_its_pattern(f, nnz):
    sparsity, peak = measured(asdex.jacobian_sparsity, f, 4000)
    assert sparsity.nnz == nnz
    assert peak < 1.5 * (sparsity.rows.nbytes + sparsity.cols.nbytes)


@pytest.mark.parametrize("f", [jnp.linalg.norm, lambda x: jnp.sum(x) ** 2 + jnp.sum(x**3)])
def test_a_dense_hessian_takes_half_again_its_pattern(f):
    sparsity, peak = measured(asdex.hessian_sparsity, f, 4000)
    assert sparsity.nnz == 4000**2
    # SciPy 1.11 copies the indices once more to transpose them.
    most = 1.5 if tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 12) else 1.8
    assert peak < most * (sparsity.rows.nbytes + sparsity.cols.nbytes)


def test_patterns_that_are_gathered_in_parts():
    """More pairs than one part: the pattern is that of one part."""

    def f(x):
        head = x[:1000] / jnp.sum(x[:1000])
        return jnp.concatenate([head * x[1000:2000], jnp.sin(x), lax.cumsum(x[::2])])

    sparsity = asdex.jacobian_sparsity(f, vector(4000))
    expected = np.zeros((7000, 4000), bool)
    expected[:1000, :1000] = True
    expected[:1000, 1000:2000] = np.eye(1000)
    expected[1000:5000] |= np.eye(4000, dtype=bool)
    expected[5000:, ::2] = np.tri(2000)
    np.testing.assert_array_equal(sparsity.todense(), expected)


def test_a_hessian_whose_gradient_is_not_symmetric():
    """The zero of a product is seen in the one order of differentiation alone, if at all."""

    @jax.custom_vjp
    def f(x):
        return jnp.sum(x)

    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * jnp.cumsum(x),))
    sparsity = asdex.hessian_sparsity(f, vector(30))
    np.testing.assert_array_equal(sparsity.todense(), np.ones((30, 30)))
    assert np.all(np.diff(sparsity.rows * 30 + sparsity.cols) > 0)


# --- the limit ------------------------------------------------------------------------------------


def line_of(f, number):
    return f"test_limit.py:{inspect.getsourcelines(f)[1] + number}"


def dense_at_the_second_line(x):
    y = 2 * x
    z = y / jnp.sum(y)
    return jnp.sin(z)[::-1]


def dense_in_a_loop(x):
    def body(c, _):
        return c * jnp.sum(c), None

    return lax.scan(body, x, None, length=3)[0]


def dense_through_a_matrix(x):
    matrix = np.ones((len(x), len(x)))
    matrix[0, 0] = 0
    return matrix @ (matrix @ jnp.sin(x))


@pytest.mark.parametrize(
    ("f", "line"),
    [(dense_at_the_second_line, 2), (dense_in_a_loop, 2), (dense_through_a_matrix, 3)],
)
def test_the_error_says_how_many_entries_and_where(f, line):
    with pytest.raises(asdex.PatternTooLargeError) as caught:
        asdex.jacobian_sparsity(f, vector(2000), max_nnz=100_000)
    message = str(caught.value)
    assert line_of(f, line) in message
    assert "2,000 × 2,000" in message and "max_nnz=100,000" in message
    assert "entries or more" in message and "jax.jacobian" in message
    assert isinstance(caught.value, MemoryError)


def test_nothing_large_is_stored_before_the_error():
    def detect(f, x, **options):
        with pytest.raises(asdex.PatternTooLargeError, match="400,000,000 entries"):
            asdex.jacobian_sparsity(f, x, **options)

    asdex.jacobian_sparsity(shares, vector(10))
    tracemalloc.start()
    try:
        detect(shares, vector(20_000), max_nnz=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_the_limit_is_on_the_entries_of_the_pattern():
    for detect, f, nnz in [
        (asdex.jacobian_sparsity, shares, 900),
        (asdex.jacobian_sparsity, lambda x: x * x[::-1], 60),
        (asdex.hessian_sparsity, lambda x: jnp.sum(x) ** 2, 900),
    ]:
        assert detect(f, vector(30), max_nnz=nnz).nnz == nnz
        with pytest.raises(asdex.PatternTooLargeError, match=f"limit is max_nnz={nnz - 1}"):
            detect(f, vector(30), max_nnz=nnz - 1)


def test_overlapping_sets_are_not_counted_twice():
    def f(x):
        return shares(x) + jnp.sin(x)[::-1] * jnp.linalg.norm(x)

    assert asdex.jacobian_sparsity(f, vector(30), max_nnz=900).nnz == 900


def test_a_dense_step_on_the_way_to_a_sparse_pattern_is_not_stored():
    def f(x):
        return shares(x)[:2]

    assert asdex.jacobian_sparsity(f, vector(1000), max_nnz=2000).nnz == 2000


def test_the_limit_follows_from_the_memory_that_is_there(monkeypatch):
    """It is asked for where there are a million entries or more."""
    n, asked = 1100, []

    def memory(entries):
        return lambda: asked.append(entries) or 16 * entries

    monkeypatch.setattr(_limit, "available_memory", memory(n * n - 1))
    with pytest.raises(
        asdex.PatternTooLargeError, match=r"limit is 1,209,999, .* 0.0 GiB of memory"
    ):
        asdex.jacobian_sparsity(shares, vector(n))
    monkeypatch.setattr(_limit, "available_memory", memory(n * n))
    assert asdex.jacobian_sparsity(shares, vector(n)).nnz == n * n
    assert asked == [n * n - 1, n * n]
    assert asdex.jacobian_sparsity(shares, vector(30)).nnz == 900
    assert len(asked) == 2


def test_memory_that_ends_before_the_limit(monkeypatch):
    def fail(*args):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr(_set_array, "term_entries", fail)
    with pytest.raises(asdex.PatternTooLargeError, match="does not fit into memory") as caught:
        asdex.jacobian_sparsity(dense_at_the_second_line, vector(30))
    assert "900 entries or more" in str(caught.value)
    assert line_of(dense_at_the_second_line, 2) in str(caught.value)


@pytest.mark.parametrize("wrong", [-1, 1e6, "1000", (5,)])
def test_the_limit_is_a_number(wrong):
    with pytest.raises(ValueError, match="`max_nnz` to be a number of entries"):
        asdex.jacobian_sparsity(shares, vector(3), max_nnz=wrong)


def test_a_refused_detection_leaves_no_limit_behind():
    with pytest.raises(asdex.PatternTooLargeError):
        asdex.jacobian_sparsity(shares, vector(30), max_nnz=1)
    assert asdex.jacobian_sparsity(shares, vector(30)).nnz == 900


def test_the_search_for_the_line_warns_only_once():
    def f(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    with pytest.warns(asdex.UnknownPrimitiveWarning) as caught, pytest.raises(MemoryError):
        asdex.jacobian_sparsity(f, vector(30), max_nnz=100)
    assert len(caught) == 1


def test_an_explanation_of_what_is_too_large():
    assert asdex.explain(shares, vector(3000)).nnz == 9_000_000
