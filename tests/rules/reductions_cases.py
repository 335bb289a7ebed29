"""Cases for `rules/reductions.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


CUBE = points((2, 3, 4))
ROW = points((5,))
# An argument, so its values may change: other keys would move the values elsewhere.
INTEGERS = jnp.array([2, 0, 1])


def reduction(fn, *, half=True, complex_too=False) -> list[Case]:
    return [
        case(lambda x: fn(x, axis=(0, 2)), CUBE, label="two axes"),
        case(lambda x: fn(x, axis=1), CUBE, label="middle axis"),
        case(lambda x: fn(x), points((2, 3)), label="all axes"),
        case(lambda x: fn(x, axis=0), points((3, 0)), label="empty result"),
        *([case(lambda x: fn(x), ROW.astype(jnp.bfloat16), label="half")] if half else []),
        *(
            [case(lambda x: fn(x), points((3,), jnp.complex64), label="complex")]
            if complex_too
            else []
        ),
    ]


def cumulative(fn, *, complex_too=False) -> list[Case]:
    return [
        *(
            case(
                lambda x, a=axis, r=reverse: fn(x, axis=a, reverse=r),
                points((3, 4)),
                label=f"axis {axis}{' reversed' if reverse else ''}",
            )
            for axis in (0, 1)
            for reverse in (False, True)
        ),
        case(fn, points((7,), jnp.float16), label="half"),
        case(fn, points((1,)), label="single"),
        case(lambda x: fn(x, axis=1, reverse=True), points((0, 3)), label="empty"),
        *([case(fn, points((3,), jnp.complex64), label="complex")] if complex_too else []),
    ]


# Parameters of the primitive, which are more in newer versions: as `jax.numpy` gives them, and no axes.
NO_AXES = {**jax.make_jaxpr(jnp.sum)(ROW).eqns[0].params, "axes": ()}


def sum_of_two(a, b):
    return a[0] + b[0], a[1] + b[1]


def sum_of_squares(a, b):
    return a + b * b


def scaled(a, b):
    return a[0] * b[0], a[0] * b[1] + a[1] * b[0]


CASES: dict[str, list[Case]] = {
    "reduce_sum": [
        *reduction(jnp.sum, complex_too=True),
        case(jnp.sum, points((0,)), label="empty operand"),
        case(lambda x: lax.reduce_sum_p.bind(x, **NO_AXES), ROW, label="no axes"),
    ],
    "reduce_max": reduction(jnp.max),
    "reduce_min": reduction(jnp.min),
    "reduce_prod": reduction(jnp.prod, complex_too=True),
    "cumsum": [
        *cumulative(lax.cumsum, complex_too=True),
        case(lax.cumsum, points((40,)), label="long"),
    ],
    "cumprod": cumulative(lax.cumprod, complex_too=True),
    "cummax": cumulative(lax.cummax),
    "cummin": cumulative(lax.cummin),
    "cumlogsumexp": cumulative(lax.cumlogsumexp),
    "reduce": [
        # A user's function is taken to mix all operands; JAX differentiates no other multi-operand `reduce`.
        case(
            lambda x, y: lax.reduce((x, y), (0.0, 1.0), sum_of_two, (0,)),
            *(points((3, 2)), points((3, 2))),
            label="two operands",
            excess=True,
        ),
        case(
            lambda x, y, u, v: lax.reduce((x, y), (u, v), scaled, (0,)),
            *(points((2, 1)), points((2, 1)), points(()), points(())),
            label="initial values",
            expected=np.ones((2, 6)),
        ),
        case(
            lambda x: lax.reduce(x, jnp.float32(0), sum_of_squares, (1,)),
            points((2, 2)),
            label="one operand",
            expected=[[1, 1, 0, 0], [0, 0, 1, 1]],
        ),
    ],
    "sort": [
        case(lambda x: lax.sort(x, dimension=0), points((4, 2))),
        case(lambda x: lax.sort(x, dimension=1), points((2, 4)), label="last axis"),
        case(
            lambda x, y: lax.sort((x, y), num_keys=1),
            points((4,)),
            points((4,)),
            label="key and value",
        ),
        case(
            lambda x, y: lax.sort((x, y), num_keys=2), points((4,)), points((4,)), label="two keys"
        ),
        case(
            lambda x, y, z: lax.sort((x, y, z), dimension=0, num_keys=1),
            *(points((3, 2)), points((3, 2)), points((3, 2))),
            label="three operands",
        ),
        case(
            lambda i, x: lax.sort((i, x), num_keys=1),
            INTEGERS,
            points((3,)),
            label="ints",
            excess=True,
        ),
        case(lambda x: jnp.sort(x, descending=True), points((4,), jnp.bfloat16), label="half"),
        case(lambda x: jnp.sort(x), points((0,)), label="empty", expected=np.zeros((0, 0))),
    ],
}
