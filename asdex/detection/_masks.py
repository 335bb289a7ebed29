"""Masks of the elements of arrays. One that is true everywhere takes no memory; `None` is true nowhere."""

from __future__ import annotations

from collections.abc import Sequence

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


def is_everywhere(mask: Mask | None) -> bool:
    """Whether a mask is stored as true everywhere."""
    return mask is not None and mask.size > 0 and not any(mask.strides) and bool(mask.flat[0])


def simplified(mask: Mask | None) -> Mask | None:
    """The same mask, stored as true everywhere or nowhere if it is."""
    if mask is None or is_everywhere(mask):
        return mask
    if not mask.any():
        return None
    return everywhere(mask.shape) if mask.all() else mask


def union(masks: Sequence[Mask | None], shape: Sequence[int]) -> Mask | None:
    """Where one of the masks is true, with broadcasting to `shape`."""
    marked = [mask for mask in masks if mask is not None]
    if any(map(is_everywhere, marked)):
        return everywhere(shape)
    if not marked:
        return None
    result = marked[0]
    for mask in marked[1:]:
        result = result | mask
    return np.broadcast_to(result, tuple(shape))


def intersection(masks: Sequence[Mask | None], shape: Sequence[int]) -> Mask | None:
    """Where all masks are true, with broadcasting to `shape`."""
    if any(mask is None for mask in masks):
        return None
    result = everywhere(shape)
    for mask in masks:
        if mask is not None and not is_everywhere(mask):
            result = np.broadcast_to(mask, tuple(shape)) & result
    return result


def as_dependence(mask: Mask) -> Dependence:
    """The dependence on a single input, where the mask is true."""
    if is_everywhere(mask):
        rows = np.broadcast_to(np.int32(0), mask.shape)
    else:
        rows = np.where(mask, np.int32(0), np.int32(-1))
    return Dependence(mask.shape, [Term(rows, IndexSets.identity(1))])


def as_mask(dependence: Dependence) -> Mask | None:
    """Where a dependence on a single input has that input."""
    return union([_marked(term.rows) for term in dependence.terms], dependence.shape)


def _marked(rows: np.ndarray) -> Mask:
    if rows.size and not any(rows.strides) and rows.flat[0] >= 0:
        return everywhere(rows.shape)
    return rows >= 0
