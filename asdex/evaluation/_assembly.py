"""From the arrays that a call computes to what the user gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp

from .._arrays import has_derivative, ravel
from ._guard import confirmed
from ._kernel import Result, Static


if TYPE_CHECKING:
    from ._derivative import SparseDerivative


def assembly(
    derivative: SparseDerivative, input_tree: Any, static: Static
) -> Callable[[Result], Any]:
    """A function of the arrays of a call: what the user gets.

    What it needs is looked up once: to read an attribute of an Equinox module takes a microsecond.
    """
    options, layout = derivative.options, derivative.layout
    rows = input_tree if options.is_hessian else static.output_tree
    made = None if layout is None else layout.assembly(rows, input_tree)
    flat = layout is not None and not layout.is_tree
    has_aux, with_value, with_gradient = (
        options.has_aux,
        options.with_value,
        options.with_gradient,
    )

    guard, mesh = derivative.guard, options.batches.mesh
    if guard is None and not (has_aux or with_value or with_gradient):
        return (lambda result: result.data) if made is None else lambda result: made(result.data)
    flags = guard is not None and guard.flags

    def assemble(result: Result) -> Any:
        if guard is not None and not flags:
            result = result._replace(data=confirmed(result.data, result.agrees, mesh))
        parts = (result.data if made is None else made(result.data),)
        if with_gradient:
            parts = (_gradient(result.gradient, input_tree, flat), *parts)
        aux = eqx.combine(result.aux, static.aux) if has_aux else None
        if with_value:
            parts = ((result.output, aux) if has_aux else result.output, *parts)
        elif has_aux:
            parts = (*parts, aux)
        if flags:
            parts = (*parts, result.agrees)
        return parts if len(parts) > 1 else parts[0]

    return assemble


def _gradient(leaves: Sequence[Any], tree: Any, flat: bool) -> Any:
    """The gradient as a tree, or as one vector."""
    if not flat:
        return tree.unflatten(leaves)
    kinds = [leaf.dtype for leaf in leaves if has_derivative(leaf)]
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(*kinds or [float])
    return ravel([x if has_derivative(x) else jnp.zeros(x.size, dtype) for x in leaves])
