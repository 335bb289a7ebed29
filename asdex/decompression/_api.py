"""Decompression of a compressed Jacobian or Hessian, given its coloring."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Shaped
from numpy.typing import ArrayLike

from ..coloring import ColoredPattern
from ..formats import assemble, OutputFormat
from ..pattern import check_known
from ._decompressors import (
    BidirectionalDecompressor,
    ColumnDecompressor,
    Decompressor,
    RowDecompressor,
    StarDecompressor,
)
from ._substitution import SubstitutionDecompressor


Compressed = ArrayLike | tuple[ArrayLike, ArrayLike]


def decompressor_for(coloring: ColoredPattern) -> Decompressor:
    """Return the decompressor of a coloring; build it once to decompress many matrices.

    The coloring may be an argument of a function that is being compiled. The places from which nonzeros are
    read are then found in each call; symmetric and bidirectional colorings need sorting for this.

    **Raises:** `TypeError` for a traced coloring with recovery by substitution.
    """
    sparsity, num_colors = coloring.sparsity, coloring.num_colors
    if coloring.mode == "bidirectional":
        columns, rows = coloring.column_colors, coloring.row_colors
        by_row = coloring.num_row_colors
        assert columns is not None and rows is not None
        return BidirectionalDecompressor(sparsity, columns, rows, num_colors - by_row, by_row)
    colors = coloring.colors
    if coloring.symmetric and coloring.recovery == "substitution":
        check_known(coloring, "Recovery by substitution")
        return SubstitutionDecompressor(sparsity, colors, num_colors)
    if coloring.symmetric:
        return StarDecompressor(sparsity, colors, num_colors, coloring.chosen_stars)
    if coloring.mode == "rev":
        return RowDecompressor(sparsity, colors, num_colors)
    return ColumnDecompressor(sparsity, colors, num_colors)


def decompress_data(B: Compressed, coloring: ColoredPattern) -> Shaped[Array, " nnz"]:
    """Return the values of the nonzeros of a compressed matrix.

    **Arguments:** `B`: `(num_colors, m)` for a coloring of columns, and `(num_colors, n)` for a
    coloring of rows or a symmetric coloring. For a bidirectional coloring it is a pair of arrays,
    `(column colors, m)` and `(row colors, n)`. `coloring`: the coloring with which `B` was computed.

    **Returns:** `(nnz,)` values of the dtype of `B`, in the order of `coloring.sparsity`.

    **Raises:** `ValueError` if `B` has another shape.
    """
    arrays = tuple(map(jnp.asarray, B)) if isinstance(B, tuple) else jnp.asarray(B)
    return decompressor_for(coloring)(arrays)


def decompress(
    B: Compressed, coloring: ColoredPattern, output_format: OutputFormat = "bcoo"
) -> Any:
    """Return the `(m, n)` matrix that was compressed to `B`.

    **Arguments:** `B`: `(num_colors, m)` for a coloring of columns, and `(num_colors, n)` for a
    coloring of rows or a symmetric coloring. For a bidirectional coloring it is a pair of arrays,
    `(column colors, m)` and `(row colors, n)`. `coloring`: the coloring with which `B` was computed.
    `output_format`: as for `asdex.jacobian`.

    **Returns:** the matrix, in every format of shape `(m, n)`.

    **Raises:** `ValueError` if `B` has another shape or the format is unknown, `TypeError` if a
    NumPy or SciPy format is asked for inside a transformation.
    """
    return assemble(decompress_data(B, coloring), coloring.sparsity, output_format)
