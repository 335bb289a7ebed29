"""All passes of a call from the trace of one: what they share, what depends on the seeds alone, the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Inexact, Int, Shaped

from ..._arrays import size_of
from ..._jaxprs import is_staged, without_references
from ._apart import apart, can_be_apart, in_steps, may_be_apart, stores_steps
from ._batch_size import default_chunk, examine, is_unrolled, Makeup, seed_terms
from ._devices import Batches, ONE_BY_ONE
from ._flat_jaxpr import Bind, depends, Program, rebound, Step
from ._unbatched import check_references, warn_of_single_passes


Pass = Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], tuple[Sequence[Any], Any]]
"""A function of, for each compressed matrix, the number of a color and the color of each vertex, and of the
leaves of the inputs. It returns a row of each matrix, and what all of them share."""
Coloring = tuple[Int[Array, " vertices"], int]
"""The color of each vertex, and the number of colors."""

_NOTED = 2**14
"""Elements of all seeds below which nothing is gained by computing terms of them once for all calls. Above, a
call is up to 9 times faster (convolution, 2e5 inputs), 4 times for the Brusselator, 3 for heat."""
_KEPT = 2**22
"""Elements of such terms that are kept whatever else a call needs: 16 MB in single precision."""


class Passes:
    """Evaluates all passes of one call, a batch at a time.

    Where JAX cannot batch a primitive they run one at a time instead, and one warning says so.

    **Attributes:**

    - `batches`: how they are batched, as far as the user says.
    - `seed_terms`: arrays of this call that depend on the colors alone, and are traced with them; they may as
        well be computed once for all calls.
    """

    def __init__(self, batches: Batches):
        self.batches = batches
        self.seed_terms: list[Array] = []
        self._has_warned = False

    def __call__(
        self,
        one: Pass,
        leaves: Sequence[Any],
        colorings: Sequence[Coloring],
        beside: Pass | None = None,
    ) -> tuple[list[Inexact[Array, "num_colors columns"]], Any]:
        """The compressed matrices, and what the passes share.

        **Arguments:**

        - `one`: is traced once.
        - `colorings`: one for each matrix.
        - `beside`: the same as `one`, with values and tangents computed by the same loops. It is taken where
            the loops of `one` would store values at each step for one batch of passes.
        """
        plan, count = _traced(one, leaves, colorings), len(colorings)
        if beside is not None and self._stores_steps(plan):
            plan = _traced(beside, leaves, colorings, in_steps)
        program, colors = plan.program, [of_vertices for of_vertices, _ in colorings]
        known = program.known(program.inputs[: 2 * count])
        matrices = [
            self._prepare(of_matrix, known, coloring, plan.length)
            for of_matrix, coloring in zip(plan.passes, colorings, strict=True)
        ]

        def evaluate(leaves: Sequence[Any], /) -> tuple[list[Array], list[Any]]:
            any_seed = [np.int32(0)] * count
            given = dict(zip(program.inputs, (*any_seed, *colors, *leaves), strict=True))
            unseeded = program.unseeded()
            values = program.evaluate(given, unseeded, acting=(False,))
            given |= dict(zip(unseeded, values, strict=True))
            found = [self._evaluate(matrix, given) for matrix in matrices]
            for _, with_tangents in found:
                given |= with_tangents
            return [rows for rows, _ in found], program.evaluate(given, program.outputs[count:])

        shared = jtu.tree_leaves(plan.shared)
        outputs = plan.types, shared
        if all(one.makeup.kind == "fused" for one in matrices) and can_be_apart(program, outputs):
            evaluate = apart(evaluate, outputs)
        found, results = evaluate(leaves)
        return found, jtu.tree_unflatten(jtu.tree_structure(plan.shared), results)

    def _prepare(
        self, one: _Pass, known: Container[int], coloring: Coloring, length: int
    ) -> _Matrix:
        """Choose and compute the terms of the seeds of a matrix."""
        colors, num_colors = coloring
        size = num_colors * length
        most = 0 if one.program.varies_over_mesh else _most_kept(self.batches, colors, size)
        terms = seed_terms(one.steps(()), known, one.wanted, most)
        values: list[Array] = []
        if terms:
            try:
                values = self._seed_terms(one, terms, coloring)
            except NotImplementedError:  # a primitive that JAX cannot batch
                terms = ()
        return _Matrix(one, num_colors, length, examine(one.steps(terms)), terms, values)

    def _seed_terms(self, one: _Pass, terms: Sequence[int], coloring: Coloring) -> list[Array]:
        colors, num_colors = coloring

        def evaluate(colors: Int[Array, " vertices"]) -> list[Array]:
            def of_pass(number: Int[Array, ""]) -> list[Array]:
                return one.program.evaluate({one.colors: colors, one.number: number}, terms)

            return jax.vmap(of_pass)(jnp.arange(num_colors, dtype=jnp.int32))

        if not isinstance(colors, Tracer):
            # Compiled beforehand it runs at once, also where a trace is under way.
            values = jax.jit(evaluate).lower(colors).compile()(colors)
            # The XLA of jax 0.10 multiplies some large constants wrongly, unless it does not see them.
            return jax.lax.optimization_barrier(values)
        values = evaluate(colors)
        stored = list(map(self.batches.stored, values))
        self.seed_terms += stored
        return [more[tuple(map(slice, v.shape))] for more, v in zip(stored, values, strict=True)]

    def _evaluate(self, matrix: _Matrix, known: dict[int, Any]) -> tuple[Array, dict[int, Any]]:
        try:
            return matrix.evaluate(known, self.batches)
        except NotImplementedError as error:
            # Raises again unless it is the batching that fails.
            found = matrix.evaluate(known, ONE_BY_ONE)
            if not self._has_warned:
                self._has_warned = True
                warn_of_single_passes(matrix.one.program.steps, error)
            return found

    def _stores_steps(self, plan: _Plan) -> bool:
        """Whether all passes are one batch, for which loops of the plan store values at each step."""
        (one,), (matrix,), program = plan.passes, plan.types, plan.program
        if self.batches.mesh is not None or not may_be_apart(program, ()):
            return False
        width = _width(self.batches, matrix.shape[0], plan.length, examine(one.steps(())))
        return width == matrix.shape[0] and stores_steps(program)


def _traced(
    one: Pass, leaves: Sequence[Any], colorings: Sequence[Coloring], bind: Bind = rebound
) -> _Plan:
    """What a pass does; `bind` computes its steps."""
    count, colors = len(colorings), [of_vertices for of_vertices, _ in colorings]
    numbers = [jax.ShapeDtypeStruct((), jnp.int32)] * count
    jaxpr, (rows, shared) = jax.make_jaxpr(one, return_shape=True)(numbers, colors, leaves)
    with contextlib.suppress(NotImplementedError):  # those outside of the function stay
        jaxpr = without_references(jaxpr)
    program = Program(jaxpr, range(count))
    check_references(program)
    # What a loop computes together with tangents is the same for all seeds: the last matrix tells it.
    late = tuple(one for one in program.outputs[count:] if depends(one))
    variables = list(zip(program.inputs, program.inputs[count:], program.outputs, strict=False))
    passes = [
        _Pass(program, *of_matrix, late if number == count else (), bind)
        for number, of_matrix in enumerate(variables[:count], 1)
    ]
    types = [
        jax.ShapeDtypeStruct((num_colors, *row.shape), row.dtype)
        for (_, num_colors), row in zip(colorings, rows, strict=True)
    ]
    length = max(sum(map(size_of, leaves)), *map(size_of, rows))
    return _Plan(program, passes, length, types, shared)


def _width(batches: Batches, num_colors: int, length: int, makeup: Makeup) -> int:
    """The number of passes to batch."""
    size = batches.size
    if size is None:
        size = default_chunk(batches.share(num_colors), length, makeup)
    return batches.width(size, num_colors)


def _most_kept(batches: Batches, colors: Int[Array, " vertices"], size: int) -> int:
    """How many elements to keep of what depends on the seeds alone, for a matrix of `size` elements.

    As many as the compressed matrix has, or a few megabytes; none where memory was limited by hand, or
    where nothing is compiled that could be called again.
    """
    known = not isinstance(colors, Tracer)
    limited, once = not batches.are_default or (known and batches.cuts), known and not is_staged()
    return 0 if limited or once or size < _NOTED else max(size, _KEPT)


class _Pass(NamedTuple):
    """How a row of a compressed matrix follows from the number of its color.

    **Attributes:**

    - `program`: the trace of a pass, differentiated with respect to the numbers of colors.
    - `number`, `colors`, `wanted`: its variables for the color, the colors of all vertices, and the row.
    - `with_tangents`: variables that are the same for all colors, but computed together with tangents.
    - `bind`: computes the results of its steps.
    """

    program: Program
    number: int
    colors: int
    wanted: int
    with_tangents: tuple[int, ...]
    bind: Bind

    def steps(self, terms: Sequence[int]) -> list[Step]:
        """The steps of a pass where all that does not depend on its seed is there, and some terms of it."""
        return self.program.between([*self.program.fixed, self.number, *terms], [self.wanted])

    @property
    def acts(self) -> bool:
        """Whether a pass does more than return a row, such as to print."""
        return any(step.eqn.effects and step.active for step in self.program.steps)


class _Plan(NamedTuple):
    """The trace of passes: one for each matrix, their length, types of the matrices, what they share."""

    program: Program
    passes: list[_Pass]
    length: int
    types: list[jax.ShapeDtypeStruct]
    shared: Any


class _Matrix(NamedTuple):
    """A compressed matrix to be computed, and the values of the terms of its seeds, one of each per color."""

    one: _Pass
    num_colors: int
    length: int
    makeup: Makeup
    terms: tuple[int, ...]
    values: list[Array]

    def evaluate(
        self, known: dict[int, Any], batches: Batches
    ) -> tuple[Inexact[Array, "num_colors columns"], dict[int, Any]]:
        """The matrix, and what is computed together with tangents, from all that no seed changes."""
        one, num_colors, values = self.one, self.num_colors, self.values
        width = _width(batches, num_colors, self.length, self.makeup)

        def of_pass(wanted: Sequence[int], *arguments: Any) -> list[Any]:
            given = known | dict(zip((one.number, *self.terms), arguments, strict=True))
            return one.program.evaluate(given, wanted, acting=(True,), bind=one.bind)

        def row(*arguments: Any) -> Inexact[Array, " columns"]:
            return of_pass([one.wanted], *arguments)[0]

        def batch(numbers: Int[Array, " width"], *of_batch: Array) -> Array:
            return batches.spread(jax.vmap(row)(batches.spread(numbers), *of_batch))

        wanted, late = [one.wanted, *one.with_tangents], None
        unrolled = batches.are_default and is_unrolled(num_colors, self.makeup)
        # Numbers past the last color belong to no vertex: their seeds are zero and their rows are cut off.
        count = -(-num_colors // max(width, 1))
        numbers = jnp.arange(count * max(width, 1), dtype=jnp.int32)
        if one.acts and width > 1 and not unrolled:  # what fails is found before anything is done
            jax.eval_shape(jax.vmap(row), numbers[:num_colors], *values)
        if not num_colors:
            aval = one.program.avals[one.wanted]
            rows = jnp.zeros((0, *aval.shape), aval.dtype)
        elif unrolled or width == num_colors == 1:
            first, *others = [(np.int32(i), *(v[i] for v in values)) for i in range(num_colors)]
            top, *late = of_pass(wanted, *first)
            rows = jnp.stack([top, *(row(*of_color) for of_color in others)])
        elif width <= 1:
            rows = jax.lax.map(lambda of_color: row(*of_color), (numbers, *values))
        elif count == 1 and batches.mesh is None:
            rows, *of_all = jax.vmap(partial(of_pass, wanted))(numbers, *values)
            late = [array[0] for array in of_all]
        elif count == 1:
            rows = batch(numbers, *values)[:num_colors]
        else:
            operands = [_cut(array, count, width) for array in (numbers, *values)]
            stacked = jax.lax.map(lambda of_batch: batch(*of_batch), operands)
            rows = stacked.reshape(count * width, stacked.shape[-1])[:num_colors]
        if late is None:
            late = one.program.evaluate(known, one.with_tangents)
        return rows, dict(zip(one.with_tangents, late, strict=True))


def _cut(array: Shaped[Array, "colors ..."], count: int, width: int) -> Array:
    """The array in `count` parts of length `width`, the last of which is filled up."""
    missing = count * width - len(array)
    padded = jnp.concatenate([array, array[:missing]]) if missing else array
    return padded.reshape(count, width, *array.shape[1:])
