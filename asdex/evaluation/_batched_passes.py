"""All passes of a call from the trace of one: what they share, what depends on the seeds alone, the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Inexact, Int, Shaped

from .._arrays import size_of
from .._jaxprs import has_reference, is_staged, without_references
from ._batch_size import default_chunk, is_unrolled
from ._devices import Batches, ONE_BY_ONE
from ._operations import Origin, Step, straight_line, StraightLine
from ._pass_properties import examine, seed_terms
from ._unbatched import warn_of_single_passes


Pass = Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], tuple[Sequence[Any], Any]]
"""A function of, for each compressed matrix, the number of a color and the color of each vertex, and of the
leaves of the inputs. It returns a row of each matrix, and what all of them share."""
Coloring = tuple[Int[Array, " vertices"], int]
"""The color of each vertex, and the number of colors."""

_NUMBER = Origin(known=True, seeded=True)
_COLORS = Origin(known=True, seeded=False)
_LEAF = Origin(known=False, seeded=False)

_NOTED = 2**14
"""Elements of all seeds below which nothing is gained by computing terms of them once for all calls."""
_KEPT = 2**22
"""Elements of such terms that are kept whatever else a call needs: 16 MB in single precision."""


class Passes:
    """Evaluates all passes of one call, a batch at a time.

    Where JAX cannot batch a primitive they run one at a time instead, and one warning says so.

    **Attributes:**

    - `batches`: how they are batched, as far as the user says.
    - `is_dense`: whether the matrix is full: all are in one batch then, as in dense derivatives of jax.
    - `seed_terms`: arrays of this call that depend on the colors alone, and are traced with them; they may as
        well be computed once for all calls.
    """

    def __init__(self, batches: Batches, is_dense: bool = False):
        self.batches, self.is_dense = batches, is_dense
        self.seed_terms: list[Array] = []
        self._has_warned = False

    def __call__(
        self,
        one: Pass,
        leaves: Sequence[Any],
        colorings: Sequence[Coloring],
        batch_axis: int = 0,
    ) -> tuple[list[Inexact[Array, "num_colors columns"]], Any]:
        """The compressed matrices, and what the passes share.

        **Arguments:** `one`: is traced once. `colorings`: one for each matrix. `batch_axis`: the axis of the
        passes in what is computed for a batch.
        """
        colors = [of_vertices for of_vertices, _ in colorings]
        numbers = [jax.ShapeDtypeStruct((), jnp.int32) for _ in colorings]
        jaxpr, (rows, shared) = jax.make_jaxpr(one, return_shape=True)(numbers, colors, leaves)
        with contextlib.suppress(NotImplementedError):  # those outside of the function stay
            jaxpr = without_references(jaxpr)
        count = len(colorings)
        line = straight_line(jaxpr, [_NUMBER] * count + [_COLORS] * count + [_LEAF] * len(leaves))
        _check_references(line)
        unseeded = line.unseeded()
        arguments = dict(zip(line.inputs[count:], (*colors, *leaves), strict=True))
        values = line.evaluate(arguments, unseeded, acting=False)
        known = arguments | dict(zip(unseeded, values, strict=True))
        length = max(sum(map(size_of, leaves)), *map(size_of, rows))
        matrices = [
            self._matrix(
                _Rows(line, known, line.inputs[i], line.inputs[count + i], line.outputs[i]),
                colorings[i][1],
                length,
                batch_axis,
            )
            for i in range(count)
        ]
        # What a loop computes together with tangents is the same for all seeds.
        any_seed = dict.fromkeys(line.inputs[:count], np.int32(0))
        results = line.evaluate(known | any_seed, line.outputs[count:])
        return matrices, jtu.tree_unflatten(jtu.tree_structure(shared), results)

    def _matrix(
        self, rows: _Rows, num_colors: int, length: int, batch_axis: int
    ) -> Inexact[Array, "num_colors columns"]:
        kept = len(self.seed_terms)
        try:
            return self._in_batches(self.batches, rows, num_colors, length, batch_axis)
        except NotImplementedError as error:
            # Raises again unless it is the batching that fails.
            matrix = self._in_batches(ONE_BY_ONE, rows, num_colors, length, batch_axis)
            del self.seed_terms[kept:]
            if not self._has_warned:
                self._has_warned = True
                warn_of_single_passes(rows.line.steps, error)
            return matrix

    def _in_batches(
        self, batches: Batches, rows: _Rows, num_colors: int, length: int, batch_axis: int
    ) -> Inexact[Array, "num_colors columns"]:
        terms = rows.seed_terms(_most(batches, rows.vertices, num_colors, length))
        values = self._seed_terms(rows, terms, num_colors) if terms else []
        row = rows.row(terms)
        program = examine(rows.steps(terms))
        size = batches.size
        if size is None and not self.is_dense:
            if batches.mesh is None and is_unrolled(num_colors, length, program):
                return _unrolled(row, num_colors, values)
            size = default_chunk(batches.share(num_colors), length, program)
        width = batches.width(size or num_colors, num_colors)
        if width <= 1:
            return _one_by_one(row, num_colors, values)

        def batch(numbers: Int[Array, " width"], *of_batch: Array) -> Array:
            all_rows = jax.vmap(row, out_axes=batch_axis)(batches.spread(numbers), *of_batch)
            return batches.spread(jnp.moveaxis(all_rows, batch_axis, 0))

        # Numbers past the last color belong to no vertex: their seeds are zero and their rows are cut off.
        count = -(-num_colors // width)
        numbers = jnp.arange(count * width, dtype=jnp.int32)
        if rows.acts:  # what cannot be batched is found before anything is done
            jax.eval_shape(jax.vmap(row), numbers[:num_colors], *values)
        if count == 1:
            return batch(numbers, *values)[:num_colors]
        operands = [_cut(one, count, width) for one in (numbers, *values)]
        stacked = jax.lax.map(lambda one: batch(*one), operands)
        return stacked.reshape(count * width, stacked.shape[-1])[:num_colors]

    def _seed_terms(self, rows: _Rows, terms: Sequence[int], num_colors: int) -> list[Array]:
        colors = rows.vertices

        def evaluate(colors: Int[Array, " vertices"]) -> list[Array]:
            return jax.vmap(rows.terms(terms, colors))(jnp.arange(num_colors, dtype=jnp.int32))

        if not isinstance(colors, Tracer):
            # Compiled beforehand it runs at once, also where a trace is under way.
            return jax.jit(evaluate).lower(colors).compile()(colors)
        values = evaluate(colors)
        self.seed_terms += values
        return values


def _most(batches: Batches, colors: Int[Array, " vertices"], num_colors: int, length: int) -> int:
    """How many elements to keep of what depends on the seeds alone.

    As many as the compressed matrix has, or a few megabytes; none where memory was limited by hand, or
    where nothing is compiled that could be called again.
    """
    size, limited = num_colors * length, batches != Batches()
    once = not (isinstance(colors, Tracer) or is_staged())
    return 0 if limited or once or size < _NOTED else max(size, _KEPT)


class _Rows(NamedTuple):
    """How a row of a compressed matrix follows from the number of its color.

    **Attributes:**

    - `line`: the trace of a pass.
    - `known`: the values of all that does not depend on the seed.
    - `number`, `colors`, `wanted`: the numbers in `line` of the color, of the colors of all vertices, and of
        the row.
    """

    line: StraightLine
    known: dict[int, Any]
    number: int
    colors: int
    wanted: int

    @property
    def vertices(self) -> Int[Array, " vertices"]:
        """The color of each vertex."""
        return self.known[self.colors]

    @property
    def acts(self) -> bool:
        """Whether a pass does more than return a row, such as to print."""
        return any(step.eqn.effects and step.origin.seeded for step in self.line.steps)

    def steps(self, terms: Sequence[int]) -> list[Step]:
        """The steps of a pass where some terms of its seed are there."""
        return self.line.steps_between([*self.known, self.number, *terms], [self.wanted])

    def seed_terms(self, most: int) -> tuple[int, ...]:
        return seed_terms(self.line, self.steps(()), self.wanted, most)

    def row(self, terms: Sequence[int]) -> _Row:
        """One row of the matrix as a function."""

        def evaluate(*arguments: Any) -> Inexact[Array, " columns"]:
            of_pass = dict(zip((self.number, *terms), arguments, strict=True))
            return self.line.evaluate(self.known | of_pass, [self.wanted], acting=True)[0]

        return evaluate

    def terms(
        self, terms: Sequence[int], colors: Int[Array, " vertices"]
    ) -> Callable[[Int[Array, ""]], list[Array]]:
        """A function of the number of a color that depends on no value of the call but the colors."""

        def evaluate(number: Int[Array, ""]) -> list[Array]:
            return self.line.evaluate({self.colors: colors, self.number: number}, terms)

        return evaluate


def _check_references(line: StraightLine) -> None:
    """Refuse references that hold what depends on a seed: what is read from them does not say so.

    **Raises:** `NotImplementedError`.
    """
    if any(step.origin.seeded and has_reference(step.eqn) for step in line.steps):
        raise NotImplementedError(
            "Expected a function with references (`jax.new_ref`) of its own alone, got one with others too: "
            "jax cannot replace them by values. Pass in and return the values of those outside."
        )


_Row = Callable[..., Inexact[Array, " columns"]]
"""A function of the number of a color and of the terms of its seed."""


def _unrolled(
    row: _Row, num_colors: int, values: Sequence[Array]
) -> Inexact[Array, "num_colors columns"]:
    """All rows, each by operations of its own."""
    return jnp.stack([row(np.int32(i), *(one[i] for one in values)) for i in range(num_colors)])


def _one_by_one(
    row: _Row, num_colors: int, values: Sequence[Array]
) -> Inexact[Array, "num_colors columns"]:
    """All rows, one after the other."""
    if num_colors == 1:
        return _unrolled(row, num_colors, values)
    numbers = jnp.arange(num_colors, dtype=jnp.int32)
    return jax.lax.map(lambda one: row(*one), (numbers, *values))


def _cut(array: Shaped[Array, "colors ..."], count: int, width: int) -> Array:
    """The array in `count` parts of length `width`, the last of which is filled up."""
    missing = count * width - len(array)
    padded = jnp.concatenate([array, array[:missing]]) if missing else array
    return padded.reshape(count, width, *array.shape[1:])
