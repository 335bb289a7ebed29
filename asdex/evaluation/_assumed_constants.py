"""The parts of a function that its pattern, or its constant entries, take for constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer

from .._arrays import is_array, is_floating, is_number


class AssumedConstants:
    """The tree of a callable and its leaves, except floating-point ones, which may change between calls.

    It compares by value, so that derivatives of equal functions share what is compiled.
    """

    def __init__(self, tree: Any, leaves: list[Any]):
        self.tree, self.leaves = tree, leaves

    @classmethod
    def of(cls, f: Any) -> AssumedConstants:
        leaves, tree = jtu.tree_flatten(f)
        return cls(tree, [_summary(leaf) for leaf in leaves])

    def __reduce__(self) -> Any:
        # A tree that was pickled by itself is unlike that of a callable that was.
        return _unpickled, (jtu.tree_unflatten(self.tree, self.leaves),)

    def __hash__(self) -> int:
        return hash(len(self.leaves))

    def __eq__(self, other: Any) -> bool:
        return self is other or (
            isinstance(other, AssumedConstants)
            and self.tree == other.tree
            and all(map(_agree, self.leaves, other.leaves))
        )

    def check(self, f: Any, reads_numbers: Callable[[], bool]) -> None:
        """Refuse a callable with another tree or other constants. What is traced cannot be compared.

        **Arguments:** `reads_numbers`: whether leaves that are Python's numbers are constants, too.

        **Raises:** `ValueError`.
        """
        with_paths, tree = jtu.tree_flatten_with_path(f)
        if tree != self.tree:
            raise ValueError(
                f"Expected the function that the pattern was made for, or the same with other floating-point "
                f"leaves, got {f!r}. {_REMEDY}"
            )
        for (path, leaf), assumed in zip(with_paths, self.leaves, strict=True):
            equal = isinstance(leaf, Tracer) or (is_number(leaf) and leaf == assumed)
            other = is_number(assumed) and not equal
            if not _agree(_summary(leaf), assumed) or (other and reads_numbers()):
                raise ValueError(
                    f"Expected the function that the pattern was made for, or the same with other "
                    f"floating-point leaves: the pattern takes the others for constant, but "
                    f"f{jtu.keystr(path)} was replaced. {_REMEDY}"
                )


_REMEDY = (
    "Make a new derivative of it, by `asdex.jacobian` or `asdex.hessian`; or, if its pattern is the same, by "
    "`asdex.jacobian_from_coloring` or `asdex.hessian_from_coloring`."
)


def _unpickled(summary: Any) -> AssumedConstants:
    leaves, tree = jtu.tree_flatten(summary)
    return AssumedConstants(tree, leaves)


class _Floating:
    """Stands for a leaf that may change."""


class _Traced:
    """Stands for a leaf whose value is not known."""


def _summary(leaf: Any) -> Any:
    if is_floating(leaf):
        return _Floating
    return _Traced if isinstance(leaf, Tracer) else leaf


def _agree(got: Any, want: Any) -> bool:
    got, want = (_Floating if is_number(one) else one for one in (got, want))
    if got is want:
        return True
    if got is _Floating or want is _Floating:
        return False
    if got is _Traced or want is _Traced:
        return True
    if is_array(got) and is_array(want):
        return got.dtype == want.dtype and np.array_equal(got, want)
    return type(got) is type(want) and bool(got == want)
