"""All that asdex knows about differences between jax versions (0.6 and later)."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np
from jax.core import Tracer
from jax.extend import source_info_util
from jax.extend.core import Literal


# An equation that asdex makes stems from the line that called asdex.
source_info_util.register_exclusion(str(Path(__file__).parent) + os.sep)

CALL_PRIMITIVES: Final = frozenset(
    {
        *("jit", "pjit", "call", "closed_call", "core_call", "core_closed_call", "eval_jaxpr"),
        *("checkpoint", "remat", "remat2", "call_hi_primitive", "custom_vmap_call"),
    }
)
"""Primitives that do no more than evaluate the one jaxpr in their parameters on their operands.

A whitelist: a `scan` without scanned inputs has the same signature as a call.
"""

_UNPREDICTABLE: Final = frozenset(
    {
        # code from outside the program
        *("pure_callback", "io_callback", "debug_callback", "ffi_call"),
        # what differs between platforms and devices: detection evaluates on the CPU
        *("platform_index", "axis_index", "rng_bit_generator", "rng_uniform"),
        # memory that nothing has been written to
        *("empty", "empty2"),
    }
)


PASSING_PRIMITIVES: Final = frozenset(
    {"cond", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
)
"""Primitives that may pass known values through where they cannot be evaluated as a whole.

A runtime check is a `cond` with a callback in the branch that is not taken, inside of a `custom_jvp_call`.
"""


def is_predictable(eqn: Any) -> bool:
    """Whether an equation gives the same results wherever and whenever it is evaluated."""
    if eqn.effects or eqn.primitive.name in _UNPREDICTABLE:
        return False
    if any(_is_hardware_key(atom.aval) for atom in (*eqn.invars, *eqn.outvars)):
        return False
    return all(
        is_predictable(one) for inner in nested_jaxprs(eqn) for one in open_jaxpr(inner).eqns
    )


def _is_hardware_key(aval: Any) -> bool:
    """Whether the type is that of keys of a random number generator which each platform has its own of."""
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and not isinstance(dtype, np.dtype) and "rbg" in str(dtype)


def nested_jaxprs(eqn: Any) -> list[Any]:
    """The jaxprs in the parameters of an equation."""
    values = [
        one
        for value in eqn.params.values()
        for one in (value if isinstance(value, tuple | list) else (value,))
    ]
    return [value for value in values if is_jaxpr(value)]


def open_jaxpr(jaxpr: Any) -> Any:
    """The `Jaxpr` inside a `ClosedJaxpr`, which are one class since jax 0.11."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def jaxpr_consts(jaxpr: Any) -> Sequence[Any]:
    """The values of a jaxpr's constant variables."""
    return getattr(jaxpr, "consts", ())


def is_jaxpr(value: Any) -> bool:
    inner = open_jaxpr(value)
    return all(hasattr(inner, name) for name in ("eqns", "invars", "outvars", "constvars"))


def call_jaxpr(eqn: Any) -> Any | None:
    """The jaxpr that a call equation evaluates, or `None` if the equation is not a plain call."""
    if eqn.primitive.name not in CALL_PRIMITIVES:
        return None
    found = [value for value in eqn.params.values() if is_jaxpr(value)]
    if len(found) != 1:
        return None
    inner = open_jaxpr(found[0])
    same_arity = len(inner.invars) == len(eqn.invars) and len(inner.outvars) == len(eqn.outvars)
    return found[0] if same_arity else None


def inlined_jaxpr(eqn: Any) -> Any | None:
    """The jaxpr of a call of `jax.jit` that may as well be a part of the program around it; else `None`."""
    if eqn.primitive.name not in ("jit", "pjit"):
        return None
    shardings = (*eqn.params.get("in_shardings", ()), *eqn.params.get("out_shardings", ()))
    if any(type(one).__name__ != "UnspecifiedValue" for one in shardings):
        return None
    return None if eqn.params.get("compiler_options_kvs") else call_jaxpr(eqn)


def without_references(jaxpr: Any) -> Any:
    """The same closed jaxpr with the contents of mutable references (`jax.new_ref`) as ordinary values.

    **Raises:**

    `NotImplementedError` if JAX cannot rewrite it so.
    """
    if not _has_references(jaxpr):
        return jaxpr
    try:
        discharge: Any = importlib.import_module("jax._src.state.discharge").discharge_state
        if "consts" in inspect.signature(discharge).parameters:  # older than jax 0.10
            pure = type(jaxpr)(*discharge(jaxpr.jaxpr, jaxpr.consts))
        else:
            pure = discharge(jaxpr)
    except (ImportError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise NotImplementedError(f"{type(error).__name__}: {error}") from error
    if _has_references(pure):
        raise NotImplementedError("a reference is created outside of the function")
    return pure


def _has_references(jaxpr: Any) -> bool:
    return any(map(has_reference, open_jaxpr(jaxpr).eqns))


def has_reference(eqn: Any) -> bool:
    """Whether an equation reads or writes a reference, or creates one in a nested jaxpr."""
    atoms = (*eqn.invars, *eqn.outvars)
    return any(hasattr(atom.aval, "inner_aval") for atom in atoms) or any(
        type(effect).__name__ == "InternalMutableArrayEffect" for effect in eqn.effects
    )


def is_literal(atom: Any) -> bool:
    return isinstance(atom, Literal)


def literal_value(atom: Any) -> np.ndarray:
    """The value of a literal, which may be a scalar or a typed array."""
    return np.asarray(atom.val, dtype=atom.aval.dtype)


def binder(primitive: Any, params: dict[str, Any]) -> Callable[..., Any]:
    """A function of the operands that binds `primitive`, rebuilding the functions in `params`."""

    def bind(*operands: Any) -> Any:
        bind_params = primitive.get_bind_params(params)
        if isinstance(bind_params, tuple):  # jax < 0.9.2
            functions, keywords = bind_params
            return primitive.bind(*functions, *operands, **keywords)
        return primitive.bind(*operands, **bind_params)

    return bind


def rebind(eqn: Any, operands: Sequence[Any]) -> Sequence[Any]:
    """The results of an equation on other operands, under the settings that it was traced with."""
    names = source_info_util.current_name_stack() + eqn.source_info.name_stack
    context = source_info_util.user_context(eqn.source_info.traceback, name_stack=names)
    with context, eqn.ctx.manager:
        results = binder(eqn.primitive, eqn.params)(*operands)
    return results if eqn.primitive.multiple_results else (results,)


def evaluate(bind: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Call `bind` on known operands, within `jax.ensure_compile_time_eval`.

    There jax 0.6 has no evaluation rule for loops. A thread of its own has no trace under way to escape.
    """
    try:
        return bind(*operands)
    except NotImplementedError:
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(bind, *operands).result()


def is_staged() -> bool:
    """Whether operations become a part of a program that is traced, rather than being done now."""
    # Placed rather than computed, which would compile something where it is done now.
    return isinstance(jax.device_put(np.float32(0)), Tracer)


def source_line(eqn: Any) -> str:
    """Where the user's code made the equation: `file:line (function)`."""
    return str(source_info_util.summarize(eqn.source_info))


def source_position(source: str) -> tuple[str, int]:
    """The file and the line number in what `source_line` returns, for warnings that point there."""
    found = re.match(r"(.+?):(\d+)", source)
    return (found[1], int(found[2])) if found else (source, 0)


def is_key_dtype(dtype: Any) -> bool:
    """Whether `dtype` is an extended dtype such as a PRNG key."""
    return jax.numpy.issubdtype(dtype, jax.dtypes.extended)


def has_derivative(aval: Any) -> bool:
    """Whether values of this abstract value have tangents: real or complex floating point."""
    dtype = getattr(aval, "dtype", None)
    if dtype is None or dtype == jax.dtypes.float0 or is_key_dtype(dtype):
        return False
    return bool(jax.numpy.issubdtype(dtype, np.inexact))


def scan_arity(eqn: Any) -> tuple[int, int]:
    """The number of constants and of carried values of a `scan`: an `Equation`, or one of a jaxpr.

    Scanned operands and results have one dimension more outside the body than inside; this holds in every
    version, while the parameters that hold the numbers changed in jax 0.11.
    """
    body = open_jaxpr(eqn.params["jaxpr"])
    carried = _same_ranks(_out_avals(eqn), body.outvars)
    return _same_ranks(_in_avals(eqn), body.invars) - carried, carried


def _in_avals(eqn: Any) -> Sequence[Any]:
    return [v.aval for v in eqn.invars] if hasattr(eqn, "invars") else eqn.in_avals


def _out_avals(eqn: Any) -> Sequence[Any]:
    return [v.aval for v in eqn.outvars] if hasattr(eqn, "outvars") else eqn.out_avals


def _same_ranks(outside: Sequence[Any], inside: Sequence[Any]) -> int:
    pairs = zip(outside, inside, strict=True)
    return sum(len(out.shape) == len(variable.aval.shape) for out, variable in pairs)


def in_auto_axes(
    function: Callable[..., Any], arrays: Any, mesh: jax.sharding.Mesh
) -> Callable[..., Any]:
    """`function` of `arrays`, which the compiler shards also where a type says how: on `Explicit` axes.

    Operations on arrays of such types, as on a mesh of `jax.make_mesh` since jax 0.9, would have to say how
    their results are sharded. The results are then whole on every device.
    """
    if not hasattr(jax.sharding, "auto_axes"):  # jax 0.6 has no such types
        return function
    kind = jax.sharding.AxisType.Explicit
    meshes = [jax.typeof(leaf).sharding.mesh for leaf in jax.tree.leaves(arrays)]
    if not any(kind in one.axis_types for one in (*meshes, jax.sharding.get_abstract_mesh())):
        return function
    whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    return jax.sharding.auto_axes(function, axes=mesh.axis_names, out_sharding=whole)


def constraint(mesh: jax.sharding.Mesh, spec: jax.sharding.PartitionSpec) -> Any:
    """What `jax.lax.with_sharding_constraint` takes for `spec` on a mesh whose axes the compiler handles."""
    if hasattr(jax.sharding, "auto_axes"):
        context = jax.sharding.get_abstract_mesh()
        if context.axis_names == mesh.axis_names:  # it says of which types the axes are here
            return spec
    return jax.sharding.NamedSharding(jax.sharding.Mesh(mesh.devices, mesh.axis_names), spec)
