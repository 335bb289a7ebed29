"""Cases for `rules/structural.py`."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


X = points((2, 3))
Y = points((4,))
EMPTY = points((2, 0))


def padded(*config: tuple[int, int, int], known_value: bool = False) -> Case:
    x = points((3, 4)[: len(config)])
    if known_value:
        return case(lambda a: lax.pad(a, jnp.float32(2), config), x, label=f"{config} known value")
    return case(lambda a, v: lax.pad(a, v, config), x, points(()), label=f"{config}")


CASES: dict[str, list[Case]] = {
    "reshape": [
        case(lambda x: x.reshape(3, 2), X),
        case(lambda x: lax.reshape(x, (6,), (1, 0)), X, label="dimensions"),
        case(lambda x: x.reshape(()), points((1, 1)), label="to scalar"),
        case(lambda x: x.reshape(1, 1), points(()), label="of scalar"),
        case(lambda x: x.reshape(0, 5), EMPTY, label="empty"),
    ],
    "squeeze": [
        case(lambda x: lax.squeeze(x, (0, 2)), points((1, 3, 1))),
        case(lambda x: lax.squeeze(x, (0,)), points((1, 0)), label="empty"),
        case(lambda x: lax.squeeze(x, (0,)), points((1,), jnp.complex64), label="complex"),
    ],
    "broadcast_in_dim": [
        case(lambda x: lax.broadcast_in_dim(x, (2, 4, 3), (0, 2)), X, label="new axis"),
        case(lambda x: lax.broadcast_in_dim(x, (2, 3), (1,)), points((1,)), label="stretched"),
        case(lambda x: lax.broadcast_in_dim(x, (2, 3), ()), points(()), label="scalar"),
        case(lambda x: lax.broadcast_in_dim(x, (0, 3), (1,)), points((3,)), label="to empty"),
        case(lambda x: lax.broadcast_in_dim(x, (2, 0), (1,)), points((0,)), label="empty"),
        case(lambda x: lax.broadcast(x, (2,)), X, label="leading"),
        case(lambda x: jnp.expand_dims(x, (0, 2)), X, label="expand dims"),
    ],
    "transpose": [
        case(lambda x: x.transpose(2, 0, 1), points((2, 3, 4))),
        case(lambda x: x.T, EMPTY, label="empty"),
        case(lambda x: x.T, points((2, 3), jnp.complex64), label="complex"),
    ],
    "rev": [
        case(lambda x: lax.rev(x, (0, 2)), points((2, 3, 2))),
        case(lambda x: lax.rev(x, (1,)), points((2, 3), jnp.bfloat16), label="half"),
        case(lambda x: lax.rev(x, (0,)), EMPTY, label="empty"),
    ],
    "slice": [
        case(lambda x: lax.slice(x, (1, 0), (4, 5), (2, 3)), points((5, 6)), label="strides"),
        case(lambda x: lax.slice(x, (1,), (3,)), Y),
        case(lambda x: lax.slice(x, (2,), (2,)), Y, label="to empty"),
        case(lambda x: lax.slice(x[::-1], (0,), (5,), (2,)), points((5,)), label="negative stride"),
        case(lambda x: lax.slice(x, (0, 0), (1, 0)), EMPTY, label="empty"),
    ],
    "pad": [
        padded((1, 2, 0)),
        padded((-5, 4, 0)),
        padded((4, -5, 0)),
        padded((0, 0, 2)),
        padded((-1, 0, 0)),
        padded((0, -2, 0)),
        padded((-1, -1, 1)),
        padded((-2, 1, 1)),
        padded((2, -3, 2)),
        padded((-3, 2, 0)),
        padded((1, -1, 1), (-1, 2, 0)),
        padded((0, 1, 2), (-2, -1, 1)),
        padded((-1, 2, 1), (1, -2, 2), known_value=True),
        case(
            lambda v: lax.pad(np.ones(2, np.float32), v, [(1, 1, 1)]),
            points(()),
            label="known array",
        ),
        case(lambda x, v: lax.pad(x, v, [(2, 0, 1)]), points((0,)), points(()), label="empty"),
        case(
            lambda x, v: lax.pad(x, v, []),
            points(()),
            points(()),
            label="scalar",
            expected=[[1, 0]],
        ),
        case(
            lambda x: lax.pad(x, jnp.zeros((), x.dtype), [(1, 1, 1)]), points((3,), jnp.complex64)
        ),
    ],
    "concatenate": [
        case(lambda x, y: jnp.concatenate([x, y, x], 1), X, points((2, 1))),
        case(lambda x, y: jnp.concatenate([x, y]), X, points((0, 3)), label="with empty"),
        case(lambda x: jnp.concatenate([jnp.ones(2), x]), Y, label="with known"),
        case(lambda *x: jnp.concatenate(x), *[points((1,))] * 40, label="many operands"),
        case(
            lambda x: jnp.concatenate([jnp.cumsum(x), jnp.cumprod(x), x * jnp.sum(x)]),
            Y,
            label="different pools",
        ),
    ],
    "split": [
        case(lambda x: lax.split(x, (1, 0, 2), axis=1), X),
        case(lambda x: lax.split(x, (3, 1)), Y, label="one axis"),
        case(lambda x: lax.split(x, (0, 2)), points((2, 0)), label="empty"),
    ],
    "stack": [
        case(lambda x, y: jnp.stack([x, y]), X, X),
        case(lambda x, y: jnp.stack([x, y, x], axis=2), X, X, label="last axis"),
        case(lambda x, y: jnp.stack([x, y], axis=1), X, X, label="middle axis"),
        case(lambda x, y: jnp.stack([x, y]), points(()), points(()), label="scalars"),
        case(lambda x, y: jnp.stack([x, y]), EMPTY, EMPTY, label="empty"),
    ],
    "unstack": [
        case(lambda x: jnp.unstack(x), X),
        case(lambda x: jnp.unstack(x, axis=1), points((2, 3, 2)), label="middle axis"),
        case(lambda x: jnp.unstack(x), Y, label="to scalars"),
        case(lambda x: jnp.unstack(x), EMPTY, label="empty"),
    ],
    "tile": [
        case(lambda x: jnp.tile(x, (2, 3)), X),
        case(lambda x: jnp.tile(x, 3), Y, label="one axis"),
        case(lambda x: jnp.tile(x, (2, 2)), EMPTY, label="empty"),
    ],
}
