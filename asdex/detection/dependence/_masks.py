"""Masks of the elements of arrays. One that is true everywhere, or nowhere, takes no memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
from jaxtyping import Bool

from ._dependence import Dependence
from ._index_sets import IndexSets
from ._terms import Term


Mask = Bool[np.ndarray, "..."]


def everywhere(shape: Sequence[int]) -> Mask:
    return np.broadcast_to(np.True_, tuple(shape))


def nowhere(shape: Sequence[int]) -> Mask:
    return np.broadcast_to(np.False_, tuple(shape))


def is_everywhere(mask: Mask) -> bool:
    """Whether a mask is stored as true everywhere."""
    return not any(mask.strides) and bool(mask.size and mask.flat[0])


def simplified(mask: Mask, shape: Sequence[int]) -> Mask:
    """The same mask, broadcast to a shape, and stored as true everywhere if it is."""
    if mask.all():
        return everywhere(shape)
    return np.broadcast_to(mask, tuple(shape))


def union(masks: Iterable[Mask], shape: Sequence[int]) -> Mask:
    """Where one of the masks is true, with broadcasting to `shape`."""
    masks = list(masks)
    if any(map(is_everywhere, masks)) or not masks:
        return everywhere(shape)
    return np.broadcast_to(reduce(np.logical_or, masks), tuple(shape))


def intersection(masks: Iterable[Mask], shape: Sequence[int]) -> Mask:
    """Where all masks are true, with broadcasting to `shape`."""
    partial = [mask for mask in masks if not is_everywhere(mask)]
    if not partial:
        return everywhere(shape)
    return np.broadcast_to(reduce(np.logical_and, partial), tuple(shape))


def as_dependence(mask: Mask) -> Dependence:
    """The dependence on a single input, where the mask is true."""
    if not any(mask.strides) and mask.size:
        rows = np.broadcast_to(np.int32(int(mask.flat[0]) - 1), mask.shape)
    else:
        rows = np.where(mask, np.int32(0), np.int32(-1))
    return Dependence(mask.shape, [Term(rows, IndexSets.identity(1))])


def as_mask(dependence: Dependence) -> Mask:
    """Where a dependence, on a single input, has that input; on several, where it may have some."""
    marked = [_marked(term.rows) for term in dependence.terms]
    if not marked:
        return nowhere(dependence.shape)
    return union(marked, dependence.shape)


def _marked(rows: np.ndarray) -> Mask:
    if rows.size and not any(rows.strides):
        return np.broadcast_to(np.bool_(rows.flat[0] >= 0), rows.shape)
    return rows >= 0
