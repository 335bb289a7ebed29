"""Greedy distance-2 coloring: vertices that share a group have different colors."""

from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Int, Int32

from ._algorithm import Algorithm
from ._compilation import insert, lowest_zero, run_on_host, store
from ._incidence import Incidence


_WORD = 32


def greedy_partition(
    problem: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Give each vertex, in the given order, the least color that none of its groups has used.

    This is greedy partial distance-2 coloring (Gebremedhin, Manne and Pothen, "What Color Is Your
    Jacobian?", SIAM Review 47, 2005). Each group keeps the set of its used colors as the bits of
    one Python integer. A vertex then costs one union per group, which is O(nnz * num_colors / 64) in
    all. Visiting the members of every group would cost the sum of the squared group sizes instead.
    The set of a group is released with its last vertex, and a group of one vertex needs no set.

    **Returns:** the colors; vertices without groups get color 0. `None` if there would be more than
    `limit` colors.
    """
    end = 1 << (problem.num_vertices if limit is None else limit)
    reads, writes, releases = _schedule(problem, order)
    used = [0] * problem.num_groups
    colors = []
    for read, write, release in zip(reads, writes, releases, strict=True):
        forbidden = 0
        for group in read:
            forbidden |= used[group]
        bit = ~forbidden & (forbidden + 1)
        if bit >= end:
            return None
        for group in write:
            used[group] |= bit
        for group in release:
            used[group] = 0
        colors.append(bit.bit_length() - 1)
    result = np.empty(problem.num_vertices, np.int32)
    result[order] = colors
    return result


def _schedule(problem: Incidence, order: Int[np.ndarray, " num_vertices"]):
    """Iterate, vertex by vertex, over the groups to read, to write and to release.

    The first vertex of a group need not read its set, and the last need not write it.
    """
    indptr, groups = problem.visited_in(order)
    visits = np.arange(len(problem.indices))
    first, last = np.empty(problem.num_groups, np.int64), np.empty(problem.num_groups, np.int64)
    first[groups[::-1]] = visits[::-1]
    last[groups] = visits
    is_first, is_last = first[groups] == visits, last[groups] == visits
    return (
        _slices(groups, indptr, chosen) for chosen in (~is_first, ~is_last, is_last & ~is_first)
    )


def _slices(groups, indptr, chosen):
    kept = np.concatenate([[0], np.cumsum(chosen)])[indptr].tolist()
    chosen_groups = groups[chosen].tolist()
    return (chosen_groups[start:stop] for start, stop in pairwise(kept))


def compiled_partition(
    problem: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Return the same coloring as `greedy_partition`, by loops that XLA compiles.

    First-fit can decide about a window of 32 colors without the other windows. One pass colors all
    vertices that fit into the first window, the next pass colors the remaining ones with the second
    window, and so on.
    """
    colors = np.zeros(problem.num_vertices, np.int32)
    used = np.zeros(problem.num_groups, np.uint32)
    remaining, first = order, 0
    limit = problem.num_vertices if limit is None else limit
    while len(remaining) and first < limit:
        indptr, groups = problem.visited_in(remaining)
        count = np.int32(len(remaining))
        bits = run_on_host(_first_fit, indptr, groups, count, used)[: len(remaining)]
        fits = bits != 0
        colors[remaining[fits]] = first + np.log2(bits[fits]).astype(np.int32)
        remaining = remaining[~fits]
        first += _WORD
    return None if len(remaining) or colors.max(initial=-1) >= limit else colors


def _first_fit(indptr: Any, groups: Any, count: Any, used: Any) -> Any:
    """Return the bit of each vertex's color, in the order of the visits; 0 if no color is left."""

    def visit(k, state):
        used, bits = state
        start, stop = indptr[k], indptr[k + 1]
        bit = lowest_zero(
            lax.fori_loop(start, stop, lambda i, found: found | used[groups[i]], jnp.uint32(0))
        )
        used = lax.fori_loop(start, stop, lambda i, used: insert(used, groups[i], bit), used)
        return used, store(bits, k, bit)

    bits = jnp.zeros(indptr.shape, jnp.uint32)
    return lax.fori_loop(jnp.int32(0), count, visit, (used, bits))[1]


DISTANCE_2 = Algorithm(greedy_partition, compiled_partition, (3e-7, 3e-8))
