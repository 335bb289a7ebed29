"""All passes of a call from the trace of one: what they share, what depends on the seeds alone, the rest."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Inexact, Int, Shaped

from .._arrays import is_key, size_of
from .._errors import UnbatchedPassesWarning
from .._jaxprs import (
    has_reference,
    is_staged,
    rebind,
    source_line,
    source_position,
    without_references,
)
from ._batch_size import default_chunk, equations, examine, is_unrolled, Makeup, seed_terms
from ._devices import Batches, ONE_BY_ONE
from ._program import depends, Program, Step


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
        self, one: Pass, leaves: Sequence[Any], colorings: Sequence[Coloring]
    ) -> tuple[list[Inexact[Array, "num_colors columns"]], Any]:
        """The compressed matrices, and what the passes share.

        **Arguments:** `one`: is traced once. `colorings`: one for each matrix.
        """
        colors = [of_vertices for of_vertices, _ in colorings]
        numbers = [jax.ShapeDtypeStruct((), jnp.int32) for _ in colorings]
        jaxpr, (rows, shared) = jax.make_jaxpr(one, return_shape=True)(numbers, colors, leaves)
        with contextlib.suppress(NotImplementedError):  # those outside of the function stay
            jaxpr = without_references(jaxpr)
        count = len(colorings)
        program = Program(jaxpr, range(count))
        _check_references(program)
        known = program.known(program.inputs[: 2 * count])
        length = max(sum(map(size_of, leaves)), *map(size_of, rows))
        variables = zip(program.inputs, program.inputs[count:], program.outputs, strict=False)
        matrices = [
            self._prepare(_Pass(program, *of_matrix), known, coloring, length)
            for of_matrix, coloring in zip(variables, colorings, strict=False)
        ]

        def evaluate(leaves: Sequence[Any]) -> tuple[list[Array], list[Any]]:
            given = dict(zip(program.inputs[count:], (*colors, *leaves), strict=True))
            unseeded = _unseeded(program)
            values = program.evaluate(given, unseeded, acting=(False,))
            given |= dict(zip(unseeded, values, strict=True))
            # What a loop computes together with tangents is the same for all seeds.
            any_seed = dict.fromkeys(program.inputs[:count], np.int32(0))
            results = program.evaluate(given | any_seed, program.outputs[count:])
            return [self._evaluate(matrix, given) for matrix in matrices], results

        types = [
            jax.ShapeDtypeStruct((num_colors, *row.shape), row.dtype)
            for (_, num_colors), row in zip(colorings, rows, strict=True)
        ]
        outputs = (types, jtu.tree_leaves(shared))
        if all(one.makeup.kind == "fused" for one in matrices) and _can_be_apart(program, outputs):
            evaluate = _apart(evaluate, outputs)
        found, results = evaluate(leaves)
        return found, jtu.tree_unflatten(jtu.tree_structure(shared), results)

    def _prepare(
        self, one: _Pass, known: Container[int], coloring: Coloring, length: int
    ) -> _Matrix:
        """Choose and compute the terms of the seeds of a matrix."""
        colors, num_colors = coloring
        most = _most_kept(self.batches, colors, num_colors * length)
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

    def _evaluate(
        self, matrix: _Matrix, known: dict[int, Any]
    ) -> Inexact[Array, "num_colors columns"]:
        try:
            return matrix.evaluate(known, self.batches)
        except NotImplementedError as error:
            # Raises again unless it is the batching that fails.
            rows = matrix.evaluate(known, ONE_BY_ONE)
            if not self._has_warned:
                self._has_warned = True
                _warn_of_single_passes(matrix.one.program.steps, error)
            return rows


def _most_kept(batches: Batches, colors: Int[Array, " vertices"], size: int) -> int:
    """How many elements to keep of what depends on the seeds alone, for a matrix of `size` elements.

    As many as the compressed matrix has, or a few megabytes; none where memory was limited by hand, or
    where nothing is compiled that could be called again.
    """
    known = not isinstance(colors, Tracer)
    limited, once = not batches.are_default or (known and batches.cuts), known and not is_staged()
    return 0 if limited or once or size < _NOTED else max(size, _KEPT)


def _can_be_apart(program: Program, outputs: Any) -> bool:
    """Whether a branch may hold the operations: on a CPU, in a program, without effects or keys in it."""
    keys = any(map(is_key, jtu.tree_leaves(outputs)))
    return jax.default_backend() == "cpu" and is_staged() and not program.effects and not keys


def _apart(function: Callable[[Sequence[Any]], Any], outputs: Any) -> Callable[..., Any]:
    """The function with its results complete before anything reads them; they have the types of `outputs`.

    XLA's CPU compiler fuses elementwise operations into the gather that reads the matrix, and computes them
    once for each nonzero: with 1e4 to 2e5 inputs, calls take 1.5 (Rosenbrock) to 3 times as long
    (Brusselator). A barrier is gone by then, but a branch is not. What ends in operations that are not fused
    is complete anyway: there, a branch would make finite elements slower by a fifth.
    """

    def zeros(_: Any) -> Any:
        return jax.tree.map(lambda one: jnp.zeros(one.shape, one.dtype), outputs)

    always = jax.lax.optimization_barrier(True)
    return lambda leaves: jax.lax.cond(always, function, zeros, leaves)


class _Pass(NamedTuple):
    """How a row of a compressed matrix follows from the number of its color.

    **Attributes:**

    - `program`: the trace of a pass, differentiated with respect to the numbers of colors.
    - `number`, `colors`, `wanted`: its variables for the color, the colors of all vertices, and the row.
    """

    program: Program
    number: int
    colors: int
    wanted: int

    def steps(self, terms: Sequence[int]) -> list[Step]:
        """The steps of a pass where all that does not depend on its seed is there, and some terms of it."""
        return self.program.between([*self.program.fixed, self.number, *terms], [self.wanted])

    @property
    def acts(self) -> bool:
        """Whether a pass does more than return a row, such as to print."""
        return any(step.eqn.effects and step.moving for step in self.program.steps)


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
    ) -> Inexact[Array, "num_colors columns"]:
        """The matrix, from the values of all that does not depend on the seeds."""
        one, num_colors, values = self.one, self.num_colors, self.values

        def row(*arguments: Any) -> Inexact[Array, " columns"]:
            of_pass = dict(zip((one.number, *self.terms), arguments, strict=True))
            return one.program.evaluate(known | of_pass, [one.wanted], acting=(True,))[0]

        size = batches.size
        if size is None:
            size = default_chunk(batches.share(num_colors), self.length, self.makeup)
        width = batches.width(size, num_colors)
        unrolled = batches.are_default and is_unrolled(num_colors, self.makeup)
        if unrolled or width == num_colors == 1:
            return jnp.stack([row(np.int32(i), *(v[i] for v in values)) for i in range(num_colors)])
        if width <= 1:
            numbers = jnp.arange(num_colors, dtype=jnp.int32)
            return jax.lax.map(lambda of_pass: row(*of_pass), (numbers, *values))

        def batch(numbers: Int[Array, " width"], *of_batch: Array) -> Array:
            return batches.spread(jax.vmap(row)(batches.spread(numbers), *of_batch))

        # Numbers past the last color belong to no vertex: their seeds are zero and their rows are cut off.
        count = -(-num_colors // width)
        numbers = jnp.arange(count * width, dtype=jnp.int32)
        if one.acts:  # what cannot be batched is found before anything is done
            jax.eval_shape(jax.vmap(row), numbers[:num_colors], *values)
        if count == 1:
            return batch(numbers, *values)[:num_colors]
        operands = [_cut(array, count, width) for array in (numbers, *values)]
        stacked = jax.lax.map(lambda of_batch: batch(*of_batch), operands)
        return stacked.reshape(count * width, stacked.shape[-1])[:num_colors]


def _cut(array: Shaped[Array, "colors ..."], count: int, width: int) -> Array:
    """The array in `count` parts of length `width`, the last of which is filled up."""
    missing = count * width - len(array)
    padded = jnp.concatenate([array, array[:missing]]) if missing else array
    return padded.reshape(count, width, *array.shape[1:])


def _unseeded(program: Program) -> list[int]:
    """The variables that do not depend on the seed and are results or read by what does."""
    read = [variable for step in program.steps if step.moving for variable in step.reads]
    wanted = dict.fromkeys((*read, *program.outputs))
    return [one for one in wanted if not depends(one) and one not in program.constants]


def _check_references(program: Program) -> None:
    """Refuse references that hold what depends on a seed: what is read from them does not say so.

    **Raises:** `NotImplementedError`.
    """
    if any(step.moving and has_reference(step.eqn) for step in program.steps):
        raise NotImplementedError(
            "Expected a function with references (`jax.new_ref`) of its own alone, got one with others too: "
            "jax cannot replace them by values. Pass in and return the values of those outside."
        )


def _warn_of_single_passes(steps: Iterable[Step], error: NotImplementedError) -> None:
    """Say that the passes run one at a time, because of which primitive and which of the user's lines.

    **Arguments:** `steps`: those of a pass. `error`: what JAX raised when it was to batch them.
    """
    found = next(filter(None, map(_unbatchable, steps)), None)
    source = "" if found is None else source_line(found) or "unknown source"
    what = "the passes" if found is None else f"the primitive '{found.primitive.name}' ({source})"
    message = (
        f"JAX cannot batch {what}, so the passes run one at a time: {str(error).rstrip('.')}. Pass "
        "chunk_size=1 to say that this is meant, or give the primitive a batching rule."
    )
    warnings.warn_explicit(message, UnbatchedPassesWarning, *source_position(source))


def _unbatchable(step: Step) -> Any | None:
    """The innermost equation of a step on seeds that cannot be batched, if there is one."""
    if not step.moving:
        return None
    failing = [eqn for eqn in equations(step.eqn) if not _is_batchable(eqn)]
    return failing[-1] if failing else None


def _is_batchable(eqn: Any) -> bool:
    try:
        operands = [
            jax.ShapeDtypeStruct((1, *atom.aval.shape), atom.aval.dtype) for atom in eqn.invars
        ]
        jax.eval_shape(jax.vmap(lambda *of_one: rebind(eqn, of_one)), *operands)
    except NotImplementedError:
        return False
    except Exception:  # which has other causes: an axis of a mesh, a reference
        return True
    return True
