"""Sparsity patterns: where a Jacobian or Hessian can be nonzero."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jax.experimental.sparse import BCOO
from jaxtyping import Int32
from numpy.typing import ArrayLike

from .._sets import run_bounds, transpose_order
from ._algebra import PatternAlgebra
from ._block_search import find_blocks
from ._indices import canonical, check_argnums, check_indices, check_row_starts, check_shape
from ._storage import npz_path, pattern_fields, pattern_to_arrays, saved_arrays


class SparsityPattern(PatternAlgebra):
    """The structural nonzeros of an `(m, n)` matrix.

    The coordinates may come in any order, with any repetition; neither is kept. Arrays without known values,
    as in a transformation of jax's, are kept as they are.

    Patterns are equal if shape, `argnums` and nonzeros are. `a | b` (also `a + b`, `a - b`) is the union,
    `a @ b` the pattern of a product, `2 * a` is `a`, `a.T` the transpose, `a[rows, cols]` the part in some
    rows and columns; `(i, j) in a` says whether an entry is a nonzero.

    **Arguments:** `rows`, `cols`: integers `(k,)`. `shape`: `(m, n)`; the others are as below.

    **Attributes:**

    - `rows`, `cols`: int32 `(nnz,)`, sorted by row and then by column, without duplicates; read-only.
    - `shape`: `(m, n)`; `m` counts the outputs and `n` the inputs of the differentiated function.
    - `argnums`: the arguments that the columns belong to.
    - `input_avals`, `output_avals`: shape and dtype of each differentiated input leaf, and of each
      output leaf; empty when unknown.
    - `modes`: those of "fwd" and "rev" in which the function can be differentiated; both when unknown.
    - `local`: whether it was detected at points, and holds only where the function does the same as there.

    **Raises:** `TypeError` if the coordinates are not integers, `ValueError` if their shapes differ, if
    one lies outside `shape`, or if a dimension exceeds 2**31 - 1.
    """

    rows: Int32[np.ndarray, " nnz"]
    cols: Int32[np.ndarray, " nnz"]
    shape: tuple[int, int] = eqx.field(static=True)
    argnums: int | tuple[int, ...] = eqx.field(static=True, default=0)
    input_avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True, default=())
    output_avals: tuple[jax.ShapeDtypeStruct, ...] = eqx.field(static=True, default=())
    modes: tuple[str, ...] = eqx.field(static=True, default=("fwd", "rev"))
    local: bool = eqx.field(static=True, default=False)

    __hash__ = (
        PatternAlgebra.__hash__
    )  # for type checkers, which take a class of fields for unhashable

    def __init__(
        self,
        rows: ArrayLike,
        cols: ArrayLike,
        shape: Sequence[int],
        argnums: int | Sequence[int] = 0,
        input_avals: Sequence[jax.ShapeDtypeStruct] = (),
        output_avals: Sequence[jax.ShapeDtypeStruct] = (),
        modes: Sequence[str] = ("fwd", "rev"),
        local: bool = False,
    ):
        self.shape = check_shape(shape)
        self.rows, self.cols = canonical(rows, cols, self.shape)
        self.argnums = check_argnums(argnums)
        self.input_avals, self.output_avals = tuple(input_avals), tuple(output_avals)
        self.modes, self.local = tuple(modes), local

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
        local: bool = False,
    ) -> Self:
        """Build a pattern from coordinates, in any order and with any repetition, as the initializer.

        **Arguments:** `rows`, `cols`: integers `(k,)`. `shape`: `(m, n)`.

        **Raises:** as the initializer.
        """
        return cls(rows, cols, shape, argnums, input_avals, output_avals, modes, local)

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
        local: bool = False,
    ) -> Self:
        """Build a pattern from compressed rows; linear time if they are sorted and unique.

        **Arguments:** `indptr`: integers `(m + 1,)`, the start of each row. `indices`: integers
        `(nnz,)`, the columns, row after row. `shape`: `(m, n)`.

        **Raises:** as the initializer, and `ValueError` if `indptr` does not partition `indices`.
        """
        m, n = check_shape(shape)
        cols = check_indices(indices, "indices", n)
        rows = check_row_starts(indptr, m, cols.size)
        return cls(rows, cols, (m, n), argnums, input_avals, output_avals, modes, local)

    @classmethod
    def from_scipy(cls, matrix: Any) -> Self:
        """Build the pattern of the stored entries, zeros included, of an `(m, n)` SciPy sparse array."""
        if not sp.issparse(matrix) or matrix.ndim != 2:
            raise TypeError(
                f"Expected a 2-D SciPy sparse array, got {type(matrix).__name__}. Dense arrays are for "
                "`from_dense`, those of `jax.experimental.sparse` for `from_bcoo`."
            )
        by_row = matrix.tocsr()
        return cls.from_csr(by_row.indptr, by_row.indices, by_row.shape)

    @classmethod
    def from_dense(cls, dense: ArrayLike) -> Self:
        """Build the pattern of the nonzero entries (NaN included) of an `(m, n)` array."""
        array = np.asarray(dense)
        if array.ndim != 2:
            raise ValueError(
                f"Expected a 2-D array, got shape {array.shape}. Reshape it to (m, n)."
            )
        rows, cols = np.nonzero(array)
        return cls.from_coo(rows, cols, array.shape)

    @classmethod
    def from_bcoo(cls, bcoo: BCOO) -> Self:
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
        bounds = run_bounds(self.rows)  # `np.bincount` would copy the rows as int64
        indptr[self.rows[bounds[:-1]] + 1] = np.diff(bounds)
        return np.cumsum(indptr, out=indptr)

    @property
    def indices(self) -> Int32[np.ndarray, " nnz"]:
        """The column of each nonzero, row after row: the same array as `cols`."""
        return self.cols

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
        values = np.ones(self.nnz, np.int8) if data is None else np.asarray(data)
        self._check_data(values)
        found = find_blocks(self, block_shape, "last")
        return sp.bsr_array((values[found.order], found.indices, found.indptr), shape=self.shape)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the pattern to `path` (NumPy's `.npz`; a missing suffix is added)."""
        np.savez(npz_path(path), **pattern_to_arrays(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a pattern that `save` wrote. **Raises:** `ValueError` if the file holds none."""
        with saved_arrays(path) as arrays:
            return cls.from_coo(**pattern_fields(arrays))

    def __repr__(self) -> str:
        from ..display import describe_pattern

        return describe_pattern(self)

    def __str__(self) -> str:
        from ..display import draw_pattern

        return draw_pattern(self)

    def _repr_html_(self) -> str:
        from ..display import pattern_html

        return pattern_html(self)


def column_order(sparsity: SparsityPattern) -> tuple[np.ndarray, np.ndarray]:
    """Return the nonzeros column after column: [`transpose_order`][] of a pattern."""
    return transpose_order(sparsity.indptr, sparsity.indices, sparsity.n)


def chosen_nonzeros(sparsity: SparsityPattern, chosen: np.ndarray) -> SparsityPattern:
    """Return the pattern of the nonzeros that a mask, or an array of ascending positions, chooses."""
    rows, cols = np.asarray(sparsity.rows)[chosen], np.asarray(sparsity.cols)[chosen]
    return dataclasses.replace(sparsity, rows=rows, cols=cols)


PatternLike = SparsityPattern | BCOO | np.ndarray | jax.Array  # what the coloring functions accept


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
