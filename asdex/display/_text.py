"""What `repr` and `print` show of patterns and colorings."""

from typing import Any, TYPE_CHECKING

import equinox as eqx
import jax
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
    if not _is_concrete(sparsity):
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
    if not _is_concrete(coloring):
        return "\n".join(header)
    sparsity, num_colors = coloring.sparsity, coloring.num_colors
    (m, n), rows, cols = sparsity.shape, np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    how = picture_for((m, n))
    picture = draw(rows, cols, (m, n), how)
    compressed = compressed_entries(coloring)
    if coloring.mode == "rev":
        shape = (num_colors, n)
        form = draw(*compressed, shape, picture_below(how, num_colors, max(m, 1)))
        return "\n".join(header + below(picture, form))
    form = draw(*compressed, (m, num_colors), picture_beside(how, num_colors, max(n, 1)))
    return "\n".join(header + beside(picture, form))


def compressed_entries(
    coloring: "ColoredPattern",
) -> tuple[Int[np.ndarray, " nnz"], Int[np.ndarray, " nnz"]]:
    """Return the row and the column, in the compressed form, that each nonzero adds to.

    The compressed form is `(num_colors, n)` for a coloring of rows ("rev"), else `(m, num_colors)`,
    the transpose of the compressed matrix `B`.
    """
    rows, cols = np.asarray(coloring.sparsity.rows), np.asarray(coloring.sparsity.cols)
    colors = np.asarray(coloring.colors)
    return (colors[rows], cols) if coloring.mode == "rev" else (rows, colors[cols])


def _sizes(sparsity: "SparsityPattern") -> str:
    m, n = sparsity.shape
    return f"{m}×{n}, nnz={sparsity.nnz}, sparsity={1 - sparsity.density:.1%}"


def _product(coloring: "ColoredPattern") -> str:
    return {"fwd": "JVP", "rev": "VJP"}.get(coloring.mode, "HVP")


def _cost(coloring: "ColoredPattern") -> str:
    m, n = coloring.sparsity.shape
    product = _product(coloring)
    dense = _plural(n, "HVP")
    if product != "HVP":
        dense = f"{_plural(m, 'VJP')} or {_plural(n, 'JVP')}"
    return f"{_plural(coloring.num_colors, product)} (instead of {dense})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_concrete(module: Any) -> bool:
    leaves = jax.tree.leaves(module, is_leaf=lambda leaf: leaf is None)
    return all(eqx.is_array(leaf) and not isinstance(leaf, Tracer) for leaf in leaves)
