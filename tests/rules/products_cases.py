"""Cases for `rules/products.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


TRIDIAGONAL = np.diag([1.0, 2, 3]) + np.diag([4.0, 5], 1) + np.diag([-1.0, 0], -1)
TRIDIAGONAL = TRIDIAGONAL.astype(np.float32)
RANDOM = np.random.default_rng(0)
BATCHED = (RANDOM.uniform(1, 2, (2, 3, 4)) * (RANDOM.uniform(size=(2, 3, 4)) < 0.5)).astype(
    np.float32
)


def general(numbers, left, right):
    return lambda x, y: lax.dot_general(x.reshape(left), y.reshape(right), numbers)


def both(numbers, left, right, label) -> Case:
    return case(general(numbers, left, right), points(left), points(right), label=label)


CASES: dict[str, list[Case]] = {
    "dot_general": [
        both((((1,), (0,)), ((), ())), (2, 3), (3, 2), "matrices"),
        both((((0,), (1,)), ((), ())), (3, 2), (2, 3), "transposed"),
        both((((), ()), ((), ())), (2,), (3,), "outer"),
        both((((0,), (0,)), ((), ())), (3,), (3,), "inner"),
        both((((0, 1), (1, 0)), ((), ())), (2, 3), (3, 2), "two contracted"),
        both((((2,), (1,)), ((0,), (0,))), (2, 2, 3), (2, 3, 2), "batch"),
        both((((1,), (2,)), ((2,), (0,))), (2, 3, 2), (2, 2, 3), "batch axes in other places"),
        both((((3,), (2,)), ((0, 2), (3, 0))), (2, 2, 3, 2), (3, 1, 2, 2), "two batch axes"),
        both((((), ()), ((0,), (0,))), (3,), (3,), "batch alone"),
        both((((1,), (0,)), ((), ())), (2, 0), (0, 3), "empty contraction"),
        both((((1,), (0,)), ((), ())), (0, 2), (2, 3), "empty"),
        case(lambda x: TRIDIAGONAL @ x, points((3,)), label="known matrix"),
        case(lambda x: x @ TRIDIAGONAL, points((2, 3)), label="known right matrix"),
        case(lambda x: TRIDIAGONAL @ x @ TRIDIAGONAL, points((3, 3)), label="both sides"),
        case(
            lambda x: jnp.einsum("bij,bjk->bik", BATCHED, x), points((2, 4, 2)), label="known batch"
        ),
        case(
            lambda x: jnp.einsum("bij,kjb->ikb", BATCHED, x),
            points((2, 4, 2)),
            label="known permuted",
        ),
        case(
            lambda x: jnp.einsum("bij,b->ij", BATCHED, x),
            points((2,)),
            label="known contracted batch",
        ),
        case(lambda x: np.zeros((2, 3), np.float32) @ x, points((3,)), label="known zero matrix"),
        case(lambda a, x: a @ x, jnp.zeros((3, 3)), points((3,)), label="unknown zero matrix"),
        case(lambda x: x @ x, points((3, 3)), label="square of a matrix"),
        case(lambda x: jnp.dot(x, x), points((3,)), label="square of a vector"),
        case(lambda x: jax.vmap(lambda r: TRIDIAGONAL @ r)(x), points((2, 3)), label="vmap"),
        case(
            lambda x: TRIDIAGONAL.astype(jnp.bfloat16) @ x, points((3,), jnp.bfloat16), label="half"
        ),
        case(
            lambda x, y: x @ y,
            points((2, 2), jnp.complex64),
            points((2,), jnp.complex64),
            label="complex",
        ),
        case(lambda x: TRIDIAGONAL @ jnp.cumsum(x), points((3,)), label="after a dense set"),
        case(
            lambda x, y: jnp.matmul(x, y, preferred_element_type=jnp.float32),
            *(points((2, 2), jnp.float16), points((2, 2), jnp.float16)),
            label="wider result",
        ),
    ],
}
