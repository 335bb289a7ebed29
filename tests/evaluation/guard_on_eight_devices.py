"""Run by `test_guard.py` with eight devices: the guard on meshes and for sharded inputs.

Prints a JSON object: for each program what the guard says at the point of the pattern, and at another one.
"""

import json
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import asdex


LINE = Mesh(np.array(jax.devices()), ("c",))
GRID = Mesh(np.array(jax.devices()).reshape(4, 2), ("c", "d"))
MESHES = {
    "line": {"mesh": LINE},
    "one axis of two": {"mesh": GRID, "axis": "d"},
    "chunks": {"mesh": LINE, "chunk_size": 1},
    "no mesh": {},
}
X = jnp.linspace(-1.0, 1.5, 16)


def f(x):
    return jax.nn.relu(x) ** 2 + jnp.roll(x, 1) * jnp.where(x > 0.5, x, 0)


def energy(x):
    return jnp.sum(jax.nn.relu(x) ** 3 * jnp.roll(x, 1))


def calls(derivative, mesh=LINE):
    """Ways of calling a derivative at `x`, each of which returns flags."""

    def stepped(x):
        def step(state):
            count, agrees = state
            return count + 1, agrees & derivative(x + 0 * count)[1]

        return jax.lax.while_loop(lambda state: state[0] < x[0] + 3, step, (0, jnp.array(True)))[1]

    def slope(x):
        def total(y):
            data, agrees = derivative(y)
            return jnp.sum(data), agrees

        return jax.grad(total, has_aux=True)(x)

    def spread(x):
        return derivative(jax.device_put(x, NamedSharding(mesh, P("c"))))[1]

    def batch(x):
        placed = jax.device_put(jnp.stack([x] * 8), NamedSharding(mesh, P("c")))
        return jax.jit(jax.vmap(lambda y: derivative(y)[1]))(placed)

    return {
        "plain": lambda x: derivative(x)[1],
        "jit": eqx.filter_jit(lambda x: derivative(x)[1]),
        "vmap": lambda x: jax.vmap(derivative)(jnp.stack([X, x]))[1],
        "scan": lambda x: jax.lax.scan(lambda c, y: (c, derivative(y)[1]), 0, jnp.stack([X, x]))[1],
        "while": eqx.filter_jit(stepped),
        "grad": lambda x: jax.jit(slope)(x)[1],
        "sharded input": spread,
        "sharded batch": batch,
    }


def flags():
    for name in ("one axis of two", "no mesh"):
        options: Any = {**MESHES[name], "local": True, "verify": "flag", "output_format": "data"}
        mesh = options.get("mesh", LINE)
        for how, call in calls(asdex.jacobian(f, X, **options), mesh).items():
            yield f"jacobian, {how}, {name}", said(call)
        hessian = calls(asdex.hessian(energy, X, **options), mesh)["sharded input"]
        yield f"hessian, {name}", said(hessian)
    for mode in ("fwd", "rev"):
        options = {**MESHES["chunks"], "local": True, "verify": "flag", "mode": mode}
        yield f"{mode}, chunks", said(calls(asdex.jacobian(f, X, **options))["plain"])


def said(call):
    return [bool(jnp.all(call(x))) for x in (X, X[::-1])]


def errors():
    """Whether calls raise with `verify=True`, of which all devices must come back."""
    for name, options in MESHES.items():
        jac_fn = asdex.jacobian(f, X, local=True, output_format="data", verify=True, **options)
        for how, call in {"plain": jac_fn, "jit": eqx.filter_jit(lambda x: jac_fn(x))}.items():  # noqa: B023
            outcomes = []
            for x in (X, X[::-1]):
                try:
                    jax.block_until_ready(call(x))
                    outcomes.append(True)
                except RuntimeError as error:
                    outcomes.append("lacks entries" not in str(error))
            yield f"error, {how}, {name}", outcomes


if __name__ == "__main__":
    json.dump(dict([*flags(), *errors()]), sys.stdout)
