"""Patterns of dense blocks, with the position of each entry of a block among the values."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jaxtyping import Array, Int, Int32, Shaped

from ._bsr import BSR
from ._pattern import column_order, SparsityPattern
from ._sets import equal_sets, hashes


Components = Literal["last", "first"]
BlockShape = tuple[int, int]
Guess = tuple[BlockShape, Components]


class BlockPattern(eqx.Module):
    """The nonzero blocks of an `(m, n)` pattern in which every `(b_r, b_c)` block is full or empty.

    A call with the `(nnz,)` values of the pattern's nonzeros returns the [`BSR`][] matrix.

    **Attributes:**

    - `indices`: int32 `(num_blocks,)`, the block column of each block, in the order of block rows.
    - `indptr`: int32 `(m / b_r + 1,)`, the start of each block row in `indices`.
    - `order`: int32 `(num_blocks, b_r, b_c)`, the position of each entry among the nonzeros.
    - `block_shape`: `(b_r, b_c)`.
    - `shape`: `(m, n)`.
    - `components`: how the unknowns are numbered, as in [`BSR`][].
    """

    indices: Int[Array, " num_blocks"]
    indptr: Int[Array, " block_rows+1"]
    order: Int[Array, "num_blocks b_r b_c"]
    block_shape: BlockShape = eqx.field(static=True)
    shape: tuple[int, int] = eqx.field(static=True)
    components: Components = eqx.field(static=True)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @classmethod
    def from_sparsity(
        cls,
        sparsity: SparsityPattern,
        block_shape: int | Sequence[int] | None = None,
        components: Components | None = None,
    ) -> "BlockPattern":
        """Return the blocks of a pattern, in O(nnz).

        **Arguments:**

        - `sparsity`: an `(m, n)` pattern.
        - `block_shape`: `(b_r, b_c)`, or a size for square blocks. By default it is the number of
          components in the pattern's input and output arrays, `(nodes, b)` or `(b, nodes)`, if that
          fits the pattern. Otherwise it is the largest shape that fits, which may be `(1, 1)`.
        - `components`: "last" if the unknowns are numbered node by node, "first" if they are numbered
          component by component. By default, the one that fits.

        **Raises:** `ValueError` if the pattern has a block of the given shape that is neither full nor
        empty, or if the shape does not divide `(m, n)`. `TypeError` if the pattern is traced.
        """
        if isinstance(sparsity.rows, Tracer) or isinstance(sparsity.cols, Tracer):
            raise TypeError(
                "Expected a pattern that is known, got one that is traced: build the blocks outside "
                "of the transformation."
            )
        sparsity = jax.tree.map(np.asarray, sparsity)
        if block_shape is None:
            candidates: list[Guess] = _guesses(sparsity, components)
        else:
            size = (block_shape,) * 2 if isinstance(block_shape, int) else tuple(block_shape)
            shape = _check_block_shape(sparsity, size)
            candidates = [(shape, one) for one in _numberings(components)]
        for shape, one in candidates:
            found = _find(sparsity, shape, one)
            if found is not None:
                with jax.ensure_compile_time_eval():
                    indices, indptr, order = map(jnp.asarray, found)
                return cls(indices, indptr, order, shape, sparsity.shape, one)
        raise ValueError(
            f"Expected every block of shape {candidates[0][0]} to be full or empty, but one is "
            "neither. Leave out `block_shape` to get the largest blocks that are."
        )

    @property
    def num_blocks(self) -> int:
        """The number of nonzero blocks."""
        return self.indices.shape[0]

    def __call__(self, data: Shaped[Array, " nnz"]) -> BSR:
        """Return the matrix with the given values.

        **Arguments:** `data`: `(nnz,)`, in the order of the pattern.

        **Raises:** `ValueError` if `data` has another shape.
        """
        if data.shape != (self.order.size,):
            raise ValueError(
                f"`data` must have shape {(self.order.size,)}, one value per nonzero, got "
                f"{data.shape}."
            )
        return self.matrix(jnp.asarray(data).at[self.order].get(mode="promise_in_bounds"))

    def to_scipy(self, data: Shaped[np.ndarray, " nnz"]) -> Any:
        """Return SciPy's `bsr_array` with the given values; components must be last."""
        indices, indptr, order = map(np.array, (self.indices, self.indptr, self.order))
        return sp.bsr_array((data[order], indices, indptr), shape=self.shape)

    def matrix(self, blocks: Shaped[Array, "num_blocks b_r b_c"]) -> BSR:
        """Return the matrix with the given blocks."""
        return BSR(blocks, self.indices, self.indptr, self.shape, self.components)


def _numberings(components: Components | None) -> tuple[Components, ...]:
    return ("last", "first") if components is None else (components,)


def _check_block_shape(sparsity: SparsityPattern, shape: tuple[Any, ...]) -> BlockShape:
    valid = len(shape) == 2 and all(isinstance(b, int | np.integer) and b > 0 for b in shape)
    if not valid or sparsity.m % shape[0] or sparsity.n % shape[1]:
        raise ValueError(
            f"Expected `block_shape` to be two positive integers that divide the pattern's shape "
            f"{sparsity.shape}, got {shape}."
        )
    return int(shape[0]), int(shape[1])


def _guesses(sparsity: SparsityPattern, components: Components | None) -> list[Guess]:
    """Return possible blocks, in the order of preference; the last one always fits."""
    guesses: list[Guess] = []
    output, inner = _array_shapes(sparsity)
    if min(len(output), len(inner)) > 1:
        guesses.append(((output[-1], inner[-1]), "last"))
        if (output[0], inner[0]) != sparsity.shape:
            guesses.append(((output[0], inner[0]), "first"))
    consecutive = _consecutive(sparsity)
    if max(consecutive) == 1:
        guesses.append((_interleaved(sparsity), "first"))
    guesses.append((consecutive, "last"))
    trivial: Guess = (1, 1), components or "last"
    return [
        *(
            guess
            for guess in guesses
            if guess[1] in _numberings(components) and min(guess[0]) > 0 and max(guess[0]) > 1
        ),
        trivial,
    ]


def _array_shapes(sparsity: SparsityPattern) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of the output and of the input; empty unless both are single arrays."""
    inputs = [aval.shape for aval in sparsity.input_avals]
    outputs = [aval.shape for aval in sparsity.output_avals]
    if sum(map(math.prod, outputs)) != sparsity.m and sparsity.m == sparsity.n:
        outputs = inputs  # of a Hessian
    return (outputs[0], inputs[0]) if len(inputs) == len(outputs) == 1 else ((), ())


def _consecutive(sparsity: SparsityPattern) -> BlockShape:
    """Return the largest block shape for which consecutive rows, and columns, of a block are equal."""
    starts, order = column_order(sparsity)
    rows = hashes((sparsity.indptr, sparsity.indices))
    columns = hashes((starts, sparsity.rows[order]))
    return _period(rows), _period(columns)


def _period(marks: np.ndarray) -> int:
    """Return the largest number that divides the lengths of all runs of equal marks."""
    changes = np.flatnonzero(marks[1:] != marks[:-1]) + 1
    return int(np.gcd.reduce(np.append(changes, len(marks)))) or 1


def _interleaved(sparsity: SparsityPattern) -> BlockShape:
    """Return the shape of blocks whose rows, and whose columns, are evenly spaced."""
    starts, order = column_order(sparsity)
    rows = equal_sets((sparsity.indptr, sparsity.indices))
    columns = equal_sets((starts, sparsity.rows[order]))
    return _strided(rows), _strided(columns)


def _strided(first: Int32[np.ndarray, " k"]) -> int:
    """Return how often a group of different sets is repeated, given the first equal set of each."""
    later = np.flatnonzero(first < np.arange(len(first)))
    nodes = int(later[0]) if len(later) else len(first)
    if (
        not nodes
        or len(first) % nodes
        or np.any(first[nodes:] != np.arange(len(first) - nodes) % nodes)
    ):
        return 1
    return len(first) // nodes


def _find(
    sparsity: SparsityPattern, block_shape: BlockShape, components: Components
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return `indices`, `indptr` and `order` of the blocks; `None` if one is not full."""
    height, width = block_shape
    if sparsity.m % height or sparsity.n % width or sparsity.nnz % (height * width):
        return None
    by_node = None
    if components == "first":
        rows = _node_major(sparsity.rows, sparsity.m // height, height)
        cols = _node_major(sparsity.cols, sparsity.n // width, width)
        by_node = np.argsort(rows.astype(np.int64) * sparsity.n + cols)
        sparsity = SparsityPattern(rows[by_node], cols[by_node], sparsity.shape)
    corner = (sparsity.rows % height == 0) & (sparsity.cols % width == 0)
    node_rows, indices = sparsity.rows[corner] // height, sparsity.cols[corner] // width
    if len(indices) * height * width != sparsity.nnz:
        return None
    indptr = np.zeros(sparsity.m // height + 1, np.int32)
    np.cumsum(np.bincount(node_rows, minlength=len(indptr) - 1), out=indptr[1:])
    place = np.arange(len(indices)) - indptr[node_rows]
    p, q = np.arange(height)[:, None], np.arange(width)
    rows = node_rows[:, None, None] * height + p
    order = sparsity.indptr[rows] + (place * width)[:, None, None] + q
    # All blocks are full exactly if every entry is at the position that it has in a full block.
    order = np.minimum(order, max(sparsity.nnz - 1, 0))
    full = (sparsity.rows[order] == rows) & (
        sparsity.cols[order] == indices[:, None, None] * width + q
    )
    if not np.all(full):
        return None
    if by_node is not None:
        order = by_node[order]
    return indices, indptr, order.astype(np.int32)


def _node_major(numbers: Int32[np.ndarray, " k"], nodes: int, size: int) -> Int32[np.ndarray, " k"]:
    component, node = np.divmod(numbers, max(nodes, 1))
    return node * np.int32(size) + component
