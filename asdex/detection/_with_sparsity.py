"""Declarations of sparsity: a decorator for functions that detection cannot look into."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, Literal, TypeVar

import equinox as eqx
import jax
import jax.tree_util as jtu
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer

from .._arrays import has_derivative, size_of, struct_of
from .._jaxprs import jaxpr_consts, open_jaxpr
from ..pattern import as_pattern, PatternLike, SparsityPattern
from ._declared import abstract, declared_p, Function
from .dependence import Dependence, identities


_F = TypeVar("_F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, init=False)
class Along:
    """Results that mix an argument along some axes, and keep its elements apart along all others.

    **Arguments:** `axes`: axes of the argument, which the results have with any length, or do not have.

    **Raises:** `TypeError` for something else than integers.
    """

    axes: tuple[int, ...]

    def __init__(self, *axes: int):
        if not all(isinstance(axis, int | np.integer) for axis in axes):
            raise TypeError(f"Expected integers, as in asdex.Along(0, 1), got asdex.Along{axes}.")
        object.__setattr__(self, "axes", axes)


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a function with declared sparsity, as a rule sees it: the types of its arrays.

    **Attributes:** `in_avals`, `out_avals`: shapes and dtypes of the arrays among arguments and results.
    """

    in_avals: Sequence[jax.ShapeDtypeStruct]
    out_avals: Sequence[jax.ShapeDtypeStruct]


Declaration = Literal["elementwise"] | Along | PatternLike | sp.sparray | sp.spmatrix | None
"""How results depend on one argument."""


def with_sparsity(
    sparsity: Declaration | tuple[Declaration, ...] | Callable[..., Any],
) -> Callable[[_F], _F]:
    """Declare on which elements of its arguments the results of a function depend.

    For functions that asdex cannot look into, or only roughly: `jax.pure_callback`, foreign and Pallas
    kernels, tables. Detection then uses the declaration in place of what the function does, for its values
    and for all its derivatives, in forward and reverse mode and under `jax.vmap`, `jax.jit` and loops. The
    function needs derivatives of its own to be differentiated, such as those of `jax.custom_jvp`.

    ```python
    @asdex.with_sparsity("elementwise")
    @jax.custom_jvp
    def table(x):
        return jax.pure_callback(look_up, jax.ShapeDtypeStruct(x.shape, x.dtype), x)
    ```

    A declaration is trusted: an entry that it lacks makes derivatives wrong. `asdex.testing.check_rule`
    compares it with derivatives, and `verify=True` does so in each call of a sparse derivative.

    **Arguments:**

    - `sparsity`: one of these for all arguments together, or a tuple with one for each positional argument:

        - `"elementwise"`: results read the elements at their place, after broadcasting;
        - `asdex.Along(axis, ...)`: results read all elements along these axes;
        - a pattern, an `asdex.SparsityPattern` or a sparse or dense matrix: which of all elements of the
            results, one array after the other, read which of the argument, or of all arguments;
        - `None`: results do not read the argument;
        - instead of a tuple, a function in the language of rules (`asdex.register`): called with the types
            `in_avals` and `out_avals` and one `asdex.Dependence` per array; returns one per result.

        With a tuple, results read all of what else the function is given: keywords, and captured values that
        jax traces.

    **Returns:**

    A decorator. The decorated function takes arrays and pytrees of them; all other arguments, Python numbers
    among them, are static.

    **Raises:**

    `TypeError` for a name that is no declaration. When the function is called: `TypeError` for something else
    that is none, `ValueError` if a declaration does not fit the shapes, or if the function has side effects.
    """
    for one in sparsity if isinstance(sparsity, tuple) else (sparsity,):
        if isinstance(one, str) and one != "elementwise":
            raise _no_declaration(one)
    whole = _Whole(sparsity)

    def decorate(function: _F) -> _F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            traced = any(isinstance(leaf, Tracer) for leaf in jtu.tree_leaves((args, kwargs)))
            return (_call if traced else _compiled)(function, whole, args, kwargs)

        return call  # pyright: ignore[reportReturnType]

    return decorate


class _Whole:
    """A declaration, whose arrays are no inputs of what is compiled."""

    def __init__(self, sparsity: Any):
        self.sparsity = sparsity


def _call(function: Any, whole: _Whole, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    data: Any
    data, static = eqx.partition((args, kwargs), eqx.is_array)
    leaves, tree = jtu.tree_flatten(data)
    output: Any = None

    def flat(*arrays: Any) -> list[Any]:
        nonlocal output
        inputs, named = eqx.combine(jtu.tree_unflatten(tree, arrays), static)
        made, output = eqx.partition(function(*inputs, **named), eqx.is_array_like)
        results, structure = jtu.tree_flatten(made)
        output = structure, output
        return results

    closed = jax.make_jaxpr(flat)(*leaves)
    jaxpr, consts = open_jaxpr(closed), list(jaxpr_consts(closed))
    if jaxpr.effects:
        raise ValueError(
            "Expected a function without side effects for `with_sparsity`, got one with "
            f"{', '.join(map(str, jaxpr.effects))}. Move what prints or writes out of the function."
        )
    counts = [len(jtu.tree_leaves(one)) for one in eqx.filter(args, eqx.is_array)]
    in_avals = [struct_of(leaf) for leaf in leaves]
    out_avals = [struct_of(variable.aval) for variable in jaxpr.outvars]
    declared = _declared(whole.sparsity, counts, in_avals, out_avals)
    of_consts = np.repeat(
        [isinstance(one, Tracer) and has_derivative(one) for one in consts],
        [size_of(struct_of(one)) for one in consts],
    )
    dense = sp.csr_array(np.broadcast_to(of_consts, (sum(map(size_of, out_avals)), len(of_consts))))
    results = declared_p.bind(
        *consts,
        *leaves,
        function=Function(jaxpr),
        pattern=SparsityPattern.from_scipy(sp.hstack([dense, declared], format="csr")),
        batch_ndim=0,
        num_linear=0,
        results=abstract(out_avals),
    )
    structure, rest = output
    return eqx.combine(jtu.tree_unflatten(structure, results), rest)


_compiled = eqx.filter_jit(_call)


def _declared(
    sparsity: Any, counts: Sequence[int], in_avals: Sequence[Any], out_avals: Sequence[Any]
) -> sp.csr_array:
    """Which elements of the results, as rows, read which elements of the arguments."""
    operands = identities(in_avals)
    if callable(sparsity) and not isinstance(sparsity, SparsityPattern):
        results = sparsity(Call(in_avals, out_avals), *operands)
        results: Any = [results] if isinstance(results, Dependence) else list(results)
        _check_shapes([one.shape for one in results], out_avals)
    elif isinstance(sparsity, tuple):
        if len(sparsity) != len(counts):
            raise ValueError(
                f"Expected a declaration for each of {len(counts)} positional arguments, got "
                f"{len(sparsity)}."
            )
        stops = np.cumsum([0, *counts])
        groups = [operands[a:b] for a, b in pairwise(stops)]
        parts = [_read(one, group, out_avals) for one, group in zip(sparsity, groups, strict=True)]
        parts.append(_read(_EVERYTHING, operands[stops[-1] :], out_avals))
        results = [reduce(or_, some) for some in zip(*parts, strict=True)]
    else:
        results = _read(sparsity, operands, out_avals)
    return Dependence.join(results).to_csr(sum(map(size_of, in_avals)))


_EVERYTHING = object()


def _read(
    declaration: Any, operands: Sequence[Dependence], out_avals: Sequence[Any]
) -> list[Dependence]:
    """What the results read of some arrays, by one declaration for all of these."""
    nothing = [Dependence.none(aval.shape) for aval in out_avals]
    if declaration is None or not operands:
        return nothing
    if declaration is _EVERYTHING:
        union = reduce(or_, (one.reduce(range(one.ndim)) for one in operands))
        return [union.broadcast_to(aval.shape) for aval in out_avals]
    if isinstance(declaration, Along) or (
        isinstance(declaration, str) and declaration == "elementwise"
    ):
        axes = declaration.axes if isinstance(declaration, Along) else ()
        return [
            reduce(or_, (_spread(one, axes, aval.shape) for one in operands), none)
            for aval, none in zip(out_avals, nothing, strict=True)
        ]
    return _by_matrix(declaration, Dependence.join(operands), out_avals)


def _spread(operand: Dependence, axes: Sequence[int], shape: tuple[int, ...]) -> Dependence:
    """Each result reads all elements along some axes, at its place along the others."""
    ndim = operand.ndim
    if not all(-ndim <= axis < ndim for axis in axes):
        listed = ", ".join(map(str, axes))
        raise ValueError(
            f"Expected axes of an argument of shape {operand.shape}, got asdex.Along({listed})."
        )
    mixed = sorted({range(ndim)[axis] for axis in axes})
    found = operand.reduce(mixed)
    if len(shape) == ndim:
        found = found.reshape([1 if k in mixed else n for k, n in enumerate(operand.shape)])
    try:
        return found.broadcast_to(shape)
    except ValueError as error:
        how = f"Along{tuple(axes)}" if axes else "'elementwise'"
        raise ValueError(
            f"Expected results that have the shape of an argument, {operand.shape}, apart from the declared "
            f"axes, for {how}, got shape {shape}. Declare a pattern, or a function of `asdex.Dependence`s."
        ) from error


def _by_matrix(declaration: Any, joined: Dependence, out_avals: Sequence[Any]) -> list[Dependence]:
    try:
        is_sparse = sp.issparse(declaration)
        pattern = SparsityPattern.from_scipy(declaration) if is_sparse else as_pattern(declaration)
    except TypeError as error:
        raise _no_declaration(declaration) from error
    shape = (sum(map(size_of, out_avals)), joined.size)
    if pattern.shape != shape:
        raise ValueError(
            f"Expected a pattern of shape {shape}, the elements of the results and of what they read, got "
            f"{pattern.shape}."
        )
    return joined.through(pattern.to_scipy()).split([aval.shape for aval in out_avals])


def _no_declaration(got: Any) -> TypeError:
    return TypeError(
        'Expected "elementwise", asdex.Along(axis, ...), a pattern, a matrix or None as a declaration, got '
        f"{got!r}."
    )


def _check_shapes(shapes: Sequence[tuple[int, ...]], out_avals: Sequence[Any]) -> None:
    wanted = [tuple(aval.shape) for aval in out_avals]
    if list(shapes) != wanted:
        raise ValueError(
            f"Expected the declared function to return Dependences of shapes {wanted}, those of the results, "
            f"got {list(shapes)}."
        )
