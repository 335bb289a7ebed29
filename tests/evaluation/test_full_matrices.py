"""Full matrices have a pass for each column or row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
X = jnp.linspace(0.5, 1.5, 9)
MIXING = jnp.asarray(np.random.default_rng(0).normal(size=(9, 9)), jnp.float32)


def loop(x):
    """Values and tangents come out of one loop."""

    def step(carry, _):
        return jnp.tanh(MIXING @ carry) + x, carry[0]

    return jax.lax.scan(step, x, None, length=3)


def product(x):
    return jnp.sin(MIXING @ x), jnp.sum(x)


def compare(got, expected):
    largest = float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * max(1, largest))


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("f", [loop, product])
def test_jacobians_with_values_and_auxiliary_data(f, mode):
    call = asdex.value_and_jacobian(f, X, mode=mode, has_aux=True, output_format="dense")
    for one in (call, jax.jit(call)):
        (value, aux), matrix = one(2 * X)
        compare(value, f(2 * X)[0])
        compare(aux, f(2 * X)[1])
        compare(matrix, jax.jit(jax.jacobian(lambda x: f(x)[0]))(2 * X))


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("f", [loop, product])
def test_hessians_with_values_and_auxiliary_data(f, mode):
    def energy(x):
        result, aux = f(x)
        return jnp.sum(result) ** 2, aux

    call = asdex.value_and_hessian(energy, X, mode=mode, has_aux=True, output_format="dense")
    for one in (call, jax.jit(call)):
        (value, aux), matrix = one(X)
        compare(value, energy(X)[0])
        compare(aux, energy(X)[1])
        compare(matrix, jax.jit(jax.hessian(lambda x: energy(x)[0]))(X))


def test_holomorphic_hessian():
    call = asdex.hessian(
        lambda z: jnp.sum(MIXING @ z) ** 3, X + 1j * X, holomorphic=True, output_format="dense"
    )
    expected = jax.jit(jax.hessian(lambda z: jnp.sum(MIXING @ z) ** 3, holomorphic=True))(
        X + 1j * X
    )
    compare(call(X + 1j * X), expected)


def test_complex_values_without_holomorphic_are_refused():
    coloring = asdex.hessian_coloring(lambda x: jnp.sum(MIXING @ x) ** 3, X)
    call = asdex.hessian_from_coloring(lambda x: 1j * jnp.sum(MIXING @ x) ** 3, coloring)
    with pytest.raises(TypeError, match="real"):
        call(X)


def test_gradients_of_a_full_jacobian():
    call = asdex.jacobian(lambda x: loop(x)[0], X, mode="fwd", output_format="dense")
    got = jax.grad(lambda x: jnp.sum(call(x) ** 2))(X)
    compare(
        got, jax.jit(jax.grad(lambda x: jnp.sum(jax.jacobian(lambda y: loop(y)[0])(x) ** 2)))(X)
    )
