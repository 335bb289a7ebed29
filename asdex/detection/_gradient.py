"""The gradient of a scalar function, as a callable that stays a pytree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._arguments import Argnums, differentiated, substitute
from .._scalar import as_scalar, split_aux


class ScalarFunction(eqx.Module):
    """`f` with its one-element output squeezed to a scalar, and auxiliary data always returned."""

    f: Any
    has_aux: bool = eqx.field(static=True)

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[jax.Array, Any]:
        output, aux = split_aux(self.f(*args, **kwargs), self.has_aux)
        return as_scalar(output), aux


class Gradient(eqx.Module):
    """The gradient of a `ScalarFunction` with respect to the arguments in `argnums`."""

    scalar: ScalarFunction
    argnums: Argnums = eqx.field(static=True)
    forward: bool = eqx.field(static=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.forward:
            return jax.jacfwd(self.scalar, argnums=self.argnums, has_aux=True)(*args, **kwargs)[0]
        inputs = differentiated(args, self.argnums)

        def at(*leaves: Any) -> jax.Array:
            return self.scalar(*substitute(args, self.argnums, inputs, leaves), **kwargs)[0]

        # Unlike jax.grad, jax.vjp takes complex and integer inputs as they are.
        value, pull_back = jax.vjp(at, *inputs.leaves)
        cotangents = zip(inputs.leaves, pull_back(jnp.ones_like(value)), strict=True)
        return [
            jnp.zeros_like(leaf) if cotangent.dtype == jax.dtypes.float0 else cotangent
            for leaf, cotangent in cotangents
        ]


def gradient(f: Callable[..., Any], *, argnums: Argnums, has_aux: bool, forward: bool) -> Gradient:
    """The gradient of `f`, by reverse mode or by forward mode."""
    return Gradient(ScalarFunction(f, has_aux), argnums, forward)
