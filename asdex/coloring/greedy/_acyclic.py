"""Greedy acyclic coloring of a graph: no cycle has only two colors.

It needs fewer colors than a star coloring, but the matrix is recovered by substitution instead of
directly. `TwoColoredEdges` explains the *nodes* (v, c) of two-colored trees.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax import lax
from jaxtyping import Int, Int32

from ._algorithm import Algorithm
from ._compilation import run_on_host, store
from ._incidence import Incidence


_MOST_CYCLES = 64  # colors tried for one vertex that close a cycle, before it gets a new color


def greedy_acyclic(
    graph: Incidence,
    order: Int[np.ndarray, " num_vertices"],
    limit: int | None = None,
    run: Callable[..., Int32[np.ndarray, " num_vertices"]] | None = None,
) -> Int32[np.ndarray, " num_vertices"] | None:
    """Color a graph so that adjacent vertices differ and no cycle has only two colors.

    Gives each vertex, in the given order, the least color that keeps the partial coloring acyclic,
    with disjoint sets for the two-colored trees (Gebremedhin, Tarafdar, Manne and Pothen, "New
    acyclic and star coloring algorithms with application to computing Hessians", SIAM J. Sci.
    Comput. 29, 2007). Color c closes a cycle at v exactly if two neighbors of v share a color that
    differs from c, and their nodes for c lie in one tree. The paper visits the vertices at distance
    two; here every color that is tried costs one look-up per earlier neighbor. A vertex for which 64
    colors have closed cycles gets a new color, so that hubs do not make the search slow. The total
    cost is O(nnz), up to a logarithm.

    **Arguments:** `graph`: an adjacency graph. `order`: a permutation of its vertices. `run`: the loop,
    `interpreted_acyclic` by default.

    **Returns:** the colors, int32; vertices without neighbors get color 0. `None` if there are more
    than `limit` colors.
    """
    n, degrees = graph.num_vertices, np.diff(graph.indptr)
    rank = np.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    v, w = np.repeat(rank, degrees), rank[graph.indices]
    before = w < v
    ones = np.ones(np.count_nonzero(before), np.int8)
    earlier = sp.coo_array((ones, (v[before], w[before])), shape=(n, n)).tocsr()
    colors = np.empty(n, np.int32)
    colors[order] = (run or interpreted_acyclic)(earlier.indptr, earlier.indices, degrees[order])
    return None if limit is not None and colors.max(initial=-1) >= limit else colors


def interpreted_acyclic(
    indptr: Int[np.ndarray, " num_vertices+1"],
    earlier: Int[np.ndarray, " edges"],
    degrees: Int[np.ndarray, " num_vertices"],
) -> Int32[np.ndarray, " num_vertices"]:
    """Return the same coloring as `compiled_acyclic`, without compiling.

    Sets of colors are the bits of integers, and `trees[v]` maps color c to node (v, c).
    """
    starts, neighbors, n = indptr.tolist(), earlier.tolist(), len(degrees)
    colors: list[int] = []
    trees: list[dict[int, int]] = [{} for _ in range(n)]
    parents: list[int] = []  # of each node; minus the size of the tree at its root
    num_colors = 0

    def root(node):
        while parents[node] >= 0:
            node = parents[node]
        return node

    def closes_cycle(color, suspects):
        met = set()
        for nodes in suspects:
            if color in nodes:
                tree = root(nodes[color])
                if tree in met:
                    return True
                met.add(tree)
        return False

    def choose(around):
        once = twice = 0
        for w in around:
            bit = 1 << colors[w]
            twice |= once & bit
            once |= bit
        suspects = [trees[w] for w in around if twice >> colors[w] & 1]
        forbidden = once
        for _ in range(_MOST_CYCLES):
            bit = ~forbidden & (forbidden + 1)
            color = bit.bit_length() - 1
            if not closes_cycle(color, suspects):
                return color
            forbidden |= bit
        return num_colors

    for v in range(n):
        around = neighbors[starts[v] : starts[v + 1]]
        color = choose(around)
        colors.append(color)
        num_colors = max(num_colors, color + 1)
        for w in around:
            for vertex, neighbor in ((v, w), (w, v)):
                if colors[neighbor] not in trees[vertex]:
                    trees[vertex][colors[neighbor]] = len(parents)
                    parents.append(-1)
            a, b = root(trees[v][colors[w]]), root(trees[w][color])
            large, small = (a, b) if parents[a] <= parents[b] else (b, a)
            parents[large] += parents[small]
            parents[small] = large
    return np.array(colors, np.int32)


def compiled_acyclic(
    indptr: Int[np.ndarray, " num_vertices+1"],
    earlier: Int[np.ndarray, " edges"],
    degrees: Int[np.ndarray, " num_vertices"],
) -> Int32[np.ndarray, " num_vertices"]:
    """Return the acyclic coloring that gives each vertex in turn the least possible color.

    **Arguments:** `earlier[indptr[v]:indptr[v + 1]]` are the neighbors of v that come before it.
    `degrees` counts all neighbors of each vertex.
    """
    starts = np.concatenate([[0], np.cumsum(degrees)])
    slots = np.zeros(starts[-1], np.int8)  # its length is the number of slots
    arrays = (array.astype(np.int32) for array in (indptr, earlier, starts))
    n = len(degrees)
    return run_on_host(_acyclic, *arrays, slots, np.int32(n))[:n] - 1


def _acyclic(indptr: Any, earlier: Any, starts: Any, slots: Any, n: Any) -> Any:
    """Return the colors, counted from 1.

    The nodes of v are the slots from `starts[v]` to `starts[v + 1]`, one per neighbor. They form a
    hash table with linear probing, whose keys are colors. Writes that shall have no effect go to
    one further slot and one further color.

    XLA updates an array in place only if every read of the old contents must happen before the
    write. Therefore a loop returns each value that decides about a write to the array from which it
    was read, and a written value depends on all values that were read.
    """
    nowhere = slots.shape[0]

    def find_slot(keys, v, color):
        """The slot of node (v, color), and its key: 0 if it is free, another color if v is full."""
        start, stop = starts[v], starts[v + 1]

        def advance(state):
            at, _, steps = state
            at = jnp.where(at + 1 == stop, start, at + 1)
            return at, keys[at], steps + 1

        def elsewhere(state):
            _, key, steps = state
            return (start + steps < stop) & (key != color) & (key != 0)

        at = start + lax.rem(color, stop - start)
        at, key, _ = lax.while_loop(elsewhere, advance, (at, keys[at], jnp.int32(0)))
        return at, key

    def find_root(parents, node, *values):
        """The root of a node's tree, minus the tree's size, and the root's entries of `values`."""

        def read(node):
            return tuple(value[node] for value in (parents, *values))

        def climb(state):
            _, (parent, *_) = state
            return parent, read(parent)

        return lax.while_loop(lambda state: state[1][0] >= 0, climb, (node, read(node)))

    def visit(v, state):
        colors, num_colors, counts, keys, parents, visitors = state
        start, stop = indptr[v], indptr[v + 1]

        def count(i, counts):
            return counts.at[colors[earlier[i]]].add(1, mode="promise_in_bounds")

        counts = lax.fori_loop(start, stop, count, counts)

        def look(state):
            """Test a color for one neighbor; if it fails, try the next color from the first neighbor on."""
            color, cycles, i, visitors = state
            w = earlier[i]
            slot, key = find_slot(keys, w, color)
            root, (_, visitor) = find_root(parents, slot, visitors)
            suspect = (counts[colors[w]] > 1) & (key == color)
            taken = counts[color] > 0
            closes = suspect & (visitor == v) & ~taken
            visitors = store(visitors, jnp.where(suspect & ~taken & ~closes, root, nowhere), v)
            cycles = cycles + closes
            next_color = jnp.where(cycles < _MOST_CYCLES, color + 1, num_colors + 1)
            bad = closes | taken
            return (
                jnp.where(bad, next_color, color),
                cycles,
                jnp.where(bad, start, i + 1),
                visitors,
            )

        color, _, _, visitors = lax.while_loop(
            lambda state: state[2] < stop, look, (jnp.int32(1), jnp.int32(0), start, visitors)
        )
        num_colors = jnp.maximum(num_colors, color)
        colors = store(colors, v, color)

        def join(i, state):
            counts, keys, parents = state
            w = earlier[i]
            a, _ = find_slot(keys, v, colors[w])
            keys = store(keys, a, colors[w])
            b, _ = find_slot(keys, w, color)
            keys = store(keys, b, color)
            a, (a_size,) = find_root(parents, a)
            b, (b_size,) = find_root(parents, b)
            a_is_large = a_size <= b_size  # sizes are negative
            parents = store(parents, jnp.where(a_is_large, b, a), jnp.where(a_is_large, a, b))
            parents = store(parents, jnp.where(a_is_large, a, b), a_size + b_size)
            return store(counts, colors[w], 0), keys, parents

        counts, keys, parents = lax.fori_loop(start, stop, join, (counts, keys, parents))
        return colors, num_colors, counts, keys, parents, visitors

    colors = jnp.zeros(indptr.shape, jnp.int32)
    counts = jnp.zeros(indptr.shape[0] + 1, jnp.int32)
    keys = jnp.zeros(nowhere + 1, jnp.int32)
    nodes = (keys, jnp.full_like(keys, -1), jnp.full_like(keys, -1))
    return lax.fori_loop(jnp.int32(0), n, visit, (colors, jnp.int32(0), counts, *nodes))[0]


ACYCLIC = Algorithm(
    greedy_acyclic,
    functools.partial(greedy_acyclic, run=compiled_acyclic),
    (5e-7, 5e-7),
    compile_from=1_000_000,
    most_colors=float("inf"),
)
