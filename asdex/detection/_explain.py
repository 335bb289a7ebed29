"""Explanations of a pattern: what each equation did to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, overload

from .._arguments import Samples, size_of
from .._versions import has_derivative
from ._chain import Chain, chain_of
from ._detect import propagate
from ._options import Captured, DetectionOptions, Unknown
from ._recorder import Record, Recorder


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
    - `depth`: how many loops, branches and derivative rules enclose it. Within one that is analysed once for
        all its steps, inputs are those of its body.
    - `count`: how many times in a row the same line did the same, or how many times a body was analysed, of
        which this is the last.
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
        from ..display import explanation_text

        return explanation_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display import explanation_html

        return explanation_html(self)


@overload
def explain(
    f: Callable[..., Any], *args: Any, entry: None = None, **options: Any
) -> Explanation: ...


@overload
def explain(f: Callable[..., Any], *args: Any, entry: tuple[int, int], **options: Any) -> Chain: ...


def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: tuple[int, int] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    allow_int: bool = False,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
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

    As `asdex.jacobian_sparsity`; `IndexError` if `entry` is outside of the Jacobian; `ValueError` if it is
    not in the pattern.
    """
    recorder = Recorder()
    samples = Samples.of(explain, f, args, kwargs, input_shape)
    options = DetectionOptions(argnums, has_aux, allow_int, unknown, captured)
    propagation = propagate(f, samples, options, recorder)
    if entry is not None:
        return chain_of(recorder, propagation, entry)
    outputs = propagation.outputs()
    walk = (pair for record in recorder.records for pair in record.walk())
    steps = _merged([_explained(record, depth) for record, depth in walk])
    return Explanation(steps, (outputs.size, propagation.n), outputs.nnz)


def _explained(record: Record, depth: int) -> ExplainedStep:
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
        depth=depth,
        count=record.count,
    )


def _merged(steps: Sequence[ExplainedStep]) -> tuple[ExplainedStep, ...]:
    """Equal neighbors become one step with a count."""
    merged: list[ExplainedStep] = []
    for step in steps:
        if merged and merged[-1]._replace(count=step.count) == step:
            merged[-1] = step._replace(count=merged[-1].count + step.count)
        else:
            merged.append(step)
    return tuple(merged)
