"""Cases for `rules/equinox_internal.py`."""

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from rule_case import Case, case, points


X = points((3,))


def recorded(x):
    """Writes each step of a loop into a buffer, as Equinox's loops do in place."""

    def step(carry):
        i, value, buffer = carry
        value = jnp.sin(value)
        return i + 1, value, buffer.at[i].set(value)

    start = (0, x[0], jnp.zeros(2))
    return eqxi.while_loop(
        lambda carry: carry[0] < 2, step, start, kind="checkpointed", max_steps=2, buffers=_buffer
    )[2]


def _buffer(carry):
    return carry[2]


@eqxi.noinline
def called(x):
    return jnp.sin(x) * x[::-1]


CASES: dict[str, list[Case]] = {
    "unvmap_any": [case(lambda x: jnp.where(eqxi.unvmap_any(x > 0), x, 2 * x), X)],
    "unvmap_all": [case(lambda x: jnp.where(eqxi.unvmap_all(x > 0), x, 2 * x), X)],
    "unvmap_max": [case(lambda x: x * eqxi.unvmap_max((x * 9).astype(jnp.int32)), X)],
    # These may neither be compiled nor batched, which a derivative in all directions at once needs.
    "nontraceable": [case(eqxi.nontraceable, X, expected=np.eye(3))],
    "nonbatchable": [case(eqxi.nonbatchable, X, expected=np.eye(3))],
    "nondifferentiable_backward": [case(eqxi.nondifferentiable_backward, X)],
    "select_if_vmap": [
        case(lambda x, y: eqxi.select_if_vmap_p.bind(x[0] > 0, x, y), X, X),
    ],
    "maybe_set": [case(recorded, X)],
    "noinline": [case(called, X)],
    "vprim": [case(jax.vmap(recorded), points((2, 3)))],
}
