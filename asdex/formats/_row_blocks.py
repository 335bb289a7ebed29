"""Matrices whose rows are spread over devices: row blocks, filled up to as many nonzeros on each device."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Int32, Shaped

from .._arrays import ravel, unravel
from .._versions import in_auto_axes, shard_map
from ..pattern import SparsityPattern
from .partition import Exchange, Located, Partition, plan_exchange, RowOrder


class RowBlockPattern(eqx.Module):
    """Where the nonzeros of an `(m, n)` matrix are that is spread over devices by rows.

    **Attributes:**

    - `rows`: int32 `(devices * length,)`, the place of each nonzero's row among those of its device.
    - `cols`: of its column, among the entries that its device has of a vector and then those that it gets.
    - `exchange`: what it gets of the others.
    - `shape`: `(m, n)`.
    - `row_partition`, `column_partition`: how results and arguments of products are spread.

    Where a device has fewer nonzeros than `length`, `rows` is past its last row.
    """

    rows: Int32[Array, " size"]
    cols: Int32[Array, " size"]
    exchange: Exchange
    shape: tuple[int, int] = eqx.field(static=True)
    row_partition: Partition = eqx.field(static=True)
    column_partition: Partition = eqx.field(static=True)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @classmethod
    def of(cls, sparsity: SparsityPattern, order: RowOrder, columns: Partition) -> RowBlockPattern:
        """**Arguments:** `order`: that of the nonzeros. `columns`: how arguments of products are spread."""
        rows = order.partition

        def locate(device: int) -> Located:
            return columns.locate(sparsity.cols[order.of_device(device)])

        def local(device: int) -> np.ndarray:
            return rows.locate(sparsity.rows[order.of_device(device)])[1]

        exchange, found = plan_exchange(rows, locate, columns.length)
        return cls(
            order.put(local, rows.length),
            order.put(found, 0),
            exchange,
            sparsity.shape,
            rows,
            columns,
        )

    def multiply(self, data: Array, vector: Array) -> Array:
        """The product with a vector that is spread as columns are; it is spread as rows are."""
        length, spread = self.row_partition.length, self.row_partition.spec

        def local(
            data: Array, rows: Array, cols: Array, part: Array, sent: Sequence[Array]
        ) -> Array:
            known = jnp.concatenate([part, self.exchange(part, sent)])
            entries = known.at[cols].get(mode="promise_in_bounds")
            with jax.numpy_dtype_promotion("standard"):
                terms = data * entries
            return jax.ops.segment_sum(terms, rows, length, indices_are_sorted=True)

        product = shard_map(local, self.row_partition.mesh, spread, spread)
        return product(data, self.rows, self.cols, vector, self.exchange.sent)


class RowBlocks(eqx.Module):
    """An `(m, n)` matrix whose rows are spread over the devices of a mesh, as the outputs of a function are.

    `J @ x` and `J.T @ y` multiply with vectors `(n,)` and `(m,)`; `J.mv(x)` and `J.T.mv(y)` with trees of
    arrays like the inputs and outputs of the function, which stay sharded as they are. Each device sends
    others those entries of the vector that they need, along the shared edge of a stencil's tiles, say; the
    matrix stays where it is. All work inside transformations, such as the loops of Krylov solvers.

    **Attributes:**

    - `data`: `(devices * length,)`, the values, those of a device one after the other. Where a device has
      fewer than `length`, zeros follow.
    - `pattern`: where the nonzeros are.
    """

    data: Shaped[Array, " size"]
    pattern: RowBlockPattern
    input_tree: Any = eqx.field(static=True)
    output_tree: Any = eqx.field(static=True)
    is_transposed: bool = eqx.field(static=True, default=False)

    @property
    def shape(self) -> tuple[int, int]:
        m, n = self.pattern.shape
        return (n, m) if self.is_transposed else (m, n)

    @property
    def T(self) -> RowBlocks:
        """The transpose, of the same arrays."""
        return dataclasses.replace(self, is_transposed=not self.is_transposed)

    def mv(self, x: Any) -> Any:
        """The product with a tree like the inputs of the function (for a transpose like its outputs).

        **Returns:** a tree like the outputs (for a transpose like the inputs).

        **Raises:** `ValueError` for a tree or shapes that are not those.
        """
        trees = self.input_tree, self.output_tree
        tree, result_tree = trees[::-1] if self.is_transposed else trees
        leaves, got = jtu.tree_flatten(x)
        argument, result = self.partitions
        if got != tree or [jnp.shape(leaf) for leaf in leaves] != list(argument.shapes):
            raise ValueError(
                f"Expected a tree {tree} of arrays with shapes {argument.shapes}, got "
                f"{jax.tree.map(jnp.shape, x)}. Use `@` for flat vectors."
            )
        multiply = in_auto_axes(_products, (self, leaves), result.mesh, result.specs)
        return result_tree.unflatten(multiply(self, leaves))

    def __matmul__(self, x: Shaped[Array, " n"]) -> Shaped[Array, " m"]:
        """Return the product with a vector `(n,)`.

        **Raises:** `ValueError` if `x` has another shape.
        """
        x = jnp.asarray(x)
        if x.shape != self.shape[1:]:
            raise ValueError(f"Expected a vector of shape {self.shape[1:]}, got {x.shape}.")
        _, result = self.partitions
        spec = result.spec if self.shape[0] % result.devices == 0 else PartitionSpec()
        return in_auto_axes(_product, (self, x), result.mesh, spec)(self, x)

    def todense(self) -> Shaped[Array, "m n"]:
        """Return the `(m, n)` array, whole on every device."""
        eye = jnp.eye(self.shape[1], dtype=self.data.dtype)
        return jax.lax.map(self.__matmul__, eye).T

    @property
    def partitions(self) -> tuple[Partition, Partition]:
        """How arguments and results of products are spread."""
        pattern = self.pattern
        columns, rows = pattern.column_partition, pattern.row_partition
        return (rows, columns) if self.is_transposed else (columns, rows)


@jax.jit
def _product(matrix: RowBlocks, x: Array) -> Array:
    """The product with a flat vector."""
    argument, _ = matrix.partitions
    like = [jax.ShapeDtypeStruct(shape, x.dtype) for shape in argument.shapes]
    return ravel(_products(matrix, unravel(x, like)))


@jax.jit
def _products(matrix: RowBlocks, leaves: Sequence[Array]) -> list[Array]:
    """The product with arrays."""
    argument, result = matrix.partitions
    vector = argument.ravel([jnp.asarray(leaf) for leaf in leaves])
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(vector, matrix.data)
    vector = vector.astype(dtype)

    def multiply(vector: Array) -> Array:
        return matrix.pattern.multiply(matrix.data, vector)

    if matrix.is_transposed:
        like = jax.ShapeDtypeStruct((result.devices * result.length,), dtype)
        return result.unravel(jax.linear_transpose(multiply, like)(vector)[0])
    return result.unravel(multiply(vector))
