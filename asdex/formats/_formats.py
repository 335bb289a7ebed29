"""The formats that a sparse matrix is returned in: one table with all that is known of each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, BCSR
from jaxtyping import Array, Int32

from .._arrays import on_device
from ..pattern import check_known
from ._bsr import BlockPattern


# The keys of `FORMATS`, once more for type checkers, and that of matrices whose rows are spread.
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
    "row_blocks",
]


class Block(eqx.Module):
    """The derivative of one output leaf by one input leaf: a part of the nonzeros.

    `sparsity` is its pattern (`None` in a compiled function), `select` are the positions of its values among
    all values (`None`: all of them), `row_shape` and `col_shape` the shapes of the two leaves, and `prepared`
    is what the format has made of the pattern.
    """

    sparsity: Any
    select: Int32[Array, " nnz"] | None
    row_shape: tuple[int, ...] = eqx.field(static=True)
    col_shape: tuple[int, ...] = eqx.field(static=True)
    prepared: Any = None

    def values(self, data: Array) -> Array:
        """The values of this block, out of those of all."""
        return data if self.select is None else data[self.select]


class Format(NamedTuple):
    """A format of matrices.

    - `make`: returns, for a block, the matrix as a function of what `compute` returned.
    - `prepare`: returns what is needed of the block's pattern in each call, as `Block.prepared`.
    - `compute`: returns what the values of a block are in this format, within a compiled function, given them
        and the block without its pattern. By default they stay as they are.
    - `on_host`: whether the matrix lives outside of JAX, and cannot be made inside a transformation.
    - `of_all`: whether one array is made of all values, whatever blocks and dtypes they belong to.
    """

    make: Callable[[Block], Callable[[Any], Any]]
    prepare: Callable[[Block], Any] | None = None
    compute: Callable[[Any, Block], Any] | None = None
    on_host: bool = False
    of_all: bool = False


def maker(block: Block, output_format: str) -> Callable[[Any], Any]:
    """A function of what the format computed for a block: the matrix.

    It **raises** `TypeError` if a NumPy or SciPy format is asked for inside a JAX transformation.
    """
    chosen = FORMATS[output_format]
    make = chosen.make(block)
    if not chosen.on_host:
        return make

    def checked(values: Any) -> Any:
        if isinstance(values, Tracer):
            *others, last = (repr(name) for name, one in FORMATS.items() if not one.on_host)
            raise TypeError(
                f"Output format {output_format!r} lives outside JAX and cannot be made inside `jit`, "
                f"`vmap`, `grad` or another transformation. Return {', '.join(others)} or {last} there, "
                "or call the function outside of the transformation."
            )
        return make(values)

    return checked


def _bcoo(block: Block) -> Callable[[Array], BCOO]:
    # Initializing a BCOO would take as long as a small Jacobian.
    tree = _bcoo_tree((*block.row_shape, *block.col_shape))
    indices = block.prepared
    return lambda values: jtu.tree_unflatten(tree, (values, indices))


@functools.cache
def _bcoo_tree(shape: tuple[int, ...]) -> Any:
    with jax.ensure_compile_time_eval():
        # Placed rather than computed, which would compile something.
        arrays = jax.device_put((np.zeros(0, np.float32), np.zeros((0, len(shape)), np.int32)))
        empty = BCOO(arrays, shape=shape, indices_sorted=True, unique_indices=True)
    return jtu.tree_structure(empty)


def _indices(block: Block) -> Int32[Array, "nnz ndim"]:
    sparsity = block.sparsity
    return on_device(coordinates(sparsity.rows, sparsity.cols, block.row_shape, block.col_shape))


def coordinates(
    rows: Any, cols: Any, row_shape: tuple[int, ...], col_shape: tuple[int, ...]
) -> Any:
    """The indices of nonzeros in the shape of a block, `(k, ndim)`: of NumPy, or traced."""
    xp = jnp if isinstance(rows, Tracer) else np
    axes = [*_unravel(rows, row_shape), *_unravel(cols, col_shape)]
    nothing = xp.zeros((len(rows), 0), np.int32)
    return xp.stack(axes, axis=1).astype(np.int32) if axes else nothing


def _unravel(positions: Any, shape: tuple[int, ...]) -> Sequence[Any]:
    if len(shape) < 2:
        return (positions,) * len(shape)
    xp = jnp if isinstance(positions, Tracer) else np
    return xp.unravel_index(positions, shape)


def _bcsr(values: Array, block: Block) -> BCSR:
    arrays = (values, *block.prepared)
    return BCSR(arrays, shape=block.sparsity.shape, indices_sorted=True, unique_indices=True)


def _compressed_rows(block: Block) -> tuple[Array, Array]:
    sparsity = block.sparsity
    if isinstance(sparsity.rows, Tracer):
        starts = jnp.searchsorted(sparsity.rows, jnp.arange(sparsity.m + 1, dtype=jnp.int32))
    else:
        starts = on_device(sparsity.indptr)
    return on_device(sparsity.cols), starts


def _bsr(values: Array, block: Block) -> Any:
    return block.prepared.matrix(values)


def _in_blocks(values: Array, block: Block) -> Array:
    blocks = block.prepared
    return values if values.ndim == 3 else blocks(values).data


def _dense_blocks(block: Block) -> BlockPattern:
    check_known(block.sparsity, "A format of dense blocks")
    return BlockPattern.from_sparsity(block.sparsity)


def _coordinates(block: Block) -> tuple[Array, Array] | None:
    """The rows and columns of the values; `None` if they are all entries in their order."""
    rows, cols, (m, n) = block.sparsity.rows, block.sparsity.cols, block.sparsity.shape
    if block.sparsity.nnz == m * n and not isinstance(rows, Tracer | jax.Array):
        if np.array_equal(rows.astype(np.int64) * n + cols, np.arange(m * n)):
            return None
    return on_device(rows), on_device(cols)


def _dense(values: Array, block: Block) -> Array:
    if block.prepared is None:
        return values.reshape(*block.row_shape, *block.col_shape)
    shape = (math.prod(block.row_shape), math.prod(block.col_shape))
    matrix = (
        jnp.zeros(shape, values.dtype)
        .at[block.prepared]
        .set(values, indices_are_sorted=True, unique_indices=True, mode="promise_in_bounds")
    )
    return matrix.reshape(*block.row_shape, *block.col_shape)


def _numpy_dense(values: Array, block: Block) -> np.ndarray:
    data, sparsity = np.asarray(values), block.sparsity
    dense = np.zeros(sparsity.shape, data.dtype)
    dense[np.asarray(sparsity.rows), np.asarray(sparsity.cols)] = data
    return dense.reshape((*block.row_shape, *block.col_shape))


def _scipy_coo(values: Array, block: Block) -> Any:
    sparsity = block.sparsity
    coordinates = (np.array(sparsity.rows), np.array(sparsity.cols))
    matrix = sp.coo_array((np.array(values), coordinates), shape=sparsity.shape)
    matrix.has_canonical_format = True
    return matrix


def _scipy_bsr(values: Array, block: Block) -> Any:
    matrix = _bsr(values, block)
    if matrix.components == "first":
        raise ValueError(
            f"Expected unknowns that are numbered node by node, got blocks of shape "
            f"{matrix.block_shape} with unknowns numbered component by component, which SciPy cannot "
            'hold in place. Return "bsr", whose `to_scipy()` numbers them node by node, or "scipy_csr".'
        )
    return matrix.to_scipy()


def _of(make: Callable[[Any, Block], Any]) -> Callable[[Block], Callable[[Any], Any]]:
    return lambda block: lambda values: make(values, block)


def _as_computed(block: Block) -> Callable[[Any], Any]:
    del block
    return lambda values: values


FORMATS: dict[str, Format] = {
    "bcoo": Format(_bcoo, _indices),
    "bcsr": Format(_of(_bcsr), _compressed_rows),
    "bsr": Format(_of(_bsr), _dense_blocks, _in_blocks),
    "data": Format(_as_computed, of_all=True),
    "dense": Format(_as_computed, _coordinates, _dense),
    "numpy_dense": Format(_of(_numpy_dense), on_host=True),
    "scipy_coo": Format(_of(_scipy_coo), on_host=True),
    "scipy_csr": Format(_of(lambda *of: _scipy_coo(*of).tocsr()), on_host=True),
    "scipy_csc": Format(_of(lambda *of: _scipy_coo(*of).tocsc()), on_host=True),
    "scipy_bsr": Format(_of(_scipy_bsr), _dense_blocks, _in_blocks, on_host=True),
}
