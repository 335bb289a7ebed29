"""A call refuses a function whose integer or boolean leaves were replaced: its pattern is another one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


X = jnp.linspace(0.5, 2.0, 6)
MASK = jnp.array([True, False, True, False, True, False])


class Masked(eqx.Module):
    weights: jax.Array
    mask: jax.Array
    power: int = 2

    def __call__(self, x):
        return jnp.where(self.mask, self.weights * x**self.power, 0.0)


def model():
    return Masked(jnp.arange(1.0, 7.0), MASK)


def replaced(derivative, **changes):
    for name, value in changes.items():
        derivative = eqx.tree_at(lambda d, name=name: getattr(d.f, name), derivative, value)
    return derivative


@pytest.fixture(params=["samples", "coloring", "reuse"])
def derivative(request):
    if request.param == "coloring":
        coloring = asdex.jacobian_coloring(model(), X)
        return asdex.jacobian_from_coloring(model(), coloring)
    constant = "reuse" if request.param == "reuse" else "recompute"
    return asdex.jacobian(model(), X, constant=constant)


def test_other_floating_point_leaves_are_welcome(derivative):
    other = replaced(derivative, weights=jnp.ones(6))
    np.testing.assert_allclose(other(X).todense(), np.diag(2 * X * MASK), rtol=1e-6)


def test_equal_leaves_are_welcome(derivative):
    other = replaced(derivative, mask=np.array(MASK), power=2)
    np.testing.assert_allclose(other(X).todense(), derivative(X).todense())


@pytest.mark.parametrize("changes", [{"mask": ~MASK}, {"power": 3}, {"mask": MASK.astype(int)}])
def test_replaced_leaves_are_refused(derivative, changes):
    derivative(X)
    (name,) = changes
    other = replaced(derivative, **changes)
    for call in (other, jax.jit(lambda x: other(x))):
        with pytest.raises(ValueError, match=rf"f\.{name} was replaced.*jacobian_from_coloring"):
            call(X)


def test_another_function_is_refused(derivative):
    with pytest.raises(ValueError, match="Expected the function that the pattern was made for"):
        eqx.tree_at(lambda d: d.f, derivative, lambda x: x)(X)


def test_the_way_out():
    """The coloring of a larger pattern serves the function with its new mask."""
    full = asdex.jacobian_coloring(eqx.tree_at(lambda m: m.mask, model(), jnp.ones(6, bool)), X)
    other = eqx.tree_at(lambda m: m.mask, model(), ~MASK)
    matrix = asdex.jacobian_from_coloring(other, full)(X)
    np.testing.assert_allclose(matrix.todense(), jax.jit(jax.jacobian(other))(X), rtol=1e-6)


def test_derivatives_of_equal_functions_share_what_is_compiled():
    traces = 0

    @eqx.filter_jit
    def evaluate(derivative, x):
        nonlocal traces
        traces += 1
        return derivative(x)

    coloring = asdex.jacobian_coloring(model(), X)
    for scale in (1.0, 2.0):
        scaled = eqx.tree_at(lambda m: m.weights, model(), jnp.full(6, scale))
        matrix = evaluate(asdex.jacobian_from_coloring(scaled, coloring), X)
        np.testing.assert_allclose(matrix.todense(), np.diag(2 * scale * X * MASK), rtol=1e-6)
    assert traces == 1


def test_a_derivative_that_is_made_of_a_traced_model():
    coloring = asdex.jacobian_coloring(model(), X)

    @eqx.filter_jit
    def evaluate(f, x):
        return asdex.jacobian_from_coloring(f, coloring)(x)

    with jax.checking_leaks():
        matrix = evaluate(model(), X)
    np.testing.assert_allclose(matrix.todense(), jax.jit(jax.jacobian(model()))(X), rtol=1e-6)


class Coupled(eqx.Module):
    """A residual with a number of Python's, which is data as arrays are."""

    rate: float

    def __call__(self, x):
        return x**2 + self.rate * x[::-1]


class Fluxes(eqx.Module):
    """A sum over edges, which is differentiated at the edges."""

    rate: float

    def __call__(self, x):
        return self.rate * jnp.zeros_like(x).at[LEFT].add(jnp.sin(x[LEFT] * x[RIGHT]))


class Steps(eqx.Module):
    """As many steps as a number of Python's says."""

    end: float

    def __call__(self, x):
        for _ in range(int(self.end / 0.5)):
            x = x + 0.1 * jnp.roll(x, 1) * x
        return x


LEFT, RIGHT = np.random.default_rng(0).integers(0, 6, (2, 12))


@pytest.mark.parametrize("elements", [False, True])
@pytest.mark.parametrize(
    ("kind", "before", "after"), [(Coupled, 0.0, 2.0), (Fluxes, 1.0, 3.0), (Fluxes, 0.0, -1.0)]
)
def test_numbers_may_change(kind, before, after, elements):
    jac_fn = asdex.jacobian(kind(before), X, elements=elements, output_format="dense")
    other = replaced(jac_fn, rate=after)
    expected = jax.jit(jax.jacobian(kind(after)))(X)
    for call in (
        other,
        jax.jit(lambda x: other(x)),
        lambda x: jax.jit(lambda d, x: d(x))(other, x),
    ):
        np.testing.assert_allclose(call(X), expected, rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda rate: jnp.sum(replaced(jac_fn, rate=rate)(X)))(after)
    reference = jax.jit(jax.grad(lambda rate: jnp.sum(jax.jacobian(kind(rate))(X))))(after)
    np.testing.assert_allclose(slope, reference, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"elements": True}, {"constant": "reuse"}])
def test_numbers_that_a_function_reads_are_constants(options):
    jac_fn = asdex.jacobian(Steps(1.0), X, **options)
    assert jac_fn.sparsity.nnz == 18
    expected = jax.jit(jax.jacobian(lambda x: Steps(1.0)(x)))(X)
    np.testing.assert_allclose(jac_fn(X).todense(), expected, rtol=1e-6)
    equal = replaced(jac_fn, end=float("1.0"))
    np.testing.assert_allclose(equal(X).todense(), expected, rtol=1e-6)
    other = replaced(jac_fn, end=1.5)
    for call in (
        other,
        eqx.filter_jit(lambda x: other(x)),
        eqx.filter_jit(lambda x, d=other: d(x)),
    ):
        with pytest.raises(ValueError, match=r"f\.end was replaced"):
            call(X)


def test_numbers_may_be_static_arguments():
    power = jax.jit(lambda x, exponent: x**exponent, static_argnums=1)

    class Power(eqx.Module):
        exponent: float

        def __call__(self, x):
            return power(x, self.exponent)

    jac_fn = asdex.jacobian(Power(3.0), X, output_format="dense")
    np.testing.assert_allclose(jac_fn(X), np.diag(3 * X**2), rtol=1e-6)
    with pytest.raises(ValueError, match=r"f\.exponent was replaced"):
        replaced(jac_fn, exponent=2.0)(X)
