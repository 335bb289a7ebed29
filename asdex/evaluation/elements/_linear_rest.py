"""From where on the outputs of a program depend linearly on what it computes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ...detection import Dependence, identities, Value
from ..passes import depends, Step
from ._cut import by_variable, Copies, evaluated, is_product


class LinearRest:
    """The linear end of a program, behind copies of the inputs and what is computed of them.

    It begins as early as the entries of the Jacobian with respect to the copies do not become many more for
    it: sums over elements belong to it, sums of what depends on the same copies do not.

    **Attributes:**

    - `results`: the variables at which it begins, in order.
    - `entries`: which copies each of their elements depends on; the copies are counted one after the other.
    - `coefficients`: which elements of `results` each output depends on.
    - `is_known`: whether the coefficients themselves are the same in every call.
    """

    def __init__(self, copies: Copies):
        program = copies.program
        self._copies, self._program = copies, program
        steps = self._linear_steps()
        outputs = set(filter(depends, program.outputs))
        kept = outputs.union(*(step.makes for step in steps), *(step.active for step in steps))
        of_copies = self._propagated(copies.groups, kept)
        results: set[int] = outputs
        read_before: set[int] = set()
        self.is_known = True

        def count(variables: Iterable[int]) -> int:
            return sum(of_copies[one].nnz for one in variables)

        for step in steps:
            made, active = results.intersection(step.makes), set(step.active)
            if read_before.isdisjoint(step.makes) and count(active - results) <= _MORE * count(
                made
            ):
                results = (results - made) | active
                self.is_known &= self._has_known_coefficients(step)
            else:
                read_before |= active
        self.results = tuple(sorted(results))
        self.entries = Dependence.join([of_copies[one] for one in self.results])
        of_results = self._propagated([(one,) for one in self.results], outputs)
        self.coefficients = Dependence.join(
            [
                of_results[one] if depends(one) else Dependence.none(program.avals[one].shape)
                for one in program.outputs
            ]
        )

    def _linear_steps(self) -> list[Step]:
        """The steps from which on all is linear, the last one first."""
        steps: list[Step] = []
        read_before: set[int] = set()
        for step in reversed(self._program.between(self._copies.variables, self._program.outputs)):
            active = step.active
            if active and read_before.isdisjoint(step.makes) and self._copies.is_linear(step):
                steps.append(step)
            else:
                read_before.update(active)
        return steps

    def _has_known_coefficients(self, step: Step) -> bool:
        return not is_product(step) or all(
            depends(atom) or self._copies.is_known(atom) for atom in step.reads
        )

    def _propagated(
        self, seeds: Sequence[Sequence[int]], kept: Collection[int]
    ) -> dict[int, Dependence]:
        """What the variables in `kept` depend on of the elements of `seeds`, one after the other.

        The variables of a group are the same.
        """
        program, copies = self._program, self._copies
        values = {number: one for number, one in copies.values.items() if one.dependence is None}
        identity = identities([program.avals[one] for one, *_ in seeds])
        values.update(by_variable(seeds, (Value(seed, None) for seed in identity)))
        steps = program.between(values, kept)
        last = {atom: number for number, step in enumerate(steps) for atom in step.active}
        for number, step in enumerate(steps):
            results = evaluated(copies.interpreter, step, values)
            values.update(
                (variable, one)
                for variable, one in zip(step.makes, results, strict=True)
                if variable not in values
            )
            for atom in step.active:
                if last[atom] == number and atom not in kept:
                    values.pop(atom, None)
        return {one: values[one].as_dependence(program.avals[one]) for one in kept}


_MORE = 1.5
"""Elements that hold a node twice have fewer entries in a sum; a sum of two terms for each copy has half."""
