"""Where the compressed matrix is the matrix itself: it is full, and every column or row has its own pass."""

import equinox as eqx
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Shaped

from .._pattern import SparsityPattern
from ..coloring import ColoredPattern
from ._decompressors import check_shape, Decompressor


class DenseDecompressor(Decompressor):
    """Reads a full matrix from `B` `(num_colors, length)`, which is this matrix or its transpose.

    As fast as a dense derivative of jax: no index array is read.

    **Attributes:**

    - `transposed`: whether `B` is the transpose.
    - `compressed_shape`: the shape of `B`.
    """

    transposed: bool = eqx.field(static=True)
    compressed_shape: tuple[int, int] = eqx.field(static=True)

    def __call__(self, B: Shaped[Array, "num_colors length"]) -> Shaped[Array, " nnz"]:
        check_shape(B, self.compressed_shape)
        return (B.T if self.transposed else B).reshape(-1)


def dense_decompressor(coloring: ColoredPattern) -> DenseDecompressor | None:
    """Return the decompressor of a full matrix whose passes are in order; else `None`."""
    sparsity = coloring.sparsity
    m, n = sparsity.shape
    if coloring.mode == "bidirectional" or not _is_full(sparsity):
        return None
    colors = coloring.colors
    if isinstance(colors, Tracer) or not np.array_equal(colors, np.arange(coloring.num_colors)):
        return None
    by_row = coloring.mode not in ("fwd", "fwd_over_rev")
    return DenseDecompressor(
        transposed=not by_row, compressed_shape=(coloring.num_colors, n if by_row else m)
    )


def _is_full(sparsity: SparsityPattern) -> bool:
    """Whether all entries are known to be there, row after row: leaves of other trees need not be sorted."""
    rows, cols, (m, n) = sparsity.rows, sparsity.cols, sparsity.shape
    if sparsity.nnz != m * n or isinstance(rows, Tracer) or isinstance(cols, Tracer):
        return False
    rows, cols = (np.asarray(part).reshape(m, n) for part in (rows, cols))
    return bool(np.all(rows == np.arange(m)[:, None]) and np.all(cols == np.arange(n)))
