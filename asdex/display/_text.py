"""What `repr` and `print` show of patterns and colorings."""

from decimal import Decimal
from typing import Any, TYPE_CHECKING

import equinox as eqx
import numpy as np

from ._braille import below, beside, draw, picture_for, side_for
from ._entries import compressed_forms, is_known


if TYPE_CHECKING:
    from ..coloring import ColoredPattern
    from ..pattern import SparsityPattern


def describe_pattern(sparsity: "SparsityPattern") -> str:
    """Return one line with the shape, the number of nonzeros and the sparsity of a pattern."""
    if not _has_length(sparsity.rows):
        return f"SparsityPattern(shape={sparsity.shape}, rows={_short(sparsity.rows)})"
    return f"SparsityPattern({_sizes(sparsity)})"


def describe_coloring(coloring: "ColoredPattern") -> str:
    """Return one line with the pattern, the derivative product and the colors of a coloring."""
    sparsity, colors = coloring.sparsity, plural(coloring.num_colors, "color")
    pattern = _sizes(sparsity) if _has_length(getattr(sparsity, "rows", None)) else repr(sparsity)
    return f"ColoredPattern({pattern}, {product_of(coloring)}, {colors})"


def draw_pattern(sparsity: "SparsityPattern") -> str:
    """Return the description of a pattern and, if its indices are known, a picture of it."""
    header = describe_pattern(sparsity)
    if not is_known(sparsity):
        return header
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    picture = draw(rows, cols, sparsity.shape, picture_for(sparsity.shape))
    return "\n".join([header, *picture])


def draw_coloring(coloring: "ColoredPattern") -> str:
    """Return the description of a coloring with its cost and, if known, pictures.

    Beside the pattern (below it for a coloring of rows) stands its compressed form: where the
    compressed matrix has structural nonzeros. Below them stands the reason of the mode, if there is one.
    """
    header = [describe_coloring(coloring), "  " + cost_of(coloring)]
    if not is_known(coloring):
        return "\n".join(header)
    m, n = coloring.sparsity.shape
    rows, cols = np.asarray(coloring.sparsity.rows), np.asarray(coloring.sparsity.cols)
    how = picture_for((m, n))
    picture = draw(rows, cols, (m, n), how)
    for name, (rows, cols, shape, _) in compressed_forms(coloring).items():
        if name == "columns":
            narrow = how._replace(width=side_for(how, shape[1], how.width, n))
            picture = beside(picture, draw(rows, cols, shape, narrow))
        else:
            flat = how._replace(height=side_for(how, shape[0], how.height, m))
            picture = below(picture, draw(rows, cols, shape, flat))
    reason = [f"  {coloring.reason}"] if coloring.reason else []
    return "\n".join(header + picture + reason)


def _has_length(array: Any) -> bool:
    """Whether this is the array of indices it should be, be it traced: `tree_map` may have replaced it."""
    return eqx.is_array(array) and array.ndim == 1


def _short(leaf: Any) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}" if eqx.is_array(leaf) else repr(leaf)


def _sizes(sparsity: "SparsityPattern") -> str:
    m, n = sparsity.shape
    size = max(m * n, 1)
    local = ", local" if sparsity.local else ""
    return f"{m}×{n}, nnz={sparsity.nnz}, sparsity={percent(size - sparsity.nnz, size)}{local}"


def product_of(coloring: "ColoredPattern") -> str:
    names = {"fwd": "JVP", "rev": "VJP", "bidirectional": "JVP+VJP"}
    return names.get(coloring.mode, "HVP")


def cost_of(coloring: "ColoredPattern") -> str:
    m, n = coloring.sparsity.shape
    product = product_of(coloring)
    vertex, vertices = ("row", m) if product == "VJP" else ("column", n)
    passes = plural(coloring.num_colors, product)
    if coloring.mode == "bidirectional":
        by_row = coloring.num_row_colors
        passes = f"{plural(coloring.num_colors - by_row, 'JVP')} and {plural(by_row, 'VJP')}"
    elif coloring.num_colors == vertices > 1:
        return f"{passes}, one for each {vertex}, as for a dense matrix"
    if product == "HVP":
        return f"{passes} (instead of {plural(n, 'HVP')})"
    return f"{passes} (instead of {plural(m, 'VJP')} or {plural(n, 'JVP')})"


def cost_at_elements(coloring: "ColoredPattern", count: int, whole: "ColoredPattern") -> str:
    """Return the passes that `count` elements take, and those that a coloring of the whole matrix takes."""
    passes, instead = (plural(one.num_colors, product_of(one)) for one in (coloring, whole))
    return f"{passes} of {count:,} element{'s' * (count != 1)} (instead of {instead})"


def percent(part: float, whole: int) -> str:
    """Return a share in percent, with enough decimals that only nothing is 0% and only all is 100%."""
    share = Decimal(part) / max(whole, 1)
    least, decimals = 100 * min(share, 1 - share), 1
    while least > 0 and round(least, decimals) == 0:
        decimals += 1
    return f"{100 * share:.{decimals}f}%"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
