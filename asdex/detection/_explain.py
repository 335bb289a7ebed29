"""Explanations of a pattern: what each equation did to it, and how one entry came to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .._arguments import sample_arguments, size_of
from .._versions import has_derivative
from ._dependence import Dependence
from ._detect import propagate, Propagation
from ._equation import Equation
from ._recorder import Record, Recorder
from ._trace import Traced
from ._value import Value


_DENSE = 0.5
"""Share of all inputs that an average element reads, from which on an array is called dense."""


class ExplainedStep(NamedTuple):
    """One equation of an explanation.

    - `primitive`: its name.
    - `source`: the user's line, `file:line (function)`.
    - `entering`, `leaving`: the numbers of pairs (element, input) in its operands and in its results.
    - `fill`: the share of all inputs that an average element of the results reads.
    - `origin`: `"rule"`, `"derived"` (from the primitive's own JVP) or `"dense"` (neither).
    - `became_dense`: whether the results are dense and no operand was.
    - `depth`: how many loops and branches enclose it. Within one, inputs are those of its body.
    - `count`: how many times in a row the same line did the same.
    """

    primitive: str
    source: str
    entering: int
    leaving: int
    fill: float
    origin: str
    became_dense: bool
    depth: int
    count: int = 1


class Explanation(NamedTuple):
    """What `asdex.explain` returns; print it."""

    steps: tuple[ExplainedStep, ...]
    shape: tuple[int, int]
    nnz: int

    def __str__(self) -> str:
        m, n = self.shape
        fill = self.nnz / max(m * n, 1)
        lines = [
            f"{m}×{n} pattern with {self.nnz} entries ({fill:.1%} full), equation by equation:"
        ]
        rows = [_row(step) for step in self.steps]
        header = ("primitive", "entries in", "out", "fill", "", "where")
        widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
        for row in (header, *rows):
            cells = [
                text.ljust(width) if k in (0, 4, 5) else text.rjust(width)
                for k, (text, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  " + "  ".join(cells).rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def _row(step: ExplainedStep) -> tuple[str, ...]:
    name = "  " * step.depth + step.primitive + (f" ×{step.count}" if step.count > 1 else "")
    notes = {"rule": "", "derived": "by its JVP", "dense": "no rule"}[step.origin]
    if step.became_dense:
        notes = f"dense ({notes})" if notes else "dense"
    return (name, str(step.entering), str(step.leaving), f"{step.fill:.1%}", notes, step.source)


class Link(NamedTuple):
    """One equation on the way from an input to an output: result `place` read operand `origin`."""

    primitive: str
    source: str
    place: tuple[int, ...]
    origin: tuple[int, ...]


class Chain(NamedTuple):
    """How an entry of a pattern came to be; print it. `links` lead from the input to the output."""

    entry: tuple[int, int]
    input_place: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        row, col = self.entry
        lines = [f"Output {row} depends on input {col} ({self.input_place}):"]
        for link in self.links:
            lines.append(
                f"  {_index(link.origin)} → {_index(link.place)}  {link.primitive}  {link.source}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def _index(place: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, place)) + "]"


def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: tuple[int, int] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    **kwargs: Any,
) -> Explanation | Chain:
    """Say where the pattern of a Jacobian comes from.

    **Arguments:**

    - `entry`: a row and a column of the pattern.
    - all others: as for `asdex.jacobian_sparsity`.

    **Returns:**

    Without `entry` an `Explanation`: for each equation of the traced function the numbers of entries before
    and after it, the line of code that it comes from, and where the pattern became dense. With `entry` a
    `Chain` of equations through which the input (the column) reaches the output (the row). Print either.

    **Raises:**

    As `asdex.jacobian_sparsity`; `ValueError` if `entry` is not in the pattern.
    """
    recorder = Recorder()
    propagation = propagate(
        f,
        sample_arguments(args, input_shape),
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
        recorder=recorder,
    )
    if entry is not None:
        return _chain(recorder, propagation, entry)
    outputs = propagation.outputs()
    steps = _merged([_explained(record) for record in recorder.records])
    return Explanation(steps, (outputs.size, propagation.n), outputs.nnz)


def _explained(record: Record) -> ExplainedStep:
    equation = record.equation
    before = [v.dependence for v in equation.operands if v.dependence is not None]
    after = [v.dependence for v in record.results if v.dependence is not None]
    elements = sum(size_of(aval) for aval in equation.out_avals if has_derivative(aval))
    width = max((one.width for one in before), default=0)
    leaving = sum(one.nnz for one in after)
    fill = leaving / max(elements * width, 1)
    fullest = max((one.nnz / max(one.size * width, 1) for one in before), default=0.0)
    return ExplainedStep(
        primitive=equation.name,
        source=record.source,
        entering=sum(one.nnz for one in before),
        leaving=leaving,
        fill=fill,
        origin=equation.origin,
        became_dense=width > 1 and fill >= _DENSE > fullest,
        depth=record.depth,
    )


def _merged(steps: Sequence[ExplainedStep]) -> tuple[ExplainedStep, ...]:
    """Equal neighbors become one step with a count."""
    merged: list[ExplainedStep] = []
    for step in steps:
        if merged and merged[-1]._replace(count=1) == step:
            merged[-1] = step._replace(count=merged[-1].count + 1)
        else:
            merged.append(step)
    return tuple(merged)


def _chain(recorder: Recorder, propagation: Propagation, entry: tuple[int, int]) -> Chain:
    """Walk back from the output: at each equation to an operand element that depends on the input."""
    row, col = entry
    traced = propagation.traced
    value, element = _output(propagation.results, traced, row)
    if value.dependence is None or not _depends(value.dependence, np.array([element]), col)[0]:
        raise ValueError(
            f"Expected an entry of the pattern, got {entry}: output {row} does not depend on input {col}."
        )
    producers = {
        id(result): (record, number)
        for record in recorder.records
        if record.depth == 0
        for number, result in enumerate(record.results)
    }
    links = []
    while id(value) in producers:
        record, number = producers[id(value)]
        equation = record.equation
        place = _place(equation.out_avals[number].shape, element)
        operand, element = _source(equation, number, element, col)
        value = equation.operands[operand]
        origin = _place(equation.in_avals[operand].shape, element)
        links.append(Link(equation.name, record.source, place, origin))
    leaf = next(k for k, at in enumerate(traced.positions) if propagation.operands[at] is value)
    where = traced.inputs.paths[leaf] + _index(_place(traced.inputs.avals[leaf].shape, element))
    return Chain((row, col), where, tuple(reversed(links)))


def _output(results: Sequence[Value], traced: Traced, row: int) -> tuple[Value, int]:
    for value, aval in zip(results, traced.output_avals, strict=True):
        if 0 <= row < size_of(aval):
            return value, row
        row -= size_of(aval)
    total = sum(map(size_of, traced.output_avals))
    raise ValueError(f"Expected the row of `entry` to be below {total}, the number of outputs.")


def _source(equation: Equation, number: int, element: int, col: int) -> tuple[int, int]:
    """An operand and its element, which result `number` reads at `element` and which depends on `col`."""
    start = 0
    read = equation.local_structure()[number].to_csr()[[element]].indices
    for operand, (value, aval) in enumerate(zip(equation.operands, equation.in_avals, strict=True)):
        if value.dependence is None:
            continue
        size = size_of(aval)
        candidates = read[(read >= start) & (read < start + size)] - start
        found = candidates[_depends(value.dependence, candidates, col)]
        if found.size:
            return operand, int(found[0])
        start += size
    raise AssertionError(f"No operand of '{equation.name}' explains the entry; please report this.")


def _depends(dependence: Dependence, elements: np.ndarray, col: int) -> np.ndarray:
    """Which of the flat `elements` depend on input `col`."""
    matrix = dependence.reshape((dependence.size,)).take(elements).to_csr()
    owners = np.repeat(np.arange(elements.size), np.diff(matrix.indptr))
    return np.isin(np.arange(elements.size), owners[matrix.indices == col])


def _place(shape: Sequence[int], element: int) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(element, shape)) if shape else ()
