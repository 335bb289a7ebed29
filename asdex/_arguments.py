"""The calling convention: sample inputs, `argnums`, and which values of a call may change."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np

from ._arrays import has_derivative, size_of, struct_of


Argnums = int | tuple[int, ...]

REMEDY = "Make a new coloring for these inputs, or pass inputs like the sample."


class Inputs(NamedTuple):
    """The differentiated arguments of a call, flattened."""

    leaves: list[Any]
    tree: Any
    paths: tuple[str, ...]

    @property
    def avals(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        return tuple(struct_of(leaf) for leaf in self.leaves)

    @property
    def differentiable(self) -> list[int]:
        """The positions of the leaves that have a derivative."""
        return [i for i, aval in enumerate(self.avals) if has_derivative(aval)]

    def complete(self, values: Iterable[Any], without: Callable[[Any], Any]) -> list[Any]:
        """One value per leaf: the given ones for those that have a derivative, `without(leaf)` for others."""
        given = iter(values)
        pairs = zip(self.leaves, self.avals, strict=True)
        return [next(given) if has_derivative(aval) else without(leaf) for leaf, aval in pairs]


@dataclasses.dataclass(frozen=True)
class Samples:
    """The arguments that a function is traced with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        public: Callable[..., Any],
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        input_shape: int | Sequence[int] | None = None,
    ) -> Samples:
        """The samples in a call of the `public` function of asdex, from `args` or from `input_shape`.

        **Raises:**

        `TypeError` if `f` is no function, if there is no sample input, if there are both, if `input_shape` is
        no shape, or if a keyword is neither an option nor a keyword of `f`.
        """
        check_callable(f)
        check_keywords(public, f, kwargs)
        return cls(_sample_arguments(args, input_shape), dict(kwargs))


def _sample_arguments(
    args: Sequence[Any], input_shape: int | Sequence[int] | None
) -> tuple[Any, ...]:
    if input_shape is None:
        if not args:
            raise TypeError(
                "Expected at least one sample input, got none. Pass an array or a jax.ShapeDtypeStruct for "
                "each argument of the function, as in `asdex.jacobian(f, x)`, or `input_shape=` for a "
                "single array."
            )
        return tuple(args)
    if args:
        raise TypeError(
            f"Expected either sample inputs or `input_shape`, got {len(args)} sample input(s) and "
            f"input_shape={input_shape!r}. Drop one of them."
        )
    shape = tuple(input_shape) if np.iterable(input_shape) else (input_shape,)
    if not all(_is_integer(size) and size >= 0 for size in shape):
        raise TypeError(
            f"Expected `input_shape` to be a size or a sequence of sizes, got {input_shape!r}. For other "
            "inputs than a single array pass samples, as in `asdex.jacobian(f, x, y)`."
        )
    return (jax.ShapeDtypeStruct(shape, jnp.result_type(float)),)


def check_callable(f: Any) -> None:
    if not callable(f):
        raise TypeError(
            f"Expected a function, got {type(f).__name__}. The function comes first: asdex.jacobian(f, x)."
        )


def check_keywords(
    public: Callable[..., Any], f: Callable[..., Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse misspelt options, which would pass for keywords of `f`."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # a function of C has none
        return
    named = {one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}
    takes_any = len(named) < len(parameters)
    options = {_squashed(name): name for name in inspect.signature(public).parameters}
    for name in set(kwargs) - named:
        cutoff = 1.0 if takes_any else 0.75
        close = difflib.get_close_matches(_squashed(name), options, 1, cutoff)
        if close:
            raise TypeError(
                f"Expected options of asdex.{public.__name__} and keywords of the function, got "
                f"`{name}`. Did you mean the option `{options[close[0]]}`? A keyword of the function's that "
                "is called like that can be passed by functools.partial."
            )


def _squashed(name: str) -> str:
    return name.replace("_", "").lower()


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Refuse a value of an option that is not among those of a `Literal`, or the keys of a table.

    **Raises:** `ValueError`.
    """
    known = get_args(choices) or tuple(choices)
    if value not in known:
        raise ValueError(
            f"Expected `{name}` to be one of {', '.join(map(repr, known))}, got {value!r}."
        )


def normalize_argnums(argnums: int | Sequence[int], count: int) -> Argnums:
    """`argnums` with negative positions resolved, as an `int` or a tuple.

    **Raises:**

    `TypeError` if it is neither an integer nor a sequence of integers; `ValueError` if a position is out
    of range or repeated.
    """
    single = isinstance(argnums, int | np.integer)
    positions = (argnums,) if single or not np.iterable(argnums) else tuple(argnums)
    if not all(map(_is_integer, positions)):
        raise TypeError(
            f"Expected `argnums` to be an integer or a sequence of integers, got {argnums!r}."
        )
    for position in positions:
        if not -count <= position < count:
            raise ValueError(
                f"Expected `argnums` to name one of {count} positional argument(s), got {argnums!r}. "
                "Pass differentiated arguments by position."
            )
    resolved = tuple(int(position) % count for position in positions)
    if not resolved:
        raise ValueError(
            "Expected `argnums` to name at least one argument, got none. Pass the position of what is to be "
            "differentiated, such as argnums=0."
        )
    if len(set(resolved)) < len(resolved):
        raise ValueError(f"Expected distinct positions in `argnums`, got {argnums!r}.")
    return resolved[0] if single else resolved


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def differentiated(args: Sequence[Any], argnums: Argnums) -> Inputs:
    """The leaves of the arguments that `argnums` names."""
    chosen = args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)
    with_paths, tree = jtu.tree_flatten_with_path(chosen)
    paths = tuple(_path(key_path, argnums) for key_path, _ in with_paths)
    return Inputs([leaf for _, leaf in with_paths], tree, paths)


def substitute(
    args: Sequence[Any], argnums: Argnums, inputs: Inputs, leaves: Sequence[Any]
) -> list:
    """`args` with the leaves of the differentiated arguments replaced."""
    result = list(args)
    chosen = jtu.tree_unflatten(inputs.tree, leaves)
    if isinstance(argnums, int):
        result[argnums] = chosen
    else:
        for position, value in zip(argnums, chosen, strict=True):
            result[position] = value
    return result


def _path(key_path: tuple[Any, ...], argnums: Argnums) -> str:
    """A readable place such as `args[0]['w']`."""
    if isinstance(argnums, int):
        return f"args[{argnums}]{jtu.keystr(key_path)}"
    return f"args[{argnums[key_path[0].idx]}]{jtu.keystr(key_path[1:])}"


def check_differentiable(inputs: Inputs, allow_int: bool) -> None:
    """Refuse integers and booleans among the differentiated inputs, as jax does, unless `allow_int`.

    **Raises:** `TypeError`.
    """
    for path, aval in zip(inputs.paths, inputs.avals, strict=True):
        if not (allow_int or has_derivative(aval)):
            raise TypeError(
                f"Expected {path} of real or complex dtype, got {aval.dtype}. Convert it to floating "
                "point, or pass allow_int=True to give it zero derivatives."
            )


def check_outputs(avals: Iterable[Any]) -> None:
    """Refuse outputs that have no derivative, as `jax.jacobian` does.

    **Raises:** `TypeError`.
    """
    for aval in avals:
        if not has_derivative(aval):
            raise TypeError(
                f"Expected a function with real or complex outputs, got one of dtype {aval.dtype} and shape "
                f"{aval.shape}. Return it as auxiliary data, with has_aux=True, or convert it to floating "
                "point."
            )


def check_inputs(inputs: Inputs, expected: Sequence[jax.ShapeDtypeStruct], n: int) -> None:
    """Compare the differentiated arguments of a call with those that a coloring was made for.

    **Arguments:**

    - `expected`: shape and dtype of each leaf; empty if only their total size `n` is known.

    **Raises:**

    `ValueError` for another number of leaves, rank or shape; `TypeError` for another dtype.
    """
    if not expected:
        size = sum(map(size_of, inputs.avals))
        if size != n:
            raise ValueError(
                f"Expected {n} differentiated inputs, the columns of the pattern, got {size} in "
                f"{_shapes(inputs)}. {REMEDY}"
            )
        return
    if len(inputs.leaves) != len(expected):
        wanted = enumeration(str(aval.shape) for aval in expected)
        raise ValueError(
            f"Expected {len(expected)} array(s) in the differentiated arguments, of shapes {wanted}, got "
            f"{len(inputs.leaves)}: {_shapes(inputs) or 'none'}. {REMEDY}"
        )
    for path, got, want in zip(inputs.paths, inputs.avals, expected, strict=True):
        if got.shape != want.shape:
            raise ValueError(
                f"Expected {path} of shape {want.shape}, got shape {got.shape}. {REMEDY}"
            )
        if got.dtype != want.dtype:
            raise TypeError(
                f"Expected {path} of dtype {want.dtype}, got dtype {got.dtype}. {REMEDY}"
            )


def check_arity(args: Sequence[Any], argnums: Argnums) -> None:
    """Refuse a call without the arguments to be differentiated.

    **Raises:**

    `TypeError` if there are fewer positional arguments than `argnums` needs.
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    needed = max(position + 1 if position >= 0 else -position for position in positions)
    if len(args) < needed:
        raise TypeError(
            f"Expected at least {needed} positional argument(s), since argnums={argnums!r} are "
            f"differentiated, got {len(args)}. Pass differentiated arguments by position."
        )


def _shapes(inputs: Inputs) -> str:
    pairs = zip(inputs.paths, inputs.avals, strict=True)
    return enumeration(f"{path} {aval.shape}" for path, aval in pairs)


def enumeration(items: Iterable[str]) -> str:
    """The items with commas between; the first of them and a count where there are many."""
    listed = list(items)
    more = len(listed) - _LISTED
    if more <= 1:
        return ", ".join(listed)
    return f"{', '.join(listed[:_LISTED])} and {more} more"


_LISTED = 5
