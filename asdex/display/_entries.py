"""Which entries to draw, and in which group each is."""

from typing import Any, NamedTuple, TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Int

from ..coloring.recoverability import read_from_column


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


def groups_of(coloring: "ColoredPattern") -> Int[np.ndarray, " nnz"]:
    """The group from which each nonzero is read; rows are numbered after columns."""
    sparsity = coloring.sparsity
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    if coloring.column_colors is None:
        return np.asarray(coloring.row_colors)[rows]
    colors = np.asarray(coloring.column_colors)
    if coloring.row_colors is None:
        return colors[cols]
    by_column = read_from_column(sparsity, colors)
    first = coloring.num_colors - coloring.num_row_colors
    return np.where(by_column, colors[cols], first + np.asarray(coloring.row_colors)[rows])


class CompressedForm(NamedTuple):
    """Where the sums over groups of columns, or of rows, have structural nonzeros.

    The form is `(m, num_colors)` for groups of columns, the transpose of the compressed matrix, and
    `(num_colors, n)` for groups of rows. `groups` holds the group of each of its entries; those of rows
    are numbered after those of columns.
    """

    rows: Int[np.ndarray, " k"]
    cols: Int[np.ndarray, " k"]
    shape: tuple[int, int]
    groups: Int[np.ndarray, " k"]


def compressed_forms(
    coloring: "ColoredPattern",
) -> tuple[CompressedForm | None, CompressedForm | None]:
    """Return the compressed forms by columns and by rows; `None` for one that is not in use."""
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
        of_columns = CompressedForm(rows[kept], colors[kept], shape, colors[kept])
    if row_colors is not None:
        colors = np.asarray(row_colors)[rows]
        kept = colors >= 0
        groups = coloring.num_colors - by_row + colors[kept]
        of_rows = CompressedForm(colors[kept], cols[kept], (by_row, sparsity.n), groups)
    return of_columns, of_rows
