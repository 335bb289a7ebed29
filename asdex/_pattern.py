"""Sparsity patterns: where a Jacobian or Hessian can be nonzero."""

import os
from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.experimental.sparse import BCOO
from jaxtyping import Int32
from numpy.typing import ArrayLike

from ._indices import check_indices, check_shape
from ._sets import transpose_order
from ._storage import npz_path, pattern_fields, pattern_to_arrays


class SparsityPattern(eqx.Module):
    """The structural nonzeros of an `(m, n)` matrix.

    Build one with [`from_coo`][], [`from_csr`][], [`from_dense`][] or [`from_bcoo`][], which
    validate and sort; the initializer stores what it is given, so that a pattern can be flattened
    and unflattened with any leaves. Patterns compare and hash by identity.

    **Attributes:**

    - `rows`, `cols`: int32 `(nnz,)`, sorted by row and then by column, without duplicates.
    - `shape`: `(m, n)`; `m` counts the outputs and `n` the inputs of the differentiated function.
    - `argnums`: the arguments that the columns belong to.
    - `input_avals`, `output_avals`: shape and dtype of each differentiated input leaf, and of each
      output leaf; empty when unknown.
    - `modes`: those of "fwd" and "rev" in which the function can be differentiated; both when unknown.
    """

    rows: Int32[np.ndarray, " nnz"]
    cols: Int32[np.ndarray, " nnz"]
    shape: tuple[int, int] = eqx.field(static=True, converter=check_shape)
    argnums: int | tuple[int, ...] = eqx.field(static=True, default=0)
    input_avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True, default=())
    output_avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True, default=())
    modes: tuple[str, ...] = eqx.field(static=True, default=("fwd", "rev"))

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @classmethod
    def from_coo(
        cls,
        rows: ArrayLike,
        cols: ArrayLike,
        shape: tuple[int, int],
        *,
        argnums: int | tuple[int, ...] = 0,
        input_avals: tuple[jax.ShapeDtypeStruct, ...] = (),
        output_avals: tuple[jax.ShapeDtypeStruct, ...] = (),
        modes: tuple[str, ...] = ("fwd", "rev"),
    ) -> "SparsityPattern":
        """Build a pattern from coordinates, in any order and with any repetition.

        **Arguments:** `rows`, `cols`: integers `(k,)`. `shape`: `(m, n)`.

        **Returns:** the pattern with sorted, unique coordinates.

        **Raises:** `TypeError` if the coordinates are not integers, `ValueError` if their shapes
        differ, if one lies outside `shape`, or if a dimension exceeds 2**31 - 1.
        """
        m, n = check_shape(shape)
        rows, cols = check_indices(rows, "rows", m), check_indices(cols, "cols", n)
        if rows.shape != cols.shape:
            raise ValueError(
                f"`rows` and `cols` must have the same length, got {rows.size} and {cols.size}. "
                "Pass one row and one column per nonzero."
            )
        keys = rows.astype(np.int64) * n + cols
        if not np.all(keys[1:] > keys[:-1]):
            keys = np.sort(keys)
            keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
            rows, cols = (part.astype(np.int32) for part in np.divmod(keys, max(n, 1)))
        return cls(
            rows, cols, (m, n), argnums, tuple(input_avals), tuple(output_avals), tuple(modes)
        )

    @classmethod
    def from_csr(
        cls,
        indptr: ArrayLike,
        indices: ArrayLike,
        shape: tuple[int, int],
        *,
        argnums: int | tuple[int, ...] = 0,
        input_avals: tuple[jax.ShapeDtypeStruct, ...] = (),
        output_avals: tuple[jax.ShapeDtypeStruct, ...] = (),
        modes: tuple[str, ...] = ("fwd", "rev"),
    ) -> "SparsityPattern":
        """Build a pattern from compressed rows; linear time if they are sorted and unique.

        **Arguments:** `indptr`: integers `(m + 1,)`, the start of each row. `indices`: integers
        `(nnz,)`, the columns, row after row. `shape`: `(m, n)`.

        **Raises:** as [`from_coo`][], and `ValueError` if `indptr` does not partition `indices`.
        """
        m, n = check_shape(shape)
        cols = check_indices(indices, "indices", n)
        starts = np.asarray(indptr, dtype=np.int64)
        lengths = np.diff(starts)
        if (
            starts.shape != (m + 1,)
            or starts[0] != 0
            or starts[-1] != cols.size
            or np.any(lengths < 0)
        ):
            raise ValueError(
                f"`indptr` must rise from 0 to {cols.size} (the length of `indices`) in {m + 1} "
                f"entries, got {starts.size} entries: {starts!r}."
            )
        rows = np.repeat(np.arange(m, dtype=np.int32), lengths)
        if not np.all((cols[1:] > cols[:-1]) | (rows[1:] > rows[:-1])):
            return cls.from_coo(
                rows,
                cols,
                shape,
                argnums=argnums,
                input_avals=input_avals,
                output_avals=output_avals,
                modes=modes,
            )
        return cls(
            rows, cols, (m, n), argnums, tuple(input_avals), tuple(output_avals), tuple(modes)
        )

    @classmethod
    def from_dense(cls, dense: ArrayLike) -> "SparsityPattern":
        """Build the pattern of the nonzero entries (NaN included) of an `(m, n)` array."""
        array = np.asarray(dense)
        if array.ndim != 2:
            raise ValueError(
                f"Expected a 2-D array, got shape {array.shape}. Reshape it to (m, n)."
            )
        rows, cols = np.nonzero(array)
        return cls.from_coo(rows, cols, array.shape)

    @classmethod
    def from_bcoo(cls, bcoo: BCOO) -> "SparsityPattern":
        """Build the pattern of the stored entries of an `(m, n)` BCOO array.

        Stored zeros count as nonzeros; padding (indices equal to the shape) does not.

        **Raises:** `ValueError` if the array is not 2-D or has batch or dense dimensions.
        """
        if bcoo.ndim != 2 or bcoo.n_batch or bcoo.n_dense:
            raise ValueError(
                "Expected a 2-D BCOO array without batch or dense dimensions, got shape "
                f"{bcoo.shape} with n_batch={bcoo.n_batch} and n_dense={bcoo.n_dense}. Convert it "
                "with `jax.experimental.sparse.bcoo_update_layout` first."
            )
        indices = np.asarray(bcoo.indices)
        stored = np.all(indices < np.asarray(bcoo.shape), axis=1)
        return cls.from_coo(indices[stored, 0], indices[stored, 1], (bcoo.shape[0], bcoo.shape[1]))

    @property
    def m(self) -> int:
        """The number of rows."""
        return self.shape[0]

    @property
    def n(self) -> int:
        """The number of columns."""
        return self.shape[1]

    @property
    def nnz(self) -> int:
        """The number of structural nonzeros."""
        return self.rows.shape[0]

    @property
    def density(self) -> float:
        """The share of entries that are structural nonzeros; 0 for a matrix without entries."""
        return self.nnz / max(self.m * self.n, 1)

    @property
    def indptr(self) -> np.ndarray:
        """The start of each row in `indices`: `(m + 1,)`, int32 (int64 from 2**31 nonzeros on)."""
        dtype = np.int32 if self.nnz <= np.iinfo(np.int32).max else np.int64
        indptr = np.zeros(self.m + 1, dtype)
        np.cumsum(np.bincount(self.rows, minlength=self.m), out=indptr[1:])
        return indptr

    @property
    def indices(self) -> Int32[np.ndarray, " nnz"]:
        """The column of each nonzero, row after row: the same array as `cols`."""
        return self.cols

    @property
    def T(self) -> "SparsityPattern":
        """The transposed pattern. `argnums` and the abstract values are not kept."""
        _, order = column_order(self)
        return SparsityPattern(self.cols[order], self.rows[order], (self.n, self.m))

    def transpose(self) -> "SparsityPattern":
        """Return the transposed pattern, as `T`."""
        return self.T

    def todense(self) -> np.ndarray:
        """Return an int8 `(m, n)` NumPy array: 1 at the nonzeros, else 0."""
        dense = np.zeros(self.shape, np.int8)
        dense[self.rows, self.cols] = 1
        return dense

    def to_bcoo(self, data: Any = None) -> BCOO:
        """Return an `(m, n)` BCOO array with this pattern.

        **Arguments:** `data`: `(nnz,)` values in the order of `rows` and `cols`; int8 ones if
        omitted.

        **Raises:** `ValueError` if `data` has another shape.
        """
        data = jnp.ones(self.nnz, jnp.int8) if data is None else jnp.asarray(data)
        self._check_data(data)
        indices = jnp.stack([self.rows, self.cols], axis=1)
        return BCOO((data, indices), shape=self.shape, indices_sorted=True, unique_indices=True)

    def _check_data(self, data: Any) -> None:
        if data.shape != (self.nnz,):
            raise ValueError(
                f"`data` must have shape {(self.nnz,)}, one value per nonzero, got {data.shape}."
            )

    def to_scipy(
        self, data: ArrayLike | None = None, format: Literal["csr", "csc", "coo"] = "csr"
    ) -> Any:
        """Return an `(m, n)` SciPy sparse array with this pattern, for options such as `jac_sparsity`.

        **Arguments:** `data`: `(nnz,)` values in the order of `rows` and `cols`; int8 ones if
        omitted. `format`: "csr", "csc", "coo" or another format of SciPy's.

        **Raises:** `ValueError` if `data` has another shape.
        """
        values = np.ones(self.nnz, np.int8) if data is None else np.array(data)
        self._check_data(values)
        compressed = (values, np.array(self.cols), self.indptr)
        return sp.csr_array(compressed, shape=self.shape).asformat(format)

    def to_bsr(
        self, data: ArrayLike | None = None, block_shape: int | Sequence[int] | None = None
    ) -> Any:
        """Return SciPy's `(m, n)` `bsr_array` with this pattern: block compressed sparse rows.

        **Arguments:** `data`: as for `to_scipy`. `block_shape`: as for [`BlockPattern`][].

        **Raises:** `ValueError` if `data` has another shape, or a block is neither full nor empty.
        """
        from ._block_pattern import BlockPattern

        values = np.ones(self.nnz, np.int8) if data is None else np.asarray(data)
        self._check_data(values)
        return BlockPattern.from_sparsity(self, block_shape, "last").to_scipy(values)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the pattern to `path` (NumPy's `.npz`; a missing suffix is added)."""
        np.savez(npz_path(path), **pattern_to_arrays(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SparsityPattern":
        """Read a pattern that `save` wrote. **Raises:** `ValueError` if the file holds none."""
        with np.load(npz_path(path), allow_pickle=False) as arrays:
            return cls.from_coo(**pattern_fields(arrays))

    def __repr__(self) -> str:
        from .display import describe_pattern

        return describe_pattern(self)

    def __str__(self) -> str:
        from .display import draw_pattern

        return draw_pattern(self)

    def _repr_html_(self) -> str:
        from .display import pattern_html

        return pattern_html(self)


def column_order(sparsity: SparsityPattern) -> tuple[np.ndarray, np.ndarray]:
    """Return the nonzeros column after column: [`transpose_order`][] of a pattern."""
    return transpose_order(sparsity.indptr, sparsity.indices, sparsity.n)


# What the coloring functions accept.
PatternLike = SparsityPattern | BCOO | np.ndarray | jax.Array


def as_pattern(sparsity: PatternLike) -> SparsityPattern:
    """Return a pattern, 2-D BCOO or dense `(m, n)` array as a pattern of NumPy arrays."""
    if isinstance(sparsity, SparsityPattern):
        known = isinstance(sparsity.rows, np.ndarray) and isinstance(sparsity.cols, np.ndarray)
        return sparsity if known else jax.tree.map(np.asarray, sparsity)
    if isinstance(sparsity, BCOO):
        return SparsityPattern.from_bcoo(sparsity)
    if isinstance(sparsity, (np.ndarray, jax.Array)):
        return SparsityPattern.from_dense(sparsity)
    raise TypeError(
        "Expected a SparsityPattern, a 2-D BCOO array or a 2-D dense array, got "
        f"{type(sparsity).__name__}. Build a pattern with `SparsityPattern.from_coo` or `from_csr`."
    )
