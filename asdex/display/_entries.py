"""Which entries to draw."""

from typing import Any, NamedTuple, TYPE_CHECKING

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Int


if TYPE_CHECKING:
    from ..coloring import ColoredPattern
    from ..pattern import SparsityPattern


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


def compressed_forms(coloring: "ColoredPattern") -> dict[str, Entries]:
    """Return where the sums over groups of "columns", and of "rows", have structural nonzeros.

    The form is `(m, num_colors)` for groups of columns, the transpose of the compressed matrix, and
    `(num_colors, n)` for groups of rows, whose numbers come after those of columns.
    """
    forms: dict[str, Entries] = {}
    (m, n), sparsity = coloring.sparsity.shape, coloring.sparsity
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    by_row = coloring.num_colors if coloring.column_colors is None else coloring.num_row_colors
    by_column = coloring.num_colors - by_row
    if coloring.column_colors is not None:
        colors = np.asarray(coloring.column_colors)[cols]
        kept = colors >= 0
        forms["columns"] = Entries(rows[kept], colors[kept], (m, by_column), colors[kept])
    if coloring.row_colors is not None:
        colors = np.asarray(coloring.row_colors)[rows]
        kept = colors >= 0
        forms["rows"] = Entries(colors[kept], cols[kept], (by_row, n), by_column + colors[kept])
    return forms
