"""The formats of a sparse matrix that is returned, as functions of its values and its pattern."""

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jax.experimental.sparse import BCSR
from jaxtyping import Array, Shaped

from .._block_pattern import BlockPattern
from .._pattern import SparsityPattern


OutputFormat = Literal[
    "bcoo",
    "bcsr",
    "bsr",
    "data",
    "dense",
    "numpy_dense",
    "scipy_coo",
    "scipy_csr",
    "scipy_csc",
    "scipy_bsr",
]
BLOCK_FORMATS = ("bsr", "scipy_bsr")


def assemble(
    data: Shaped[Array, "..."],
    sparsity: SparsityPattern,
    output_format: str,
    blocks: BlockPattern | None = None,
) -> Any:
    """Return the `(m, n)` matrix with the given values.

    **Arguments:** `data`: the values `(nnz,)`, in the order of the pattern, or the values of `blocks`,
    `(num_blocks, b_r, b_c)`. `sparsity`: the pattern. `output_format`: an [`OutputFormat`][].
    `blocks`: for "bsr" and "scipy_bsr", the blocks of the pattern, if they are known.

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
            "`vmap`, `grad` or another transformation. Return 'bcoo', 'bcsr', 'bsr', 'dense' or "
            "'data' there, or call the function outside of the transformation."
        )
    if output_format not in BLOCK_FORMATS:
        return _FORMATS[output_format](data, sparsity)
    known = BlockPattern.from_sparsity(sparsity) if blocks is None else blocks
    return _FORMATS[output_format](known.matrix(data) if data.ndim == 3 else known(data), sparsity)


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
    matrix = sp.coo_array((np.array(data), coordinates), shape=sparsity.shape)
    matrix.has_canonical_format = True
    return matrix


def _scipy_csr(data, sparsity):
    return _scipy_coo(data, sparsity).tocsr()


def _scipy_csc(data, sparsity):
    return _scipy_coo(data, sparsity).tocsc()


def _bsr(matrix, sparsity):
    return matrix


def _scipy_bsr(matrix, sparsity):
    if matrix.components == "first":
        raise ValueError(
            f"Expected unknowns that are numbered node by node, got blocks of shape "
            f"{matrix.block_shape} with unknowns numbered component by component, which SciPy cannot "
            'hold in place. Return "bsr", whose `to_scipy()` numbers them node by node, or "scipy_csr".'
        )
    return matrix.to_scipy()


_FORMATS: dict[str, Callable[[Any, SparsityPattern], Any]] = {
    "bcoo": _bcoo,
    "bcsr": _bcsr,
    "bsr": _bsr,
    "data": _data,
    "dense": _dense,
    "numpy_dense": _numpy_dense,
    "scipy_coo": _scipy_coo,
    "scipy_csr": _scipy_csr,
    "scipy_csc": _scipy_csc,
    "scipy_bsr": _scipy_bsr,
}
_HOST_FORMATS = ("numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc", "scipy_bsr")
