"""The dependency array: for each element of an array, the set of inputs that it may depend on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from ..._arrays import size_of
from ._checks import (
    as_csr,
    checked_axes,
    checked_axis,
    checked_choice,
    checked_positions,
    checked_shape,
)
from ._index_sets import dimensions, IndexSets
from ._joined_terms import aligned, concatenated, MAX_TERMS, reduced_leading, shifted
from ._set_array import SetArray
from ._terms import compact, gather_sets, merge_into, Term


class Dependence(SetArray):
    """An immutable array of index sets with the shape of the array that it describes.

    Element `k` holds the flat indices of the inputs that element `k` of the described array may depend on.
    Unions, broadcasts and data movement touch one integer per element and term, never the sets.
    """

    __slots__ = ("parts",)

    def __init__(self, shape: Sequence[int], terms: Sequence[Term] = ()):
        shape = tuple(shape)
        self.parts: tuple[Dependence, Dependence] | None = None
        super().__init__(shape, compact(shape, terms) if len(terms) > MAX_TERMS else terms)

    @staticmethod
    def none(shape: Sequence[int]) -> Dependence:
        """No element depends on anything."""
        return Dependence(shape)

    @staticmethod
    def identity(shape: Sequence[int], *, offset: int = 0, width: int | None = None) -> Dependence:
        """Element `k` depends on input `offset + k`, of `width` inputs in all."""
        size = math.prod(shape)
        width = offset + size if width is None else width
        if not 0 <= offset <= width - size:
            raise ValueError(
                f"Inputs {offset} to {offset + size - 1} are not among {width} inputs."
            )
        pool = IndexSets.identity(width)
        rows = np.arange(offset, offset + size, dtype=np.int32).reshape(tuple(shape))
        return Dependence(shape, [Term(rows, pool)] if size else [])

    @staticmethod
    def from_csr(matrix: Any, shape: Sequence[int]) -> Dependence:
        """Element `k` depends on the columns of the nonzeros in row `k` of `matrix`, of any SciPy format."""
        matrix = as_csr(matrix, rows=math.prod(shape))
        matrix = matrix.copy()
        if not (matrix.has_canonical_format and matrix.data.all()):
            matrix.eliminate_zeros()
            matrix.sum_duplicates()
        rows = np.arange(dimensions(matrix)[0], dtype=np.int32).reshape(tuple(shape))
        rows = np.where(np.diff(matrix.indptr).reshape(rows.shape) > 0, rows, np.int32(-1))
        return Dependence(shape, [Term(rows, IndexSets.from_csr(matrix))] if matrix.nnz else [])

    @staticmethod
    def of_parts(real: Dependence, imag: Dependence) -> Dependence:
        """A complex array of which it is known what either part depends on. Operations forget it."""
        both = real | imag
        result = Dependence(both.shape, both.terms)
        result.parts = (real.broadcast_to(both.shape), imag.broadcast_to(both.shape))
        return result

    # --- the language of rules --------------------------------------------------------------------

    def __or__(self, other: Dependence) -> Dependence:
        """Union element by element, with NumPy's broadcasting."""
        if self is other:
            return self
        if not isinstance(other, Dependence):
            return NotImplemented
        shape = np.broadcast_shapes(self.shape, other.shape)
        left, right = self.broadcast_to(shape), other.broadcast_to(shape)
        terms = list(left.terms)
        for term in right.terms:
            merge_into(terms, term)
        return Dependence(shape, terms)

    def broadcast_to(self, shape: Sequence[int]) -> Dependence:
        shape = tuple(shape)
        if shape == self.shape:
            return self
        if np.broadcast_shapes(self.shape, shape) != shape:
            raise ValueError(f"Shape {self.shape} cannot be broadcast to shape {shape}.")
        return Dependence(shape, [Term(np.broadcast_to(t.rows, shape), t.pool) for t in self.terms])

    def rearrange(self, fn: Callable[[Int[np.ndarray, "..."]], NDArray]) -> Dependence:
        """Data movement.

        **Arguments:**

        - `fn`: maps the array of flat positions (integers `0, 1, ...` in `self.shape`) to the array of
            positions that the elements of the result are taken from, with `-1` for "from nowhere".

        **Raises:**

        `TypeError` if these are not integers, `ValueError` if one is below -1 or past the end.
        """
        return self.take(fn(np.arange(self.size, dtype=np.int32).reshape(self.shape)))

    def take(self, positions: Int[np.ndarray, "..."]) -> Dependence:
        """The elements at flat `positions`, in the shape of `positions`; `-1` gives the empty set."""
        positions, has_gaps = checked_positions(positions, self.size)
        if not self.terms or not self.size:
            return Dependence.none(positions.shape)
        mask = positions < 0 if has_gaps else None
        return Dependence(positions.shape, [t.take(positions, mask) for t in self.terms])

    def reshape(self, shape: Sequence[int]) -> Dependence:
        shape = checked_shape(shape, self.size)
        return Dependence(shape, [Term(t.rows.reshape(shape), t.pool) for t in self.terms])

    def reduce(self, axes: int | Sequence[int]) -> Dependence:
        """Union over `axes`, which disappear."""
        axes = sorted(checked_axes(axes, self.ndim))
        kept = tuple(n for axis, n in enumerate(self.shape) if axis not in axes)
        if not axes:
            return self
        if not self.terms or not self.size:
            return Dependence.none(kept)
        slices = int(np.prod([self.shape[axis] for axis in axes]))
        moved = [Term(np.moveaxis(t.rows, axes, range(len(axes))), t.pool) for t in self.terms]
        if slices * len(moved) <= MAX_TERMS:
            terms: list[Term] = []
            for rows, pool in moved:
                for one in rows.reshape(slices, *kept):
                    merge_into(terms, Term(one, pool))
            return Dependence(kept, terms)
        return Dependence(kept, reduced_leading(moved, len(axes), kept))

    def mix(self, axes: int | Sequence[int]) -> Dependence:
        """Every element depends on all elements along `axes`."""
        axes = checked_axes(axes, self.ndim)
        reduced = self.reduce(axes)
        ones = tuple(1 if axis in axes else n for axis, n in enumerate(self.shape))
        return reduced.reshape(ones).broadcast_to(self.shape)

    def accumulate(self, axis: int, reverse: bool = False) -> Dependence:
        """Unions over prefixes (suffixes, if `reverse`) along `axis`, by doubling."""
        axis = checked_axis(axis, self.ndim)
        result, step = self, 1
        while step < self.shape[axis]:
            result = result | result.rearrange(
                lambda p, s=step: shifted(p, axis, -s if reverse else s)
            )
            step *= 2
        return result

    def through(self, matrix: Any, shape: Sequence[int] | None = None) -> Dependence:
        """Sparse local structure: result `k` depends on the elements in row `k` of `matrix`.

        **Arguments:**

        - `matrix`: `(results, self.size)` sparse matrix of SciPy, in any format. What it stores is an entry,
            be its value zero or not.
        - `shape`: the shape of the results; `(results,)` by default.

        **Raises:**

        `TypeError` if `matrix` is no sparse matrix, `ValueError` if it has another shape.
        """
        rows = None if shape is None else math.prod(shape)
        csr = as_csr(matrix, rows=rows, columns=self.size)
        result = self._through(csr)
        return result if shape is None else result.reshape(shape)

    def _through(self, matrix: sp.csr_array) -> Dependence:
        count, _ = dimensions(matrix)
        owners = np.repeat(np.arange(count, dtype=np.int32), np.diff(matrix.indptr))
        terms: list[Term] = []
        for term in self.terms:
            rows = term.rows.reshape(-1)[matrix.indices[: owners.size]]
            for new in gather_sets(owners, rows, term.pool, count):
                merge_into(terms, new)
        return Dependence((count,), terms)

    def substitute(self, operand: Dependence) -> Dependence:
        """Replace each index in each set by the set of that (flat) element of `operand`.

        With `self` the structure of a function and `operand` that function's concatenated arguments,
        this is the chain rule; sets shared in `self` stay shared in the result.
        """
        if operand.size < self.width:
            raise ValueError(f"Expected an operand of {self.width} elements, got {operand.size}.")
        result = Dependence.none(self.shape)
        flat = operand.reshape((operand.size,))
        for term in self.terms:
            if term.pool.is_identity:
                result = result | flat.take(term.rows)
            else:
                result = result | flat._through(term.pool.to_csr()).take(term.rows)
        return result

    def substitute_each(self, operands: Dependence) -> Dependence:
        """`substitute` each row of `operands`, of shape `(count, width)`; the results are stacked."""
        count, width = operands.shape
        flat, entry = operands.reshape((operands.size,)), np.arange(count)
        result = Dependence.none((count, *self.shape))

        def shifted(rows: NDArray, step: int) -> NDArray:
            offset = (entry * step).reshape(-1, *[1] * rows.ndim)
            return np.where(rows >= 0, rows + offset, -1)

        for rows, pool in self.terms:
            if pool.is_identity:
                result = result | flat.take(shifted(rows, width))
                continue
            sets = pool.to_csr()
            indptr = np.concatenate([[0], np.cumsum(np.tile(np.diff(sets.indptr), count))])
            indices = shifted(sets.indices, width).reshape(-1)
            ones = np.ones(indices.size, np.bool_)
            tiled = sp.csr_array((ones, indices, indptr), shape=(count * pool.count, flat.size))
            result = result | flat._through(tiled).take(shifted(rows, pool.count))
        return result

    @staticmethod
    def select(choice: Int[np.ndarray, "..."], operands: Sequence[Dependence]) -> Dependence:
        """Element `k` is element `k` of `operands[choice[k]]`; all have the shape of `choice`."""
        choice = checked_choice(choice, [operand.shape for operand in operands])
        terms: list[Term] = []
        for pool, rows in aligned([operand.terms for operand in operands]):
            picked = np.full(choice.shape, -1, np.int32)
            for number, one in enumerate(rows):
                if one is not None:
                    np.copyto(picked, one, where=choice == number)
            terms.append(Term(picked, pool))
        return Dependence(choice.shape, terms)

    @staticmethod
    def where(mask: Bool[np.ndarray, "..."], a: Dependence, b: Dependence) -> Dependence:
        """Element by element: `a` where `mask` is true, `b` elsewhere, with broadcasting."""
        mask = np.asarray(mask)
        shape = np.broadcast_shapes(mask.shape, a.shape, b.shape)
        choice = np.broadcast_to(np.where(mask, 0, 1), shape)
        return Dependence.select(choice, [a.broadcast_to(shape), b.broadcast_to(shape)])

    def keep(self, mask: Bool[np.ndarray, "..."]) -> Dependence:
        """Element by element: itself where `mask` is true, nothing elsewhere, with broadcasting."""
        return Dependence.where(mask, self, Dependence.none(self.shape))

    @staticmethod
    def join(operands: Sequence[Dependence]) -> Dependence:
        """All operands' elements, one operand after the other, as one flat array."""
        flat = [operand.reshape((operand.size,)) for operand in operands]
        return Dependence.concatenate(flat) if flat else Dependence.none((0,))

    def split(self, shapes: Sequence[Sequence[int]]) -> list[Dependence]:
        """Arrays of these shapes that lie one after the other along the last axis, as `join` puts them."""
        leading, stops = self.shape[:-1], np.cumsum([0, *map(math.prod, shapes)])
        return [
            self.rearrange(lambda p, a=a, b=b: p[..., a:b]).reshape((*leading, *shape))
            for (a, b), shape in zip(pairwise(stops), shapes, strict=True)
        ]

    @staticmethod
    def concatenate(operands: Sequence[Dependence], axis: int = 0) -> Dependence:
        """Join along an existing axis, as `numpy.concatenate`."""
        shape = list(operands[0].shape)
        axis = checked_axis(axis, len(shape))
        shape[axis] = sum(operand.shape[axis] for operand in operands)
        pairs = [(operand.shape, operand.terms) for operand in operands]
        return Dependence(shape, concatenated(pairs, axis))

    def restrict(self, start: int, stop: int) -> Dependence:
        """Keep of every set the inputs from `start` up to `stop`, and number them from zero."""
        terms = []
        for rows, pool in self.terms:
            if pool.is_identity:
                inside = (rows >= start) & (rows < stop)
                if inside.any():
                    new = np.where(inside, rows - np.int32(start), np.int32(-1))
                    terms.append(Term(new, IndexSets.identity(stop - start)))
            else:
                part = pool.to_csr()[:, start:stop]
                if part.nnz:
                    terms.append(Term(rows, IndexSets.from_csr(part)))
        return Dependence(self.shape, terms)


def identities(avals: Sequence[Any]) -> list[Dependence]:
    """For arrays, one after the other: each element depends on itself."""
    offsets = np.cumsum([0, *map(size_of, avals)]).tolist()
    return [
        Dependence.identity(aval.shape, offset=offset, width=offsets[-1])
        for aval, offset in zip(avals, offsets[:-1], strict=True)
    ]
