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
