"""Factors that live on the host, for libraries that JAX has no operation for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, UInt32

from .._matrix import SparseMatrixLinearOperator
from .._spaces import dtype_of
from .._structure import Structure


Solve = Callable[[np.ndarray, bool], np.ndarray]
"""The solutions for the columns of a matrix, of the system or of its transpose."""


class Method(Protocol):
    """A way to factorize on the host, which compares by its options."""

    def factorize(self, structure: Structure, data: np.ndarray) -> Solve | None:
        """The factors of the matrix with these values, in double precision; `None` if it is singular."""
        ...


class HostFactors(eqx.Module):
    """A matrix whose factors a bounded store on the host holds, made where a solution first needs them.

    diffrax asks for factors in each step that it does not use.

    **Attributes:**

    - `data`: `(nnz,)` values of the matrix, by which the store finds its factors.
    """

    data: Inexact[Array, " nnz"]
    structure: Structure = eqx.field(static=True)
    method: Method = eqx.field(static=True)

    @classmethod
    def of(cls, matrix: SparseMatrixLinearOperator, method: Method) -> HostFactors:
        spaces = (matrix.input_structure, matrix.output_structure)
        with jax.numpy_dtype_promotion("standard"):
            dtype = jnp.result_type(matrix.data, dtype_of(*spaces), jnp.float32)
            data = matrix.data.astype(dtype)
        return cls(jax.lax.stop_gradient(data), matrix.structure, method)

    def solve(self, right: Inexact[Array, " n"], transposed: bool) -> Inexact[Array, " n"]:
        """The solution for a right-hand side, of the system or of its transpose.

        It is linear in the right-hand side, and differentiated so: the matrix counts as constant.
        """
        matrix = SparseMatrixLinearOperator(self.data, self.structure)
        matrix = matrix.transpose() if transposed else matrix
        return jax.lax.custom_linear_solve(
            lambda x: matrix.multiply(x).astype(right.dtype),
            right,
            lambda _, b: self._called_back(b, transposed),
            lambda _, b: self._called_back(b, not transposed),
        )

    def _called_back(self, right: Array, transposed: bool) -> Array:
        dtype = jnp.promote_types(right.dtype, jnp.float32)

        def solve(data_bits: Any, right_bits: Any) -> np.ndarray:
            data, right = _from_bits(data_bits, self.data.dtype), _from_bits(right_bits, dtype)
            batch, n = np.broadcast_shapes(data.shape[:-1], right.shape[:-1]), right.shape[-1]
            right = np.broadcast_to(right, (*batch, n))
            solution = np.empty((*batch, n), dtype)
            for item in np.ndindex(*data.shape[:-1]):
                # All right-hand sides of a matrix: its axes of length one are broadcast.
                which = tuple(
                    slice(None) if length == 1 else place
                    for place, length in zip(item, data.shape, strict=False)
                )
                factors = _factors(self.method, self.structure, data[item].tobytes(), data.dtype)
                columns = _widened(right[which].reshape(-1, n).T)
                solved = columns * np.nan if factors is None else factors(columns, transposed)
                solution[which] = solved.T.reshape(right[which].shape)
            return solution.view(np.uint32)

        right_bits = _bits(right.astype(dtype))
        bits = _call_back(solve, right_bits.size, _bits(self.data), right_bits)
        return _as_values(bits, dtype).astype(right.dtype)


@functools.lru_cache(maxsize=16)
def _factors(method: Method, structure: Structure, data: bytes, dtype: np.dtype) -> Solve | None:
    return method.factorize(structure, _widened(np.frombuffer(data, dtype)))


def _call_back(function: Callable[..., np.ndarray], size: int, *bits: Array) -> Array:
    result = jax.ShapeDtypeStruct((size,), jnp.uint32)
    return jax.pure_callback(function, result, *bits, vmap_method="expand_dims")


# Values cross to the host as integers of 32 bits. JAX would round float64 to float32 in a thread in which 64
# bits are not switched on, and they are for the user's thread alone in `with jax.enable_x64(True)`.


def _bits(values: Inexact[Array, " k"]) -> UInt32[Array, " words"]:
    if jnp.iscomplexobj(values):
        values = jnp.stack([values.real, values.imag], axis=-1)
    return jax.lax.bitcast_convert_type(values, jnp.uint32).reshape(-1)


def _as_values(bits: UInt32[Array, " words"], dtype: Any) -> Inexact[Array, " k"]:
    real = jnp.finfo(dtype).dtype
    words = bits.reshape(-1, 2) if real.itemsize == 8 else bits
    parts = jax.lax.bitcast_convert_type(words, real)
    is_complex = jnp.issubdtype(dtype, jnp.complexfloating)
    return jax.lax.complex(parts[::2], parts[1::2]) if is_complex else parts


def _from_bits(bits: Any, dtype: Any) -> np.ndarray:
    return np.ascontiguousarray(bits).view(dtype)


def _widened(values: np.ndarray) -> np.ndarray:
    return values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)
