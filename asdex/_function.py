"""The function of a user: its output, its auxiliary data, and what it is of its differentiated leaves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax.experimental.sparse import JAXSparse

from ._arguments import Argnums, differentiated, Inputs, substitute


def as_scalar(output: Any) -> jax.Array:
    """The single element of `output`, with shape `()`.

    **Raises:**

    `ValueError` if there is not exactly one element.
    """
    leaves = jtu.tree_leaves(output)
    if len(leaves) != 1 or jnp.size(leaves[0]) != 1:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in leaves)
        raise ValueError(
            "A Hessian needs a scalar-valued function: expected an output with a single element, got "
            f"{'shape ' + shapes if shapes else 'no array'}. Sum the output, or use asdex.jacobian."
        )
    return jnp.reshape(leaves[0], ())


def split_aux(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """The output and the auxiliary data of a function; no auxiliary data without `has_aux`.

    **Raises:**

    `TypeError` if `has_aux` is true and the function does not return a pair, or if the output is `None` or
    holds a sparse matrix of jax's.
    """
    if not has_aux:
        return _arrays(result), None
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "With has_aux=True the function must return a pair (output, auxiliary data), got "
            f"{_described(result)}."
        )
    return _arrays(result[0]), result[1]


def _arrays(output: Any) -> Any:
    if output is None:
        raise TypeError("Expected the function to return an array or a pytree of arrays, got None.")
    leaves = jtu.tree_leaves(output, is_leaf=_is_sparse)
    sparse = next(filter(_is_sparse, leaves), None)
    if sparse is not None:
        name = type(sparse).__name__
        raise TypeError(
            f"Expected the function to return arrays, got a {name}, whose indices have no derivative. Return "
            f"its values, `matrix.data`, or the dense array, `matrix.todense()`."
        )
    return output


def _described(value: Any) -> str:
    return (
        f"an array of shape {jnp.shape(value)}"
        if eqx.is_array(value)
        else f"a {type(value).__name__}"
    )


def _is_sparse(value: Any) -> bool:
    return isinstance(value, JAXSparse)


@dataclasses.dataclass(frozen=True)
class AtArguments:
    """A function at given arguments, as a function of those differentiated leaves that have a derivative."""

    f: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    argnums: Argnums
    has_aux: bool

    @functools.cached_property
    def inputs(self) -> Inputs:
        return differentiated(self.args, self.argnums)

    @property
    def leaves(self) -> list[Any]:
        """The leaves at these arguments."""
        return [self.inputs.leaves[i] for i in self.inputs.differentiable]

    def __call__(self, *leaves: Any) -> tuple[Any, Any]:
        """The output and the auxiliary data."""
        all_leaves = self.inputs.complete(leaves, lambda leaf: leaf)
        args = substitute(self.args, self.argnums, self.inputs, all_leaves)
        return split_aux(self.f(*args, **self.kwargs), self.has_aux)

    def scalar(self, *leaves: Any) -> jax.Array:
        """The output as a scalar.

        **Raises:** `ValueError` if it has more than one element.
        """
        return as_scalar(self(*leaves)[0])


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
