"""Index arrays that a function computes from constants, and programs that assemble matrices with them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from precision_case import Case, case


EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])
"""The elements of a mesh on a line: each joins two nodes."""

CELLS = np.array([[0, 1, 3], [1, 4, 3], [1, 2, 4], [2, 5, 4]])
"""Triangles of a 2×3 grid of nodes."""


# --- each kind of arithmetic ----------------------------------------------------------------------


def transposed(x):
    left, right = jnp.asarray(EDGES).T
    return x[right] - x[left]


def unstacked(x):
    left, right = jnp.unstack(jnp.asarray(EDGES), axis=1)
    return x[right] * x[left]


def cast(x):
    return x[jnp.linspace(0.0, 5.0, 6).astype(jnp.int32)[::-1]] ** 2


def sorted_indices(x):
    return x[jnp.sort(jnp.array([5, 3, 1]))] * x[jnp.argsort(jnp.array([2.0, 0.5, 1.0]))]


def cumulated(x):
    return x[jnp.cumsum(jnp.array([0, 2, 3]))] ** 2


def chosen(x):
    i = jnp.arange(6)
    return x[jnp.where(i % 2 == 0, i, i - 1)] ** 2


def computed(x):
    i = jnp.arange(6)
    return x[(2 * i + 3) // 2 % 6] * x[jnp.clip(i - 1, 0, 5)]


def segments(x):
    counts = jnp.array([1, 2, 3])
    ids = jnp.repeat(jnp.arange(3), counts, total_repeat_length=6)
    return jax.ops.segment_sum(x**2, ids, num_segments=3)


def unique(x):
    values, inverse = jnp.unique(jnp.array([3, 1, 3, 5]), return_inverse=True, size=3)
    return x[values][inverse] ** 2


def searched(x):
    return x[jnp.searchsorted(jnp.array([0.0, 1.0, 2.5, 4.0]), jnp.array([0.5, 3.0]))] ** 2


def nonzero(x):
    (found,) = jnp.nonzero(jnp.array([0, 1, 0, 0, 1, 1]), size=3)
    return x.at[found].multiply(2.0)[found] ** 2


def flat_index(x):
    i, j = jnp.divmod(jnp.arange(6), 3)
    return x.reshape(3, 2)[j, i] ** 2


# --- indices that enter nested functions ----------------------------------------------------------


@jax.jit
def _next(i):
    return jax.jit(lambda k: (k + 1) % 6)(i)


def in_nested_jit(x):
    return jax.jit(lambda y, i: y[_next(i)] * y)(x, jnp.arange(6))


def in_scan(x):
    def step(previous, i):
        return i, x[_next(previous)] * x[(i * 2) % 6]

    return lax.scan(step, jnp.int32(0), jnp.arange(6))[1]


def in_jit_in_scan(x):
    @jax.jit
    def write(carry, i):
        return carry.at[_next(i)].set(x[i] * x[5 - i])

    return lax.scan(lambda carry, i: (write(carry, i), None), x, jnp.arange(6))[0]


def in_nested_scans(x):
    def row(carry, i):
        def column(carry, j):
            return carry.at[2 * i + j].add(x[2 * i + 1 - j]), None

        return lax.scan(column, carry, jnp.arange(2))[0], None

    return lax.scan(row, x**2, jnp.arange(3))[0]


def in_checkpoint_and_cond(x):
    @jax.checkpoint
    def pick(i):
        return lax.cond(i > 2, lambda: x[i], lambda: x[5 - i])

    return jnp.stack([pick(i) for i in jnp.arange(6)]) ** 2


# --- gather, compute, scatter-add -----------------------------------------------------------------


def assembly(x):
    """The residual of a nonlinear problem on triangles: each node reads the nodes of its cells."""
    cells = jnp.asarray(CELLS)
    local = x[cells]
    force = local**3 - local.sum(axis=1, keepdims=True)
    return jnp.zeros(6).at[cells.ravel()].add(force.ravel())


def assembly_by_columns(x):
    """The same with the corners unstacked, a segment sum, and the loop over cells by `vmap`."""
    corners = jnp.stack(jnp.unstack(jnp.asarray(CELLS), axis=1))
    force = jax.vmap(lambda u: u**3 - u.sum(), in_axes=1, out_axes=1)(x[corners])
    return jax.ops.segment_sum(force.reshape(-1), corners.reshape(-1), num_segments=6)


def assembled_in_scan(x):
    def add(total, cell):
        local = x[cell]
        return total.at[cell].add(local**3 - local.sum()), None

    return lax.scan(add, jnp.zeros(6), jnp.asarray(CELLS))[0]


def stiffness(x):
    """A 6×6 matrix from one coefficient per edge, rebuilt from triplets by index arithmetic."""
    left, right = jnp.asarray(EDGES).T
    rows = jnp.concatenate([left, left, right, right])
    cols = jnp.concatenate([left, right, left, right])
    values = jnp.concatenate([x, -x, -x, x])
    order = jnp.argsort(rows * 6 + cols, stable=True)
    return jnp.zeros(36).at[(rows * 6 + cols)[order]].add(values[order]).reshape(6, 6)


def stiffness_times(x):
    """A product with a matrix whose nonzeros depend on `x`, as gather, multiply and segment sum."""
    left, right = jnp.asarray(EDGES).T
    rows, cols = jnp.concatenate([left, right]), jnp.concatenate([right, left])
    values = jnp.exp(x[rows] * x[cols])
    return jax.ops.segment_sum(values * x[cols], rows, num_segments=6)


def finite_volumes(x):
    """Fluxes between neighbors on a periodic 25×25 grid, by index arithmetic alone."""
    k = jnp.arange(625)
    east, north = k // 25 * 25 + (k + 1) % 25, (k + 25) % 625
    flux_east, flux_north = x * x[east], jnp.sin(x - x[north])
    change = -flux_east - flux_north
    return change.at[east].add(flux_east).at[north].add(flux_north)


CASES: dict[str, Case] = {
    "indices from `.T`": case(transposed, 10),
    "indices from `unstack`": case(unstacked, 10),
    "indices from `astype`": case(cast, 6),
    "indices from `%`": case(lambda x: x[(jnp.arange(6) * 5 + 1) % 6] * x, 12),
    "indices from `sort` and `argsort`": case(sorted_indices, 5),
    "indices from `cumsum`": case(cumulated, 3),
    "indices from `where`": case(chosen, 6),
    "indices from `//`, `*`, `clip`": case(computed, 12),
    "indices from `divmod`": case(flat_index, 6),
    "indices from `unique`": case(unique, 4),
    "indices from `searchsorted`": case(searched, 2),
    "indices from `nonzero`": case(nonzero, 3),
    "segments from `repeat`": case(segments, 6),
    "indices inside nested `jit`": case(in_nested_jit, 12),
    "indices inside `scan`": case(in_scan, 12),
    "indices inside `jit` inside `scan`": case(in_jit_in_scan, 12),
    "indices inside nested `scan`": case(in_nested_scans, 12),
    "indices inside `checkpoint` and `cond`": case(in_checkpoint_and_cond, 6),
    "assembly over triangles": case(assembly, 24),
    "assembly by unstacked corners": case(assembly_by_columns, 24),
    "assembly in a `scan`": case(assembled_in_scan, 24),
    "stiffness matrix from triplets": case(stiffness, 20, shape=(5,)),
    "product with an assembled matrix": case(stiffness_times, 16),
    "finite volumes on a periodic grid": case(finite_volumes, 5 * 625, shape=(625,)),
}
