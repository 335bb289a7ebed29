"""Greedy star coloring of a graph: no path on four vertices has only two colors."""

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Int, Int32

from ._algorithm import Algorithm
from ._compilation import insert, lowest_zero, run_on_host, store
from ._incidence import Incidence


_HALF = 16  # colors in a word; the other half of its bits is for a second set


def greedy_star(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Star-color a graph: adjacent vertices differ, and no path on four vertices has two colors.

    Gives each vertex, in the given order, the least color that keeps the partial coloring a star
    coloring (Gebremedhin, Tarafdar, Manne and Pothen, "New acyclic and star coloring algorithms
    with application to computing Hessians", SIAM J. Sci. Comput. 29, 2007). The two-colored stars
    are kept as sets of colors, which are bits of Python integers. Every vertex v has three sets:

    - `once[v]`, `twice[v]`: the colors of at least one neighbor, and of at least two neighbors;
    - `hubs[v]`: the colors of those neighbors that have two neighbors of v's color.

    A color c is forbidden to v in three cases: a neighbor w has it; it is in `hubs[w]`, so that
    v - w - hub - w' would have two colors; or w's color is in `twice[v]` and c is in `once[w]`, so
    that w' - v - w - x would have two colors.

    **Returns:** the colors; vertices without neighbors get color 0. `None` if there would be more
    than `limit` colors.
    """
    n = graph.num_vertices
    end = 1 << (n if limit is None else limit)
    indices = graph.indices.tolist()
    neighbors = [indices[start:stop] for start, stop in pairwise(graph.indptr.tolist())]
    bits, once, twice, hubs = [0] * n, [0] * n, [0] * n, [0] * n
    for v in order.tolist():
        around, forbidden, repeated = neighbors[v], once[v], twice[v]
        for w in around:
            forbidden |= hubs[w]
        leaves = [w for w in around if bits[w] & repeated] if repeated else []
        for w in leaves:
            forbidden |= once[w]
        bit = ~forbidden & (forbidden + 1)
        if bit >= end:
            return None
        for w in leaves:
            hubs[w] |= bit
        for w in around:
            if not once[w] & bit:
                once[w] |= bit
                continue
            hubs[v] |= bits[w]
            if not twice[w] & bit:
                twice[w] |= bit
                for u in neighbors[w]:
                    if bits[u] == bit:
                        hubs[u] |= bits[w]
                        break
        bits[v] = bit
    return np.fromiter((bit.bit_length() - 1 for bit in bits), np.int32, n)


def compiled_star(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Return the same coloring as `greedy_star`, by loops that XLA compiles."""
    n, words = graph.num_vertices, 1
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    indptr, neighbors = graph.visited_in(order)
    neighbors = rank[neighbors]
    limit = n if limit is None else limit
    while True:
        memory = np.zeros((n, 1 + 2 * words), np.uint32)
        result = run_on_host(_star_kernel(words), indptr, neighbors, np.int32(n), memory.ravel())
        colors = result[: memory.size : 1 + 2 * words].astype(np.int32) - 1
        if colors.min(initial=0) >= 0:
            return None if colors.max(initial=-1) >= limit else colors[rank]
        if words * _HALF >= limit:
            return None
        words *= 2


@functools.cache
def _star_kernel(words: int) -> Callable[..., Any]:
    """The kernel for at most 16 `words` colors; it visits the vertices as they are numbered.

    Its `memory` has three parts. The first holds the color of each vertex plus 1, or 0 if no color
    is left. The second holds the sets `once` and `twice` of `greedy_star`, in the lower and upper
    halves of words. The third holds the sets `hubs`, in the lower halves of words. XLA updates the
    array in place only if each step of a loop first inserts the decision of the step before, and
    reads only then. It compiles the loops as a whole only if they are small.
    """
    seen, hubs = 0, 1

    def place(kind, v, color):
        return v * (1 + 2 * words) + 1 + kind * words + color // _HALF

    def bit(color):
        return jnp.uint32(1) << (color % _HALF).astype(jnp.uint32)

    def color_of(memory, v):
        return memory[v * (1 + 2 * words)].astype(jnp.int32) - 1

    def kernel(indptr, neighbors, n, memory):
        def is_repeated(memory, v, w):
            """Whether w has a color that v sees twice."""
            color = color_of(memory, w)
            known = jnp.maximum(color, 0)
            return (color >= 0) & (memory[place(seen, v, known)] >> _HALF & bit(known) != 0)

        def choose(memory, v):
            """The least color that v may have, or -1."""

            def free(first):
                def include(i, found):
                    w = neighbors[i]
                    around = memory[place(seen, w, first)]
                    through = jnp.where(is_repeated(memory, v, w), around, jnp.uint32(0))
                    return found | memory[place(hubs, w, first)] | through

                around = memory[place(seen, v, first)]
                found = lax.fori_loop(indptr[v], indptr[v + 1], include, around)
                return lowest_zero(found & jnp.uint32(2**_HALF - 1)) & jnp.uint32(2**_HALF - 1)

            first, bit = jnp.int32(0), free(jnp.int32(0))
            if words > 1:
                first, bit = lax.while_loop(
                    lambda state: (state[1] == 0) & (state[0] < (words - 1) * _HALF),
                    lambda state: (state[0] + _HALF, free(state[0] + _HALF)),
                    (first, bit),
                )
            return jnp.where(bit == 0, -1, first + 2 * _HALF - 1 - lax.clz(bit).astype(jnp.int32))

        def visit(v, memory):
            color = choose(memory, v)
            start, stop = indptr[v], jnp.where(color < 0, indptr[v], indptr[v + 1])

            def step(t, state):
                """Decide about insertion number t % 4 for neighbor number t // 4 of v."""
                memory = insert(*state)
                task, w = t % 4, neighbors[start + t // 4]
                around = memory[place(seen, w, color)]
                second = around & bit(color) != 0
                search = (task == 2) & second & (around >> _HALF & bit(color) == 0)
                at = lax.while_loop(
                    lambda at: search & (color_of(memory, neighbors[at]) != color),
                    lambda at: at + 1,
                    indptr[w],
                )
                its_color = color_of(memory, w)
                asked = jnp.where(task == 0, is_repeated(memory, v, w), second)
                asked = jnp.where(task == 2, search, asked)
                vertex = jnp.where(task == 1, v, jnp.where(task == 2, neighbors[at], w))
                inserted = jnp.maximum(jnp.where((task == 1) | (task == 2), its_color, color), 0)
                again = jnp.where(second, bit(color) << _HALF, jnp.uint32(0))
                bits = jnp.where(asked & (its_color >= 0), bit(inserted), jnp.uint32(0))
                bits = jnp.where(task == 3, bit(color) | again, bits)
                kind = jnp.where(task == 3, seen, hubs)
                return memory, place(kind, vertex, inserted), bits

            state = (memory, jnp.int32(0), jnp.uint32(0))
            memory = insert(*lax.fori_loop(0, 4 * (stop - start), step, state))
            return store(memory, v * (1 + 2 * words), (color + 1).astype(jnp.uint32))

        return lax.fori_loop(jnp.int32(0), n, visit, memory)

    return kernel


# A mesh of 600,000 nonzeros takes 406 ms interpreted; compiled 325 ms at first and 107 ms later.
STAR = Algorithm(greedy_star, compiled_star, (2.1e-7, 1e-7))
