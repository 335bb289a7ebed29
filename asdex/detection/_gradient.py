"""The gradient of a scalar function, as a callable that stays a pytree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from .._arguments import Argnums
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
        transform = jax.jacfwd if self.forward else jax.grad
        return transform(self.scalar, argnums=self.argnums, has_aux=True)(*args, **kwargs)[0]


def gradient(f: Callable[..., Any], *, argnums: Argnums, has_aux: bool, forward: bool) -> Gradient:
    """The gradient of `f`, by reverse mode or by forward mode."""
    return Gradient(ScalarFunction(f, has_aux), argnums, forward)
