"""Indices that are computed from the input and bounded: periodic, clipped, rounded and chosen neighbors."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from precision_case import Case, case


N = 12
PLACES = np.arange(N)
ROWS, COLUMNS = np.indices((4, 5))
NAN = "where the input is NaN, so is the number that is cast, and the index is zero"


def step(x: jax.Array) -> jax.Array:
    """-1, 0 or 1, for each element."""
    return jnp.clip(jnp.trunc(2 * x).astype(jnp.int32), -1, 1)


def neighbor(place: Callable[[Any], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """Reads one neighbor of each element; `place` brings its number back to the grid."""
    return lambda x: x[place(PLACES + step(x))]


def departure_points(x):
    """Linear interpolation at the points from which a periodic flow arrives."""
    foot = (PLACES - jnp.clip(4 * x, -1, 1)) % N
    left = jnp.floor(foot).astype(jnp.int32)
    weight = foot - left
    return x[left % N] * (1 - weight) + x[(left + 1) % N] * weight


def upwind(x):
    return jnp.where(x > 0, x - x[PLACES - 1], x[(PLACES + 1) % N] - x)


def upwind_by_index(x):
    return x[jnp.where(x > 0, PLACES - 1, PLACES + 1) % N]


def flat_neighbor(x):
    row, column = (ROWS + step(x)) % 4, (COLUMNS + step(x.T).T.reshape(4, 5)) % 5
    return x.ravel()[row * 5 + column]


def neighbor_in_the_plane(x):
    return x[(ROWS + step(x)) % 4, (COLUMNS + step(x[::-1])) % 5]


def cells(x):
    """The value of the cell of a table in which each number lies, with cells of width 0.4."""
    return x[PLACES[:6] // 2 + jnp.floor(jnp.clip(x[6:], 0.0, 0.5) / 0.4).astype(jnp.int32)]


def written(x):
    return jnp.zeros(N).at[(PLACES + step(x)) % N].add(x**2)


CASES: dict[str, Case] = {
    "neighbor `% n`": case(neighbor(lambda i: i % N), 3 * N, shape=(N,)),
    "neighbor by `jnp.mod`": case(neighbor(lambda i: jnp.mod(i, N)), 3 * N, shape=(N,)),
    "neighbor by `where`, from below": case(
        neighbor(lambda i: jnp.where(i < 0, i + N, jnp.where(i >= N, i - N, i))),
        3 * N,
        shape=(N,),
    ),
    "neighbor by `select`": case(
        neighbor(lambda i: jnp.select([i < 0, i >= N], [i + N, i - N], i)),
        3 * N,
        shape=(N,),
        detected=45,
        reason="`jnp.select` stacks its conditions, and loses what belongs together",
    ),
    "neighbor that is clipped": case(
        neighbor(lambda i: jnp.clip(i, 0, N - 1)), 3 * N - 2, shape=(N,)
    ),
    "neighbor that is reflected": case(
        neighbor(lambda i: N - 1 - abs(N - 1 - abs(i))), 3 * N - 2, shape=(N,)
    ),
    'neighbor by `take(mode="wrap")`': case(
        lambda x: jnp.take(x, PLACES + step(x), mode="wrap"), 3 * N, shape=(N,)
    ),
    'neighbor by `get(mode="fill")`': case(
        lambda x: x.at[PLACES + step(x) + 1].get(mode="fill", fill_value=0.0),
        3 * N - 3,
        shape=(N,),
    ),
    "every second neighbor": case(neighbor(lambda i: 2 * (i // 2) % N), 2 * N, shape=(N,)),
    "neighbor by integer powers": case(
        lambda x: x[(PLACES + step(x) ** 2 - step(x) ** 0) % N], 2 * N, shape=(N,)
    ),
    "`scatter` to a neighbor": case(written, 3 * N, shape=(N,)),
    "neighbor in the plane": case(neighbor_in_the_plane, 9 * 20, shape=(4, 5)),
    "upwind differences": case(upwind, 3 * N, shape=(N,)),
    "upwind neighbor by index": case(upwind_by_index, 2 * N, shape=(N,)),
    "roll by one at most": case(lambda x: jnp.roll(x, step(x[0])), 3 * N, shape=(N,)),
    "window at a periodic start": case(
        lambda x: lax.dynamic_slice(jnp.concatenate([x, x]), ((11 + step(x[0])) % N,), (3,)),
        9,
        shape=(N,),
    ),
    "floor of a clipped number": case(
        lambda x: x[jnp.clip(jnp.floor(PLACES - jnp.clip(x, -0.9, 0.9)).astype(int), 0, N - 1)],
        2 * N - 1,
        shape=(N,),
        detected=3 * N - 3,
        reason=NAN,
    ),
    "rounded `tanh`": case(
        lambda x: x[jnp.round(PLACES + 1.4 * jnp.tanh(4 * x)).astype(int) % N],
        3 * N,
        shape=(N,),
        detected=4 * N - 3,
        reason=NAN,
    ),
    "cells of a table": case(cells, 12, shape=(N,)),
    "departure points of a periodic flow": case(
        departure_points, 3 * N, shape=(N,), detected=64, reason=NAN
    ),
}
