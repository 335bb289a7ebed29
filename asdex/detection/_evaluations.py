"""Equations on known operands, whose results are computed together when one of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np

from .._arrays import is_key, on_device, size_of
from .._graphs import in_order
from .._versions import evaluate
from ._known import compiled, Known, on_host, Probe, Unavailable
from ._loops_in_three import (
    alternates_inside,
    decides_within,
    in_three,
    is_loop_or_branch,
    may_be_inlined,
)
from ._reassociation import Chain, chain_of, error_inside, inlined, merging_error
from ._rounding import (
    Alternates,
    alternates_of,
    are_certain,
    Factors,
    factors_of,
)
from ._roundoff import roundoff


_SMALL = 1 << 16
"""Elements of results that are computed before they are asked for, to compile one program in place of two."""

_numbers = count()


class Evaluations(WeakValueDictionary[int, "Evaluation"]):
    """The evaluations of a detection in the order in which they were made, as long as something needs them.

    **Attributes:**

    - `kinds`: the kinds of those that JAX computed.
    - `programs`: of `in_three`, with their equations.
    - `at_once`: whether each is run as it is, which is faster where the same program is evaluated again.
    """

    def __init__(self, at_once: bool = False) -> None:
        super().__init__()
        self.kinds: set[Any] = set()
        self.programs: dict[Any, tuple[Any, Callable[..., Any]]] = {}
        self.at_once = at_once


class Evaluation:
    """An equation on known operands. Its results are computed together, when one is asked for.

    **Arguments:**

    - `operands`: one per operand of the equation.
    - `bind`: computes the list of results with JAX.
    - `compute`: the same with NumPy, for arrays that are not keys; returns `None` where it cannot, as does
        an equation without such a function (`None`).
    - `kind`: the name of the primitive, the abstract values of the results, and which operands of the
        equation are known, if not all.
    - `others`: the evaluations of the same detection, of which all small ones are compiled together.
    - `eqn`: the equation; `None` for what moves elements without one.
    """

    __slots__ = (
        *("__weakref__", "alternates", "bind", "chain", "compute", "eqn", "factors"),
        *("kind", "of_point", "operands", "others", "results"),
    )

    def __init__(
        self,
        operands: Sequence[Known],
        bind: Callable[..., Sequence[Any]],
        compute: Callable[..., Sequence[np.ndarray] | None] | None,
        kind: tuple[str, tuple[Any, ...], tuple[bool, ...]] = ("", (), ()),
        others: Evaluations | None = None,
        eqn: Any = None,
    ):
        self.operands, self.bind, self.compute, self.kind = tuple(operands), bind, compute, kind
        self.of_point = any(known.of_point for known in operands)
        self.results: Sequence[Any] | None = None
        self.alternates: Sequence[Alternates] = ()
        self.others = Evaluations() if others is None else others
        self.factors: Sequence[Factors] = ()
        self.chain: Chain | None = None
        self.eqn = eqn
        self.others[next(_numbers)] = self

    def outputs(self, count: int) -> list[Known]:
        return [Known((self, index)) for index in range(count)]

    def settle(self, results: Sequence[Any], by_numpy: bool = False) -> bool:
        """Take results, from NumPy or from JAX; whether they are no decisions that rounding may turn."""
        try:
            self._settle(results, by_numpy)
        except Unavailable:
            self.bind = _unavailable
        return self.results is not None

    def _settle(self, results: Sequence[Any], by_numpy: bool) -> None:
        operands = [known.raw() for known in self.operands]
        alternates = [known.alternates for known in self.operands]
        factors = [known.factors for known in self.operands]
        self.alternates = self.factors = [None] * len(results)
        chains = [known.chain for known in self.operands]
        rounds = not self.of_point and not any(map(is_key, (*operands, *results)))
        is_followed = rounds and is_loop_or_branch(self.eqn)
        inside: list[np.ndarray | None] = [None] * len(operands)
        if is_followed:  # what does not change in a loop, programs compute before it
            pairs = zip(chains, map(np.asarray, operands), strict=True)
            inside = [error_inside(*pair) for pair in pairs]
        if rounds and (decides_within(self.eqn) or any(one is not None for one in inside)):
            program = self._in_three(list(map(np.asarray, operands)))
            self.alternates = alternates_inside(program, operands, alternates, inside, results)
        elif rounds:
            arrays, name = list(map(np.asarray, operands)), self.kind[0]
            with np.errstate(all="ignore"):
                if not are_certain(name, self._again, arrays, alternates, results):
                    raise Unavailable
                of_products = any(pair is not None for pair in factors)
                errors = roundoff(self.eqn, self._again, arrays, results, by_numpy, of_products)
                self.chain = chain_of(self.eqn, arrays, chains)
                merging = merging_error(self.eqn, chains, self.chain, np.asarray(results[0]))
                if merging is not None:
                    errors[0] = merging if errors[0] is None else errors[0] + merging
                self.alternates = alternates_of(
                    name, self._again, arrays, alternates, results, errors, factors
                )
                self.factors = factors_of(self.eqn, self._again, arrays, factors, results)
        if is_followed and (may_be_inlined(self.eqn) or any(one is not None for one in inside)):
            self.chain = inlined(list(map(np.asarray, results)))
        self.results, self.operands = results, ()

    def _in_three(self, operands: Sequence[np.ndarray]) -> Callable[..., Any]:
        """Three programs of it, which are compiled once for all steps of a loop around it."""
        key = id(self.eqn), self.kind, tuple((one.shape, one.dtype) for one in operands)
        if key not in self.others.programs:
            self.others.programs[key] = self.eqn, in_three(self.bind, operands)
        return self.others.programs[key][1]

    def _again(self, *operands: np.ndarray) -> Sequence[Any]:
        results = None if self.compute is None else self.compute(*operands)
        if results is None:
            results = map(np.asarray, evaluate(self.bind, list(map(on_device, operands))))
        return list(results)

    @property
    def is_probing(self) -> bool:
        """Whether an operand is known only at each step of an enclosing loop. Asks for nothing."""
        return any(isinstance(known, Probe) for known in self.operands)

    @property
    def size(self) -> int:
        """The number of elements of all results."""
        return sum(map(size_of, self.kind[1]))

    def pending(self) -> list[Evaluation]:
        """The makers of operands that have not computed them."""
        makers = [known.maker for known in self.operands]
        return [one for one in makers if one is not None and one.results is None]

    def computed(self) -> bool:
        """Compute the results with NumPy, if that is possible."""
        if self.compute is None:
            return False
        operands = [known.raw() for known in self.operands]
        if any(map(is_key, operands)):
            return False
        try:
            with np.errstate(all="ignore"):
                results = self.compute(*map(np.asarray, operands))
        except Unavailable:
            self.bind = _unavailable
            return False
        if results is None:
            self.compute = None
        return results is not None and self.settle(results, by_numpy=True)

    def run(self) -> bool:
        """Compute the results at once, with NumPy or with JAX, if that is possible."""
        try:
            if self.computed():
                return True
            operands = [on_device(known.raw()) for known in self.operands]
            return self.settle(evaluate(self.bind, operands))
        except Unavailable:  # an operand, which may be known at the next step of a loop
            return False

    def forced(self) -> Sequence[Any]:
        """The results, after those of all that it needs: on the host, outside any trace.

        What NumPy cannot compute, and what follows from it, is compiled as one program; or it is run as it
        is, and NumPy goes on, where few kinds of equations are to be compiled, of which JAX keeps each. So a
        chain of 1,000 sines takes 0.15 s, in one program 0.6 s; the weights of a cubic `image.resize` 0.03 s,
        not 0.24 s; and a loop of 80 steps that draw random numbers 1 s, with a program for each step 16 s.

        **Raises:** `Unavailable`.
        """
        left: dict[Evaluation, None] = {}
        if self.results is None:
            _compute(in_order(self, Evaluation.pending), left)
        if any(one.bind is _unavailable for one in left):
            raise Unavailable
        if left:
            if not self.others.at_once:
                _compute(_also_small(self.others, left), left)
                _drop_unavailable(left)
            _run(list(left), self.others)
        if self.results is None:
            raise Unavailable
        return self.results


def item_of(known: Known, number: int) -> Known:
    """Slice `number` of an array along its leading axis, which is computed only when asked for."""

    def sliced(array: Any) -> list[Any]:
        return [array[number, ...]]

    return Evaluation([known], sliced, sliced).outputs(1)[0]


def _also_small(others: Evaluations, left: Collection[Evaluation]) -> list[Evaluation]:
    """Further evaluations whose results, and all that they need, are small, in order."""
    chosen, refused = [], set()
    for one in list(others.values()):
        if one.results is not None or one in left:
            continue
        unavailable = one.bind is _unavailable or one.is_probing
        if one.size > _SMALL or unavailable or not refused.isdisjoint(one.pending()):
            refused.add(one)
        else:
            chosen.append(one)
    return chosen


def _drop_unavailable(left: dict[Evaluation, None]) -> None:
    """Leave out what cannot be computed, and what needs it."""
    dropped: set[Evaluation] = set()
    for one in list(left):
        if one.bind is _unavailable or not dropped.isdisjoint(one.pending()):
            dropped.add(one)
            del left[one]


def _compute(order: Sequence[Evaluation], left: dict[Evaluation, None]) -> None:
    """Compute what NumPy can, and note what is left."""
    for evaluation in order:
        if any(one in left for one in evaluation.pending()) or not evaluation.computed():
            left[evaluation] = None


_RECURRING: Final = 4


def _run(evaluations: Sequence[Evaluation], others: Evaluations) -> None:
    """Compute with JAX, and add to the kinds of what was computed before."""
    new = {one.kind for one in evaluations if one.compute is None} - others.kinds
    others.kinds |= new
    recur = others.at_once or len(new) * _RECURRING <= len(evaluations)
    try:
        with on_host():
            (_run_apart if recur else _run_together)(evaluations)
    except Unavailable:  # as in `run`
        raise
    except Exception as error:  # a kernel for another backend, a collective, too little memory
        for one in evaluations:
            one.bind = _unavailable
        raise Unavailable from error


def _run_apart(evaluations: Sequence[Evaluation]) -> None:
    failed: set[Evaluation] = set()
    for one in evaluations:
        if not failed.isdisjoint(one.pending()) or not one.run():
            failed.add(one)


def _run_together(evaluations: Sequence[Evaluation]) -> None:
    inside = set(evaluations)
    operands = [known for one in evaluations for known in one.operands]
    outside = {id(known): known for known in operands if known.maker not in inside}

    def program(given: dict[int, Any]) -> list[Sequence[Any]]:
        results: dict[Evaluation, Sequence[Any]] = {}
        for one in evaluations:
            results[one] = one.bind(
                *(
                    given[id(known)]
                    if known._make is None or id(known) in given
                    else results[known._make[0]][known._make[1]]
                    for known in one.operands
                )
            )
        return list(results.values())

    arrays = {key: known.raw() for key, known in outside.items()}
    results = compiled(program, arrays)(arrays)
    for one, result in zip(evaluations, results, strict=True):
        one.settle(result)


def _unavailable(*operands: Any) -> Any:
    raise Unavailable
