"""Cases for `rules/identity.py`."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import SingleDeviceSharding
from rule_case import Case, case, points


SHAPES = ((), (3,), (2, 0))


def here() -> SingleDeviceSharding:
    return SingleDeviceSharding(jax.devices()[0])


CASES: dict[str, list[Case]] = {
    "optimization_barrier": [
        case(
            lambda x, y: lax.optimization_barrier((x, y)), points((2, 3)), points(()), label="pair"
        ),
        case(lambda x: lax.optimization_barrier((x, jnp.sin(x))), points((3,)), label="shared"),
        case(lax.optimization_barrier, points((0,)), label="empty"),
    ],
    "device_put": [case(lambda x: jax.device_put(x, here()), points(s)) for s in SHAPES],
    "name": [case(lambda x: checkpoint_name(jnp.sin(x), "kept"), points(s)) for s in SHAPES],
    "sharding_constraint": [
        case(lambda x: lax.with_sharding_constraint(x, here()), points(s)) for s in SHAPES
    ],
}
