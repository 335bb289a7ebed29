"""Which entries to draw."""

from typing import Any, NamedTuple, TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Int


if TYPE_CHECKING:
    from .._pattern import SparsityPattern
    from ..coloring import ColoredPattern


def is_known(pattern: "SparsityPattern | ColoredPattern") -> bool:
    """Whether the arrays of a pattern or coloring can be read; transformations may have replaced them."""
    sparsity = getattr(pattern, "sparsity", pattern)
    arrays = [getattr(sparsity, name, None) for name in ("rows", "cols")]
    if sparsity is not pattern:
        mode = getattr(pattern, "mode", None)
        if mode != "rev":
            arrays.append(getattr(pattern, "column_colors", None))
        if mode in ("rev", "bidirectional"):
            arrays.append(getattr(pattern, "row_colors", None))
    return all(map(_is_readable, arrays))


def _is_readable(array: Any) -> bool:
    if not eqx.is_array(array) or isinstance(array, Tracer):
        return False
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        return False
    return not isinstance(array, jax.Array) or (
        not array.is_deleted() and array.is_fully_addressable
    )


class Entries(NamedTuple):
    """Entries of an `(m, n)` matrix, and the group of each, by which it is colored."""

    rows: Int[np.ndarray, " k"]
    cols: Int[np.ndarray, " k"]
    shape: tuple[int, int]
    groups: Int[np.ndarray, " k"]


def compressed_forms(
    coloring: "ColoredPattern",
) -> tuple[Entries | None, Entries | None]:
    """Return where the sums over groups of columns, and of rows, have structural nonzeros.

    The form is `(m, num_colors)` for groups of columns, the transpose of the compressed matrix, and
    `(num_colors, n)` for groups of rows, whose numbers come after those of columns. It is `None` for what
    the coloring has no groups of.
    """
    sparsity, by_row = coloring.sparsity, coloring.num_row_colors
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    column_colors, row_colors = coloring.column_colors, coloring.row_colors
    if column_colors is None:
        by_row = coloring.num_colors
    of_columns = of_rows = None
    if column_colors is not None:
        colors = np.asarray(column_colors)[cols]
        kept = colors >= 0
        shape = (sparsity.m, coloring.num_colors - by_row)
        of_columns = Entries(rows[kept], colors[kept], shape, colors[kept])
    if row_colors is not None:
        colors = np.asarray(row_colors)[rows]
        kept = colors >= 0
        groups = coloring.num_colors - by_row + colors[kept]
        of_rows = Entries(colors[kept], cols[kept], (by_row, sparsity.n), groups)
    return of_columns, of_rows
