"""Train a denoiser that has never seen noise, by a penalty on its sparse Jacobian.

Run it with `python examples/training_penalty.py` where `asdex[examples]` is installed; it takes a minute.

A network that is trained to reproduce smooth signals may just as well reproduce all others. To first order,
noise of size s adds s² |J|² to its squared error, where |J| is the Frobenius norm of its Jacobian (Bishop,
"Training with noise is equivalent to Tikhonov regularization", Neural Computation 7, 1995): penalized by that
term, it lets smooth signals through and noise not. The network is a stack of convolutions, each output reads
its neighborhood, and so the Jacobian is banded: as many passes as the band is wide compute all of it.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax

import asdex


NOISE = 0.3


class Network(eqx.Module):
    """A signal `(length,)` to a signal `(length,)`, by three convolutions."""

    layers: list[eqx.nn.Conv1d]

    def __init__(self, width: int, key: jax.Array):
        keys = jr.split(key, 3)
        channels = (1, width, width, 1)
        self.layers = [
            eqx.nn.Conv1d(channels[i], channels[i + 1], kernel_size=5, padding=2, key=keys[i])
            for i in range(3)
        ]

    def __call__(self, signal: jax.Array) -> jax.Array:
        hidden = signal[None]
        for layer in self.layers[:-1]:
            hidden = jnp.tanh(layer(hidden))
        return self.layers[-1](hidden)[0]


def smooth_signals(number: int, length: int, key: jax.Array) -> jax.Array:
    """Random sums of a few sines, `(number, length)`."""
    x = jnp.linspace(0.0, 1.0, length)
    sines = jnp.sin(jnp.pi * jnp.arange(1, 6)[:, None] * x)
    return jr.normal(key, (number, 5)) @ sines / 2


def training_step(
    coloring: asdex.ColoredPattern, optimizer: optax.GradientTransformation, weight: float
) -> Callable:
    """One step of training, compiled: gradients flow through the sparse Jacobian into the network."""

    def loss(network, signals):
        # Made inside the trace, from the network that is trained. Only the coloring was made before.
        jac_fn = asdex.jacobian_from_coloring(network, coloring, output_format="data")
        misfit = jnp.mean((jax.vmap(network)(signals) - signals) ** 2)
        # Per output, as the misfit is.
        penalty = jnp.mean(jnp.sum(jax.vmap(jac_fn)(signals) ** 2, axis=1)) / signals.shape[1]
        return misfit + weight * penalty, (misfit, penalty)

    @eqx.filter_jit
    def step(network, state, signals):
        value_and_gradient = eqx.filter_value_and_grad(loss, has_aux=True)
        (value, parts), gradient = value_and_gradient(network, signals)
        updates, state = optimizer.update(gradient, state)
        return eqx.apply_updates(network, updates), state, (value, *parts)

    return step


def train(
    network: Network,
    coloring: asdex.ColoredPattern,
    weight: float,
    *,
    length: int,
    batch: int,
    steps: int,
) -> tuple[Network, list[float]]:
    """Return the trained network and the loss at each step."""
    optimizer = optax.adam(3e-3)
    state = optimizer.init(eqx.filter(network, eqx.is_inexact_array))
    step = training_step(coloring, optimizer, weight)
    losses = []
    print(f"\npenalty weighted by {weight:.2f}\n step    loss  misfit  penalty")
    for i, key in enumerate(jr.split(jr.key(1), steps)):
        signals = smooth_signals(batch, length, key)
        network, state, (value, misfit, penalty) = step(network, state, signals)
        losses.append(float(value))
        if i % max(steps // 5, 1) == 0 or i == steps - 1:
            print(f"{i:5d} {value:7.4f} {misfit:7.4f} {penalty:8.4f}")
    return network, losses


def remaining_noise(network: Network, length: int) -> float:
    """The distance of what the network makes of noisy signals from the signals, as a share of the noise."""
    signals = smooth_signals(64, length, jr.key(2))
    noise = NOISE * jr.normal(jr.key(3), signals.shape)
    rest = jax.vmap(network)(signals + noise) - signals
    return float(jnp.sqrt(jnp.mean(rest**2) / jnp.mean(noise**2)))


def main(length: int = 128, width: int = 8, batch: int = 16, steps: int = 400) -> list[float]:
    """Train without and with the penalty; return the losses with it."""
    network = Network(width, jr.key(0))
    # The weights are leaves of the network, which detection takes as unknown: training may change them.
    coloring = asdex.jacobian_coloring(network, jax.ShapeDtypeStruct((length,), jnp.float32))
    print(f"{coloring!r}\n{coloring.num_colors} passes in place of {length}")

    sizes = {"length": length, "batch": batch, "steps": steps}
    plain, _ = train(network, coloring, 0.0, **sizes)
    robust, losses = train(network, coloring, NOISE**2, **sizes)
    print("\nnoise that remains in noisy signals")
    print(f"  without the penalty {remaining_noise(plain, length):.0%}")
    print(f"  with the penalty    {remaining_noise(robust, length):.0%}")
    return losses


if __name__ == "__main__":
    main()
