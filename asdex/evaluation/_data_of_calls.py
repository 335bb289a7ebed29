"""The data of a call, which are inputs of what is compiled, and all else, which are constants of it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from .._arrays import is_array, may_change
from ._kernel import Kernel


Data = tuple[list[Any], list[Any]]
"""Leaves of a kernel and of a call's arguments: the inputs of the compiled function."""


def separated(
    kernel: tuple[list[Any], Any], arguments: tuple[list[Any], Any], numbers: bool = True
) -> tuple[Data, Constants]:
    """The data among the leaves, `None` in place of others; and the rest, `None` in place of data.

    With `numbers` those of Python's in the kernel are data.
    """
    data, rest = [], []
    for (leaves, tree), is_data in (
        (kernel, may_change if numbers else is_array),
        (arguments, may_change),
    ):
        data.append([leaf if is_data(leaf) else None for leaf in leaves])
        constant = tuple(None if is_data(leaf) else leaf for leaf in leaves)
        rest.append((tree, tuple(map(_weakly, constant)), tuple(map(type, constant))))  # 1 is True
    content = tuple(rest)
    _check_hashable(content)
    return (data[0], data[1]), Constants(content)


class _Weakly(weakref.ref):
    """Refers to a function: what is compiled for it is dropped with it, as by `jax.jit`."""

    __slots__ = ()


def _weakly(leaf: Any) -> Any:
    if not callable(leaf) or type(leaf).__eq__ is not object.__eq__:
        return leaf
    try:
        return _Weakly(leaf)
    except TypeError:
        return leaf


def _check_hashable(constants: Any) -> None:
    try:
        hash(constants)
    except TypeError as error:
        raise TypeError(
            "Expected the function, and its arguments that are neither arrays nor floating-point numbers, to "
            f"be hashable, since they are constants of the compiled function; got: {error}. Give their "
            "class a __hash__, or call the derivative inside a function compiled by jax.jit."
        ) from error


class Constants:
    """Trees, static leaves and positions of the data, hashed once."""

    def __init__(self, content: tuple[Any, ...]):
        self.content, self.hash = content, hash(content)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: Any) -> bool:
        return self is other or (
            isinstance(other, Constants) and bool(self.content == other.content)
        )

    def call(self, data: Data) -> tuple[Kernel, Sequence[Any], Mapping[str, Any]]:
        """The kernel, and the arguments, that have this data."""
        kernel, (args, kwargs) = (
            tree.unflatten(
                _referent(b) if a is None else a for a, b in zip(leaves, rest, strict=True)
            )
            for leaves, (tree, rest, _) in zip(data, self.content, strict=True)
        )
        return kernel, args, kwargs

    def functions(self) -> list[Any]:
        """What it refers to weakly."""
        leaves = (leaf for _, rest, _ in self.content for leaf in rest)
        return [leaf() for leaf in leaves if isinstance(leaf, _Weakly)]


def _referent(leaf: Any) -> Any:
    return leaf() if isinstance(leaf, _Weakly) else leaf
