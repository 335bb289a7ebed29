"""All functions that make a derivative, of one small model each, for `test_modules.py`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import asdex


X = jnp.linspace(0.5, 1.5, 6)
WEIGHT = jnp.linspace(1.0, 2.0, 6)


class Residual(eqx.Module):
    """Six inputs to five outputs, with two nonzeros per row."""

    weight: jax.Array

    def __call__(self, x):
        return jnp.sin(self.weight * x)[1:] * x[:-1] ** 2


class Energy(eqx.Module):
    """A scalar with a tridiagonal Hessian."""

    weight: jax.Array

    def __call__(self, x):
        return jnp.sum(jnp.sin(self.weight * x)[1:] * x[:-1] ** 2)


@partial(jax.jit, static_argnames="hessian")
def _dense(model, x, hessian):
    """The value and the dense derivative by jax."""
    return model(x), (jax.hessian if hessian else jax.jacobian)(model)(x)


class Case(NamedTuple):
    """One public function: how it makes a derivative of a model, and what that returns."""

    name: str
    make: Callable[[Any], asdex.SparseDerivative]
    hessian: bool
    compressed: bool
    with_value: bool

    @property
    def model(self):
        return Energy(WEIGHT) if self.hessian else Residual(WEIGHT)

    def dense(self, result, coloring):
        """The value, if there is one, and the dense derivative in what the callable has returned."""
        value, derivative = result if self.with_value else (jnp.zeros(()), result)
        if self.compressed:
            return value, asdex.decompress(derivative, coloring, "dense")
        return value, derivative.todense()

    def expected(self, model, x):
        """What jax says that `dense` gives."""
        value, derivative = _dense(model, x, hessian=self.hessian)
        return value if self.with_value else jnp.zeros(()), derivative


def _case(name, **options):
    function = getattr(asdex, name)

    def make(model):
        if not name.endswith("_from_coloring"):
            return function(model, X, **options)
        color = asdex.hessian_coloring if "hessian" in name else asdex.jacobian_coloring
        return function(model, color(model, X, **options))

    mode = "".join(f", {value}" for value in options.values())
    return Case(
        f"{name}{mode}", make, "hessian" in name, "compressed" in name, name.startswith("value_and")
    )


CASES = [
    _case(f"{value}{compressed}{kind}{twin}")
    for value in ("", "value_and_")
    for compressed in ("", "compressed_")
    for kind in ("jacobian", "hessian")
    for twin in ("", "_from_coloring")
]
# All ways of computing and reading.
BY_MODE = [
    *(_case("value_and_jacobian", mode=mode) for mode in ("fwd", "rev", "bidirectional")),
    *(_case("hessian", mode=mode) for mode in ("fwd_over_rev", "rev_over_fwd", "rev_over_rev")),
    _case("hessian_from_coloring", recovery="substitution"),
    _case("value_and_compressed_hessian", symmetric=False),
]
