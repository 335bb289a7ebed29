"""Cases for conditionals, loops and custom derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from rule_case import Case, case, points


X = points((4,))


@jax.custom_jvp
def straight_through(x):
    return jnp.round(x)


straight_through.defjvp(lambda primals, tangents: (jnp.round(primals[0]), tangents[0]))


@jax.custom_vjp
def reversed_backwards(x):
    return jnp.sin(x)


reversed_backwards.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: ((jnp.cos(x) * g)[::-1],))


def running(carry, x):
    return carry * x, carry + x


def counted(x):
    """Three steps, each of which moves one element to the left."""

    def step(state):
        i, c = state
        return i + 1, c.at[i].set(c[i + 1])

    return lax.while_loop(lambda state: state[0] < 3, step, (0, x))[1]


CASES: dict[str, list[Case]] = {
    "cond": [
        case(lambda x: lax.cond(x[0] > 0.5, jnp.cumsum, jnp.sin, x), X, label="unknown"),
        case(lambda x: lax.cond(jnp.asarray(False), jnp.cumsum, jnp.sin, x), X, label="known"),
    ],
    "scan": [
        case(lambda x: lax.scan(running, jnp.float32(1), x), X),
        case(lambda x: lax.scan(running, x[0], x[1:], reverse=True), X, label="reverse"),
        case(lambda x: lax.scan(running, x, jnp.ones((0, 4)))[0], X, label="no steps"),
    ],
    "while": [
        case(counted, X, label="known trip count"),
        case(
            lambda x: lax.while_loop(
                lambda c: c.sum() < 9, lambda c: c.at[1:].multiply(1 + c[:-1]), x
            ),
            X,
            label="unknown trip count",
        ),
        # A series and a continued fraction, each with as many terms as the elements need.
        case(
            lax.random_gamma_grad,
            *(X, X[::-1]),
            label="random_gamma_grad",
            expected=np.tile(np.eye(4), 2),
        ),
    ],
    "custom_jvp_call": [
        case(straight_through, X),
        case(straight_through, points((0, 2)), label="empty"),
    ],
    "stop_gradient": [
        case(lambda x: x * lax.stop_gradient(x[::-1]), X),
        case(lax.stop_gradient, points((0,)), label="empty"),
    ],
    # The second is what jax 0.6 calls the first once it is traced.
    **{
        name: [case(reversed_backwards, X), case(lambda x: x * reversed_backwards(x), X)]
        for name in ("custom_vjp_call", "custom_vjp_call_jaxpr")
    },
}
