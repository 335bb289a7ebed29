"""How one entry of a pattern came to be: the equations through which an input reaches an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.tree_util as jtu
import numpy as np

from .._arrays import size_of
from ._detect import Propagation
from ._traced_function import Traced
from .dependence import Dependence
from .interpreter import Equation, Recorder


class Link(NamedTuple):
    """One equation on the way from an input to an output: result `place` read operand element `read`.

    `cause` says why it reads so much: "the index comes from args[1]"; "" if there is nothing to say.
    """

    primitive: str
    source: str
    place: tuple[int, ...]
    read: tuple[int, ...]
    cause: str = ""


class Chain(NamedTuple):
    """How an entry of a pattern came to be; print it.

    - `entry`: its row and column.
    - `output_place`, `input_place`: which elements of the output and of the arguments these are.
    - `links`: the equations that lead from the input to the output; none if the function returns the input.
    """

    entry: tuple[int, int]
    output_place: str
    input_place: str
    links: tuple[Link, ...]

    def __str__(self) -> str:
        from ..display import chain_text

        return chain_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..display import chain_html

        return chain_html(self)


def chain_of(
    recorder: Recorder, propagation: Propagation, entry: tuple[int, int], *, hessian: bool = False
) -> Chain:
    """Walk back from the output: at each equation to an operand element that depends on the input.

    With `hessian` what was propagated is a gradient, and the entry across the diagonal will do as well.
    """
    traced = propagation.traced
    output_avals, outputs = traced.output_avals, propagation.outputs()
    pairs = zip(("row", "column"), entry, (outputs.size, propagation.n), strict=True)
    for word, number, count in pairs:
        if not 0 <= number < count:
            raise IndexError(
                f"Expected an `entry` whose {word} is at least 0 and less than {count}, got {entry}."
            )
    ways = [entry, entry[::-1]] if hessian else [entry]
    found = next((way for way in ways if _depends(outputs, np.array(way[:1]), way[1])[0]), None)
    row, col = entry if found is None else found
    output_place = _output_place(traced, row, hessian)
    if found is None:
        raise ValueError(
            f"Expected an `entry` of the pattern, got {entry}: output {row} ({output_place}) does not depend "
            f"on input {col} ({_input_place(traced, col)})."
        )
    leaf, element = _leaf(output_avals, row)
    value = propagation.results[leaf]
    producers = {
        id(result): (record, number)
        for record in recorder.records
        for number, result in enumerate(record.results)
    }
    links = []
    while id(value) in producers:
        record, number = producers[id(value)]
        equation = record.equation
        place = _place(equation.out_avals[number].shape, element)
        operand, element = _source(equation, number, element, col)
        value = equation.operands[operand]
        read = _place(equation.in_avals[operand].shape, element)
        links.append(Link(equation.name, record.source, place, read, equation.cause))
    return Chain((row, col), output_place, _input_place(traced, col), tuple(reversed(links)))


def _leaf(avals: Sequence[Any], number: int) -> tuple[int, int]:
    """Which array holds the flat element `number` of all arrays, and which of its elements it is."""
    stops = np.cumsum([size_of(aval) for aval in avals])
    leaf = int(np.searchsorted(stops, number, side="right"))
    return leaf, number - int(stops[leaf]) + size_of(avals[leaf])


def _input_place(traced: Traced, col: int) -> str:
    leaf, element = _leaf(traced.inputs.avals, col)
    return traced.inputs.paths[leaf] + _brackets(traced.inputs.avals[leaf].shape, element)


def _output_place(traced: Traced, row: int, hessian: bool) -> str:
    if hessian:
        return f"derivative by {_input_place(traced, row)}"
    leaf, element = _leaf(traced.output_avals, row)
    tree = jtu.tree_unflatten(traced.output_tree, range(len(traced.output_avals)))
    path, _ = jtu.tree_flatten_with_path(tree)[0][leaf]
    return f"output{jtu.keystr(path)}" + _brackets(traced.output_avals[leaf].shape, element)


def _source(equation: Equation, number: int, element: int, col: int) -> tuple[int, int]:
    """An operand and its element, which result `number` reads at `element` and which depends on `col`."""
    stop = 0
    read = equation.local_structure()[number].to_csr()[[element]].indices
    for operand, (value, aval) in enumerate(zip(equation.operands, equation.in_avals, strict=True)):
        start, stop = stop, stop + size_of(aval)
        if value.dependence is None:
            continue
        candidates = read[(read >= start) & (read < stop)] - start
        found = candidates[_depends(value.dependence, candidates, col)]
        if found.size:
            return operand, int(found[0])
    raise AssertionError(f"No operand of '{equation.name}' explains the entry; please report this.")


def _depends(dependence: Dependence, elements: np.ndarray, col: int) -> np.ndarray:
    """Which of the flat `elements` depend on input `col`."""
    matrix = dependence.reshape((dependence.size,)).take(elements).to_csr()
    owners = np.repeat(np.arange(elements.size), np.diff(matrix.indptr))
    return np.isin(np.arange(elements.size), owners[matrix.indices == col])


def _brackets(shape: Sequence[int], element: int) -> str:
    return str(list(_place(shape, element))) if shape else ""


def _place(shape: Sequence[int], element: int) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(element, shape)) if shape else ()
