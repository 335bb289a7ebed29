"""The pytrees between which an operator maps, as static structures and as vectors."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jaxtyping import Array, Inexact

from .. import _arrays
from .._arrays import has_derivative, size_of, struct_of


FlatStructure = tuple[tuple[jax.ShapeDtypeStruct, ...], Any]
"""The leaves and the tree of a pytree of `jax.ShapeDtypeStruct`s, which is hashable, unlike most pytrees."""


def flat_structure(tree: Any) -> FlatStructure:
    """Shapes and dtypes of a pytree of arrays or of stand-ins for arrays."""
    leaves, treedef = jtu.tree_flatten(tree)
    return tuple(struct_of(leaf) for leaf in leaves), treedef


def unflatten(structure: FlatStructure) -> Any:
    leaves, treedef = structure
    return jtu.tree_unflatten(treedef, leaves)


def length(structure: FlatStructure) -> int:
    return sum(map(size_of, structure[0]))


def dtype_of(*structures: FlatStructure) -> Any:
    """The common dtype for vectors of all these spaces."""
    dtypes = [leaf.dtype for leaves, _ in structures for leaf in leaves]
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*dtypes) if dtypes else jnp.result_type(float)


def ravel(tree: Any, structure: FlatStructure) -> Inexact[Array, " size"]:
    """The vector of a pytree.

    **Raises:** `ValueError` if the pytree has another structure.
    """
    given = flat_structure(tree)
    if given != structure:
        raise ValueError(
            f"Expected a vector with the structure {unflatten(structure)}, got {unflatten(given)}."
        )
    dtype = dtype_of(structure)
    return _arrays.ravel(jtu.tree_leaves(tree)).astype(dtype)


def unravel(vector: Inexact[Array, " size"], structure: FlatStructure) -> Any:
    """The pytree that a vector stands for."""
    leaves, treedef = structure
    parts = _arrays.unravel(vector, leaves)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)  # from complex to real
        shaped = [part.astype(leaf.dtype) for part, leaf in zip(parts, leaves, strict=True)]
    return jtu.tree_unflatten(treedef, shaped)


def as_inexact(tree: Any) -> Any:
    """A pytree with its leaves as floating-point arrays."""

    def convert(leaf: Any) -> Array:
        array = jnp.asarray(leaf)
        return array if has_derivative(array) else array.astype(float)

    return jtu.tree_map(convert, tree)
