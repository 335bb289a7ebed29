"""Learn the reaction term of a differential equation through its solver: an implicit layer.

Run it with `python examples/implicit_layer.py` where `asdex[examples]` is installed; it takes half a minute.

    -u'' + g(u) = s  on (0, 1),  u(0) = u(1) = 0

A network takes the place of the unknown g, and is trained so that the solutions u for some sources s are
those that were observed. The layer solves the discretized equation by Newton's method: its Jacobian is
tridiagonal, takes three passes, and is solved as a band. The gradient does not go through the iteration, but
through one linear system with the same Jacobian, by the implicit function theorem.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

import asdex


class Residual(eqx.Module):
    """The discretized equation, `(points,)` for `(points,)` values of u and of the source."""

    reaction: Callable[[jax.Array], jax.Array]

    def __call__(self, u: jax.Array, source: jax.Array) -> jax.Array:
        h = 1 / (u.size + 1)
        padded = jnp.pad(u, 1)
        diffusion = 2 * u - padded[2:] - padded[:-2]
        return diffusion + h**2 * (self.reaction(u) - source)


class Network(eqx.Module):
    """A function of one variable, applied to each element."""

    mlp: eqx.nn.MLP

    def __init__(self, width: int, key: jax.Array):
        self.mlp = eqx.nn.MLP("scalar", "scalar", width, 2, jnp.tanh, key=key)

    def __call__(self, u: jax.Array) -> jax.Array:
        return jax.vmap(self.mlp)(u)


class TridiagonalSolve(eqx.Module):
    """Solves systems whose matrix has the values `data` at the nonzeros of a tridiagonal pattern."""

    diagonals: tuple[np.ndarray, ...]

    def __init__(self, pattern: asdex.SparsityPattern):
        offsets = pattern.cols - pattern.rows
        self.diagonals = tuple(np.flatnonzero(offsets == k) for k in (-1, 0, 1))

    def __call__(self, data: jax.Array, right: jax.Array) -> jax.Array:
        lower, main, upper = (data[positions] for positions in self.diagonals)
        lower, upper = jnp.pad(lower, (1, 0)), jnp.pad(upper, (0, 1))
        return jax.lax.linalg.tridiagonal_solve(lower, main, upper, right[:, None])[:, 0]


class Solution(eqx.Module):
    """The layer: from a source to the solution of the equation with a given reaction term."""

    jac_fn: asdex.SparseDerivative
    solve: TridiagonalSolve

    def __init__(self, reaction: Callable[[jax.Array], jax.Array], points: int):
        u = jnp.zeros(points)
        # The residual is a module: its weights are unknown to detection, and may be trained.
        self.jac_fn = asdex.value_and_jacobian(Residual(reaction), u, u, output_format="data")
        self.solve = TridiagonalSolve(self.jac_fn.coloring.sparsity)

    def __call__(self, source: jax.Array) -> jax.Array:
        fixed = without_gradient(self).newton(jax.lax.stop_gradient(source))
        # Another step of Newton's method, of which only the residual is differentiated: du = -J⁻¹ dR.
        residual, data = self.jac_fn(fixed, source)
        return fixed - self.solve(jax.lax.stop_gradient(data), residual)

    def newton(self, source: jax.Array) -> jax.Array:
        def body(state):
            u, _, steps = state
            residual, data = self.jac_fn(u, source)
            change = self.solve(data, residual)
            return u - change, jnp.max(jnp.abs(change)), steps + 1

        start = (jnp.zeros_like(source), jnp.inf, 0)
        return jax.lax.while_loop(lambda s: (s[1] > 1e-4) & (s[2] < 20), body, start)[0]


def without_gradient(tree: Any) -> Any:
    arrays, others = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.lax.stop_gradient(arrays), others)


def main(points: int = 100, sources: int = 16, width: int = 16, steps: int = 300) -> list[float]:
    """Train the reaction term; return the loss at each step."""

    def true_reaction(u):
        return 4 * u + 3 * u**3

    x = jnp.linspace(0.0, 1.0, points + 2)[1:-1]
    waves = jnp.sin(jnp.pi * jnp.arange(1, 4)[:, None] * x)
    source = 20 * jr.normal(jr.key(1), (sources, 3)) @ waves
    observed = jax.vmap(Solution(true_reaction, points))(source)

    layer = Solution(Network(width, jr.key(0)), points)
    print(f"{layer.jac_fn.coloring!r}")
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-2, steps))

    @eqx.filter_jit
    def step(layer, state, source, observed):
        def loss(layer):
            return jnp.mean((jax.vmap(layer)(source) - observed) ** 2) / jnp.mean(observed**2)

        value, gradient = eqx.filter_value_and_grad(loss)(layer)
        updates, state = optimizer.update(gradient, state)
        return eqx.apply_updates(layer, updates), state, value

    # The weights are the only floating-point numbers in the layer.
    state = optimizer.init(eqx.filter(layer, eqx.is_inexact_array))
    losses = []
    print("\n step  relative squared error of the solutions")
    for i in range(steps):
        layer, state, value = step(layer, state, source, observed)
        losses.append(float(value))
        if i % max(steps // 6, 1) == 0 or i == steps - 1:
            print(f"{i:5d}  {value:.1e}")

    learned = layer.jac_fn.f.reaction
    print(f"\n{'u':>6} {'g(u)':>7} {'learned':>8}")
    for u in np.linspace(jnp.min(observed), jnp.max(observed), 7):
        at = jnp.array([u])
        print(f"{u:6.2f} {true_reaction(at)[0]:7.2f} {learned(at)[0]:8.2f}")
    return losses


if __name__ == "__main__":
    main()
