"""The forms in which a sparse matrix is handed back: functions of its values and pattern."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jax.experimental.sparse import BCSR
from jaxtyping import Array, Shaped

from .._pattern import SparsityPattern


OutputFormat = Literal[
    "bcoo", "bcsr", "data", "dense", "numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc"
]


def assemble(data: Shaped[Array, " nnz"], sparsity: SparsityPattern, output_format: str) -> Any:
    """Return the `(m, n)` matrix with the given values.

    **Arguments:** `data`: `(nnz,)`, in the order of the pattern. `sparsity`: the pattern.
    `output_format`: an [`OutputFormat`][].

    **Raises:** `ValueError` for an unknown format. `TypeError` if a NumPy or SciPy format is asked
    for inside a JAX transformation.
    """
    if output_format not in _FORMATS:
        raise ValueError(
            f"Unknown output format: expected one of {', '.join(map(repr, _FORMATS))}, got "
            f"{output_format!r}."
        )
    if output_format in _HOST_FORMATS and isinstance(data, Tracer):
        raise TypeError(
            f"Output format {output_format!r} lives outside JAX and cannot be made inside `jit`, "
            "`vmap`, `grad` or another transformation. Return 'bcoo', 'bcsr', 'dense' or 'data' "
            "there, or call the function outside of the transformation."
        )
    return _FORMATS[output_format](data, sparsity)


def _bcoo(data, sparsity):
    return sparsity.to_bcoo(data)


def _bcsr(data, sparsity):
    if isinstance(sparsity.rows, np.ndarray):
        indptr = jnp.asarray(sparsity.indptr)
    else:
        indptr = jnp.searchsorted(sparsity.rows, jnp.arange(sparsity.m + 1, dtype=jnp.int32))
    indices = jnp.asarray(sparsity.cols)
    return BCSR(
        (data, indices, indptr), shape=sparsity.shape, indices_sorted=True, unique_indices=True
    )


def _data(data, sparsity):
    return data


def _dense(data, sparsity):
    zeros = jnp.zeros(sparsity.shape, data.dtype)
    nonzeros = zeros.at[jnp.asarray(sparsity.rows), jnp.asarray(sparsity.cols)]
    return nonzeros.set(
        data, indices_are_sorted=True, unique_indices=True, mode="promise_in_bounds"
    )


def _numpy_dense(data, sparsity):
    values = np.asarray(data)
    dense = np.zeros(sparsity.shape, values.dtype)
    dense[np.asarray(sparsity.rows), np.asarray(sparsity.cols)] = values
    return dense


def _scipy_coo(data, sparsity):
    coordinates = (np.array(sparsity.rows), np.array(sparsity.cols))
    matrix = sp.coo_matrix((np.array(data), coordinates), shape=sparsity.shape)
    matrix.has_canonical_format = True
    return matrix


def _scipy_csr(data, sparsity):
    return _scipy_coo(data, sparsity).tocsr()


def _scipy_csc(data, sparsity):
    return _scipy_coo(data, sparsity).tocsc()


_FORMATS: dict[str, Callable[[Any, SparsityPattern], Any]] = {
    "bcoo": _bcoo,
    "bcsr": _bcsr,
    "data": _data,
    "dense": _dense,
    "numpy_dense": _numpy_dense,
    "scipy_coo": _scipy_coo,
    "scipy_csr": _scipy_csr,
    "scipy_csc": _scipy_csc,
}
_HOST_FORMATS = ("numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc")
