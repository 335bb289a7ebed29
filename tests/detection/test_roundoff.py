"""Known values may be others in another program, or on another device, by rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import asdex


N = 40
RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(N, 3)).astype(np.float32)
ONE_HOT = np.eye(N, dtype=np.float32)[RNG.permutation(N)]
WEIGHTS = RNG.uniform(1, 2, N).astype(np.float32)


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def pattern(f, n=N):
    return asdex.jacobian_sparsity(f, jnp.ones(n)).todense().astype(bool)


def with_digits(array, digits):
    mantissas, exponents = np.frexp(array)
    return np.ldexp(np.round(mantissas * 2.0**digits) / 2.0**digits, exponents)


def kernel_mask(limit, precision=None):
    """`u` where the product of two points is above a limit."""
    points = jnp.asarray(POINTS)

    def f(u):
        kernel = jnp.matmul(points, points.T, precision=precision)
        return jnp.where(kernel[0] >= limit, u, 0.0)

    return f


def limits():
    """Limits between a product as a CPU computes it and as with factors of 11 digits."""
    single, short = POINTS, with_digits(POINTS, 11)
    exact, rounded = (single @ single.T)[0], (short @ short.T)[0]
    return [(k, float(exact[k] + rounded[k]) / 2) for k in range(1, N) if exact[k] != rounded[k]]


def test_products_have_fewer_digits_on_accelerators(on_gpu):
    found = limits()
    assert len(found) > N // 2
    for k, limit in found:
        assert pattern(kernel_mask(limit))[k, k]
        assert pattern(kernel_mask(limit, "high"))[k, k]


def test_products_with_all_digits_are_decided():
    for k, limit in limits():
        mask = np.diag((POINTS @ POINTS.T)[0] >= limit)
        assert (pattern(kernel_mask(limit)) == mask).all(), k


def test_products_with_all_digits_are_decided_on_accelerators(on_gpu):
    for k, limit in limits():
        mask = np.diag((POINTS @ POINTS.T)[0] >= limit)
        assert (pattern(kernel_mask(limit, "highest")) == mask).all(), k


def test_products_of_few_digits_are_exact_on_accelerators(on_gpu):
    order = ONE_HOT.argmax(1)

    def f(u):
        return jnp.where((ONE_HOT @ jnp.arange(N, dtype=jnp.float32)) >= 20, u, 0.0)

    assert (pattern(f) == np.diag(order >= 20)).all()


ROUNDED_ON_ACCELERATORS = {
    "div": (lambda w: w / jnp.float32(3), WEIGHTS / np.float32(3)),
    "quotient": (lambda w: w / w[::-1], WEIGHTS / WEIGHTS[::-1]),
    "sqrt": (jnp.sqrt, np.sqrt(WEIGHTS)),
}


@pytest.mark.parametrize("name", ROUNDED_ON_ACCELERATORS)
def test_quotients_and_roots_are_rounded_on_accelerators(name, on_gpu):
    function, values = ROUNDED_ON_ACCELERATORS[name]
    assert (
        pattern(lambda u: jnp.where(function(jnp.asarray(WEIGHTS)) == values, 0.0, u))
        .diagonal()
        .all()
    )
    assert (
        pattern(lambda u: jnp.where(function(jnp.asarray(WEIGHTS)) > values, u, 0.0))
        .diagonal()
        .all()
    )


@pytest.mark.parametrize("backend", ["cpu", "gpu", "tpu"])
def test_divisors_that_are_powers_of_two_are_exact(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    steps = jnp.arange(N, dtype=jnp.float32)
    mask = np.diag(np.arange(N) / 4 > 5)
    assert (pattern(lambda u: jnp.where(steps / 4 > 5, u, 0.0)) == mask).all()


LARGE = np.array([1e8, 1.0, -1e8], np.float32)
ONES = jnp.ones(3)
CANCELING = {
    "sum": lambda v: jnp.sum(v),
    "dot": lambda v: v @ ONES,
    "product": lambda v: (v[None] @ ONES[:, None])[0, 0],
    "cumsum": lambda v: jnp.cumsum(v)[2],
    "conv": lambda v: jnp.convolve(v, ONES, mode="valid")[0],
    "window": lambda v: lax.reduce_window(v, 0.0, lax.add, (3,), (1,), "VALID")[0],
    "reduction": lambda v: lax.reduce(v, np.float32(0), lambda a, b: b + a, (0,)),
    "subtracted": lambda v: jnp.zeros(2).at[jnp.zeros(3, int)].subtract(v)[0],
    "scatter": lambda v: jnp.zeros(2).at[jnp.zeros(3, int)].add(v)[0],
    "segments": lambda v: jax.ops.segment_sum(v, jnp.zeros(3, int), 1)[0],
}


@pytest.mark.parametrize("name", CANCELING)
def test_sums_that_cancel_in_one_order_are_not_taken_for_zero(name):
    assert pattern(lambda u: CANCELING[name](LARGE) * u, 4).diagonal().all()


# The rounding error of one of two products is left if the other is fused with their sum.
TERMS = [(3.0, 4.0, -7.0), (0.375, -0.25, -0.125), (0.1, 0.0, -0.1)]
OF_PRODUCTS = ("dot", "product", "conv")
# What a reduction of its own combines with is not looked into.
CASES = [
    (name, terms)
    for name in sorted(CANCELING.keys() - {"reduction"})
    for terms in (TERMS[:2] if name in OF_PRODUCTS else TERMS)
]


@pytest.mark.parametrize(("name", "terms"), CASES)
def test_sums_that_cancel_in_every_order_are_zero(name, terms):
    values = np.array(terms, np.float32)
    assert not pattern(lambda u: CANCELING[name](values) * u, 4).any()


def test_sums_that_a_comparison_steers():
    """The derivative of a maximum over windows adds what belongs to the largest elements."""
    values = jnp.asarray(RNG.normal(size=12), jnp.float32)

    def pool(v):
        return lax.reduce_window(v, -jnp.inf, lax.max, (3,), (1,), "VALID")

    def pulled(u):
        return jax.vjp(pool, values)[1](jnp.ones(10))[0] * u

    largest = np.unique([k + np.argmax(values[k : k + 3]) for k in range(10)])
    np.testing.assert_array_equal(np.flatnonzero(pattern(pulled, 12).diagonal()), largest)


def test_sums_of_integers_are_exact():
    def f(u):
        total = lax.dot(jnp.arange(3), jnp.asarray([5, -4, 2]), preferred_element_type=jnp.float32)
        return total * u

    assert not pattern(f, 4).any()


@pytest.mark.parametrize(
    ("indices", "nnz"),
    [
        (lambda: (jnp.arange(6.0) + 0.5) - 0.5, 6),  # exact in every order
        (lambda: (jnp.arange(6.0) * 4) / 4, 6),
        (lambda: jnp.linspace(0.0, 5.0, 6), 6),  # the same in every order
        (lambda: (jnp.arange(6.0) + 0.1) - 0.1, 21),  # 1.9999999 or 2
        (lambda: jnp.arange(6, dtype=jnp.float16) * jnp.float16(0.5) * 2, 6),
    ],
)
def test_constants_of_which_two_may_come_first(indices, nnz):
    def f(x):
        return x[jnp.floor(indices()).astype(int)]

    assert asdex.jacobian_sparsity(f, jnp.ones(6)).nnz == nnz
