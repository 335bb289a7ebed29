"""Scalar-valued functions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax.experimental.sparse import JAXSparse


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
            f"{type(result).__name__}."
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


def _is_sparse(value: Any) -> bool:
    return isinstance(value, JAXSparse)
