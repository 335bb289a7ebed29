"""Sparse matrices of `jax.experimental.sparse`.

Their indices are operands like any others: where they are known, products and conversions are exact.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp

from asdex import Dependence, Equation, register, Value

from .equinox_internal import implementation


@register("bcoo_todense", "bcoo_fromdense", "bcoo_extract", "bcoo_transpose")
@register("bcoo_sort_indices", "bcoo_sum_duplicates")
@register("bcoo_spdot_general", "bcoo_dot_general_sampled")
@register("bcsr_todense", "bcsr_fromdense", "bcsr_extract", "todense")
def by_implementation(eqn: Equation, *operands: Dependence) -> list[Value]:
    """Follows the primitive's own implementation, which gathers and scatters."""
    del operands
    return eqn.expand(implementation(eqn), key=())


def _expanded(function: Callable[..., Any]) -> Callable[..., list[Value]]:
    """The rule of a primitive that computes `function(*operands, **params)`."""

    def rule(eqn: Equation, *operands: Dependence) -> list[Value]:
        del operands
        return eqn.expand(lambda *arrays: function(*arrays, **eqn.params), key=())

    rule.__doc__ = function.__doc__
    rule.__module__, rule.__qualname__ = function.__module__, function.__qualname__
    return rule


def _bcoo_product(
    data: jax.Array,
    indices: jax.Array,
    rhs: jax.Array,
    *,
    dimension_numbers: Any,
    lhs_spinfo: Any,
    preferred_element_type: Any = None,
) -> jax.Array:
    """A sparse array, contracted with a dense one: `J @ v` adds `data[k] * v[col[k]]` to element `row[k]`."""
    del preferred_element_type
    (contracted, rhs_contracted), (batch, rhs_batch) = dimension_numbers
    coordinates, data = _entries(data, indices, lhs_spinfo.shape)
    free = [axis for axis in range(rhs.ndim) if axis not in (*rhs_contracted, *rhs_batch)]
    rhs = jnp.transpose(rhs, (*rhs_batch, *rhs_contracted, *free))
    read = [coordinates[axis] for axis in (*batch, *contracted)]
    picked = rhs.at[tuple(read)].get(mode="fill", fill_value=0) if read else rhs[None]
    dense = data.shape[1:]
    ones = (1,) * len(dense)
    terms = data.reshape((*data.shape, *(1 for _ in free)))
    terms = terms * picked.reshape((len(picked), *ones, *picked.shape[1:]))
    kept = [axis for axis in range(len(coordinates)) if axis not in (*contracted, *batch)]
    written = [*batch, *kept]
    if not written:
        return terms.sum(0)
    shape = (*(lhs_spinfo.shape[axis] for axis in written), *terms.shape[1:])
    places = tuple(coordinates[axis] for axis in written)
    return jnp.zeros(shape, terms.dtype).at[places].add(terms, mode="drop")


register("bcoo_dot_general", exact=True, linear_in=(0, 2))(_expanded(_bcoo_product))


def _entries(
    data: jax.Array, indices: jax.Array, shape: Sequence[int]
) -> tuple[list[jax.Array], jax.Array]:
    """The stored entries of a BCOO array in one list: their coordinates along each axis, and the data.

    Batch axes become coordinates like the sparse ones; the axes of dense blocks stay with the data.
    """
    num_batch, num_sparse = indices.ndim - 2, indices.shape[-1]
    leading = (*shape[:num_batch], indices.shape[-2])
    blocks = tuple(shape[num_batch + num_sparse :])
    places = jnp.broadcast_to(indices, (*leading, num_sparse)).reshape((-1, num_sparse))
    data = jnp.broadcast_to(data, (*leading, *blocks)).reshape((len(places), *blocks))
    batch = [axis.reshape(-1) for axis in jnp.indices(leading)[:num_batch]]
    return [*batch, *places.T], data


@register("bcsr_dot_general", linear_in=(0, 3))
@_expanded
def bcsr_dot_general(
    data: jax.Array, indices: jax.Array, indptr: jax.Array, rhs: jax.Array, **params: Any
) -> jax.Array:
    """As `bcoo_dot_general`, with compressed row indices."""
    rows = jnp.vectorize(_rows, signature="(k),(p)->(k)")(indices, indptr)
    indices = jnp.broadcast_to(indices, rows.shape)
    return _bcoo_product(data, jnp.stack([rows, indices], axis=-1), rhs, **params)


def _rows(indices: jax.Array, indptr: jax.Array) -> jax.Array:
    """The row of each stored entry of a CSR matrix; the number of rows for padding."""
    return jnp.cumsum(jnp.zeros_like(indices).at[indptr].add(1)) - 1


def _todense(data: jax.Array, row: jax.Array, col: jax.Array, *, spinfo: Any) -> jax.Array:
    """Adds each stored entry to its element of a dense matrix."""
    return jnp.zeros(spinfo.shape, data.dtype).at[row, col].add(data)


def _product(data: Any, row: Any, col: Any, other: Any, *, spinfo: Any, transpose: bool) -> Any:
    """A sparse matrix times a vector or a matrix: adds `data[k] * other[col[k]]` to row `row[k]`."""
    indices, numbers = jnp.stack([row, col], axis=-1), (([int(not transpose)], [0]), ([], []))
    return _bcoo_product(data, indices, other, dimension_numbers=numbers, lhs_spinfo=spinfo)


def _compressed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of a matrix with compressed row indices."""

    @wraps(function)
    def call(data: Any, indices: Any, indptr: Any, *other: Any, shape: Any, **params: Any) -> Any:
        spinfo = jax.ShapeDtypeStruct(shape, data.dtype)
        return function(data, _rows(indices, indptr), indices, *other, spinfo=spinfo, **params)

    return call


register("coo_todense")(_expanded(_todense))
register("csr_todense")(_expanded(_compressed(_todense)))
register("coo_matvec", "coo_matmat")(_expanded(_product))
register("csr_matvec", "csr_matmat")(_expanded(_compressed(_product)))


@register("coo_fromdense", "csr_fromdense")
def fromdense(eqn: Equation, matrix: Dependence) -> list[Dependence]:
    """Collects `nse` nonzeros, which may lie anywhere, and their indices."""
    data = matrix.reduce(range(matrix.ndim)).broadcast_to(eqn.out_avals[0].shape)
    return [data, *(Dependence.none(aval.shape) for aval in eqn.out_avals[1:])]
