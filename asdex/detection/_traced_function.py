"""From a Python callable to a jaxpr whose inputs are told apart: differentiated, changing, constant."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

import jax
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer

from .._arguments import Argnums, differentiated, enumeration, Inputs, Samples
from .._arrays import is_array, is_floating, is_number, may_change, struct_of
from .._function import split_aux
from .._jaxprs import without_references


class Traced(NamedTuple):
    """A traced function.

    `jaxpr` is closed; its inputs are all values that may change between calls, and `positions` says which
    of them are the leaves of the differentiated arguments, in order. `samples` are these values in the
    sample, or what stands for them. `changing` says which leaves of the function, then of the arguments,
    these are.
    """

    jaxpr: Any
    positions: list[int]
    inputs: Inputs
    output_avals: tuple[jax.ShapeDtypeStruct, ...]
    output_tree: Any
    samples: list[Any]
    changing: list[bool]


def trace(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    argnums: Argnums,
    has_aux: bool,
) -> Traced:
    """Trace `f` at the shapes and dtypes of the sample arguments.

    Floating-point leaves of a callable pytree (an `equinox.Module`, a `jax.tree_util.Partial`) become
    inputs, since training changes them. So do all arrays among the arguments. Python's numbers among these
    leaves stay constants if `f` cannot be traced otherwise, as with `int(self.end / self.step)`.

    **Raises:**

    `TypeError` if jax cannot trace `f`, or if `f` returns something that is not an array.
    """
    inputs = differentiated(args, argnums)
    f_leaves, f_tree = jtu.tree_flatten(f)
    call_leaves, call_tree = jtu.tree_flatten((tuple(args), dict(kwargs)))
    chosen = _differentiated_positions(args, argnums)
    leaves = [*f_leaves, *call_leaves]
    output_tree = None

    def flat(dynamic: list[Any], changing: Sequence[bool]) -> list[Any]:
        nonlocal output_tree
        values = iter(dynamic)
        merged = [
            next(values) if moves else leaf for leaf, moves in zip(leaves, changing, strict=True)
        ]
        function = jtu.tree_unflatten(f_tree, merged[: len(f_leaves)])
        new_args, new_kwargs = jtu.tree_unflatten(call_tree, merged[len(f_leaves) :])
        result = function(*new_args, **new_kwargs)
        output_leaves, output_tree = _output_leaves(result, has_aux)
        return output_leaves

    def make(numbers: bool) -> tuple[list[bool], Any, Any]:
        of_f = [_changes(leaf) or (numbers and is_number(leaf)) for leaf in f_leaves]
        changing = [*of_f, *(may_change(leaf) or k in chosen for k, leaf in enumerate(call_leaves))]
        dynamic = list(map(_abstract, compress(leaves, changing)))
        function = functools.partial(flat, changing=changing)
        return changing, *jax.make_jaxpr(function, return_shape=True)(dynamic)

    try:
        try:
            changing, jaxpr, output_avals = make(numbers=True)
        except Exception:  # perhaps because it reads a number of Python's
            if not any(map(is_number, f_leaves)):
                raise
            changing, jaxpr, output_avals = make(numbers=False)
    except _UNTRACEABLE as error:
        raise _untraceable(inputs, error) from error
    jaxpr = _without_references(jaxpr)
    order = np.cumsum(changing) - 1
    positions = [int(order[len(f_leaves) + k]) for k in chosen]
    samples = list(compress(leaves, changing))
    return Traced(jaxpr, positions, inputs, tuple(output_avals), output_tree, samples, changing)


def reads_numbers(f: Callable[..., Any], at: Samples, argnums: Argnums, has_aux: bool) -> bool:
    """Whether `f` can only be traced with numbers of Python's among its leaves for constants."""
    traced = trace(f, at.args, at.kwargs, argnums=argnums, has_aux=has_aux)
    return not all(compress(traced.changing, map(is_number, jtu.tree_leaves(f))))


_UNTRACEABLE = jax.errors.JAXTypeError, jax.errors.JAXIndexError
"""What JAX raises where a function asks for the value of something that is traced."""


def _changes(leaf: Any) -> bool:
    """Whether an array among the leaves of a function may be another one in the next call."""
    return is_floating(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)


def changing_leaves(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    argnums: Argnums,
    changing: Sequence[bool],
) -> list[tuple[str, Any]]:
    """Names, such as `f.weight`, and values of the inputs of the jaxpr of a `Traced` with this `changing`."""
    f_leaves = jtu.tree_leaves_with_path(f)
    call_leaves = jtu.tree_leaves_with_path((tuple(args), dict(kwargs)))
    chosen = _differentiated_positions(args, argnums)
    named = [(f"f{jtu.keystr(path)}", leaf) for path, leaf in f_leaves]
    for number, (path, leaf) in enumerate(call_leaves):
        place = ("args", "kwargs")[path[0].idx] + jtu.keystr(path[1:])
        named.append((f"the input {place}" if number in chosen else place, leaf))
    return list(compress(named, changing))


def _differentiated_positions(args: Sequence[Any], argnums: Argnums) -> list[int]:
    """Which leaves of `args` belong to differentiated arguments, in the order of `argnums`."""
    counts = [len(jtu.tree_leaves(arg)) for arg in args]
    starts = np.cumsum([0, *counts])
    chosen = [argnums] if isinstance(argnums, int) else argnums
    return [int(starts[i]) + k for i in chosen for k in range(counts[i])]


def _untraceable(inputs: Inputs, error: Exception) -> TypeError:
    shapes = enumeration(
        f"{p}: {a.dtype}{list(a.shape)}" for p, a in zip(inputs.paths, inputs.avals, strict=True)
    )
    return TypeError(
        f"The function cannot be traced by jax for inputs {shapes}: {type(error).__name__}. asdex "
        "needs a function that jax.jit accepts: replace Python control flow on array values by "
        "jax.numpy.where, jax.lax.cond or jax.lax.while_loop, and NumPy calls by jax.numpy."
    )


def _without_references(jaxpr: Any) -> Any:
    try:
        return without_references(jaxpr)
    except NotImplementedError as error:
        raise NotImplementedError(
            "Expected a function without mutable references (jax.new_ref), or one that creates and uses "
            f"them where jax can replace them by values, got one for which it cannot ({error}). Update an "
            "array by `x.at[i].set(v)` instead, and pass what a captured reference holds as an argument."
        ) from error


def _output_leaves(result: Any, has_aux: bool) -> tuple[list[Any], Any]:
    result, _ = split_aux(result, has_aux)
    with_paths, tree = jtu.tree_flatten_with_path(result)
    for path, leaf in with_paths:
        if not (is_array(leaf) or isinstance(leaf, bool | int | float | complex)):
            raise TypeError(
                f"Expected the function to return arrays, got {type(leaf).__name__} at "
                f"output{jtu.keystr(path)}. Return auxiliary data through has_aux=True."
            )
    return [leaf for _, leaf in with_paths], tree


def _abstract(leaf: Any) -> Any:
    """Shape and dtype stand for the value; a Python number keeps its weak type."""
    struct_of(leaf)  # says in the user's words what is wrong with something that is not an array
    if isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer):
        weak = getattr(leaf, "weak_type", False)  # keys of a random number generator have none
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, weak_type=weak)
    return leaf
