"""What a pattern takes for granted about a call of the function it was detected for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.tree_util as jtu

from .._arguments import Argnums, enumeration, REMEDY
from .._arrays import may_change, struct_of


class _Data(NamedTuple):
    """An argument's leaf that may have other values in the next call, but no other shape."""

    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """The tree of a call's arguments, the shapes of its data, and the values of all other leaves.

    Detection reads shapes and whatever is no data (`asdex._arguments.may_change`), such as the `2` in
    `f(x, 2)`: the pattern holds for calls that agree in them.
    """

    tree: Any
    paths: tuple[str, ...]
    leaves: tuple[Any, ...] = dataclasses.field(hash=False)

    @classmethod
    def of(cls, args: Sequence[Any], kwargs: Mapping[str, Any], argnums: Argnums) -> Signature:
        """The signature of a call with sample arguments."""
        chosen = [f"args[{i}]" for i in ((argnums,) if isinstance(argnums, int) else argnums)]
        with_paths, tree = jtu.tree_flatten_with_path((tuple(args), dict(kwargs)))
        leaves = tuple(
            _Data(struct_of(leaf).shape)
            if may_change(leaf) or _path(key_path[:2]) in chosen
            else leaf
            for key_path, leaf in with_paths
        )
        return cls(tree, tuple(_path(key_path) for key_path, _ in with_paths), leaves)

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Compare a call with the sample.

        **Raises:**

        `TypeError` for other numbers of arguments, other keywords, or an argument that is no array;
        `ValueError` for another tree, shape, or value of an argument that is no data.
        """
        leaves, tree = jtu.tree_flatten((tuple(args), dict(kwargs)))
        if tree != self.tree:
            self._refuse_tree(args, kwargs, tree)
        for path, got, want in zip(self.paths, leaves, self.leaves, strict=True):
            if isinstance(want, _Data):
                if not (may_change(got) or isinstance(got, int)):
                    raise TypeError(
                        f"Expected {path} to be an array or a number, got {got!r}. {REMEDY}"
                    )
                shape = struct_of(got).shape
                if shape != want.shape:
                    raise ValueError(
                        f"Expected {path} of shape {want.shape}, got shape {shape}. {REMEDY}"
                    )
            elif not _same(got, want):
                raise ValueError(
                    f"Expected {path} to be {want!r} as in the sample, for which the pattern holds, got "
                    f"{got!r}. Pass the sample's {path} as an array if it is to change, or make a new "
                    "coloring."
                )

    def _refuse_tree(self, args: Sequence[Any], kwargs: Mapping[str, Any], tree: Any) -> None:
        sample_args, sample_kwargs = jtu.tree_unflatten(self.tree, self.leaves)
        if len(args) != len(sample_args):
            raise TypeError(
                f"Expected {len(sample_args)} positional argument(s) like the sample, got {len(args)}. "
                "Call it as the function was called with the sample."
            )
        if set(kwargs) != set(sample_kwargs):
            raise TypeError(
                f"Expected the keyword arguments {sorted(sample_kwargs)} like the sample, got "
                f"{sorted(kwargs)}. Pass all keywords of the function with the sample too."
            )
        with_paths, _ = jtu.tree_flatten_with_path((tuple(args), dict(kwargs)), is_leaf=_is_none)
        nones = [_path(key_path) for key_path, leaf in with_paths if leaf is None]
        paths = [_path(key_path) for key_path, leaf in with_paths if leaf is not None]
        missing = [path for path in self.paths if path not in paths]
        added = [path for path in paths if path not in self.paths]
        emptied = [none for none in nones if any(path.startswith(none) for path in missing)]
        if emptied:
            raise ValueError(
                f"Expected arrays where the sample has them, but {enumeration(emptied)} is None; the sample "
                f"had an array. {REMEDY}"
            )
        if missing or added:
            raise ValueError(
                f"Expected {enumeration(missing) or 'no more arrays'}, got "
                f"{enumeration(added) or 'no array there'}. {REMEDY}"
            )
        raise ValueError(f"Expected arguments with the tree {self.tree}, got {tree}. {REMEDY}")


def _is_none(value: Any) -> bool:
    return value is None


def _path(key_path: tuple[Any, ...]) -> str:
    """A readable place such as `args[0]['w']` or `kwargs['scale']`."""
    root, *rest = key_path
    return f"{('args', 'kwargs')[root.idx]}{jtu.keystr(tuple(rest))}"


def _same(got: Any, want: Any) -> bool:
    # `True == 1 == 1.0`, but a function may tell them apart.
    return got is want or (type(got) is type(want) and (got == want) is True)
