"""Sparse matrices of dense blocks, and their patterns."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jaxtyping import Array, Int, Shaped

from .._arrays import on_device
from ..pattern import BlockShape, Components, find_blocks, SparsityPattern


class BSR(eqx.Module):
    """An `(m, n)` matrix of dense `(b_r, b_c)` blocks: block compressed sparse rows.

    Row i of the matrix is row `i % b_r` of block row `i // b_r`. With components first, it is row
    `i // block_rows` of block row `i % block_rows`. The same holds for columns. The arrays are arrays of
    jax, and the matrix works inside transformations.

    **Attributes:**

    - `data`: `(num_blocks, b_r, b_c)`, the blocks, in the order of block rows.
    - `indices`: int32 `(num_blocks,)`, the block column of each block.
    - `indptr`: int32 `(m / b_r + 1,)`, the start of each block row in `data`.
    - `shape`: `(m, n)`.
    - `components`: "last" if the unknowns are numbered node by node, as in an array `(nodes, b)`, or
      "first" if they are numbered component by component, as in an array `(b, nodes)`.
    """

    data: Shaped[Array, "num_blocks b_r b_c"]
    indices: Int[Array, " num_blocks"]
    indptr: Int[Array, " block_rows+1"]
    shape: tuple[int, int] = eqx.field(static=True)
    components: Components = eqx.field(static=True, default="last")

    @property
    def block_shape(self) -> tuple[int, int]:
        """The shape of a block."""
        return self.data.shape[-2], self.data.shape[-1]

    @property
    def rows(self) -> Int[Array, " num_blocks"]:
        """The block row of each block, int32."""
        numbers = jnp.arange(self.indptr.shape[0] - 1, dtype=jnp.int32)
        return jnp.repeat(numbers, jnp.diff(self.indptr), total_repeat_length=self.indices.shape[0])

    def _check_single(self) -> None:
        if self.data.ndim != 3:
            raise ValueError(
                f"Expected one matrix, with blocks of shape (num_blocks, b_r, b_c), got {self.data.shape}: "
                "a batch, as `jax.vmap` returns it. Write `jax.vmap(lambda matrix: ...)(batch)`."
            )

    def __matmul__(self, x: Shaped[Array, "n ..."]) -> Shaped[Array, "m ..."]:
        """Return the product with a vector `(n,)` or with the columns of a matrix `(n, k)`.

        **Raises:** `ValueError` if `x` has another length, or for a batch of matrices.
        """
        self._check_single()
        x = jnp.asarray(x)
        if x.ndim not in (1, 2) or x.shape[0] != self.shape[1]:
            raise ValueError(
                f"Expected {self.shape[1]} rows to multiply with, got shape {x.shape}."
            )
        if x.ndim == 1:
            return (self @ x[:, None])[:, 0]
        num_rows, (_, width) = self.indptr.shape[0] - 1, self.block_shape
        first = self.components == "first"
        at = x.reshape((width, -1, x.shape[1]) if first else (-1, width, x.shape[1]))
        gathered = at[:, self.indices].swapaxes(0, 1) if first else at[self.indices]
        products = jnp.matmul(self.data, gathered)
        sums = jax.ops.segment_sum(products, self.rows, num_rows, indices_are_sorted=True)
        return (sums.swapaxes(0, 1) if first else sums).reshape(self.shape[0], x.shape[1])

    def todense(self) -> Shaped[Array, "m n"]:
        """Return the `(m, n)` array.

        **Raises:** `ValueError` for a batch of matrices.
        """
        self._check_single()
        (height, width), num_rows = self.block_shape, self.indptr.shape[0] - 1
        num_cols = self.shape[1] // width
        blocks = jnp.zeros((num_rows, num_cols, height, width), self.data.dtype)
        blocks = blocks.at[self.rows, self.indices].set(self.data, mode="promise_in_bounds")
        axes = (2, 0, 3, 1) if self.components == "first" else (0, 2, 1, 3)
        return blocks.transpose(axes).reshape(self.shape)

    def to_scipy(self) -> Any:
        """Return SciPy's `bsr_array`, whose rows and columns are numbered node by node.

        **Raises:** `TypeError` inside a transformation, `ValueError` for a batch of matrices.
        """
        self._check_single()
        if any(isinstance(leaf, Tracer) for leaf in (self.data, self.indices, self.indptr)):
            raise TypeError(
                "Expected a matrix outside of `jit`, `vmap` and other transformations, got a traced "
                "one, which SciPy cannot hold. Return it and convert it outside."
            )
        arrays = tuple(np.array(part) for part in (self.data, self.indices, self.indptr))
        return sp.bsr_array(arrays, shape=self.shape)


class BlockPattern(eqx.Module):
    """The nonzero blocks of an `(m, n)` pattern in which every `(b_r, b_c)` block is full or empty.

    A call with the `(nnz,)` values of the pattern's nonzeros returns the [`BSR`][] matrix.

    **Attributes:**

    - `indices`: int32 `(num_blocks,)`, the block column of each block, in the order of block rows.
    - `indptr`: int32 `(m / b_r + 1,)`, the start of each block row in `indices`.
    - `order`: int32 `(num_blocks, b_r, b_c)`, the position of each entry among the nonzeros.
    - `block_shape`: `(b_r, b_c)`.
    - `shape`: `(m, n)`.
    - `components`: how the unknowns are numbered, as in [`BSR`][].
    """

    indices: Int[Array, " num_blocks"]
    indptr: Int[Array, " block_rows+1"]
    order: Int[Array, "num_blocks b_r b_c"]
    block_shape: BlockShape = eqx.field(static=True)
    shape: tuple[int, int] = eqx.field(static=True)
    components: Components = eqx.field(static=True)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @classmethod
    def from_sparsity(
        cls,
        sparsity: SparsityPattern,
        block_shape: int | Sequence[int] | None = None,
        components: Components | None = None,
    ) -> "BlockPattern":
        """Return the blocks of a pattern, in O(nnz).

        **Arguments:**

        - `sparsity`: an `(m, n)` pattern.
        - `block_shape`: `(b_r, b_c)`, or a size for square blocks. By default it is the number of
          components in the pattern's input and output arrays, `(nodes, b)` or `(b, nodes)`, if that
          fits the pattern. Otherwise it is the largest shape that fits, which may be `(1, 1)`.
        - `components`: "last" if the unknowns are numbered node by node, "first" if they are numbered
          component by component. By default, the one that fits.

        **Raises:** `ValueError` if the pattern has a block of the given shape that is neither full nor
        empty, or if the shape does not divide `(m, n)`. `TypeError` if the pattern is traced.
        """
        found = find_blocks(sparsity, block_shape, components)
        indices, indptr, order = map(on_device, found[:3])
        return cls(indices, indptr, order, found.block_shape, sparsity.shape, found.components)

    @property
    def num_blocks(self) -> int:
        """The number of nonzero blocks."""
        return self.indices.shape[0]

    def __call__(self, data: Shaped[Array, " nnz"]) -> BSR:
        """Return the matrix with the given values.

        **Arguments:** `data`: `(nnz,)`, in the order of the pattern.

        **Raises:** `ValueError` if `data` has another shape.
        """
        if data.shape != (self.order.size,):
            raise ValueError(
                f"`data` must have shape {(self.order.size,)}, one value per nonzero, got "
                f"{data.shape}."
            )
        return self.matrix(jnp.asarray(data).at[self.order].get(mode="promise_in_bounds"))

    def to_scipy(self, data: Shaped[np.ndarray, " nnz"]) -> Any:
        """Return SciPy's `bsr_array` with the given values; components must be last."""
        indices, indptr, order = map(np.array, (self.indices, self.indptr, self.order))
        return sp.bsr_array((data[order], indices, indptr), shape=self.shape)

    def matrix(self, blocks: Shaped[Array, "num_blocks b_r b_c"]) -> BSR:
        """Return the matrix with the given blocks."""
        return BSR(blocks, self.indices, self.indptr, self.shape, self.components)
