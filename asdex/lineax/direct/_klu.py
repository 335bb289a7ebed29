"""A direct solver for sparse operators on a CPU, by KLU of SuiteSparse."""

from __future__ import annotations

import functools
from importlib.metadata import distribution, PackageNotFoundError
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array, Bool, Float, Inexact, UInt32
from scipy.sparse import csgraph

from ..._versions import in_64_bits
from .._matrix import SparseMatrixLinearOperator
from .._spaces import dtype_of
from .._structure import Structure
from ._direct import AbstractDirectSolver


_PACKAGE = "splineax-klujax"


class KLUFactors(eqx.Module):
    """Factors in the bounded cache of klujax, which makes them again from the values if they were evicted.

    **Attributes:**

    - `data`: `(nnz,)` values of the matrix; those of a permutation if it is singular.
    - `handle`: the 64 bits of the factors' key, as two integers that JAX has in its 32-bit mode too.
    - `regular`: whether the matrix is not singular.
    """

    data: Inexact[Array, " nnz"]
    handle: UInt32[Array, "1 2"]
    regular: Bool[Array, ""]
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
                rows, cols = _coordinates(self.structure)
                uses, n = jnp.zeros((), jnp.int32), self.structure.shape[0]
                token = klujax.NumericToken(key, rows, cols, _widened(data)[None], n, uses)
                solution = kind(token, right.astype(token.Ax.dtype), _analysis(self.structure))
                return solution.astype(right.dtype)

        return jnp.where(self.regular, solve(self.data, self.handle, right), jnp.nan)


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

        regular_values = _matching(structure)
        if regular_values is None:  # singular for all values
            handle = jnp.zeros((1, 2), jnp.uint32)
            return KLUFactors(data, handle, jnp.asarray(False), structure)

        @sequential_vmap
        def factorize(data: Array) -> Any:
            import klujax

            with in_64_bits()(True):
                wide, coordinates, analysis = (
                    _widened(data),
                    _coordinates(structure),
                    _analysis(structure),
                )
                # `factor` stops the compiled program where the matrix is singular. This returns NaN there. It
                # keeps no factors, and takes a half of the time; `refactor_with_status` takes the same again.
                # The function around the primitive would sort the pattern in each call.
                kind = klujax.solve_with_symbol_f64
                if jnp.iscomplexobj(wide):
                    kind = klujax.solve_with_symbol_c128
                ones = jnp.ones((1, structure.shape[0], 1), wide.dtype)
                probe = kind.bind(*coordinates, wide[None], ones, analysis.handle)
                regular = jnp.all(jnp.isfinite(probe))
                wide = jnp.where(regular, wide, jnp.asarray(regular_values, wide.dtype))
                key = klujax.factor(*coordinates, wide, analysis).handle
                handle = jax.lax.bitcast_convert_type(key, jnp.uint32)
                return wide.astype(data.dtype), handle, regular

        data, handle, regular = factorize(data)
        return KLUFactors(data, handle, regular, structure)


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


def _coordinates(structure: Structure) -> tuple[Array, Array]:
    return jnp.asarray(structure.rows), jnp.asarray(structure.cols)


@functools.lru_cache(maxsize=64)
def _analysis(structure: Structure) -> Any:
    """The symbolic analysis of a pattern, made on the host."""
    import klujax

    with jax.ensure_compile_time_eval(), in_64_bits()(True):
        return klujax.analyze(*_coordinates(structure), structure.shape[0])


@functools.lru_cache(maxsize=64)
def _matching(structure: Structure) -> Float[np.ndarray, " nnz"] | None:
    """Values that make the matrix a permutation; `None` if the pattern does not hold one."""
    graph = sp.csr_matrix(structure.pattern.to_scipy())
    columns = csgraph.maximum_bipartite_matching(graph, perm_type="column")
    if np.any(columns < 0):
        return None
    return (columns[structure.rows] == structure.cols).astype(np.float64)
