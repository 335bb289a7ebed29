"""The greedy algorithms of `_greedy` and `_star` as loops that XLA compiles: for large problems.

They give the same colors. Sets of colors are the bits of 32-bit words.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Int, Int32

from ._host import run_on_host
from ._problem import Incidence


WORD = 32


def compiled_partition(
    problem: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Return the same coloring as `greedy_partition`.

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
        first += WORD
    return None if len(remaining) or colors.max(initial=-1) >= limit else colors


def _first_fit(indptr: Any, groups: Any, count: Any, used: Any) -> Any:
    """Return the bit of each vertex's color, in the order of the visits; 0 if no color is left."""

    def visit(k, state):
        used, bits = state
        start, stop = indptr[k], indptr[k + 1]
        bit = _lowest_zero(
            lax.fori_loop(start, stop, lambda i, found: found | used[groups[i]], jnp.uint32(0))
        )
        used = lax.fori_loop(start, stop, lambda i, used: _insert(used, groups[i], bit), used)
        return used, _store(bits, k, bit)

    bits = jnp.zeros(indptr.shape, jnp.uint32)
    return lax.fori_loop(jnp.int32(0), count, visit, (used, bits))[1]


def compiled_star(
    graph: Incidence, order: Int[np.ndarray, " num_vertices"], limit: int | None = None
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Return the same coloring as `greedy_star`."""
    n, words = graph.num_vertices, 1
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    indptr, neighbors = graph.visited_in(order)
    neighbors = rank[neighbors]
    limit = n if limit is None else limit
    while True:
        memory = np.zeros((n, 1 + 2 * words), np.uint32)
        result = run_on_host(_star(words), indptr, neighbors, np.int32(n), memory.ravel())
        colors = result[: memory.size : 1 + 2 * words].astype(np.int32) - 1
        if colors.min(initial=0) >= 0:
            return None if colors.max(initial=-1) >= limit else colors[rank]
        if words * (WORD // 2) >= limit:
            return None
        words *= 2


@functools.cache
def _star(words: int) -> Callable[..., Any]:
    """The kernel for at most 16 `words` colors; it visits the vertices as they are numbered.

    Its `memory` has three parts. The first holds the color of each vertex plus 1, or 0 if no color
    is left. The second holds the sets `once` and `twice` of `greedy_star`, in the lower and upper
    halves of words. The third holds the sets `hubs`, in the lower halves of words. XLA updates the
    array in place only if each step of a loop first inserts the decision of the step before, and
    reads only then. It compiles the loops as a whole only if they are small.
    """
    half = WORD // 2
    seen, hubs = 0, 1

    def place(kind, v, color):
        return v * (1 + 2 * words) + 1 + kind * words + color // half

    def bit(color):
        return jnp.uint32(1) << (color % half).astype(jnp.uint32)

    def color_of(memory, v):
        return memory[v * (1 + 2 * words)].astype(jnp.int32) - 1

    def kernel(indptr, neighbors, n, memory):
        def is_repeated(memory, v, w):
            """Whether w has a color that v sees twice."""
            color = color_of(memory, w)
            known = jnp.maximum(color, 0)
            return (color >= 0) & (memory[place(seen, v, known)] >> half & bit(known) != 0)

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
                return _lowest_zero(found & jnp.uint32(2**half - 1)) & jnp.uint32(2**half - 1)

            first, bit = jnp.int32(0), free(jnp.int32(0))
            if words > 1:
                first, bit = lax.while_loop(
                    lambda state: (state[1] == 0) & (state[0] < (words - 1) * half),
                    lambda state: (state[0] + half, free(state[0] + half)),
                    (first, bit),
                )
            return jnp.where(bit == 0, -1, first + WORD - 1 - lax.clz(bit).astype(jnp.int32))

        def visit(v, memory):
            color = choose(memory, v)
            start, stop = indptr[v], jnp.where(color < 0, indptr[v], indptr[v + 1])

            def step(t, state):
                """Decide about insertion number t % 4 for neighbor number t // 4 of v."""
                memory = _insert(*state)
                task, w = t % 4, neighbors[start + t // 4]
                around = memory[place(seen, w, color)]
                second = around & bit(color) != 0
                search = (task == 2) & second & (around >> half & bit(color) == 0)
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
                again = jnp.where(second, bit(color) << half, jnp.uint32(0))
                bits = jnp.where(asked & (its_color >= 0), bit(inserted), jnp.uint32(0))
                bits = jnp.where(task == 3, bit(color) | again, bits)
                kind = jnp.where(task == 3, seen, hubs)
                return memory, place(kind, vertex, inserted), bits

            state = (memory, jnp.int32(0), jnp.uint32(0))
            memory = _insert(*lax.fori_loop(0, 4 * (stop - start), step, state))
            return _store(memory, v * (1 + 2 * words), (color + 1).astype(jnp.uint32))

        return lax.fori_loop(jnp.int32(0), n, visit, memory)

    return kernel


def _lowest_zero(word: Any) -> Any:
    return ~word & (word + jnp.uint32(1))


def _insert(sets: Any, at: Any, bits: Any) -> Any:
    return _store(sets, at, sets[at] | bits)


def _store(array: Any, at: Any, value: Any) -> Any:
    return array.at[at].set(value, mode="promise_in_bounds")
