"""Decompression of a matrix some of whose entries are known beforehand."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Shaped

from .._arrays import on_device
from ._decompressors import Decompressor, take


class Constants(eqx.Module):
    """Known numbers, stored as integers with the same bits.

    So an optimizer, which updates the floating-point arrays of a tree, does not take them for parameters.
    """

    bits: Int[Array, "count ..."]
    dtype: np.dtype = eqx.field(static=True)

    def __init__(self, values: Shaped[np.ndarray, " count"]):
        self.dtype = np.dtype(values.dtype)
        if np.iscomplexobj(values):
            values = np.stack([np.real(values), np.imag(values)], axis=-1)
        self.bits = on_device(values.view(f"u{values.dtype.itemsize}"))

    @property
    def values(self) -> Shaped[Array, " count"]:
        if not np.issubdtype(self.dtype, np.complexfloating):
            return jax.lax.bitcast_convert_type(self.bits, self.dtype)
        real = np.real(np.zeros(0, self.dtype)).dtype
        parts = jax.lax.bitcast_convert_type(self.bits, real)
        return jax.lax.complex(parts[..., 0], parts[..., 1])


class ConstantDecompressor(Decompressor):
    """Reads the entries that change from `B`, and adds the constant ones."""

    varying: Decompressor
    index: Int[Array, " nnz"]
    is_constant: Bool[Array, " nnz"]
    constants: Constants
    num_constant: int = eqx.field(static=True)
    compressed_shape: Any = eqx.field(static=True)

    def __init__(
        self,
        varying: Decompressor,
        index: Int[np.ndarray, " nnz"],
        is_constant: Bool[np.ndarray, " nnz"],
        constants: Shaped[np.ndarray, " nnz"],
    ):
        """**Arguments:** `varying`: reads the entries that change, and perhaps more. `index`: for each
        nonzero, its position among the entries that `varying` reads. `is_constant`: which nonzeros do not
        change. `constants`: their values, and arbitrary values for the other nonzeros."""
        self.varying = varying
        self.num_constant = int(np.count_nonzero(is_constant))
        self.constants = Constants(constants)
        self.compressed_shape = varying.compressed_shape
        self.index = on_device(np.where(is_constant, 0, index), np.int32)
        self.is_constant = on_device(is_constant)

    def __call__(self, B: Any) -> Shaped[Array, " nnz"]:
        """Return the values of the nonzeros.

        **Raises:** `ValueError` if `B` has another shape, `TypeError` if it has another dtype than the
        constants.
        """
        values = self.varying(B)
        dtype = self.constants.dtype
        if values.dtype != dtype:
            raise TypeError(
                f"Expected a derivative of dtype {dtype}, as that whose constant entries were computed, "
                f"got {values.dtype}. Make a new derivative with samples of these dtypes, or pass inputs of "
                "the dtypes of the samples."
            )
        constants = self.constants.values
        if not len(values):
            return constants
        return jnp.where(self.is_constant, constants, take(values, (self.index,)))
