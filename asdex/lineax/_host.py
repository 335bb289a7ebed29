"""Factors that live on the host, for libraries that JAX has no operation for."""

from __future__ import annotations

import collections
import math
import os
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact, UInt32

from ._matrix import SparseMatrixLinearOperator
from ._spaces import dtype_of
from ._structure import Structure


_MOST_FACTORS: Final = 16

Solve = Callable[[np.ndarray, bool], np.ndarray]
"""The solution for a right-hand side, of the system or of its transpose."""


class Method(Protocol):
    """A way to factorize on the host, which compares by its options."""

    def factorize(self, structure: Structure, data: np.ndarray) -> Solve | None:
        """The factors of the matrix with these values, in double precision; `None` if it is singular."""
        ...


class HostFactors(eqx.Module):
    """Factors in a bounded store on the host, made again from the values if they were dropped.

    **Attributes:**

    - `data`: `(nnz,)` values of the matrix.
    - `key`: a random number of 64 bits under which the factors are stored.
    """

    data: Inexact[Array, " nnz"]
    key: UInt32[Array, "2"]
    structure: Structure = eqx.field(static=True)
    method: Method = eqx.field(static=True)

    @classmethod
    def of(cls, matrix: SparseMatrixLinearOperator, method: Method) -> HostFactors:
        structure, spaces = matrix.structure, (matrix.input_structure, matrix.output_structure)
        with jax.numpy_dtype_promotion("standard"):
            dtype = jnp.result_type(matrix.data, dtype_of(*spaces), jnp.float32)
            data = matrix.data.astype(dtype)

        data = jax.lax.stop_gradient(data)

        def factorize(bits: Any) -> np.ndarray:
            values = _from_bits(bits, data.dtype)
            batch = values.shape[:-1]
            keys = np.frombuffer(os.urandom(8 * math.prod(batch)), np.uint32).reshape(*batch, 2)
            for item in np.ndindex(*batch):
                _STORE.add(method, structure, keys[item], values[item])
            return keys

        key = _call_back(factorize, 2, _bits(data))
        return cls(data, key, structure, method)

    def solve(self, right: Inexact[Array, " n"], transposed: bool) -> Inexact[Array, " n"]:
        """The solution for a right-hand side, of the system or of its transpose."""
        dtype = jnp.promote_types(right.dtype, jnp.float32)

        def solve(data_bits: Any, key: Any, right_bits: Any) -> np.ndarray:
            data = _from_bits(data_bits, self.data.dtype)
            right, key = _from_bits(right_bits, dtype), np.asarray(key)
            solution = np.empty_like(right)
            for item in np.ndindex(*right.shape[:-1]):
                factors = _STORE.get(self.method, self.structure, key[item], data[item])
                solved = np.nan if factors is None else factors(_widened(right[item]), transposed)
                solution[item] = solved
            return solution.view(np.uint32)

        right_bits = _bits(right.astype(dtype))
        bits = _call_back(solve, right_bits.size, _bits(self.data), self.key, right_bits)
        return _as_values(bits, dtype).astype(right.dtype)


def _call_back(function: Callable[..., np.ndarray], size: int, *bits: Array) -> Array:
    result = jax.ShapeDtypeStruct((size,), jnp.uint32)
    return jax.pure_callback(function, result, *bits, vmap_method="broadcast_all")


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


class _Store:
    """The factors that were used last. Callbacks run in threads of JAX, several at a time."""

    def __init__(self) -> None:
        self._factors: collections.OrderedDict[bytes, Solve | None] = collections.OrderedDict()
        self._lock = threading.Lock()

    def add(self, method: Method, structure: Structure, key: Any, data: Any) -> Solve | None:
        factors = method.factorize(structure, _widened(data))
        with self._lock:
            self._factors[key.tobytes()] = factors
            while len(self._factors) > _MOST_FACTORS:
                self._factors.popitem(last=False)
        return factors

    def get(self, method: Method, structure: Structure, key: Any, data: Any) -> Solve | None:
        name = key.tobytes()
        with self._lock:
            if name in self._factors:
                self._factors.move_to_end(name)
                return self._factors[name]
        return self.add(method, structure, key, data)


_STORE: Final = _Store()


def _widened(values: np.ndarray) -> np.ndarray:
    return values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)
