"""The gradient of a scalar function, as a callable that stays a pytree."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._arguments import Argnums
from .._function import AtArguments


class Gradient(eqx.Module):
    """The gradient of `f` with respect to the arguments in `argnums`, by reverse mode or by forward mode."""

    f: Any
    argnums: Argnums = eqx.field(static=True)
    has_aux: bool = eqx.field(static=True)
    forward: bool = eqx.field(static=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        at = AtArguments(self.f, args, kwargs, self.argnums, self.has_aux)
        leaves = at.leaves
        if self.forward:
            parts = jax.jacfwd(at.scalar, argnums=tuple(range(len(leaves))))(*leaves)
        else:
            # Unlike jax.grad, jax.vjp takes complex inputs as they are.
            value, pull_back = jax.vjp(at.scalar, *leaves)
            parts = pull_back(jnp.ones_like(value))
        return at.inputs.complete(parts, jnp.zeros_like)
