"""Graphs that are given as sparse matrices or patterns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int
from scipy.sparse import csgraph

from ._pattern import SparsityPattern


_MOST_ENTRIES: Final = np.iinfo(np.int32).max


def connected_components(
    matrix: sp.csr_array, connection: str = "weak"
) -> tuple[int, Int[np.ndarray, " n"]]:
    """The connected components of the graph with an edge for each nonzero.

    SciPy needs 32-bit indices here. For other indices, SciPy 1.11 prints an error and returns meaningless
    labels.

    **Arguments:**

    - `matrix`: of shape `(n, n)`, with indices of any width.
    - `connection`: `"weak"` for the components of the undirected graph, `"strong"` for those of the directed
        graph.

    **Returns:**

    The number of components, and the number of each vertex's component.

    **Raises:**

    `ValueError` for a matrix with more entries than 32-bit indices can count.
    """
    if matrix.nnz > _MOST_ENTRIES:
        raise ValueError(f"Expected at most {_MOST_ENTRIES} edges in a graph, got {matrix.nnz}.")
    narrow = (matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32))
    graph = sp.csr_array((matrix.data, *narrow), shape=matrix.shape)
    count, label = csgraph.connected_components(graph, connection=connection)
    return int(count), label


def in_order(start: Any, before: Callable[[Any], Iterable[Any]]) -> list[Any]:
    """`start` and all that it needs, each after what `before` lists for it, without recursion."""
    order: dict[Any, None] = {}
    stack = [start]
    while stack:
        waiting = [one for one in before(stack[-1]) if one not in order]
        if waiting:
            stack.extend(waiting)
        else:
            order[stack.pop()] = None
    return list(order)


def with_diagonal(pattern: SparsityPattern) -> SparsityPattern:
    """A square pattern with all of its diagonal; the same object if no entry is missing."""
    every = np.arange(pattern.n, dtype=np.int32)
    if np.count_nonzero(pattern.rows == pattern.cols) == pattern.n:
        return pattern
    return SparsityPattern.from_coo(
        np.concatenate([pattern.rows, every]), np.concatenate([pattern.cols, every]), pattern.shape
    )
