"""A plain call compiles itself: once per function, shapes and dtypes."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer

from .._arguments import is_array, may_change
from ._kernel import Kernel, Result


Prepare = Callable[[Any, Sequence[Any], Mapping[str, Any]], tuple[Kernel, Any]]
"""Checks the arguments of a call; returns what evaluates them, and the tree of the differentiated ones."""


def evaluate(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel, compiled unless an outer transformation is tracing the call already.

    Arrays and floating-point numbers are inputs of the compiled function. Everything else, such as a plain
    function or an integer argument, is a constant of it and must be hashable.
    """
    leaves, tree = jtu.tree_flatten((tuple(args), dict(kwargs)))
    kernel_leaves, kernel_tree = jtu.tree_flatten(kernel)
    if any(isinstance(leaf, Tracer) for leaf in (*leaves, *kernel_leaves)):
        return kernel(args, kwargs)
    return _plan((kernel_leaves, kernel_tree), (leaves, tree), None).run(leaves)


def evaluate_prepared(
    owner: Any, prepare: Prepare, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Result, Any]:
    """As `evaluate`, with a kernel that is made when arguments of new kinds come.

    **Arguments:**

    - `owner`: what is called; the kinds of arguments that it was called with are remembered.
    - `prepare`: called with `owner`, `args` and `kwargs` unless arguments of these kinds came before.

    **Returns:**

    The kernel's result, and the tree of the differentiated arguments.
    """
    leaves, tree = jtu.tree_flatten((args, kwargs))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        kernel, input_tree = prepare(owner, args, kwargs)
        return kernel(args, kwargs), input_tree
    kinds = (tree, tuple(map(_kind, leaves)), jax.dtypes.canonicalize_dtype(np.float64))
    plans = _PLANS.setdefault(owner, {})
    try:
        plan = plans.get(kinds)
    except TypeError:  # not hashable, which `prepare` may have a better word for
        plan = None
    if plan is None:
        kernel, input_tree = prepare(owner, args, kwargs)
        kernel_leaves, kernel_tree = jtu.tree_flatten(kernel)
        if any(isinstance(leaf, Tracer) for leaf in kernel_leaves):
            return kernel(args, kwargs), input_tree
        plan = _plan((kernel_leaves, kernel_tree), (leaves, tree), input_tree)
        plans[kinds] = plan
    return plan.run(leaves), plan.input_tree


class _Plan(NamedTuple):
    """What a call needs beyond its values: the kernel's data, which of the arguments' leaves are data, the
    constants of the compiled function, and the tree of the differentiated arguments."""

    kernel: list[Any]
    changing: tuple[bool, ...]
    constants: _Constants
    input_tree: Any

    def run(self, leaves: Sequence[Any]) -> Result:
        data = [leaf for leaf, moves in zip(leaves, self.changing, strict=True) if moves]
        return _run((self.kernel, data), self.constants)


_PLANS: weakref.WeakKeyDictionary[Any, dict[Any, _Plan]] = weakref.WeakKeyDictionary()


def _kind(leaf: Any) -> Any:
    """What checks and compilation read of an argument: all but the values of data."""
    if is_array(leaf):
        return type(leaf), leaf.shape, leaf.dtype
    return type(leaf) if may_change(leaf) else (type(leaf), leaf)


def _plan(kernel: tuple[list[Any], Any], arguments: tuple[list[Any], Any], tree: Any) -> _Plan:
    sides = (kernel, arguments)
    changing = [tuple(map(may_change, leaves)) for leaves, _ in sides]
    static = [
        tuple(None if moves else leaf for leaf, moves in zip(leaves, moving, strict=True))
        for (leaves, _), moving in zip(sides, changing, strict=True)
    ]
    content = tuple(zip((kernel[1], arguments[1]), static, changing, strict=True))
    _check_hashable(content)
    data = [leaf for leaf, moves in zip(kernel[0], changing[0], strict=True) if moves]
    return _Plan(data, changing[1], _Constants(content), tree)


def _check_hashable(constants: Any) -> None:
    try:
        hash(constants)
    except TypeError as error:
        raise TypeError(
            "Expected the function, and its arguments that are neither arrays nor floating-point numbers, to "
            f"be hashable, since they are constants of the compiled function; got: {error}. Give their "
            "class a __hash__, or call the derivative inside a function compiled by jax.jit."
        ) from error


class _Constants:
    """Trees, static leaves and positions of the data, hashed once."""

    def __init__(self, content: tuple[Any, ...]):
        self.content, self.hash = content, hash(content)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: Any) -> bool:
        return self is other or (
            isinstance(other, _Constants) and bool(self.content == other.content)
        )


@functools.partial(jax.jit, static_argnums=1)
def _run(data: tuple[list[Any], list[Any]], constants: _Constants) -> Result:
    sides = zip(data, constants.content, strict=True)
    kernel, (args, kwargs) = (_merge(values, *content) for values, content in sides)
    return kernel(args, kwargs)


def _merge(
    data: Sequence[Any], tree: Any, static: tuple[Any, ...], changing: tuple[bool, ...]
) -> Any:
    values = iter(data)
    pairs = zip(changing, static, strict=True)
    return jtu.tree_unflatten(tree, [next(values) if moves else leaf for moves, leaf in pairs])
