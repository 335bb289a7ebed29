"""Whether to differentiate at the elements, by the estimated cost of a call."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.core import Tracer
from jaxtyping import Shaped

from .._arguments import Samples
from .._arrays import is_complex, size_of, struct_of
from .._errors import DenseColoringWarning
from .._function import AtArguments
from ..coloring import color_hessian, color_jacobian, ColoredPattern, JacobianSearch, SearchOptions
from ..decompression import decompressor_for
from ..detection import (
    Dependence,
    detect_hessian,
    DetectionOptions,
    Interpreter,
    Limit,
    limited,
    trace,
)
from ..pattern import frozen, SparsityPattern
from ._compiled import evaluate_now
from ._derivative import SparseDerivative
from ._kernel import colors_of, Kernel, Options
from .elements import Assembly, Copies, Cut, Elements, LinearRest, Part, PartAtArguments, Terms
from .passes import Program, Step


_FEWEST_COLORS, _MANY_COLORS = 4, 8
"""With fewer colors, a call takes less time than the search for elements is worth. With less than many, which
stencils in the plane do without, they are looked for only where inputs are copied several times."""
_MOST_COPIES = 8
"""Copies for each nonzero. With more of them, the elements are not what makes the matrix sparse."""
_MOST_ENTRIES, _FEW_ENTRIES = 16, 10_000
"""Entries at the elements for each nonzero, and how many there may always be: sums of more do not pay."""
_MARGIN = 0.8
"""The cost at the elements, in that of the coloring, from which on it is not worth the longer set-up."""
_READING, _ADDING, _INDEXING = 8, 40, 20
"""What it costs to read an entry, to add a term, to gather or scatter an element, in fused operations. With
half of each the elements of a Brusselator are taken, 80,000 inputs in 7 colors: 1.8 ms in place of 0.95."""
_INDEXED = ("gather", "scatter", "bcoo", "bcsr")
"""Beginnings of the names of operations that gather or scatter."""


def at_elements(
    derivative: SparseDerivative,
    samples: Samples,
    detection: DetectionOptions,
    search: Any,
    force: bool,
) -> SparseDerivative:
    """The same derivative, computed at the elements of the function if that costs less, or with `force`.

    A partially separable function (Griewank and Toint 1982) is `S ∘ r ∘ G`, where `G` copies inputs to
    elements, `r` works on each element alone, and `S` is linear. Its Jacobian is `S J G` and its Hessian
    `Gᵀ H G` with the block diagonal derivatives `J` and `H` of `r`, which need no more passes than an element
    has copies.

    **Returns:** the derivative itself, if it would not cost less, or if the function has no elements.
    """
    whole = derivative.coloring
    if not _is_suitable(derivative, search) or not (force or whole.num_colors >= _FEWEST_COLORS):
        return derivative
    try:
        with limited(Limit(_allowed(whole)).admits) if not force else contextlib.nullcontext():
            return _at_elements(derivative, samples, detection, search, force)
    except MemoryError:  # more entries at the elements than could pay
        return derivative


def _at_elements(
    derivative: SparseDerivative,
    samples: Samples,
    detection: DetectionOptions,
    search: Any,
    force: bool,
) -> SparseDerivative:
    whole = derivative.coloring
    how = {"argnums": derivative.options.argnums, "has_aux": derivative.options.has_aux}
    traced = trace(derivative.f, samples.args, samples.kwargs, **how)
    program = Program(traced.jaxpr, traced.positions, at_once=True)
    if program.effects:
        return derivative
    interpreter = Interpreter(unknown="quiet", captured=detection.captured)
    copies = Copies(program, traced, interpreter, is_hessian=derivative.options.is_hessian)
    promising = copies.are_multiple or whole.num_colors >= _MANY_COLORS
    few = promising and copies.size <= _MOST_COPIES * whole.sparsity.nnz
    if not copies.size or not (force or few):
        return derivative
    avals = [struct_of(program.avals[one]) for one in copies.sources]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DenseColoringWarning)
        if derivative.options.is_hessian:
            rest = coefficients = None
            cut = Cut(program.digest, copies.groups, copies.degree)
            function = _FromCopies(derivative.f, Part(cut), **how)
            arguments = Samples((tuple(avals), *samples.args), samples.kwargs)
            most = detection.max_nnz if force else _allowed(whole)
            of_copies = dataclasses.replace(detection, argnums=0, has_aux=False, max_nnz=most)
            pattern = detect_hessian(function, arguments, of_copies)
            coloring = color_hessian(pattern, search)
        else:
            rest = LinearRest(copies)
            cut = Cut(program.digest, copies.groups, copies.degree, rest.results)
            made = [struct_of(program.avals[one]) for one in rest.results]
            pattern = _pattern(rest.entries, avals, made, whole.sparsity.modes)
            if _is_complex(whole.sparsity):
                # Parts of a holomorphic function need not be holomorphic, which reverse mode asks for.
                search = dataclasses.replace(search, mode="fwd")
            coloring = color_jacobian(pattern, search)
            coefficients = _color_rest(rest, made, whole.sparsity)
    terms = Terms(whole.sparsity, pattern, copies, coefficients and coefficients.sparsity)
    if not force:
        before = whole.num_colors * _work(program.steps) + _READING * whole.sparsity.nnz
        steps = program.between(copies.variables, cut.results or program.outputs)
        after = coloring.num_colors * _work(steps) + _ADDING * len(terms.target)
        if rest is not None and coefficients is not None and not rest.is_known:
            steps = program.between(rest.results, program.outputs)
            after += coefficients.num_colors * _work(steps)
        if after > _MARGIN * before:
            return derivative
    part, reads = Part(cut), decompressor_for(coloring)
    factors = linear = None
    if rest is not None and coefficients is not None:
        linear = _kernel(derivative.options, coefficients, Part(cut, is_rest=True))
        if rest.is_known and not _is_traced(list(program.constants.values())):
            factors = _evaluated(linear, derivative.f, samples)
    varies = linear is not None and factors is None
    assembly = Assembly(reads, terms, whole.sparsity.nnz, factors, varies)
    kernel = _kernel(derivative.options, coloring, part)
    return dataclasses.replace(
        derivative,
        colors=kernel.colors,
        row_colors=kernel.row_colors,
        decompressor=assembly,
        options=kernel.options,
        elements=Elements(coloring, part, linear if varies else None),
    )


def _allowed(whole: ColoredPattern) -> int:
    return _MOST_ENTRIES * whole.sparsity.nnz + _FEW_ENTRIES


def _is_suitable(derivative: SparseDerivative, search: SearchOptions) -> bool:
    """Whether the derivative is one that the elements' can stand in for."""
    layout, pattern = derivative.layout, derivative.coloring.sparsity
    full = layout is not None and layout.dense_blocks is not None
    symmetric = search.symmetric and not derivative.options.is_hessian
    compressed = derivative.decompressor is None
    holomorphic = _is_complex(pattern) and (
        derivative.options.is_hessian or "fwd" not in pattern.modes
    )
    return not (full or symmetric or compressed or holomorphic)


def _is_complex(pattern: SparsityPattern) -> bool:
    return any(map(is_complex, pattern.input_avals))


class _FromCopies(eqx.Module):
    """A function of copies of inputs, and of all its arguments."""

    f: Any
    part: Part = eqx.field(static=True)
    argnums: Any = eqx.field(static=True)
    has_aux: bool = eqx.field(static=True)

    def __call__(self, copies: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        whole = AtArguments(self.f, args, kwargs, self.argnums, self.has_aux)
        return PartAtArguments(self.part, whole)(*copies)[0]


def _pattern(
    entries: Dependence, inputs: Sequence[Any], outputs: Sequence[Any], modes: tuple[str, ...]
) -> SparsityPattern:
    indptr, cols = entries.entries()
    rows = np.repeat(np.arange(entries.size, dtype=np.int32), np.diff(indptr))
    shape = entries.size, sum(map(size_of, inputs))
    return SparsityPattern(frozen(rows), frozen(cols), shape, 0, inputs, outputs, modes)


def _color_rest(rest: LinearRest, made: Sequence[Any], whole: SparsityPattern) -> ColoredPattern:
    """Color the coefficients of the linear rest, which any mode computes, at once."""
    pattern = _pattern(rest.coefficients, made, whole.output_avals, ("fwd", "rev"))
    by_row, by_column = (np.diff(one.indptr).max(initial=0) for one in (pattern, pattern.T))
    mode = "fwd" if by_row <= by_column else "rev"
    return color_jacobian(pattern, JacobianSearch(mode, budget=0.0))


def _work(steps: Sequence[Step]) -> int:
    """The estimated cost of one pass through what depends on the inputs, in operations on elements."""
    work = 0
    for step in steps:
        if step.active:
            weight = _INDEXING if step.eqn.primitive.name.startswith(_INDEXED) else 1
            atoms = (*step.eqn.invars, *step.eqn.outvars)
            work += weight * max(size_of(atom.aval) for atom in atoms)
    return work


def _kernel(options: Options, coloring: ColoredPattern, part: Part) -> Kernel:
    """What computes the nonzeros of a part of a function, which it lacks."""
    pattern = coloring.sparsity
    options = dataclasses.replace(
        options,
        mode=coloring.mode,
        shape=pattern.shape,
        output_avals=() if options.is_hessian else pattern.output_avals,
        num_colors=coloring.num_colors,
        num_row_colors=coloring.num_row_colors,
    )
    return Kernel(None, *colors_of(coloring), decompressor_for(coloring), options, part=part)


def _evaluated(kernel: Kernel, f: Any, samples: Samples) -> Shaped[np.ndarray, " nnz"] | None:
    """The nonzeros that a kernel computes; `None` inside a transformation, where there are no values."""
    whole = (dataclasses.replace(kernel, f=f), samples.args, dict(samples.kwargs))
    kernel, args, kwargs = jtu.tree_map(_with_value, whole)
    if _is_traced((kernel, args, kwargs)):
        return None
    return np.asarray(evaluate_now(kernel, args, kwargs).data)


def _is_traced(tree: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jtu.tree_leaves(tree))


def _with_value(leaf: Any) -> Any:
    return jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf
