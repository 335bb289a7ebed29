"""Decompression by substitution, which solves for a symmetric matrix with an acyclic coloring."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, Int32, Integer, Shaped

from .._arrays import on_device
from ..coloring.recoverability import mirror_positions, two_colored_edges
from ..pattern import SparsityPattern
from ._decompressors import _index, check_shape, Decompressor, take
from ._rooted_trees import root_at_centroids, RootedTrees


class SubstitutionDecompressor(Decompressor):
    """Recovers a symmetric H from `B` `(num_colors, n)`, where `B[c] = H @ seed_c`.

    `seed_c` is 1 on the vertices of color c of an acyclic coloring (Coleman and Cai 1986; Gebremedhin,
    Manne and Pothen, SIAM Review 47, 2005, section 5). Any two colors induce trees. `B[c, v]` is the
    sum of H over the edges from v to vertices of color c. So the value of an edge at a leaf can be read.
    The value of any other edge is the sum at its lower end minus the values of the edges below that end.

    The trees are rooted at their centroids and cut into paths. The sums along all paths that depend on no
    other path are formed at once, pairwise, in a number of steps that is the logarithm of their length.
    A chain of paths that depend on each other has at most log2(n) paths, however deep the tree is.

    The value of an edge has the rounding errors of `B` on the smaller side of its tree. They add up to
    about `eps * max|B| * sqrt(nodes on that side)`; the error of direct recovery is `eps * max|B|`.
    Measured for normally distributed values, in float32, the largest error was 3 times that of direct
    recovery on a matrix of local discontinuous Galerkin type with n = 966, 4 times on an airfoil mesh,
    12 times on a 5-point stencil with n = 1e4 and 70 times with n = 1e6, and 130 times on a path with
    n = 1e5. Edges at leaves have only the error of direct recovery. The rounding errors, infinities and
    NaNs of one tree do not reach another.

    **Attributes:**

    - `entries`: the places in `B` from which the slots get their first values: one int32 array `(slots,)`
      of positions in the flattened `B`, or an array of colors and an array of positions if `B` is too large
      for flat int32 indices. There is one slot for each nonzero on the diagonal, and one for each pair of
      others.
    - `negative`: `(slots,)`, the slots with a negative sign: the sums in a tree alternate, so the nodes of
      one color count negatively.
    - `rounds`: the sums to be formed, one round after the other.
    - `slots`: int32 `(nnz,)`, the slot of each nonzero.
    - `compressed_shape`: `(num_colors, n)`, the shape of `B`.
    """

    entries: tuple[Int[Array, " slots"], ...]
    negative: Bool[Array, " slots"]
    rounds: tuple["PathSums", ...]
    slots: Int[Array, " nnz"]
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self, sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
    ):
        """**Arguments:** an `(n, n)` pattern, an acyclic coloring `(n,)` of it, the number of colors.

        **Raises:** [`InvalidColoringError`][] if two colors induce a cycle.
        """
        sparsity, colors = jax.tree.map(np.asarray, (sparsity, colors))
        edges = two_colored_edges(sparsity, colors)
        trees = root_at_centroids(edges.adjacency())
        diagonal = sparsity.rows[sparsity.rows == sparsity.cols]
        order, rounds = _schedule(trees, len(diagonal))
        nodes = trees.children[order]
        vertex = np.concatenate([diagonal, edges.vertices[nodes]])
        color = np.concatenate([colors[diagonal], edges.partners[nodes]])
        negative = colors[vertex] > color
        slots = _slots_of_nonzeros(sparsity, len(diagonal), trees.edges[order])
        self.compressed_shape = (num_colors, sparsity.n)
        self.entries = _index(color, vertex, self.compressed_shape)
        self.negative = on_device(negative)
        self.rounds = tuple(rounds)
        self.slots = on_device(slots, np.int32)

    def __call__(self, B: Shaped[Array, "num_colors n"]) -> Shaped[Array, " nnz"]:
        check_shape(B, self.compressed_shape)
        return _substitute(self, B)


class PathSums(eqx.Module):
    """Replaces consecutive slots by sums of slots along paths.

    **Attributes:** `items`: int32 `(items,)`, the slots to add up, path after path. `offsets`: int32
    `(items,)`, the position of each in its path. `last`: int32 `(sums,)`, the item with which each
    sum ends. `start`: the first slot to replace. `num_steps`: the logarithm of the longest path.
    """

    items: Int[Array, " items"]
    offsets: Int[Array, " items"]
    last: Int[Array, " sums"]
    start: int = eqx.field(static=True)
    num_steps: int = eqx.field(static=True)

    def __init__(
        self,
        items: Int[np.ndarray, " items"],
        offsets: Int[np.ndarray, " items"],
        last: Int[np.ndarray, " sums"],
        start: int,
    ):
        self.items = on_device(items, np.int32)
        self.offsets = on_device(offsets, np.int32)
        self.last = on_device(last, np.int32)
        self.start = start
        self.num_steps = int(offsets.max()).bit_length()

    def __call__(self, values: Shaped[Array, " slots"]) -> Shaped[Array, " slots"]:
        numbers = jnp.arange(self.items.shape[0], dtype=jnp.int32)

        def double(step, sums):
            """Add the sum that ends where each sum begins (Hillis and Steele 1986)."""
            length = jnp.left_shift(1, step)
            before = sums.at[jnp.maximum(numbers - length, 0)].get(mode="promise_in_bounds")
            return sums + jnp.where(self.offsets >= length, before, jnp.zeros_like(before))

        items = values.at[self.items].get(mode="promise_in_bounds")
        sums = lax.fori_loop(0, self.num_steps, double, items)
        results = sums.at[self.last].get(mode="promise_in_bounds")
        return lax.dynamic_update_slice(values, results, (self.start,))


@jax.jit  # outside of transformations every loop would be compiled again in each call
def _substitute(
    decompressor: SubstitutionDecompressor, B: Shaped[Array, "num_colors n"]
) -> Shaped[Array, " nnz"]:
    values = take(B, decompressor.entries)
    values = jnp.where(decompressor.negative, -values, values)
    for path_sums in decompressor.rounds:
        values = path_sums(values)
    values = jnp.where(decompressor.negative, -values, values)
    return values.at[decompressor.slots].get(mode="promise_in_bounds")


def _schedule(trees: RootedTrees, first: int) -> tuple[Int[np.ndarray, " edges"], list[PathSums]]:
    """Return the order in which the children of a forest get slots from `first` on, and the sums.

    The sum at a node adds up its own slot, the slots of the nodes that hang from it, which are deeper by
    one level, and the sum at the node below it on the path. Paths of a single leaf need no sum and come
    first. The paths of the deepest level come next.
    """
    single = trees.is_leaf & trees.is_top
    deepest = int(trees.level.max(initial=0))
    turn = np.where(single, 0, 1 + deepest - trees.level).astype(np.uint8)
    order = np.argsort(turn, kind="stable")
    begin = np.searchsorted(turn[order], np.arange(1, deepest + 3))  # of each turn, and the end
    slots = first + np.arange(len(order))
    slot_of = np.zeros(trees.num_nodes, np.int64)
    slot_of[trees.children[order]] = slots

    waiting, hangs = order[begin[0] :], trees.hangs[order]
    owners = np.concatenate([slots[begin[0] :], slot_of[trees.parents[order][hangs]]])
    items = np.concatenate([slots[begin[0] :], slots[hangs]])
    items = items[np.argsort(owners, kind="stable")]
    counts = np.bincount(owners - first - begin[0], minlength=len(waiting))
    stop = np.cumsum(counts)
    starts_path = np.concatenate([[True], trees.is_top[waiting]])[:-1]
    path_start = np.maximum.accumulate(np.where(starts_path, stop - counts, 0))
    offsets = np.arange(len(items)) - np.repeat(path_start, counts)

    rounds = []
    for start, end in pairwise(begin - begin[0]):
        if start < end:
            part = slice(int(stop[start] - counts[start]), int(stop[end - 1]))
            last = stop[start:end] - 1 - part.start
            rounds.append(PathSums(items[part], offsets[part], last, int(slots[begin[0] + start])))
    return order, rounds


def _slots_of_nonzeros(
    sparsity: SparsityPattern, num_diagonal: int, edges: Int[np.ndarray, " edges"]
) -> Int32[np.ndarray, " nnz"]:
    """Return the slot of each nonzero; those on the diagonal have the first slots, then `edges`."""
    upper, on_diagonal = sparsity.rows < sparsity.cols, sparsity.rows == sparsity.cols
    mirror = mirror_positions(sparsity)
    slots = np.empty(sparsity.nnz, np.int32)
    slots[on_diagonal] = np.arange(num_diagonal)
    slot_of_edge = np.empty(len(edges), np.int32)
    slot_of_edge[edges] = num_diagonal + np.arange(len(edges))
    slots[upper] = slot_of_edge
    slots[mirror[upper]] = slot_of_edge
    return slots
