"""A plain call compiles itself: once per function, shapes and dtypes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.tree_util as jtu
from jax.core import Tracer

from .._arguments import may_change
from ._kernel import Kernel, Result


def evaluate(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel, compiled unless an outer transformation is tracing the call already.

    Arrays and floating-point numbers are inputs of the compiled function. Everything else, such as a plain
    function or an integer argument, is a constant of it and must be hashable.
    """
    leaves, tree = jtu.tree_flatten((kernel, tuple(args), dict(kwargs)))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return kernel(args, kwargs)
    changing = [may_change(leaf) for leaf in leaves]
    dynamic = [leaf for leaf, moves in zip(leaves, changing, strict=True) if moves]
    static = tuple(None if moves else leaf for leaf, moves in zip(leaves, changing, strict=True))
    constants = (tree, static, tuple(changing))
    _check_hashable(constants)
    return _run(dynamic, constants)


def _check_hashable(constants: Any) -> None:
    try:
        hash(constants)
    except TypeError as error:
        raise TypeError(
            "Expected the function, and its arguments that are neither arrays nor floating-point numbers, to "
            f"be hashable, since they are constants of the compiled function; got: {error}. Give their "
            "class a __hash__, or call the derivative inside a function compiled by jax.jit."
        ) from error


@functools.partial(jax.jit, static_argnums=1)
def _run(dynamic: list[Any], static: tuple[Any, tuple[Any, ...], tuple[bool, ...]]) -> Result:
    tree, constants, changing = static
    values = iter(dynamic)
    leaves = [
        next(values) if moves else constant
        for moves, constant in zip(changing, constants, strict=True)
    ]
    kernel, args, kwargs = jtu.tree_unflatten(tree, leaves)
    return kernel(args, kwargs)
