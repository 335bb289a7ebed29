"""Decompression of a compressed Jacobian or Hessian, given its coloring."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Shaped
from numpy.typing import ArrayLike

from ..coloring import ColoredPattern
from ._decompressors import (
    BidirectionalDecompressor,
    ColumnDecompressor,
    Decompressor,
    RowDecompressor,
    StarDecompressor,
)
from ._dense import dense_decompressor
from ._formats import assemble, OutputFormat
from ._select import select_decompressor
from ._substitution import SubstitutionDecompressor


Compressed = ArrayLike | tuple[ArrayLike, ArrayLike]


def decompressor_for(coloring: ColoredPattern) -> Decompressor:
    """Return the decompressor of a coloring; build it once to decompress many matrices.

    A full matrix whose columns or rows each have a color of their own, in order, is not gathered but read as
    it is: an `asdex.DenseDecompressor`. A large Jacobian whose rows all have the same few nonzeros is read
    without a gather, too, if it has few colors: by an `asdex.SelectDecompressor`.

    The coloring may be an argument of a function that is being compiled: where nonzeros are read is then
    found at each call, for symmetric and bidirectional colorings by sorting.

    **Raises:** `TypeError` for a traced coloring with recovery by substitution.
    """
    without_gather = dense_decompressor(coloring) or select_decompressor(coloring)
    if without_gather is not None and coloring.chosen_stars is None:
        return without_gather
    sparsity, colors, num_colors = coloring.sparsity, coloring.colors, coloring.num_colors
    if coloring.mode == "bidirectional":
        num_row_colors = coloring.num_row_colors
        assert coloring.row_colors is not None
        return BidirectionalDecompressor(
            sparsity, colors, coloring.row_colors, num_colors - num_row_colors, num_row_colors
        )
    if coloring.symmetric and coloring.recovery == "substitution":
        check_known(coloring, "Recovery by substitution")
        return SubstitutionDecompressor(sparsity, colors, num_colors)
    if coloring.symmetric:
        return StarDecompressor(sparsity, colors, num_colors, coloring.chosen_stars)
    if coloring.mode == "rev":
        return RowDecompressor(sparsity, colors, num_colors)
    return ColumnDecompressor(sparsity, colors, num_colors)


def check_known(tree: Any, what: str) -> None:
    """Refuse a coloring or a pattern whose arrays are traced.

    **Raises:** `TypeError`.
    """
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree)):
        raise TypeError(
            f"{what} needs a known coloring, got one that is traced, because it was passed as an argument "
            "through `jit` or another transformation. Close over the coloring, or pass what you make of "
            "it outside: a decompressor, or the derivative's callable."
        )


def decompress_data(B: Compressed, coloring: ColoredPattern) -> Shaped[Array, " nnz"]:
    """Return the values of the nonzeros of a compressed matrix.

    **Arguments:** `B`: `(num_colors, m)` for a coloring of columns, else `(num_colors, n)`;
    for a bidirectional coloring a pair, `(column colors, m)` and `(row colors, n)`.
    `coloring`: the coloring that `B` was compressed with.

    **Returns:** `(nnz,)` values of the dtype of `B`, in the order of `coloring.sparsity`.

    **Raises:** `ValueError` if `B` has another shape.
    """
    arrays = tuple(map(jnp.asarray, B)) if isinstance(B, tuple) else jnp.asarray(B)
    return decompressor_for(coloring)(arrays)


def decompress(
    B: Compressed, coloring: ColoredPattern, output_format: OutputFormat = "bcoo"
) -> Any:
    """Return the `(m, n)` matrix that was compressed to `B`.

    **Arguments:** `B`: `(num_colors, m)` for a coloring of columns, else `(num_colors, n)`;
    for a bidirectional coloring a pair, `(column colors, m)` and `(row colors, n)`.
    `coloring`: the coloring that `B` was compressed with. `output_format`: "bcoo", "bcsr" or
    "dense" (JAX), "numpy_dense", "scipy_coo", "scipy_csr" or "scipy_csc" (not inside
    transformations), or
    "data" for the values alone.

    **Raises:** `ValueError` if `B` has another shape or the format is unknown, `TypeError` if a
    NumPy or SciPy format is asked for inside a transformation.
    """
    return assemble(decompress_data(B, coloring), coloring.sparsity, output_format)
