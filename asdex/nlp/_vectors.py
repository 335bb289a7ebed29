"""Conversions between the pytrees of a user's functions and the flat vectors of solvers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Array, Float

from .._arrays import has_derivative, is_complex, may_change, ravel, size_of, struct_of, unravel
from .._function import as_scalar, split_aux


def output_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The output of a function as a pytree of `jax.ShapeDtypeStruct`s, for samples of its arguments.

    **Raises:** `TypeError` if it is `None`, or holds a sparse matrix of jax's.
    """
    args, kwargs = jtu.tree_map(
        lambda leaf: struct_of(leaf) if may_change(leaf) else leaf, (args, kwargs)
    )
    output = eqx.filter_eval_shape(function, *args, **kwargs)
    return split_aux(output, has_aux=False)[0]


class Space(eqx.Module):
    """The pytrees with a given tree and given shapes, as vectors: their flattened leaves in order."""

    tree: Any = eqx.field(static=True)
    avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, sample: Any, what: str) -> Space:
        """The space of a sample of arrays, numbers, or stand-ins for arrays.

        **Raises:**

        `TypeError` for values that are not real floating-point numbers; `what` names them.
        """
        leaves, tree = jtu.tree_flatten(sample)
        avals = [struct_of(leaf) for leaf in leaves]
        for aval in avals:
            if is_complex(aval) or not has_derivative(aval):
                raise TypeError(
                    f"Expected {what} of real floating-point dtype, got {aval.dtype}. Convert it."
                )
        return cls(tree, tuple(avals))

    @property
    def size(self) -> int:
        return sum(map(size_of, self.avals))

    def unravel(self, vector: Any) -> Any:
        """The pytree whose leaves are the parts of a vector.

        **Raises:** `ValueError` for another shape.
        """
        if np.shape(vector) != (self.size,):
            raise ValueError(
                f"Expected a vector of shape ({self.size},), got shape {np.shape(vector)}. `ravel` and "
                "`ravel_constraints` make vectors of pytrees."
            )
        return self.tree.unflatten(unravel(vector, self.avals))

    def ravel(self, values: Any) -> Float[np.ndarray, " size"]:
        """The float64 vector of a pytree, whose leaves are broadcast to the shapes and to subtrees."""
        whole = self.tree.unflatten([np.empty(aval.shape, np.bool_) for aval in self.avals])
        full = jtu.tree_map(
            lambda value, part: jtu.tree_map(
                lambda leaf: np.broadcast_to(np.asarray(value, np.float64), leaf.shape), part
            ),
            values,
            whole,
        )
        return np.concatenate([np.zeros(0), *map(np.ravel, jtu.tree_leaves(full))])


class FlatObjective(eqx.Module):
    """A scalar function as a function of a vector."""

    function: Callable[..., Any]
    inputs: Space

    def __call__(self, vector: Any, *args: Any) -> Array:
        return as_scalar(self.function(self.inputs.unravel(vector), *args))


class FlatConstraints(eqx.Module):
    """A function between pytrees as a function between vectors."""

    function: Callable[..., Any]
    inputs: Space

    def __call__(self, vector: Any, *args: Any) -> Array:
        return ravel(jtu.tree_leaves(self.function(self.inputs.unravel(vector), *args)))
