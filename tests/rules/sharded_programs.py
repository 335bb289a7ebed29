"""Run by `test_collectives.py` with eight devices: sharded programs against automatic differentiation.

Prints one line per program: its name, how many entries were detected and how many are nonzero.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec as P

from asdex.testing import check_rule


MESH = Mesh(np.array(jax.devices()).reshape(4, 2), ("a", "b"))
RING = [(i, (i + 1) % 4) for i in range(4)]
LINE = jnp.linspace(0.1, 0.9, 16)
TABLE = LINE.reshape(8, 2)


if jax.__version_info__ >= (0, 7):
    shard_map = jax.shard_map
    ONLY_A = {"axis_names": {"a"}}
else:
    from jax.experimental.shard_map import shard_map

    ONLY_A = {"auto": frozenset({"b"})}


def sharded(fn, in_specs, out_specs, **options):
    return shard_map(fn, mesh=MESH, in_specs=in_specs, out_specs=out_specs, **options)


def over_a(fn):
    return sharded(fn, P("a"), P("a"))


def laplacian(x):
    """A periodic stencil, with a halo from the neighbouring shards."""
    left = lax.ppermute(x[-1:], "a", RING)
    right = lax.ppermute(x[:1], "a", [(j, i) for i, j in RING])
    padded = jnp.concatenate([left, x, right])
    return padded[2:] - 2 * padded[1:-1] ** 2 + padded[:-2]


def accumulated(x):
    def step(carry, y):
        return carry + y * lax.psum(y, "a"), carry

    return lax.scan(step, x[0], x)[1]


def by_index(x):
    return lax.cond(lax.axis_index("a") < 2, lambda z: 2 * z, lambda z: z[::-1], x)


def grown(x):
    return lax.while_loop(lambda z: jnp.all(lax.pmax(z, "a") < 1e3), lambda z: 2 * z, x)


@jax.custom_vjp
def reversed_gradient(x):
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, t: (t[::-1],))


def loss(w):
    return sharded(lambda w, x: lax.psum(jnp.sum((x @ w) ** 2), "a"), (P(), P("a")), P())(w, TABLE)


PROGRAMS = {
    "local": (over_a(lambda x: 2 * x[::-1]), LINE),
    "psum": (sharded(lambda x: lax.psum(x**2, "a"), P("a"), P()), LINE),
    "psum_both": (sharded(lambda x: lax.psum(x**2, ("a", "b")), P(("a", "b")), P()), LINE),
    "psum_one_of_two": (sharded(lambda x: lax.psum(x**2, "a"), P(("a", "b")), P("b")), LINE),
    "two_axes": (sharded(lambda x: lax.psum(x**2, "b"), P("a", "b"), P("a")), TABLE),
    "auto_axis": (
        sharded(lambda x: lax.psum(x**2, "a"), P("a"), P(), **ONLY_A),
        LINE,
    ),
    "pmean": (over_a(lambda x: x * lax.pmean(x, "a")), LINE),
    "shift": (over_a(lambda x: lax.ppermute(x, "a", [(0, 1), (1, 2), (2, 3)])), LINE),
    "laplacian": (over_a(laplacian), LINE),
    "all_gather": (over_a(lambda x: lax.all_gather(x**2, "a")), LINE),
    "all_gather_tiled": (over_a(lambda x: x[0] * lax.all_gather(x, "a", tiled=True)), LINE),
    "all_to_all": (over_a(lambda x: lax.all_to_all(x**2, "a", 0, 0)), LINE),
    "psum_scatter": (over_a(lambda x: lax.psum_scatter(x**2, "a", tiled=True)), LINE),
    "axis_index": (over_a(lambda x: x * lax.axis_index("a")), LINE),
    "scan": (over_a(accumulated), LINE),
    "fori": (
        over_a(lambda x: lax.fori_loop(0, 3, lambda i, z: lax.ppermute(z, "a", RING), x)),
        LINE,
    ),
    "cond": (over_a(by_index), LINE),
    "while": (over_a(grown), LINE),
    "custom_jvp": (over_a(lambda x: jax.nn.relu(x - 0.5) + jax.nn.silu(x)), LINE),
    "custom_vjp": (over_a(lambda x: reversed_gradient(x**2)), LINE),
    "jit": (jax.jit(sharded(jax.jit(lambda x: lax.psum(x**2, "a")), P("a"), P())), LINE),
    "replicated": (sharded(lambda w, x: x @ w, (P(), P("a")), P("a")), jnp.ones((2, 3)), TABLE),
    "matmul": (
        sharded(lambda x, y: lax.psum(x @ y, "a"), (P(None, "a"), P("a")), P()),
        *(jnp.ones((3, 4)), jnp.ones((4, 2))),
    ),
    "gradient": (jax.grad(loss), jnp.ones(2)),
    "random": (over_a(lambda x: x * jax.random.normal(jax.random.key(0), x.shape)), LINE),
    "solve": (over_a(lambda x: jnp.linalg.solve(jnp.eye(4) + x[:, None] * x, x)), LINE),
    "pmap": (jax.pmap(lambda x: x * lax.pmean(x, "i"), axis_name="i"), TABLE),
}

if __name__ == "__main__":
    for name, (fn, *args) in PROGRAMS.items():
        report = check_rule(fn, *args, points=3)
        print(name, int(report.detected.sum()), int(report.true.sum()))
