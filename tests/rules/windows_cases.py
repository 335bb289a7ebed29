"""Cases for `rules/windows.py`. Convolutions are tested in depth in `test_convolution.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


WINDOWS = {
    "plain": dict(window_dimensions=(3,), window_strides=(1,), padding="VALID"),
    "strides": dict(window_dimensions=(2,), window_strides=(3,), padding="VALID"),
    "same": dict(window_dimensions=(3,), window_strides=(2,), padding="SAME"),
    "padding": dict(window_dimensions=(3,), window_strides=(1,), padding=[(2, 1)]),
    "dilated window": dict(
        window_dimensions=(2,), window_strides=(1,), padding=[(1, 0)], window_dilation=(3,)
    ),
    "dilated base": dict(
        window_dimensions=(3,), window_strides=(2,), padding=[(1, 1)], base_dilation=(2,)
    ),
    "wider than the array": dict(window_dimensions=(9,), window_strides=(1,), padding="VALID"),
}
PLANE = dict(window_dimensions=(2, 3), window_strides=(1, 2), padding=[(0, 1), (1, 1)])


def family(initial: float, operation) -> list[Case]:
    def pool(x, **window):
        return lax.reduce_window(x, x.dtype.type(initial), operation, **window)

    return [
        *(
            case(lambda x, w=w: pool(x, **w), points((7,)), label=name)
            for name, w in WINDOWS.items()
        ),
        case(lambda x: pool(x, **PLANE), points((3, 4)), label="plane"),
        case(lambda x: pool(x, **WINDOWS["plain"]), points((5,), jnp.float16), label="half"),
        case(lambda x: pool(x, **WINDOWS["padding"]), points((0,)), label="empty"),
    ]


def max_pool(x, **window):
    return lax.reduce_window(x, -jnp.inf, lax.max, **window)


def chosen(x, tangent, **window):
    return jax.jvp(lambda z: max_pool(z, **window), (x,), (tangent,))[1]


def scattered(x, cotangent, **window):
    return jax.vjp(lambda z: max_pool(z, **window), x)[1](cotangent)[0]


DIFFERENTIABLE = ("plain", "strides", "same", "padding")


def result_of(x, window):
    return points(jax.eval_shape(lambda z: max_pool(z, **window), x).shape)


def pair_sum(a, b):
    return a[0] + b[0], a[1] * b[1]


CASES: dict[str, list[Case]] = {
    "reduce_window_sum": family(0, lax.add),
    "reduce_window_max": family(-np.inf, lax.max),
    "reduce_window_min": family(np.inf, lax.min),
    "reduce_window": [
        # JAX has no derivative for windows of several arrays. The rule lets every result read everything.
        case(
            lambda x, y, a, b: lax.reduce_window((x, y), (a, b), pair_sum, (2,), (1,), "VALID"),
            *(points((3,)), points((3,)), points(()), points(())),
            expected=np.tile([[1, 1, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0, 1, 1, 1, 1]], (2, 1)),
        ),
    ],
    "select_and_gather_add": [
        case(
            lambda x, t, w=w: chosen(x, t, **w),
            *(points((5,)), points((5,))),
            label=name,
        )
        for name, w in (*((name, WINDOWS[name]) for name in DIFFERENTIABLE),)
    ],
    "select_and_scatter_add": [
        *(
            case(
                lambda x, c, w=WINDOWS[name]: scattered(x, c, **w),
                *(points((5,)), result_of(points((5,)), WINDOWS[name])),
                label=name,
            )
            for name in DIFFERENTIABLE
        ),
        case(
            lambda x, c: scattered(x, c, **PLANE),
            *(points((2, 3)), result_of(points((2, 3)), PLANE)),
            label="plane",
        ),
    ],
    "conv_general_dilated": [
        case(lambda x, k: jnp.convolve(x, k), points((5,)), points((3,)), label="convolve"),
        case(
            lambda x: jnp.convolve(x, np.array([1.0, 0, -1])),
            points((5,)),
            label="central difference",
        ),
        case(
            lambda x, k: lax.conv(x, k, (1, 1), "SAME"),
            *(points((1, 2, 3, 3)), points((2, 2, 2, 2))),
            label="plane",
        ),
        case(
            lambda x, k: lax.conv(x, k, (1,), "VALID"),
            points((0, 1, 3)),
            points((2, 1, 2)),
            label="empty",
        ),
        case(
            lambda x, k: lax.conv(x, k, (1,), "VALID"),
            *(points((1, 1, 3), jnp.bfloat16), points((1, 1, 2), jnp.bfloat16)),
            label="half",
        ),
    ],
}
