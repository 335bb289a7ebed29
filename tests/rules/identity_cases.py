"""Cases for `rules/identity.py`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import AxisType, NamedSharding, PartitionSpec, SingleDeviceSharding
from rule_case import Case, case, optional, points


SHAPES = ((), (3,), (2, 0))


def here() -> SingleDeviceSharding:
    return SingleDeviceSharding(jax.devices()[0])


def resharded(x):
    module: Any = (
        jax.sharding if hasattr(jax.sharding, "reshard") else optional("jax.experimental.shard")
    )
    mesh = jax.make_mesh((1,), ("i",), axis_types=(AxisType.Explicit,))
    return module.reshard(x, NamedSharding(mesh, PartitionSpec()))


def laid_out(x):
    layout = optional("jax.experimental.layout")
    axes = tuple(range(x.ndim))
    if hasattr(layout, "with_layout_constraint"):
        return layout.with_layout_constraint(x, layout.Layout(axes))
    return layout.with_dll_constraint(x, layout.DeviceLocalLayout(axes))


def annotated(x):
    return metadata.set_xla_metadata(x, note="kept")


metadata = optional("jax.experimental.xla_metadata")

CASES: dict[str, list[Case]] = {
    "optimization_barrier": [
        case(
            lambda x, y: lax.optimization_barrier((x, y)), points((2, 3)), points(()), label="pair"
        ),
        case(lambda x: lax.optimization_barrier((x, jnp.sin(x))), points((3,)), label="shared"),
        case(lax.optimization_barrier, points((0,)), label="empty"),
    ],
    "device_put": [case(lambda x: jax.device_put(x, here()), points(s)) for s in SHAPES],
    "layout_constraint": [case(laid_out, points(s)) for s in SHAPES],
    # The name in jax 0.6, which has no vmap of it.
    "dll_constraint": [case(laid_out, points((3,)), expected=np.eye(3))],
    "reshard": [case(resharded, points(s)) for s in SHAPES],
    "xla_metadata_value": [case(annotated, points(s)) for s in SHAPES],
    "name": [case(lambda x: checkpoint_name(jnp.sin(x), "kept"), points(s)) for s in SHAPES],
    "sharding_constraint": [
        case(lambda x: lax.with_sharding_constraint(x, here()), points(s)) for s in SHAPES
    ],
}
