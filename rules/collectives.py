"""Programs that run on several devices at once.

What a device does is written for its own shard of the arrays. The rule replays it for all shards together,
under one `jax.vmap` for each axis of the mesh, in which collectives are sums and shuffles of stacked shards.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from asdex import Dependence, Equation, register
from asdex.detection import (
    binder,
    call_jaxpr,
    evaluated,
    jaxpr_consts,
    open_jaxpr,
    primitive_names,
    scan_arity,
)


_Names = Mapping[int, tuple[str, ...]]
"""For each dimension of an array, the mesh axes over which it is sharded."""


@register("shard_map")
def shard_map(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Runs `jaxpr` on each device of `mesh`, on the shards that `in_specs` gives to it.

    A result reads what its device reads; a `psum` reads the same place of every shard, a `ppermute` that of
    one other shard.
    """
    del operands
    params = eqn.params
    if not eqn.derived:
        # Such rules can be applied within the types of the mesh alone: differentiate before the replay.
        inside = primitive_names(params["jaxpr"])
        if inside & {"custom_vjp_call", "custom_vjp_call_jaxpr"}:
            eqn.forbid("fwd")
            return eqn.derive_reverse()
        if "custom_jvp_call" in inside:
            return eqn.derive_forward()
    mesh = params["mesh"]
    manual = params.get("newly_manual_axes", params.get("manual_axes"))
    if manual is None:
        manual = {*mesh.axis_names} - {*params["auto"]}
    sizes = {name: mesh.shape[name] for name in mesh.axis_names if name in manual}
    suffix = "specs" if "in_specs" in params else "names"  # jax 0.6 has names
    sources, targets = (
        [_names(spec) for spec in params[f"{side}_{suffix}"]] for side in ("in", "out")
    )

    def on_all_devices(*arrays: Any) -> list[Any]:
        def body(*shards: Any) -> list[Any]:
            return _replay(params["jaxpr"], shards)

        for axis in reversed(sizes):
            in_axes = tuple(0 if axis in _all(names) else None for names in sources)
            body = _mapped(body, axis, sizes[axis], in_axes)
        shards = [_split(array, names, sizes) for array, names in zip(arrays, sources, strict=True)]
        stacked = body(*shards)
        return [_join(array, names, sizes) for array, names in zip(stacked, targets, strict=True)]

    # Values are left out: `_join` unites the copies that devices hold, by a sum.
    results = eqn.expand(on_all_devices)
    return [value.as_dependence(aval) for value, aval in zip(results, eqn.out_avals, strict=True)]


@register("xla_pmap")
def xla_pmap(eqn: Equation, *operands: Dependence) -> list[Any]:
    """Runs `call_jaxpr` on each slice of the operands, one per device."""
    del operands
    params = eqn.params

    def on_all_devices(*arrays: Any) -> list[Any]:
        def body(*slices: Any) -> list[Any]:
            return _replay(params["call_jaxpr"], slices)

        options = {"axis_name": params["axis_name"], "axis_size": params["global_axis_size"]}
        return jax.vmap(body, params["in_axes"], list(params["out_axes"]), **options)(*arrays)

    return eqn.expand(on_all_devices)


@register("psum", "pmax", "pmin")
def reduce_positions(eqn: Equation, *operands: Dependence) -> Any:
    """A reduction over the axes of a `vmap` that had a name: they are numbered here.

    `jax.vmap(lambda x: jax.lax.psum(x, "i"), axis_name="i")` reads every `x` for its one result.
    """
    axes = eqn.params["axes"]
    if not all(isinstance(axis, int) for axis in axes):
        return NotImplemented
    return [operand.reduce(axes) for operand in operands]


def _mapped(
    body: Callable[..., list[Any]], axis: str, size: int, in_axes: tuple[int | None, ...]
) -> Callable[..., list[Any]]:
    return jax.vmap(body, in_axes, axis_name=axis, axis_size=size)


def _names(spec: Any) -> _Names:
    """A `PartitionSpec`, or the dictionary that jax 0.6 has in its place."""
    if isinstance(spec, Mapping):
        return spec
    entries = [() if one is None else one if isinstance(one, tuple) else (one,) for one in spec]
    return dict(enumerate(entries))


def _all(names: _Names) -> list[str]:
    return [name for axes in names.values() for name in axes]


def _split(array: Any, names: _Names, sizes: Mapping[str, int]) -> Any:
    """The shards of an array, stacked along one leading dimension for each mesh axis that shards it."""
    shape: list[int] = []
    places: list[str | None] = []
    for dimension, length in enumerate(array.shape):
        axes = names.get(dimension, ())
        counts = [sizes[name] for name in axes]
        shape.extend([*counts, length // math.prod(counts)])
        places.extend([*axes, None])
    leading = [places.index(name) for name in sizes if name in places]
    local = [k for k, name in enumerate(places) if name is None]
    return array.reshape(shape).transpose([*leading, *local])


def _join(stacked: Any, names: _Names, sizes: Mapping[str, int]) -> Any:
    """The array whose shards are stacked along leading dimensions, one for each mesh axis.

    Over the other mesh axes the shards are copies, of which any may be the one that counts.
    """
    copies = tuple(k for k, name in enumerate(sizes) if name not in _all(names))
    if jnp.issubdtype(stacked.dtype, jnp.inexact):
        stacked = stacked.sum(copies)
    else:
        stacked = stacked[tuple(0 if k in copies else slice(None) for k in range(len(sizes)))]
    leading = [name for name in sizes if name in _all(names)]
    order: list[int] = []
    shape: list[int] = []
    for dimension, length in enumerate(stacked.shape[len(leading) :]):
        axes = names.get(dimension, ())
        order.extend([*map(leading.index, axes), len(leading) + dimension])
        shape.append(length * math.prod(sizes[name] for name in axes))
    return stacked.transpose(order).reshape(shape)


# --- the body, bound anew under other axes ---------------------------------------------------------


def _replay(jaxpr: Any, operands: Sequence[Any]) -> list[Any]:
    """Evaluate a jaxpr, also where its types name the axes of a mesh."""
    return evaluated(open_jaxpr(jaxpr), jaxpr_consts(jaxpr), operands, _replay_equation)


def _replay_equation(eqn: Any, operands: list[Any]) -> list[Any]:
    body = call_jaxpr(eqn)
    if body is not None:
        return _replay(body, operands)
    replayed = _REPLAYED.get(eqn.primitive.name)
    if replayed is not None:
        return replayed(eqn, *operands)
    results = binder(eqn.primitive, eqn.params)(*operands)
    return list(results) if eqn.primitive.multiple_results else [results]


def _psum(eqn: Any, *operands: Any) -> list[Any]:
    return [lax.psum(operand, eqn.params["axes"]) for operand in operands]


def _all_gather(eqn: Any, operand: Any) -> list[Any]:
    params = eqn.params
    dimension, tiled = params["all_gather_dimension"], params["tiled"]
    return [lax.all_gather(operand, params["axis_name"], axis=dimension, tiled=tiled)]


def _ppermute(eqn: Any, operand: Any) -> list[Any]:
    """Under `vmap` all places must send and receive; those that receive nothing are cleared afterwards."""
    axis, pairs = eqn.params["axis_name"], eqn.params["perm"]
    senders, receivers = ({pair[end] for pair in pairs} for end in (0, 1))
    places = range(lax.psum(1, axis))
    rest = zip(
        [k for k in places if k not in senders],
        [k for k in places if k not in receivers],
        strict=True,
    )
    moved = lax.ppermute(operand, axis, [*pairs, *rest])
    if len(receivers) == len(places):
        return [moved]
    received = jnp.asarray(np.isin(places, [*receivers]))[lax.axis_index(axis)]
    return [jnp.where(received, moved, jnp.zeros_like(moved))]


def _pbroadcast(eqn: Any, operand: Any) -> list[Any]:
    """JAX has a rule for `vmap`, which fails."""
    return [lax.all_gather(operand, eqn.params["axis_name"])[eqn.params["source"]]]


def _unchanged(eqn: Any, *operands: Any) -> list[Any]:
    del eqn
    return list(operands)


def _scan(eqn: Any, *operands: Any) -> list[Any]:
    num_consts, num_carry = scan_arity(eqn)
    consts, initial = operands[:num_consts], operands[num_consts : num_consts + num_carry]

    def step(carry: list[Any], slices: list[Any]) -> tuple[list[Any], list[Any]]:
        results = _replay(eqn.params["jaxpr"], [*consts, *carry, *slices])
        return results[:num_carry], results[num_carry:]

    length, backwards = eqn.params["length"], eqn.params["reverse"]
    scanned = list(operands[num_consts + num_carry :])
    carry, stacked = lax.scan(step, list(initial), scanned, length, backwards)
    return [*carry, *stacked]


def _while(eqn: Any, *operands: Any) -> list[Any]:
    split = eqn.params["cond_nconsts"]
    start = split + eqn.params["body_nconsts"]

    def proceed(carry: list[Any]) -> Any:
        return _replay(eqn.params["cond_jaxpr"], [*operands[:split], *carry])[0]

    def step(carry: list[Any]) -> list[Any]:
        return _replay(eqn.params["body_jaxpr"], [*operands[split:start], *carry])

    return lax.while_loop(proceed, step, list(operands[start:]))


def _cond(eqn: Any, index: Any, *operands: Any) -> list[Any]:
    branches = [lambda *values, body=body: _replay(body, values) for body in eqn.params["branches"]]
    return lax.switch(index, branches, *operands)


_REPLAYED: Mapping[str, Callable[..., list[Any]]] = {
    # Collectives and casts that exist for the types of a mesh alone, and have no meaning under `vmap`.
    "psum_invariant": _psum,
    "all_gather_invariant": _all_gather,
    "ppermute": _ppermute,
    "pbroadcast": _pbroadcast,
    "pvary": _unchanged,
    # Their jaxprs are typed with the axes of the mesh.
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}
