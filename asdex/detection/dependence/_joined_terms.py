"""Terms of several arrays, or of several slices of one, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ._index_sets import IndexSets
from ._terms import compact, gather_sets, merge_into, Term


MAX_TERMS: Final = 16
"""Unions stay lazy up to this number of terms; then they are merged into fewer pools of sets."""


def aligned(
    operands: Sequence[Sequence[Term]],
) -> list[tuple[IndexSets, list[NDArray[np.int32] | None]]]:
    """The operands' terms, matched up by pool: one row map (or `None`) per operand."""
    slots: list[tuple[IndexSets, list[NDArray[np.int32] | None]]] = []
    for number, operand in enumerate(operands):
        for rows, pool in operand:
            for slot_pool, slot_rows in slots:
                if slot_pool is pool and slot_rows[number] is None:
                    slot_rows[number] = rows
                    break
            else:
                fresh: list[NDArray[np.int32] | None] = [None] * len(operands)
                fresh[number] = rows
                slots.append((pool, fresh))
    return slots


def concatenated(
    operands: Sequence[tuple[tuple[int, ...], Sequence[Term]]], axis: int
) -> list[Term]:
    """The terms of arrays joined along `axis`; an operand is its shape and its terms."""
    pools = {id(term.pool) for _, terms in operands for term in terms}
    if len(pools) > MAX_TERMS:
        shapes = [shape for shape, _ in operands]
        layers = zip_longest(*(compact(shape, terms) for shape, terms in operands))
        return [_joined_pools(list(zip(shapes, layer, strict=True)), axis) for layer in layers]
    joined = []
    for pool, rows in aligned([terms for _, terms in operands]):
        parts = [
            np.broadcast_to(np.int32(-1), shape) if one is None else one
            for one, (shape, _) in zip(rows, operands, strict=True)
        ]
        joined.append(Term(np.concatenate(parts, axis), pool))
    return joined


def _joined_pools(operands: Sequence[tuple[tuple[int, ...], Term | None]], axis: int) -> Term:
    """Join one term per operand (or none, but of some), with their pools one after the other."""
    parts, pools, offset = [], [], 0
    for shape, term in operands:
        if term is None:
            parts.append(np.broadcast_to(np.int32(-1), shape))
            continue
        parts.append(np.where(term.rows >= 0, term.rows + np.int32(offset), np.int32(-1)))
        pools.append(term.pool)
        offset += term.pool.count
    return Term(np.concatenate(parts, axis), IndexSets.concatenate(pools))


def reduced_leading(terms: list[Term], depth: int, kept: tuple[int, ...]) -> list[Term]:
    """Union over the `depth` leading axes of every term."""
    count = int(np.prod(kept, dtype=np.int64))
    result: list[Term] = []
    for rows, pool in terms:
        constant = tuple(slice(0, 1) if rows.strides[i] == 0 else slice(None) for i in range(depth))
        rows = rows[constant]
        owners = np.broadcast_to(np.arange(count, dtype=np.int32).reshape(kept), rows.shape)
        for term in gather_sets(owners.reshape(-1), rows.reshape(-1), pool, count):
            merge_into(result, Term(term.rows.reshape(kept), term.pool))
    return result


def shifted(positions: NDArray, axis: int, step: int) -> NDArray:
    """Positions moved along `axis` by `step`, filled up with -1."""
    result = np.full_like(positions, -1)
    target: list[slice] = [slice(None)] * positions.ndim
    source = list(target)
    target[axis] = slice(step, None) if step > 0 else slice(None, step)
    source[axis] = slice(None, -step) if step > 0 else slice(-step, None)
    result[tuple(target)] = positions[tuple(source)]
    return result
