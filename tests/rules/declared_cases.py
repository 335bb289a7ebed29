"""Cases for `rules/declared.py`: functions whose declarations are exact, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
from rule_case import Case, case, points

import asdex


X, A = points((4,)), points((2, 3))
NEXT = asdex.SparsityPattern.from_dense(np.eye(4) + np.roll(np.eye(4), 1, axis=1))

sine = asdex.with_sparsity("elementwise")(jnp.sin)
steps = asdex.with_sparsity(NEXT)(lambda x: (jnp.roll(x, -1) - x) ** 3)
norms = asdex.with_sparsity(asdex.Along(-1))(lambda a: jnp.sqrt(jnp.sum(a**2, axis=-1)))
scaled = asdex.with_sparsity((asdex.Along(1), "elementwise"))(
    lambda a, b: jnp.sum(a, axis=1, keepdims=True) * b
)
pair = asdex.with_sparsity(lambda eqn, x, y: [x | y.reduce(0), x])(lambda x, y: (x * y.sum(), x**2))
constant = asdex.with_sparsity((None, "elementwise"))(lambda x, y: y * jnp.sign(x))


@jax.custom_vjp
def backwards_only(x, y):
    return jnp.sin(x) * y


backwards_only.defvjp(
    lambda x, y: (jnp.sin(x) * y, (x, y)),
    lambda r, c: (jnp.cos(r[0]) * r[1] * c, jnp.sin(r[0]) * c),
)
product = asdex.with_sparsity("elementwise")(backwards_only)

CASES: dict[str, list[Case]] = {
    "declared_sparsity": [
        case(sine, X, label="elementwise"),
        case(steps, X, label="pattern"),
        case(norms, A, label="along"),
        case(scaled, A, A, label="per argument"),
        case(pair, X, X, label="function"),
        case(constant, X, X, label="not read"),
        case(product, X, X, label="reverse mode only"),
        case(sine, points((0,)), label="empty"),
        case(sine, points(()), label="scalar"),
        case(jax.vmap(norms), points((2, 2, 3)), label="vmap"),
        case(jax.vmap(scaled, in_axes=(0, None)), points((2, 2, 3)), A, label="vmap of one"),
        case(jax.grad(lambda x: jnp.sum(steps(x) ** 2)), X, label="gradient"),
        case(jax.grad(lambda a: jnp.sum(norms(a) ** 3)), A, label="gradient along"),
        case(
            jax.vmap(jax.grad(lambda x: jnp.sum(steps(x) ** 2))),
            A[:, :1] + X,
            label="vmap of a gradient",
        ),
        case(lambda x: jax.jvp(steps, [x], [x[::-1]])[1], X, label="tangent"),
        case(lambda x: jax.lax.scan(lambda c, _: (steps(c), None), x, None, 2)[0], X, label="scan"),
        case(
            lambda s: asdex.with_sparsity("elementwise")(lambda x: x * s)(X), X[0], label="captured"
        ),
    ]
}
