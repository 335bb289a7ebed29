"""The dense blocks that a pattern consists of: their shape, and where they are."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int32

from .._sets import equal_sets, hashes, Sets, transpose_order
from ._algebra import PatternAlgebra
from ._indices import known_coordinates


Components = Literal["last", "first"]
BlockShape = tuple[int, int]
Guess = tuple[BlockShape, Components]


class FoundBlocks(NamedTuple):
    """Where the nonzero blocks are: attributes of [`BlockPattern`][], as NumPy arrays."""

    indices: Int32[np.ndarray, " num_blocks"]
    indptr: Int32[np.ndarray, " block_rows+1"]
    order: Int32[np.ndarray, "num_blocks b_r b_c"]
    block_shape: BlockShape
    components: Components


def find_blocks(
    sparsity: PatternAlgebra,
    block_shape: int | Sequence[int] | None = None,
    components: Components | None = None,
) -> FoundBlocks:
    """Return the blocks of a pattern, in O(nnz); arguments and errors as `BlockPattern.from_sparsity`."""
    rows, cols = known_coordinates(sparsity.rows, sparsity.cols)
    entries = _Entries(rows, cols, sparsity.shape)
    if block_shape is None:
        candidates = _guesses(entries, _array_shapes(sparsity), components)
    else:
        size = (block_shape,) * 2 if isinstance(block_shape, int) else tuple(block_shape)
        shape = _check_block_shape(size, sparsity.shape)
        candidates: list[Guess] = [(shape, one) for one in _numberings(components)]
    for shape, one in candidates:
        found = _find(entries, shape, one)
        if found is not None:
            return FoundBlocks(*found, shape, one)
    raise ValueError(
        f"Expected every block of shape {candidates[0][0]} to be full or empty, but one is "
        "neither. Leave out `block_shape` to get the largest blocks that are."
    )


class _Entries(NamedTuple):
    """The nonzeros of an `(m, n)` matrix, in the order of a pattern."""

    rows: Int32[np.ndarray, " nnz"]
    cols: Int32[np.ndarray, " nnz"]
    shape: tuple[int, int]

    @property
    def by_row(self) -> Sets:
        starts = np.searchsorted(self.rows, np.arange(self.shape[0] + 1, dtype=np.int32))
        return starts, self.cols

    @property
    def by_column(self) -> Sets:
        starts, order = transpose_order(*self.by_row, self.shape[1])
        return starts, self.rows[order]


def _numberings(components: Components | None) -> tuple[Components, ...]:
    return ("last", "first") if components is None else (components,)


def _check_block_shape(shape: tuple[Any, ...], whole: tuple[int, int]) -> BlockShape:
    valid = len(shape) == 2 and all(isinstance(b, int | np.integer) and b > 0 for b in shape)
    if not valid or whole[0] % shape[0] or whole[1] % shape[1]:
        raise ValueError(
            f"Expected `block_shape` to be two positive integers that divide the pattern's shape "
            f"{whole}, got {shape}."
        )
    return int(shape[0]), int(shape[1])


def _guesses(
    entries: _Entries,
    arrays: tuple[tuple[int, ...], tuple[int, ...]],
    components: Components | None,
) -> list[Guess]:
    """Return possible blocks, in the order of preference; the last one always fits."""
    guesses: list[Guess] = []
    output, inner = arrays
    if min(len(output), len(inner)) > 1 and min(entries.shape) > 0:
        guesses.append(((output[-1], inner[-1]), "last"))
        if (output[0], inner[0]) != entries.shape:
            guesses.append(((output[0], inner[0]), "first"))
    consecutive = _period(hashes(entries.by_row)), _period(hashes(entries.by_column))
    if max(consecutive) == 1:
        spaced = _strided(equal_sets(entries.by_row)), _strided(equal_sets(entries.by_column))
        guesses.append((spaced, "first"))
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


def _array_shapes(sparsity: PatternAlgebra) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of the output and of the input; empty unless both are single arrays."""
    inputs = [aval.shape for aval in sparsity.input_avals]
    outputs = [aval.shape for aval in sparsity.output_avals]
    m, n = sparsity.shape
    if sum(map(math.prod, outputs)) != m and m == n:
        outputs = inputs  # of a Hessian
    return (outputs[0], inputs[0]) if len(inputs) == len(outputs) == 1 else ((), ())


def _period(marks: np.ndarray) -> int:
    """Return how many neighbors are equal: the largest number that divides the lengths of all runs."""
    changes = np.flatnonzero(marks[1:] != marks[:-1]) + 1
    return int(np.gcd.reduce(np.append(changes, len(marks)))) or 1


def _strided(first: Int32[np.ndarray, " k"]) -> int:
    """Return how many sets, evenly spaced, are equal, given the first equal set of each."""
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
    entries: _Entries, block_shape: BlockShape, components: Components
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return `indices`, `indptr` and `order` of the blocks; `None` if one is not full."""
    (height, width), (m, n) = block_shape, entries.shape
    nnz = len(entries.rows)
    if m % height or n % width or nnz % (height * width):
        return None
    by_node = None
    if components == "first":
        rows = _node_major(entries.rows, m // height, height)
        cols = _node_major(entries.cols, n // width, width)
        by_node = np.argsort(rows.astype(np.int64) * n + cols)
        entries = _Entries(rows[by_node], cols[by_node], entries.shape)
    corner = (entries.rows % height == 0) & (entries.cols % width == 0)
    node_rows, indices = entries.rows[corner] // height, entries.cols[corner] // width
    if len(indices) * height * width != nnz:
        return None
    indptr = np.zeros(m // height + 1, np.int32)
    np.cumsum(np.bincount(node_rows, minlength=len(indptr) - 1), out=indptr[1:])
    place = np.arange(len(indices)) - indptr[node_rows]
    p, q = np.arange(height)[:, None], np.arange(width)
    rows = node_rows[:, None, None] * height + p
    starts, _ = entries.by_row
    order = starts[rows] + (place * width)[:, None, None] + q
    # All blocks are full exactly if every entry is at the position that it has in a full block.
    order = np.minimum(order, max(nnz - 1, 0))
    cols = indices[:, None, None] * width + q
    if not np.all((entries.rows[order] == rows) & (entries.cols[order] == cols)):
        return None
    if by_node is not None:
        order = by_node[order]
    return indices, indptr, order.astype(np.int32)


def _node_major(numbers: Int32[np.ndarray, " k"], nodes: int, size: int) -> Int32[np.ndarray, " k"]:
    component, node = np.divmod(numbers, max(nodes, 1))
    return node * np.int32(size) + component
