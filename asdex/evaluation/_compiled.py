"""A plain call compiles itself: once per function, shapes and dtypes."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.tree_util as jtu
from jax.core import Tracer
from jax.sharding import NamedSharding

from .._arrays import is_array, may_change
from .._jaxprs import is_staged, open_jaxpr
from ..detection import UNTRACEABLE
from ._kernel import Kernel, Result, Static
from .passes import Passes, TracedCall


Assemble = Callable[[Result], Any]
"""Makes what the user gets of the arrays that a call computes."""
Prepare = Callable[
    [Any, Sequence[Any], Mapping[str, Any]], tuple[Kernel, Callable[[Static], Assemble]]
]
"""Checks the arguments of a call; returns what evaluates them, and what makes an `Assemble` of the rest."""
_Data = tuple[list[Any], list[Any]]
"""Leaves of a kernel and of a call's arguments: the inputs of the compiled function."""


def evaluate(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel, compiled unless an outer transformation is tracing the call already.

    Arrays and floating-point numbers are inputs of the compiled function. Everything else, such as a plain
    function or an integer argument, is a constant of it and must be hashable.
    """
    leaves, tree = jtu.tree_flatten((tuple(args), dict(kwargs)))
    kernel_leaves, kernel_tree = jtu.tree_flatten(kernel)
    if any(isinstance(leaf, Tracer) for leaf in (*leaves, *kernel_leaves)):
        return kernel(args, kwargs)[0]
    data, constants = _separated((kernel_leaves, kernel_tree), (leaves, tree))
    return _programs(constants).run(data)


def evaluate_now(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel on arguments with values, also where a trace is under way."""
    data, constants = _separated(
        jtu.tree_flatten(kernel), jtu.tree_flatten((tuple(args), dict(kwargs)))
    )
    return _programs(constants).run.lower(data).compile()(data)


def evaluate_prepared(
    owner: Any, prepare: Prepare, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What the user gets of a call, with a kernel that is made when arguments of new kinds come.

    What depends on the colors alone is computed then, too.

    **Arguments:**

    - `owner`: what is called; the kinds of arguments that it was called with are remembered.
    - `prepare`: called with `owner`, `args` and `kwargs` unless arguments of these kinds came before.
    """
    leaves, tree = jtu.tree_flatten((args, kwargs))
    kinds: Any = [tree, jax.config.jax_enable_x64]  # pyright: ignore[reportAttributeAccessIssue]
    for leaf in leaves:
        if isinstance(leaf, Tracer):
            return _traced_through(owner, prepare, args, kwargs)
        kinds += _kind(leaf)
    kinds = tuple(kinds)
    plans = _PLANS.setdefault(owner, {})
    try:
        plan = plans.get(kinds)
    except TypeError:  # not hashable, which `prepare` may have a better word for
        plan = None
    if plan is not None:
        return plan.run(leaves)
    if is_staged():  # perhaps what the function closes over is traced, too, which a plan would keep
        return _traced_through(owner, prepare, args, kwargs)
    kernel, assembly = prepare(owner, args, kwargs)
    if any(isinstance(leaf, Tracer) for leaf in jtu.tree_leaves(kernel)):
        return _traced_through(owner, prepare, args, kwargs)
    plan = _plan(kernel, (leaves, tree), assembly)
    if plan is None:
        return _traced_through(owner, prepare, args, kwargs)
    result = plan.run(leaves)  # under the settings of the trace, before another thread can
    plans[kinds] = plan
    return result


def _traced_through(
    owner: Any, prepare: Prepare, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """The same where an outer transformation is tracing the call."""
    kernel, assembly = prepare(owner, args, kwargs)
    result, static = kernel(args, kwargs)
    return assembly(static)(result)


class _Plan(NamedTuple):
    """What a call needs beyond its values.

    To look it up by the kinds of the arguments takes 10 microseconds; to check all, 200 or more.

    **Attributes:**

    - `kernel`, `seed_terms`: the kernel's data, and the terms of its seeds.
    - `changing`: which of the arguments' leaves are data; `None` if all are.
    - `trace`, `program`: what is compiled.
    - `assemble`: what is made of the results.
    """

    kernel: list[Any]
    seed_terms: list[Any]
    changing: tuple[bool, ...] | None
    trace: TracedCall
    program: Callable[..., Result]
    assemble: Assemble

    def run(self, leaves: Sequence[Any]) -> Any:
        kernel, terms, changing, _, program, assemble = self
        data = leaves
        if changing is not None:
            data = [one if moves else None for one, moves in zip(leaves, changing, strict=True)]
        return assemble(program((kernel, data), terms))


_PLANS: weakref.WeakKeyDictionary[Any, dict[Any, _Plan]] = weakref.WeakKeyDictionary()


def _kind(leaf: Any) -> Any:
    """What checks and compilation read of an argument: all but the values of data."""
    kind = type(leaf)
    if isinstance(leaf, jax.Array):
        sharding = leaf.sharding
        spread = sharding if type(sharding) is NamedSharding else None
        return kind, leaf.shape, leaf.dtype, spread
    if is_array(leaf):
        return kind, leaf.shape, leaf.dtype
    return (kind,) if may_change(leaf) else (kind, leaf)


def _plan(
    kernel: Kernel, arguments: tuple[list[Any], Any], assembly: Callable[[Static], Assemble]
) -> _Plan | None:
    """`None` for a function that closes over values which an outer transformation is tracing."""
    flat = jtu.tree_flatten(kernel)
    data, constants = _separated(flat, arguments)
    changing = tuple(leaf is not None for leaf in data[1])
    programs = _programs(constants)
    try:
        traced = programs.trace.trace(data)
    except UNTRACEABLE:  # perhaps because the function reads a number of Python's
        data, constants = _separated(flat, arguments, numbers=False)
        programs = _programs(constants)
        traced = programs.trace.trace(data)
    if len(open_jaxpr(traced.jaxpr).invars) > len(jtu.tree_leaves(data)):
        return None
    result, terms, carried = traced.out_info
    static, key = carried.value
    trace = programs.calls[key]
    trace.fill(traced.jaxpr, (result, terms))
    colors = [one for one in (kernel.colors, kernel.row_colors) if one is not None]
    terms = trace.seed_terms(data, colors)
    some = None if all(changing) else changing
    return _Plan(data[0], terms, some, trace, trace.program, assembly(static))


def _separated(
    kernel: tuple[list[Any], Any], arguments: tuple[list[Any], Any], numbers: bool = True
) -> tuple[_Data, _Constants]:
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
    return (data[0], data[1]), _Constants(content)


def _weakly(leaf: Any) -> Any:
    """A weak reference to a function: what is compiled for it is dropped with it, as by `jax.jit`."""
    if not callable(leaf) or type(leaf).__eq__ is not object.__eq__:
        return leaf
    try:
        return weakref.ref(leaf)
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

    def call(self, data: _Data) -> tuple[Kernel, Sequence[Any], Mapping[str, Any]]:
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
        return [leaf() for leaf in leaves if isinstance(leaf, weakref.ref)]


def _referent(leaf: Any) -> Any:
    return leaf() if isinstance(leaf, weakref.ref) else leaf


class _Carried(eqx.Module):
    """Carries a value that is not an array out of a trace."""

    value: Any = eqx.field(static=True)


class _Programs(NamedTuple):
    """Functions of data, compiled for some constants.

    **Attributes:** `trace`: traced for plans; `calls`: what came of it, for JAX keeps the trees of results
    longer than their functions, but not these; `run`: run at once.
    """

    trace: Any
    calls: dict[Any, TracedCall]
    run: Any


_PROGRAMS: dict[_Constants, _Programs] = {}


def _programs(constants: _Constants) -> _Programs:
    """Those of equal constants, which live as long as the functions among these."""
    found = _PROGRAMS.get(constants)
    if found is None:
        calls: dict[Any, TracedCall] = {}
        found = _PROGRAMS[constants] = _Programs(
            jax.jit(functools.partial(_trace, constants=constants, calls=calls)),
            calls,
            jax.jit(functools.partial(_evaluate, constants=constants)),
        )
        for function in constants.functions():
            weakref.finalize(function, _PROGRAMS.pop, constants, None)
    return found


def _trace(
    data: _Data, constants: _Constants, calls: dict[Any, TracedCall]
) -> tuple[Result, list[Any], _Carried]:
    """Traced, but never run: the results, the terms of the seeds, and what goes with this trace."""
    kernel, args, kwargs = constants.call(data)
    passes = Passes(kernel.options.batches)
    result, static = kernel(args, kwargs, passes)
    key = object()
    calls[key] = TracedCall(functools.partial(_evaluate, constants=constants))
    return result, passes.seed_terms, _Carried((static, key))


def _evaluate(data: _Data, constants: _Constants) -> Result:
    kernel, args, kwargs = constants.call(data)
    return kernel(args, kwargs)[0]
