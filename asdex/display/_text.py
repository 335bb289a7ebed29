"""What `repr` and `print` show of patterns and colorings."""

from typing import Any, NamedTuple, TYPE_CHECKING

import equinox as eqx
import numpy as np
from jax.core import Tracer
from jaxtyping import Int

from ._braille import below, beside, draw, picture_below, picture_beside, picture_for


if TYPE_CHECKING:
    from .._pattern import SparsityPattern
    from ..coloring import ColoredPattern


def describe_pattern(sparsity: "SparsityPattern") -> str:
    """Return one line with the shape, the number of nonzeros and the sparsity of a pattern."""
    if not eqx.is_array(sparsity.rows):
        return f"SparsityPattern(shape={sparsity.shape}, rows={sparsity.rows!r})"
    return f"SparsityPattern({_sizes(sparsity)})"


def describe_coloring(coloring: "ColoredPattern") -> str:
    """Return one line with the pattern, the derivative product and the colors of a coloring."""
    product, k = _product(coloring), coloring.num_colors
    if not eqx.is_array(getattr(coloring.sparsity, "rows", None)):
        return f"ColoredPattern({coloring.sparsity!r}, {product}, {_plural(k, 'color')})"
    return f"ColoredPattern({_sizes(coloring.sparsity)}, {product}, {_plural(k, 'color')})"


def draw_pattern(sparsity: "SparsityPattern") -> str:
    """Return the description of a pattern and, if its indices are known, a picture of it."""
    header = describe_pattern(sparsity)
    if not _is_concrete(sparsity.rows, sparsity.cols):
        return header
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    picture = draw(rows, cols, sparsity.shape, picture_for(sparsity.shape))
    return "\n".join([header, *picture])


def draw_coloring(coloring: "ColoredPattern") -> str:
    """Return the description of a coloring with its cost and, if known, pictures.

    Beside the pattern (below it for a coloring of rows) stands its compressed form: where the
    compressed matrix has structural nonzeros.
    """
    header = [describe_coloring(coloring), "  " + _cost(coloring)]
    arrays = [
        coloring.colors,
        *(getattr(coloring.sparsity, name, None) for name in ("rows", "cols")),
    ]
    if coloring.mode == "bidirectional":
        arrays.append(coloring.row_colors)
    if not _is_concrete(*arrays):
        return "\n".join(header)
    m, n = coloring.sparsity.shape
    rows, cols = np.asarray(coloring.sparsity.rows), np.asarray(coloring.sparsity.cols)
    how = picture_for((m, n))
    picture = draw(rows, cols, (m, n), how)
    of_columns, of_rows = compressed_forms(coloring)
    if of_columns is not None:
        num_colors = of_columns.shape[1]
        beneath = picture_beside(how, num_colors, max(n, 1))
        picture = beside(picture, draw(of_columns.rows, of_columns.cols, (m, num_colors), beneath))
    if of_rows is not None:
        num_colors = of_rows.shape[0]
        beneath = picture_below(how, num_colors, max(m, 1))
        picture = below(picture, draw(of_rows.rows, of_rows.cols, (num_colors, n), beneath))
    reason = [f"  auto: {coloring.reason}"] if coloring.reason else []
    return "\n".join(header + picture + reason)


class CompressedForm(NamedTuple):
    """Where the sums over groups of columns, or of rows, have structural nonzeros.

    The form is `(m, num_colors)` for groups of columns, the transpose of the compressed matrix, and
    `(num_colors, n)` for groups of rows. `groups` holds the color of each of its entries.
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
    column_colors, row_colors = coloring.colors, coloring.row_colors
    if coloring.mode == "rev":
        column_colors, row_colors, by_row = None, coloring.colors, coloring.num_colors
    of_columns = of_rows = None
    if column_colors is not None:
        colors = np.asarray(column_colors)[cols]
        kept = colors >= 0
        shape = (sparsity.m, coloring.num_colors - by_row)
        of_columns = CompressedForm(rows[kept], colors[kept], shape, colors[kept])
    if row_colors is not None:
        colors = np.asarray(row_colors)[rows]
        kept = colors >= 0
        of_rows = CompressedForm(colors[kept], cols[kept], (by_row, sparsity.n), colors[kept])
    return of_columns, of_rows


def _sizes(sparsity: "SparsityPattern") -> str:
    m, n = sparsity.shape
    return f"{m}×{n}, nnz={sparsity.nnz}, sparsity={1 - sparsity.density:.1%}"


def _product(coloring: "ColoredPattern") -> str:
    names = {"fwd": "JVP", "rev": "VJP", "bidirectional": "JVP+VJP"}
    return names.get(coloring.mode, "HVP")


def _cost(coloring: "ColoredPattern") -> str:
    m, n = coloring.sparsity.shape
    product = _product(coloring)
    if product == "HVP":
        return f"{_plural(coloring.num_colors, product)} (instead of {_plural(n, 'HVP')})"
    passes = _plural(coloring.num_colors, product)
    if coloring.mode == "bidirectional":
        by_row = coloring.num_row_colors
        passes = f"{_plural(coloring.num_colors - by_row, 'JVP')} and {_plural(by_row, 'VJP')}"
    return f"{passes} (instead of {_plural(m, 'VJP')} or {_plural(n, 'JVP')})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_concrete(*arrays: Any) -> bool:
    """Whether arrays are there and known; transformations may have replaced them."""
    return all(eqx.is_array(array) and not isinstance(array, Tracer) for array in arrays)
