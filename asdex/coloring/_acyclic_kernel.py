"""The greedy algorithm of `_acyclic` as loops that XLA compiles: for large problems."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Int, Int32

from ._host import run_on_host


MOST_CYCLES = 64  # colors tried for one vertex that close a cycle, before it gets a new color


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
            visitors = _store(visitors, jnp.where(suspect & ~taken & ~closes, root, nowhere), v)
            cycles = cycles + closes
            next_color = jnp.where(cycles < MOST_CYCLES, color + 1, num_colors + 1)
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
        colors = _store(colors, v, color)

        def join(i, state):
            counts, keys, parents = state
            w = earlier[i]
            a, _ = find_slot(keys, v, colors[w])
            keys = _store(keys, a, colors[w])
            b, _ = find_slot(keys, w, color)
            keys = _store(keys, b, color)
            a, (a_size,) = find_root(parents, a)
            b, (b_size,) = find_root(parents, b)
            a_is_large = a_size <= b_size  # sizes are negative
            parents = _store(parents, jnp.where(a_is_large, b, a), jnp.where(a_is_large, a, b))
            parents = _store(parents, jnp.where(a_is_large, a, b), a_size + b_size)
            return _store(counts, colors[w], 0), keys, parents

        counts, keys, parents = lax.fori_loop(start, stop, join, (counts, keys, parents))
        return colors, num_colors, counts, keys, parents, visitors

    colors = jnp.zeros(indptr.shape, jnp.int32)
    counts = jnp.zeros(indptr.shape[0] + 1, jnp.int32)
    keys = jnp.zeros(nowhere + 1, jnp.int32)
    nodes = (keys, jnp.full_like(keys, -1), jnp.full_like(keys, -1))
    return lax.fori_loop(jnp.int32(0), n, visit, (colors, jnp.int32(0), counts, *nodes))[0]


def _store(array: Any, at: Any, value: Any) -> Any:
    return array.at[at].set(value, mode="promise_in_bounds")
