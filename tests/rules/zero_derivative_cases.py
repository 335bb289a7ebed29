"""Cases for `rules/zero_derivative.py`: patterns without any entry, although values do change."""

import jax
import jax.extend.core.primitives
import jax.extend.random
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


X = points((2, 3))


def through_integers(fn) -> list[Case]:
    """`fn` acts on integers made from the input; its result is used as a float again."""
    return [
        case(lambda x: fn((x * 9).astype(jnp.int32)).astype(x.dtype), points(s), label=f"shape{s}")
        for s in ((2, 3), (), (0,))
    ]


def floating(fn) -> list[Case]:
    return [
        *(case(fn, points(s), label=f"shape{s}") for s in ((2, 3), (), (0,))),
        case(fn, points((3,), jnp.bfloat16), label="half"),
        case(lambda x: fn(x) * x, points((3,)), label="as a factor"),
    ]


def comparison(fn) -> list[Case]:
    return [
        case(lambda x, y: fn(x, y).astype(jnp.float32), X, X[::-1]),
        case(
            lambda x: jnp.where(fn(x, jnp.full_like(x, 0.5)), x, 2 * x), X, label="as a predicate"
        ),
        case(lambda x, y: fn(x, y), points((0,)), points((0,)), label="empty"),
    ]


def key_of(x):
    return jax.random.key((x[0] * 9).astype(jnp.uint32))


def uniform_of(bits, x):
    return (bits % 7).astype(jnp.float32) * x


LINE = points((3,))
COUNTS = jnp.arange(3, dtype=jnp.uint32)

CASES: dict[str, list[Case]] = {
    name: comparison(getattr(lax, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}
CASES |= {
    f"{name}_to": comparison(
        lambda x, y, p=f"{name}_to_p": getattr(jax.extend.core.primitives, p).bind(x, y)
    )
    for name in ("eq", "lt", "le")
}
CASES |= {
    "is_finite": [case(lambda x: lax.is_finite(x).astype(jnp.float32) * x, X)],
    "and": [
        case(lambda x: jnp.where((x > 0) & (x < 1), x, 0), X),
        *through_integers(lambda i: i & 3),
    ],
    "or": through_integers(lambda i: i | 3),
    "xor": through_integers(lambda i: i ^ 3),
    "not": through_integers(lambda i: ~i),
    "reduce_and": [case(lambda x: jnp.where(jnp.all(x > 0, axis=0), x, 0), X)],
    "reduce_or": [case(lambda x: jnp.where(jnp.any(x > 0, axis=0), x, 0), X)],
    "reduce_xor": through_integers(lambda i: lax.reduce_xor(i, tuple(range(i.ndim)))),
    "shift_left": through_integers(lambda i: i << 1),
    "shift_right_arithmetic": through_integers(lambda i: i >> 1),
    "shift_right_logical": through_integers(lambda i: lax.shift_right_logical(i, np.int32(1))),
    "population_count": through_integers(lax.population_count),
    "clz": through_integers(lax.clz),
    "floor": floating(lax.floor),
    "ceil": floating(lax.ceil),
    "round": floating(lax.round),
    "sign": [*floating(lax.sign), case(lax.sign, points((3,), jnp.complex64), label="complex")],
    "argmax": [
        case(lambda x: jnp.argmax(x, axis=1).astype(jnp.float32), X),
        case(lambda x: x * jnp.argmax(x), X, label="as a factor"),
    ],
    "argmin": [case(lambda x: jnp.argmin(x, axis=0).astype(jnp.float32), X)],
    "iota": [
        case(lambda x: x * lax.iota(jnp.float32, 3), points((3,)), expected=np.diag([0, 1, 1]))
    ],
    "bitcast_convert_type": [
        case(lambda x: lax.bitcast_convert_type(x, jnp.int32).astype(jnp.float32), X),
        case(lambda x: lax.bitcast_convert_type(x, jnp.float16), X, label="float to float"),
    ],
    "random_seed": [case(lambda x: jax.random.uniform(key_of(x), (3,)) * x, LINE)],
    "random_bits": [case(lambda x: uniform_of(jax.random.bits(key_of(x), (3,)), x), LINE)],
    "random_split": [
        case(lambda x: jax.random.uniform(jax.random.split(key_of(x))[1], (3,)) * x, LINE),
    ],
    "random_fold_in": [
        case(lambda x: jax.random.uniform(jax.random.fold_in(key_of(x), 3), (3,)) * x, LINE),
    ],
    "random_clone": [
        case(lambda x: uniform_of(jax.random.bits(jax.random.clone(key_of(x)), (3,)), x), LINE),
    ],
    "random_wrap": [
        case(
            lambda x: uniform_of(
                jax.random.bits(jax.random.wrap_key_data((x[:2] * 9).astype(jnp.uint32)), (3,)), x
            ),
            LINE,
        ),
    ],
    "random_unwrap": [
        case(lambda x: uniform_of(jax.random.key_data(key_of(x))[1:], x), LINE),
    ],
    "threefry2x32": [
        case(
            lambda x: uniform_of(
                jax.extend.random.threefry_2x32((x[:2] * 9).astype(jnp.uint32), COUNTS), x
            ),
            LINE,
        ),
    ],
    "rng_bit_generator": [
        case(
            lambda x: uniform_of(lax.rng_bit_generator((x * 9).astype(jnp.uint32), (4,))[1], x),
            points((4,)),
        ),
    ],
    "rng_uniform": [
        # JAX does not differentiate random numbers with respect to their range.
        case(lambda x: lax.rng_uniform(x[0], x[1], (2,)), LINE, expected=np.zeros((2, 3))),
    ],
}
