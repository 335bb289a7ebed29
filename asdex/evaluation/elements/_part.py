"""A function between its copies of the inputs and its linear rest, and that rest, to be differentiated."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.tree_util as jtu

from ..._arguments import Inputs
from ..._function import as_scalar, AtArguments
from ...detection import trace
from ..passes import Program
from ._cut import by_variable, Cut


@dataclasses.dataclass(frozen=True)
class Part:
    """What is differentiated of a function: what follows from `cut.copies` up to `cut.results` (or to the
    outputs, if that is `None`); with `is_rest` what follows from `cut.results`."""

    cut: Cut
    is_rest: bool = False

    def at(self, whole: AtArguments) -> PartAtArguments:
        """The part at the arguments of the whole function."""
        return PartAtArguments(self, whole)


class PartAtArguments:
    """A part of a function at the arguments of the function; it stands in for `AtArguments`."""

    def __init__(self, part: Part, whole: AtArguments):
        self._part, self._whole = part, whole

    @functools.cached_property
    def _traced(self) -> tuple[Program, dict[int, Any], Any]:
        """The program of the function, the values of its inputs, and the tree of its output.

        **Raises:** `ValueError` if it is another program than the one that was cut.
        """
        whole = self._whole
        traced = trace(
            whole.f, whole.args, whole.kwargs, argnums=whole.argnums, has_aux=whole.has_aux
        )
        program = Program(traced.jaxpr, traced.positions, at_once=True)
        if program.digest != self._part.cut.digest:
            raise ValueError(
                "Expected a function that does the same operations as at the sample, where its elements were "
                "found, but its trace differs. Pass arguments of the sample's types, make a new derivative, "
                "or leave the elements alone with elements=False."
            )
        return program, dict(zip(program.inputs, traced.samples, strict=True)), traced.output_tree

    @functools.cached_property
    def inputs(self) -> Inputs:
        """The copies, or what the rest is linear in, at which point does not matter.

        Where the copies are not the inputs, it is the `x` in their Taylor polynomials `c + c' x + c'' x² / 2`
        at zero, which have the derivatives of the copies.
        """
        program, _, _ = self._traced
        cut = self._part.cut
        if self._part.is_rest:
            assert cut.results is not None
            leaves = [
                jnp.zeros(program.avals[one].shape, program.avals[one].dtype) for one in cut.results
            ]
        elif cut.degree:
            leaves = list(map(jnp.zeros_like, self._polynomials[0]))
        else:
            leaves = self._copies(*self._whole.leaves)
        paths = tuple(f"element input {number}" for number in range(len(leaves)))
        return Inputs(leaves, jtu.tree_structure(tuple(leaves)), paths)

    @property
    def leaves(self) -> list[Any]:
        return self.inputs.leaves

    def _copies(self, *leaves: Any) -> list[Any]:
        """The copies of other inputs."""
        program, given, _ = self._traced
        every = self._whole.inputs.complete(leaves, lambda leaf: leaf)
        wanted = [first for first, *_ in self._part.cut.copies]
        return program.evaluate({**given, **dict(enumerate(every))}, wanted)

    @functools.cached_property
    def _polynomials(self) -> list[list[Any]]:
        """Copies, their derivatives, and so on, each with respect to the one input that it follows from."""
        leaves = tuple(self._whole.leaves)
        ones = tuple(map(jnp.ones_like, leaves))

        def derivatives(order: int, *leaves: Any) -> list[list[Any]]:
            if order == 0:
                return [self._copies(*leaves)]
            lower = functools.partial(derivatives, order - 1)
            found, last = jax.jvp(lower, leaves, ones)
            return [*found, last[-1]]

        return derivatives(self._part.cut.degree, *leaves)

    def __call__(self, *leaves: Any) -> tuple[Any, Any]:
        """The results at given copies, or the outputs at given results; and the auxiliary data."""
        program, given, tree = self._traced
        cut = self._part.cut
        if cut.degree and not self._part.is_rest:
            leaves = tuple(map(_polynomial, leaves, *self._polynomials))
        starts = [(one,) for one in cut.results or ()] if self._part.is_rest else cut.copies
        ends = program.outputs if self._part.is_rest or cut.results is None else cut.results
        found = program.evaluate({**given, **by_variable(starts, leaves)}, ends)
        output = found if ends is cut.results else tree.unflatten(found)
        return output, self._aux

    @functools.cached_property
    def _aux(self) -> Any:
        if self._part.is_rest or not self._whole.has_aux:
            return None
        return self._whole(*self._whole.leaves)[1]

    def of_whole(self, results: Any, gradient: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """The output of the whole function, and its gradient with respect to the inputs.

        **Arguments:** `results`: those of the part; `gradient`: with respect to the copies, or nothing.
        """
        cut = self._part.cut
        if cut.results is not None and not self._part.is_rest:
            program, given, tree = self._traced
            given = {**given, **dict(zip(cut.results, results, strict=True))}
            results = tree.unflatten(program.evaluate(given, program.outputs))
        return results, self._gradient(gradient) if gradient else gradient

    def _gradient(self, of_copies: Sequence[Any]) -> list[Any]:
        leaves = self._whole.leaves
        if not self._part.cut.degree:
            return list(jax.vjp(self._copies, *leaves)[1](list(of_copies)))

        def scalar(*leaves: Any) -> Any:
            return as_scalar(self._whole(*leaves)[0])

        return list(jax.grad(scalar, tuple(range(len(leaves))))(*leaves))


def _polynomial(x: Any, value: Any, slope: Any, curvature: Any = None) -> Any:
    linear = value + slope * x
    return linear if curvature is None else linear + curvature * x * x / 2
