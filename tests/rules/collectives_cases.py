"""Cases for `rules/collectives.py` on one device; `test_collectives.py` has several."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from rule_case import Case, case, points


def named(reduction):
    """A collective over the axis of a `vmap`, which reduces it."""
    return lambda x: jax.vmap(lambda row: reduction(row, "i"), axis_name="i", out_axes=None)(x)


SPLIT = PartitionSpec("i")


def on_a_mesh(body, source=SPLIT):
    if jax.__version_info__ >= (0, 7):
        shard_map = jax.shard_map
    else:
        from jax.experimental.shard_map import shard_map
    mesh = Mesh(np.array(jax.devices()[:1]), ("i",))
    return shard_map(body, mesh=mesh, in_specs=source, out_specs=SPLIT)


sharded = on_a_mesh(lambda x: x[::-1] * lax.psum(x, "i"))


def varying(x):
    """The same value on all devices, marked as one that may differ."""
    pvary: Any = getattr(lax, "pvary", None)
    return lax.pcast(x, "i", to="varying") if pvary is None else pvary(x, "i")


def on_one_device(x):
    return jax.pmap(lambda x: x[::-1] * lax.psum(x, "i"), axis_name="i")(x)


CASES: dict[str, list[Case]] = {
    "psum": [
        case(named(lax.psum), points((3, 2))),
        case(named(lax.psum), points((3,), jnp.complex64), label="complex scalars"),
        case(named(lambda x, i: lax.psum((x, 2 * x[:1]), i)), points((3, 2)), label="pair"),
    ],
    # JAX does not differentiate them.
    "pmax": [case(named(lax.pmax), points((3, 2)), expected=np.kron(np.ones(3), np.eye(2)))],
    "pmin": [case(named(lax.pmin), points((3, 2)), expected=np.kron(np.ones(3), np.eye(2)))],
    "xla_pmap": [case(on_one_device, points((1, 4)))],
    "pvary": [case(on_a_mesh(lambda x: varying(x)[::-1], PartitionSpec()), points((4,)))],
    "shard_map": [
        case(sharded, points((4,))),
        case(jax.grad(lambda x: jnp.sum(sharded(x))), points((4,)), label="reversed"),
    ],
}
