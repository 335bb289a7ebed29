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
from ._data_of_calls import Constants, Data, separated
from ._kernel import Kernel, Result, Static
from .passes import Passes, TracedCall


Assemble = Callable[[Result], Any]
"""Makes what the user gets of the arrays that a call computes."""
Prepare = Callable[
    [Any, Sequence[Any], Mapping[str, Any]], tuple[Kernel, Callable[[Static], Assemble]]
]
"""Checks the arguments of a call; returns what evaluates them, and what makes an `Assemble` of the rest."""


def evaluate(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel, compiled unless an outer transformation is tracing the call already.

    Arrays and floating-point numbers are inputs of the compiled function. Everything else, such as a plain
    function or an integer argument, is a constant of it and must be hashable.
    """
    leaves, tree = jtu.tree_flatten((tuple(args), dict(kwargs)))
    kernel_leaves, kernel_tree = jtu.tree_flatten(kernel)
    if any(isinstance(leaf, Tracer) for leaf in (*leaves, *kernel_leaves)):
        return kernel(args, kwargs)[0]
    flat = (kernel_leaves, kernel_tree), (leaves, tree)
    return _compiled_for(*flat, lambda programs, data: programs.run(data))


def evaluate_now(kernel: Kernel, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Result:
    """Call the kernel on arguments with values, also where a trace is under way."""
    flat = jtu.tree_flatten(kernel), jtu.tree_flatten((tuple(args), dict(kwargs)))
    return _compiled_for(*flat, lambda programs, data: programs.run.lower(data).compile()(data))


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
    programs, data, traced = _compiled_for(
        jtu.tree_flatten(kernel),
        arguments,
        lambda programs, data: (programs, data, programs.trace.trace(data)),
    )
    changing = tuple(leaf is not None for leaf in data[1])
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


def _compiled_for(
    kernel: tuple[list[Any], Any],
    arguments: tuple[list[Any], Any],
    use: Callable[[_Programs, Data], Any],
) -> Any:
    """What `use` returns for the programs and their data.

    Python's numbers in a kernel are data, or constants if that fails: perhaps its function reads them.
    """
    data, constants = separated(kernel, arguments)
    try:
        return use(_programs(constants), data)
    except Exception:
        others, constants = separated(kernel, arguments, numbers=False)
        if len(jtu.tree_leaves(others)) == len(jtu.tree_leaves(data)):
            raise
        return use(_programs(constants), others)


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


_PROGRAMS: dict[Constants, _Programs] = {}
_MOST_PROGRAMS = 2048
"""Programs that are kept, as many as JAX keeps traces: the oldest goes first."""


def _programs(constants: Constants) -> _Programs:
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
        if len(_PROGRAMS) > _MOST_PROGRAMS:
            _PROGRAMS.pop(next(iter(tuple(_PROGRAMS))), None)
    return found


def _trace(
    data: Data, constants: Constants, calls: dict[Any, TracedCall]
) -> tuple[Result, list[Any], _Carried]:
    """Traced, but never run: the results, the terms of the seeds, and what goes with this trace."""
    kernel, args, kwargs = constants.call(data)
    passes = Passes(kernel.options.batches)
    result, static = kernel(args, kwargs, passes)
    key = object()
    calls[key] = TracedCall(functools.partial(_evaluate, constants=constants))
    return result, passes.seed_terms, _Carried((static, key))


def _evaluate(data: Data, constants: Constants) -> Result:
    kernel, args, kwargs = constants.call(data)
    return kernel(args, kwargs)[0]
