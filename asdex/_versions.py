"""All that asdex knows about differences between jax versions (0.6 and later)."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import jax


CALL_PRIMITIVES: Final = frozenset(
    {
        *("jit", "pjit", "call", "closed_call", "core_call", "core_closed_call", "eval_jaxpr"),
        *("checkpoint", "remat", "remat2", "call_hi_primitive", "custom_vmap_call"),
    }
)
"""Primitives that do no more than evaluate the one jaxpr in their parameters on their operands.

A whitelist: a `scan` without scanned inputs has the same signature as a call.
"""

EMPTY_PRIMITIVES: Final = frozenset({"empty", "empty2"})
"""Memory that nothing is written to: what a branch leaves of what another one saves for a reverse pass."""

UNPREDICTABLE_PRIMITIVES: Final = frozenset(
    {
        # code from outside the program
        *("pure_callback", "io_callback", "debug_callback", "ffi_call", "declared_sparsity"),
        # what differs between platforms and devices: detection evaluates on the CPU
        *("platform_index", "axis_index", "rng_bit_generator", "rng_uniform"),
        *EMPTY_PRIMITIVES,
    }
)
"""Primitives whose results differ from one evaluation, platform or device to the next."""

FORWARDING_PRIMITIVES: Final = frozenset(
    {"cond", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
)
"""Primitives that may pass known values through where they cannot be evaluated as a whole.

A runtime check is a `cond` with a callback in the branch that is not taken, inside of a `custom_jvp_call`.
"""


def binder(primitive: Any, params: dict[str, Any]) -> Callable[..., Any]:
    """A function of the operands that binds `primitive`, rebuilding the functions in `params`."""

    def bind(*operands: Any) -> Any:
        bind_params = primitive.get_bind_params(params)
        if isinstance(bind_params, tuple):  # jax < 0.9.2
            functions, keywords = bind_params
            return primitive.bind(*functions, *operands, **keywords)
        return primitive.bind(*operands, **bind_params)

    return bind


def discharged(jaxpr: Any) -> Any:
    """A closed jaxpr with the contents of its mutable references as ordinary values.

    **Raises:** `NotImplementedError` if JAX cannot rewrite it so.
    """
    try:
        discharge: Any = importlib.import_module("jax._src.state.discharge").discharge_state
        if "consts" in inspect.signature(discharge).parameters:  # older than jax 0.10
            return type(jaxpr)(*discharge(jaxpr.jaxpr, jaxpr.consts))
        return discharge(jaxpr)
    except (ImportError, AttributeError, TypeError, ValueError, AssertionError) as error:
        raise NotImplementedError(f"{type(error).__name__}: {error}") from error


def evaluate(bind: Callable[..., Any], operands: Sequence[Any]) -> Any:
    """Call `bind` on known operands, be a trace under way or not.

    Within `jax.ensure_compile_time_eval`, jax 0.6 has no evaluation rule for loops. A thread of its own has
    no trace under way to escape.
    """
    try:
        with jax.ensure_compile_time_eval():
            return bind(*operands)
    except NotImplementedError:
        with ThreadPoolExecutor(1) as executor:
            return executor.submit(bind, *operands).result()


def in_auto_axes(
    function: Callable[..., Any], arrays: Any, mesh: jax.sharding.Mesh, specs: Any = None
) -> Callable[..., Any]:
    """`function` of `arrays`, which the compiler shards also where a type says how: on `Explicit` axes.

    Operations on arrays of such types, as on a mesh of `jax.make_mesh` since jax 0.9, would have to say how
    their results are sharded. The results are then sharded by `specs`, a tree of which each leaf is for all
    below; by default they are whole on every device.
    """
    if not hasattr(jax.sharding, "auto_axes"):  # jax 0.6 has no such types
        return function
    kind = jax.sharding.AxisType.Explicit
    meshes = [jax.typeof(leaf).sharding.mesh for leaf in jax.tree.leaves(arrays)]
    if not any(kind in one.axis_types for one in (*meshes, jax.sharding.get_abstract_mesh())):
        return function
    results = jax.tree.map(
        lambda spec: jax.sharding.NamedSharding(mesh, spec),
        jax.sharding.PartitionSpec() if specs is None else specs,
        is_leaf=lambda one: isinstance(one, jax.sharding.PartitionSpec),
    )
    return jax.sharding.auto_axes(function, axes=mesh.axis_names, out_sharding=results)


def constraint(mesh: jax.sharding.Mesh, spec: jax.sharding.PartitionSpec) -> Any:
    """What `jax.lax.with_sharding_constraint` takes for `spec` on a mesh whose axes the compiler handles."""
    if hasattr(jax.sharding, "auto_axes"):
        context = jax.sharding.get_abstract_mesh()
        if context.axis_names == mesh.axis_names:  # it says of which types the axes are here
            return spec
    return jax.sharding.NamedSharding(jax.sharding.Mesh(mesh.devices, mesh.axis_names), spec)


def in_64_bits() -> Any:
    """The context manager `jax.enable_x64`, which old versions have elsewhere."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64
    return importlib.import_module("jax.experimental").enable_x64


def shard_map(
    function: Callable[..., Any], mesh: Any, in_specs: Any, out_specs: Any, check: bool = True
) -> Callable[..., Any]:
    """`function` on each device of a mesh, with the parts of its arguments that are there."""
    if not hasattr(jax, "shard_map"):  # before jax 0.7
        older: Any = importlib.import_module("jax.experimental.shard_map").shard_map
        return older(function, mesh, in_specs, out_specs, check_rep=check)
    context = jax.sharding.get_abstract_mesh().axis_names == mesh.axis_names
    specs: Any = {"in_specs": in_specs, "out_specs": out_specs}
    return jax.shard_map(function, mesh=None if context else mesh, **specs, check_vma=check)


def mesh_axes(aval: Any) -> frozenset[str]:
    """The axes of a mesh over which arrays of a type vary, inside `jax.shard_map`."""
    kind = getattr(aval, "manual_axis_type", None)  # since jax 0.10
    return getattr(aval, "vma", frozenset()) if kind is None else kind.varying


def varying_as(array: Any, other: Any) -> Any:
    """An array that varies over the axes of a mesh over which another one does."""
    axes = tuple(mesh_axes(jax.typeof(other)) - mesh_axes(jax.typeof(array)))
    if not axes:
        return array
    lax: Any = jax.lax
    if hasattr(lax, "pcast"):
        return lax.pcast(array, axes, to="varying")
    return lax.pvary(array, axes)  # before jax 0.9
