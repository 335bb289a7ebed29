"""Explanations of a pattern: what each equation did to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, overload

from .._arguments import Samples
from .._arrays import has_derivative, size_of
from ._chain import Chain, chain_of
from ._detect import propagate, propagate_gradient, Propagation, seeded
from ._options import Captured, DetectionOptions, Local, Unknown
from .interpreter import Interpreter, Record, Recorder


_DENSE = 0.5
"""Share of all inputs that an average element reads, from which on an array is called dense."""


class ExplainedStep(NamedTuple):
    """One equation of an explanation.

    - `primitive`: its name.
    - `source`: the user's line, `file:line (function)`.
    - `entering`, `leaving`: the numbers of pairs (element, input) in its operands and in its results.
    - `fill`: the share of all inputs that an average element of the results reads.
    - `origin`: `"rule"`, `"derived"` (from the primitive's own JVP) or `"dense"` (neither).
    - `became_dense`: whether the results are dense and no operand was. Where equations are nested (`depth`),
        this holds of the innermost only.
    - `depth`: how many loops, branches and derivative rules enclose it. Within one that is analysed once for
        all its steps, inputs are those of its body.
    - `count`: how many times in a row the same line did the same, or how many times a body was analysed, of
        which this is the last.
    - `cause`: where it became dense, or `fuller`, the reason: "the index comes from args[1]"; "" if none is
        known.
    - `local`: with `local=True` what is `leaving` at the point, where that can be compared.
    - `fuller`: whether more leaves than at the point, of what is no fuller before.
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
    cause: str = ""
    local: int | None = None
    fuller: bool = False


class Explanation(NamedTuple):
    """What `asdex.explain` returns; print it.

    - `steps`: the equations of the function, or of its gradient if `hessian`.
    - `shape`, `nnz`: those of the pattern, for all values.
    - `local_nnz`: with `local=True` the number of entries at the point.
    """

    steps: tuple[ExplainedStep, ...]
    shape: tuple[int, int]
    nnz: int
    hessian: bool = False
    local_nnz: int | None = None

    def __str__(self) -> str:
        from ..display import explanation_text

        return explanation_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display import explanation_html

        return explanation_html(self)


@overload
def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: None = None,
    hessian: bool = False,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    allow_int: bool = False,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> Explanation: ...


@overload
def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: tuple[int, int],
    hessian: bool = False,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    allow_int: bool = False,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> Chain: ...


def explain(
    f: Callable[..., Any],
    *args: Any,
    entry: tuple[int, int] | None = None,
    hessian: bool = False,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    input_shape: int | Sequence[int] | None = None,
    allow_int: bool = False,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> Explanation | Chain:
    """Say where the pattern of a Jacobian or a Hessian comes from.

    **Arguments:**

    - `entry`: a row and a column of the pattern.
    - `hessian`: explain the Hessian of a scalar function. Its pattern is that of the Jacobian of the
        gradient, whose equations are shown.
    - `local`: compare the pattern for all values with that at the sample inputs, or at the points: which
        equations made it fuller. With `entry`, which must then be of the pattern at the samples, only that.
    - all others: as for `asdex.jacobian_sparsity`.

    **Returns:**

    Without `entry` an `Explanation`: for each equation of the traced function the numbers of entries before
    and after it and the line of code that it comes from, and where and why the pattern became dense. With
    `entry` a `Chain` of equations through which the input (the column) reaches the output (the row); for a
    Hessian the row is an element of the gradient, and the chain may be that of the entry across the diagonal.
    Print either.

    **Raises:**

    As `asdex.jacobian_sparsity`; `IndexError` if `entry` is outside of the matrix; `ValueError` if it is
    not in the pattern, or with `hessian=True` if the output of `f` has more than one element.
    """
    recorder = Recorder()
    samples = Samples.of(explain, f, args, kwargs, input_shape)
    options = DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local)
    if hessian:
        propagation, _ = propagate_gradient(f, samples, options, recorder)
    else:
        propagation = propagate(f, samples, options, recorder)
    if entry is not None:
        if not isinstance(local, bool):
            raise ValueError(
                "Expected local=True or False together with `entry`, got several points."
            )
        return chain_of(recorder, propagation, entry, hessian=hessian)
    here, local_nnz = [], None
    if options.is_local:
        here, local_nnz, recorder = recorder.records, _count(propagation, hessian), Recorder()
        propagation = _for_all_values(propagation, options, recorder)
    found = _grouped(here) if options.is_local else None
    steps = _merged([step for record in recorder.records for step in _explained(record, found)])
    shape = propagation.outputs().size, propagation.n
    return Explanation(steps, shape, _count(propagation, hessian), hessian, local_nnz)


def _count(propagation: Propagation, hessian: bool) -> int:
    """The number of entries of the pattern."""
    outputs = propagation.outputs()
    return len(outputs.symmetric_entries()[1]) if hessian else outputs.nnz


def _for_all_values(
    propagation: Propagation, options: DetectionOptions, recorder: Recorder
) -> Propagation:
    """The same equations on the same operands, whose values are not known."""
    interpreter = Interpreter(unknown="quiet", captured=options.captured, recorder=recorder)
    pairs = zip(seeded(propagation.traced), propagation.operands, strict=True)
    operands = [one._replace(comes_from=before.comes_from) for one, before in pairs]
    results = propagation.keep(lambda: interpreter.run(propagation.traced.jaxpr, operands))
    return propagation._replace(interpreter=interpreter, operands=operands, results=results)


_AtPoints = dict[Hashable, list[Record]]
"""The records of each equation at the points, by its place."""


def _grouped(records: Iterable[Record]) -> _AtPoints:
    found: _AtPoints = {}
    for record in records:
        found.setdefault(record.place, []).append(record)
    return found


def _compared(step: ExplainedStep, here: Sequence[Record], is_compared: bool) -> ExplainedStep:
    """The step beside the same equation at the points, where it may not have depended on anything."""
    if not is_compared:
        return step
    there = [_explained_alone(record, step.depth) for record in here]
    leaving = max((one.leaving for one in there), default=0)
    entering = max((one.entering for one in there), default=0)
    fuller = entering == step.entering and leaving < step.leaving
    return step._replace(local=leaving, fuller=fuller)


def _explained(
    record: Record,
    points: _AtPoints | None = None,
    depth: int = 0,
    inside_dense: bool = True,
) -> list[ExplainedStep]:
    """One step for an equation, and those of what it consists of.

    The innermost equation at which something became dense is the one to blame, if all that enclose it became
    dense too: within a body, dense is what reads most inputs of the body.
    """
    here = [] if points is None else points.get(record.place, [])
    step = _compared(_explained_alone(record, depth), here, points is not None)
    within = _grouped(one for each in here for one in each.inner.values())
    # What stands in for an equation is another program at a point.
    within = within if within.keys() & record.inner.keys() else None
    dense = step.became_dense and inside_dense
    inner = [
        one for each in record.inner.values() for one in _explained(each, within, depth + 1, dense)
    ]
    blamed = dense and not any(one.became_dense for one in inner)
    fuller = step.fuller and not any(one.fuller for one in inner)
    cause = _cause(record) if blamed or fuller else ""
    return [step._replace(became_dense=blamed, cause=cause, fuller=fuller), *inner]


def _cause(record: Record) -> str:
    """The reason why an equation made something dense of what was not."""
    operands = [v.dependence for v in record.equation.operands if v.dependence is not None]
    together = "its operands read different inputs" if len(operands) > 1 else ""
    return record.equation.cause or together


def _explained_alone(record: Record, depth: int) -> ExplainedStep:
    equation = record.equation
    before = [v.dependence for v in equation.operands if v.dependence is not None]
    results = zip(equation.out_avals, record.results, equation.needed, strict=True)
    used = [(aval, v.dependence) for aval, v, need in results if need and has_derivative(aval)]
    after = [dependence for _, dependence in used if dependence is not None]
    elements = sum(size_of(aval) for aval, _ in used)
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
    groups = groupby(steps, lambda step: step._replace(count=0))
    return tuple(step._replace(count=sum(one.count for one in some)) for step, some in groups)
