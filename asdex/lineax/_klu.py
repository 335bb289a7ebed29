"""A direct solver for sparse operators on a CPU, by KLU of SuiteSparse."""

from __future__ import annotations

import functools
from importlib.metadata import distribution, PackageNotFoundError
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Inexact, UInt32

from .._versions import in_64_bits
from ._direct import AbstractDirectSolver
from ._matrix import SparseMatrixLinearOperator
from ._spaces import dtype_of
from ._structure import Structure


_PACKAGE = "splineax-klujax"


class KLUFactors(eqx.Module):
    """Factors in the bounded cache of klujax, which makes them again from the values if they were evicted.

    **Attributes:**

    - `data`: `(nnz,)` values of the matrix.
    - `handle`: the 64 bits of the factors' key, as two integers that JAX has in its 32-bit mode too.
    """

    data: Inexact[Array, " nnz"]
    handle: UInt32[Array, "1 2"]
    structure: Structure = eqx.field(static=True)

    def solve(self, right: Inexact[Array, " n"], transposed: bool) -> Inexact[Array, " n"]:
        # A batch is solved item by item: klujax 0.5.0.post7 pairs factors with the wrong right-hand sides
        # where one batch is nested in another.
        @sequential_vmap
        def solve(data: Array, handle: Array, right: Array) -> Array:
            import klujax

            with in_64_bits()(True):
                kind = klujax.tsolve_with_numeric if transposed else klujax.solve_with_numeric
                key = jax.lax.bitcast_convert_type(handle, jnp.uint64)
                token = _token(self.structure, _widened(data), key)
                return kind(token, right.astype(token.Ax.dtype), _analysis(self.structure)).astype(
                    right.dtype
                )

        return solve(self.data, self.handle, right)


class KLU(AbstractDirectSolver):
    """A direct solver for square sparse operators on a CPU: KLU (Davis and Palamadai Natarajan, ACM TOMS 37,
    2010), compiled, by the package `klujax`.

    It permutes to block triangular form, orders the blocks for little fill, and searches for pivots. Any
    pattern will do. The analysis of a pattern is made once, on the host. The factors of a matrix are made in
    `init`, and serve all right-hand sides, the transpose and the conjugate. It computes in float64 or
    complex128, also where JAX does not, and solutions are refined in the dtype of the operator. A singular
    matrix is reported as `lineax.RESULTS.singular`. The items of a batch are solved one after the other.

    klujax keeps the last 8 factors, or as many as the environment variable `KLUJAX_FACTOR_CACHE` says. It
    makes those that a state refers to again if they are gone.

    Install it with `pip install "asdex[klu]"`, which brings `splineax-klujax`. The package `klujax` of the
    same import name switches JAX to 64 bits and to the CPU when it is imported, and keeps factors that are
    made inside `jit` for ever. It is not used.
    """

    def __check_init__(self):
        if not is_klu_installed():
            raise ImportError(
                f"asdex.lineax.KLU needs the package {_PACKAGE}, which was not found. Install it with "
                '`pip install "asdex[klu]"`, or use asdex.lineax.SuperLU.'
            )

    def factorize(self, matrix: SparseMatrixLinearOperator) -> KLUFactors:
        structure, spaces = matrix.structure, (matrix.input_structure, matrix.output_structure)
        with jax.numpy_dtype_promotion("standard"):
            data = matrix.data.astype(jnp.result_type(matrix.data, dtype_of(*spaces)))

        @sequential_vmap
        def factorize(data: Array) -> Array:
            import klujax

            with in_64_bits()(True):
                wide = _widened(data)
                # Of all functions of klujax that factorize, only this one does not raise an error in the
                # compiled program for a singular matrix. Under a key that it does not know it starts anew.
                token = _token(structure, wide, jnp.zeros(1, jnp.uint64))
                coordinates = (structure.rows, structure.cols)
                token, *_ = klujax.refactor_with_status(
                    *coordinates, wide, token, _analysis(structure)
                )
                return jax.lax.bitcast_convert_type(token.id, jnp.uint32)

        return KLUFactors(data, factorize(data), structure)


@functools.cache
def is_klu_installed() -> bool:
    """Whether the package that brings `klujax` with factors that are safe inside `jit` is installed."""
    try:
        distribution(_PACKAGE)
    except PackageNotFoundError:
        return False
    return True


def _widened(data: Array) -> Array:
    return data.astype(jnp.complex128 if jnp.iscomplexobj(data) else jnp.float64)


def _token(structure: Structure, data: Array, key: Array) -> Any:
    import klujax

    rows, cols = jnp.asarray(structure.rows), jnp.asarray(structure.cols)
    uses = jnp.zeros((), jnp.int32)
    return klujax.NumericToken(key, rows, cols, data[None], structure.shape[0], uses)


@functools.lru_cache(maxsize=64)
def _analysis(structure: Structure) -> Any:
    """The symbolic analysis of a pattern, made on the host."""
    import klujax

    with jax.ensure_compile_time_eval(), in_64_bits()(True):
        return klujax.analyze(structure.rows, structure.cols, structure.shape[0])
