"""A traced call as two programs: the terms of the seeds, computed once for a coloring, and all the rest.

Both come from one trace of the function: tracing is a quarter of a first call (Brusselator, convolution, 1e4
inputs).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.tree_util as jtu

from ._flat_jaxpr import Program


class TracedCall:
    """The operations of a call on the leaves of its data.

    It compares and hashes by identity: a constant of what is compiled from it.

    **Attributes:** `program`: the compiled call, a function of the data and the terms of the seeds.
    """

    _operations: Program
    _terms: tuple[int, ...]
    _results: Any

    def __init__(self, again: Callable[[Any], Any]) -> None:
        """**Arguments:** `again`: traces the call of the data once more, under other settings of jax."""
        self._is_empty, self._is_taken, self._again = True, False, again
        self._latest: tuple[list[Any], list[Any]] = [], []
        self.program = jax.jit(self._run)
        self._evaluate_terms = jax.jit(
            lambda data: self._operations.evaluate(self._given(data), self._terms)
        )

    def fill(self, jaxpr: Any, structure: tuple[Any, list[Any]]) -> None:
        """Take, once, the jaxpr of a function that returns a pair of such a structure: results and terms."""
        if not self._is_empty:
            return
        self._operations = Program(jaxpr, ())
        variables = jtu.tree_unflatten(jtu.tree_structure(structure), self._operations.outputs)
        self._results, self._terms, self._is_empty = variables[0], tuple(variables[1]), False

    def seed_terms(self, data: Any, colors: Sequence[Any]) -> list[Any]:
        """The terms for these arrays of colors: the latest ones, if they are still there, or new ones."""
        if not self._terms:
            return []
        of_colors, of_terms = ([one() for one in references] for references in self._latest)
        same = [one is other for one, other in zip(of_colors, colors, strict=False)]
        if of_terms and all(same) and not any(term is None for term in of_terms):
            return of_terms
        with jax.ensure_compile_time_eval():  # also where a trace is under way
            terms = self._evaluate_terms(data)
        self._latest = [weakref.ref(one) for one in colors], [weakref.ref(one) for one in terms]
        return terms

    def _run(self, data: Any, terms: Sequence[Any]) -> Any:
        # Only once is it surely under the settings of jax that the trace was made with.
        if self._is_taken:
            return self._again(data)
        self._is_taken = True
        given = self._given(data) | dict(zip(self._terms, terms, strict=True))
        wanted, tree = jtu.tree_flatten(self._results)
        return jtu.tree_unflatten(tree, self._operations.evaluate(given, wanted, acting=(False,)))

    def _given(self, data: Any) -> dict[int, Any]:
        return dict(zip(self._operations.inputs, jtu.tree_leaves(data), strict=True))
