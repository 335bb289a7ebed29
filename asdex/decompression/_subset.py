"""A part of the nonzeros, such as a triangle."""

from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Int, Shaped

from .._arrays import on_device
from ._decompressors import Decompressor


class SubsetDecompressor(Decompressor):
    """Reads some of the nonzeros that another decompressor reads.

    **Attributes:**

    - `positions`: int32 `(k,)`, their positions among the others.
    """

    decompressor: Decompressor
    positions: Int[Array, " k"]
    compressed_shape: Any = eqx.field(static=True)

    def __init__(self, decompressor: Decompressor, kept: Bool[np.ndarray, " nnz"]):
        self.decompressor, self.compressed_shape = decompressor, decompressor.compressed_shape
        self.positions = on_device(np.flatnonzero(kept), np.int32)

    def __call__(self, B: Any) -> Shaped[Array, " k"]:
        return self.decompressor(B).at[self.positions].get(mode="promise_in_bounds")
