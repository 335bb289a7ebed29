"""The training examples at a small size: losses fall, and gradients are right."""

import importlib.util
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree


pytest.importorskip("optax")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training_with_a_penalty_on_the_jacobian(capsys):
    losses = example("training_penalty").main(length=24, width=4, batch=4, steps=150)
    assert len(losses) == 150
    assert np.mean(losses[-5:]) < 0.2 * losses[0]
    printed = capsys.readouterr().out
    assert "13 passes in place of 24" in printed
    without, with_penalty = (int(line.split()[-1][:-1]) for line in printed.splitlines()[-2:])
    assert with_penalty < without


def test_the_penalty_is_that_of_the_dense_jacobian():
    penalty = example("training_penalty")
    network = penalty.Network(3, jax.random.key(0))
    signals = penalty.smooth_signals(2, 20, jax.random.key(1))
    coloring = penalty.asdex.jacobian_coloring(network, signals[0])
    optimizer = penalty.optax.sgd(1.0)  # the change of the weights is then the gradient
    step = penalty.training_step(coloring, optimizer, 0.5)
    state = optimizer.init(eqx.filter(network, eqx.is_inexact_array))
    trained, _, (value, misfit, term) = step(network, state, signals)

    def loss(network):
        jacobians = jax.vmap(jax.jacobian(network))(signals)
        misfit = jnp.mean((jax.vmap(network)(signals) - signals) ** 2)
        return misfit + 0.5 * jnp.sum(jacobians**2) / signals.size

    expected, gradient = eqx.filter_value_and_grad(loss)(network)
    np.testing.assert_allclose([value, misfit + 0.5 * term], expected, rtol=1e-5)
    for before, after, slope in zip(
        *(jax.tree.leaves(eqx.filter(one, eqx.is_array)) for one in (network, trained, gradient)),
        strict=True,
    ):
        np.testing.assert_allclose(before - after, slope, rtol=1e-3, atol=1e-5)


def test_training_through_an_implicit_layer(capsys):
    losses = example("implicit_layer").main(points=20, sources=4, width=6, steps=150)
    assert len(losses) == 150
    assert losses[-1] < 0.2 * losses[0]
    assert "3 colors" in capsys.readouterr().out


def test_the_implicit_gradient_is_that_of_differences(enable_x64):
    implicit = example("implicit_layer")
    with enable_x64(True):
        layer = implicit.Solution(implicit.Network(4, jax.random.key(0)), 15)
        source = 10 * jnp.sin(jnp.pi * jnp.arange(1.0, 16.0) / 16)
        u = layer(source)
        np.testing.assert_allclose(layer.jac_fn.f(u, source), np.zeros(15), atol=1e-12)
        weights, others = eqx.partition(layer, eqx.is_inexact_array)
        flat, unravel = ravel_pytree(weights)

        def loss(flat):
            return jnp.sum(eqx.combine(unravel(flat), others)(source) ** 2)

        direction = jnp.sin(jnp.arange(1.0, flat.size + 1))
        slope = jax.grad(loss)(flat) @ direction
        difference = (loss(flat + 1e-5 * direction) - loss(flat - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(slope, difference, rtol=1e-6)
