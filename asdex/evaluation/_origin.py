"""The function whose constant entries were computed."""

from __future__ import annotations

from typing import Any

import jax
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer

from .._arguments import is_array, may_change


class Origin:
    """All of a function but its floating-point leaves: what its constant entries rest on.

    It compares by identity, so that it can be a static field.
    """

    def __init__(self, tree: Any, leaves: list[Any]):
        self.tree, self.leaves = tree, leaves

    @classmethod
    def of(cls, f: Any) -> Origin:
        leaves, tree = jtu.tree_flatten(f)
        return cls(tree, [_Floating if _is_floating(leaf) else leaf for leaf in leaves])

    def check(self, f: Any) -> None:
        """Refuse a function that differs in more than floating-point leaves.

        **Raises:** `ValueError`.
        """
        leaves, tree = jtu.tree_flatten(f)
        if tree != self.tree or not all(map(_same, leaves, self.leaves)):
            raise ValueError(
                "Expected the function whose constant entries were computed, or the same with other "
                f"floating-point leaves, got {f!r}. Make a new derivative of it, or one with "
                'constant="recompute".'
            )


class _Floating:
    """Stands for a leaf that may change."""


def _is_floating(leaf: Any) -> bool:
    if is_array(leaf):
        return bool(jax.numpy.issubdtype(leaf.dtype, np.inexact))
    return may_change(leaf)


def _same(got: Any, want: Any) -> bool:
    if want is _Floating:
        return _is_floating(got)
    if got is want or isinstance(got, Tracer) or isinstance(want, Tracer):
        return True
    if is_array(got) and is_array(want):
        return np.array_equal(np.asarray(got), np.asarray(want))
    return type(got) is type(want) and bool(got == want)
