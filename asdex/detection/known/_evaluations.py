"""Equations on known operands, whose results are computed together when one of them is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ..._arrays import has_derivative, is_key, on_device, size_of
from ..._jaxprs import nested_jaxprs
from ..._versions import evaluate
from ._computing import force
from ._known import Deferred, drawing, Known, not_computable, Unavailable
from ._loops_in_three import (
    alone,
    decides_within,
    in_all_programs,
    in_three,
    is_loop_or_branch,
    may_be_inlined,
)
from ._reassociation import Chain, chain_of, error_inside, inlined, merging_error
from ._rounding import Alternates, alternates_of, are_certain, Factors, factors_of
from ._roundoff import roundoff


_numbers = count()


class Evaluations(WeakValueDictionary[int, "Evaluation"]):
    """The evaluations of a detection in the order in which they were made, as long as something needs them.

    **Attributes:**

    - `kinds`: the kinds of those that JAX computed.
    - `programs`: of `alone` and `in_three`, with their equations.
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

    def settle(self, results: Sequence[Any] | None = None, by_numpy: bool = False) -> bool:
        """Take results of NumPy or of JAX, by default compute them with JAX.

        **Returns:** whether they are no decisions that rounding may turn.
        """
        try:
            self._settle(results, by_numpy)
        except Unavailable:
            self.bind = not_computable
        return self.results is not None

    def _settle(self, results: Sequence[Any] | None, by_numpy: bool) -> None:
        operands = [known.raw() for known in self.operands]
        alternates = [known.alternates for known in self.operands]
        is_followed = not self.of_point and is_loop_or_branch(self.eqn)
        inside = self._errors_inside(operands) if is_followed else None
        if inside is not None:
            program = self._program(in_three, operands)
            results, self.alternates = in_all_programs(program, operands, alternates, inside)
        elif results is None:
            results = self._computing(is_followed, operands)(list(map(on_device, operands)))
        assert results is not None
        self.factors = [None] * len(results)
        if inside is None:
            self.alternates = [None] * len(results)
            floating = any(map(has_derivative, (*operands, *results)))
            if floating and not self.of_point and not any(map(is_key, (*operands, *results))):
                with np.errstate(all="ignore"):
                    self._settle_alternates(operands, alternates, results, by_numpy)
        if is_followed and (
            may_be_inlined(self.eqn) or any(one is not None for one in inside or ())
        ):
            self.chain = inlined(results)
        self.results, self.operands = results, ()

    def _settle_alternates(
        self,
        operands: Sequence[Any],
        alternates: Sequence[Alternates],
        results: Sequence[Any],
        by_numpy: bool,
    ) -> None:
        arrays, name = list(map(np.asarray, operands)), self.kind[0]
        factors = [known.factors for known in self.operands]
        chains = [known.chain for known in self.operands]
        if not are_certain(name, self._again, arrays, alternates, results):
            raise Unavailable
        of_products = any(pair is not None for pair in factors)
        errors = roundoff(self.eqn, self._again, arrays, results, by_numpy, of_products)
        self.chain = chain_of(self.eqn, arrays, chains, results)
        merging = merging_error(self.eqn, chains, self.chain, np.asarray(results[0]))
        if merging is not None:
            errors[0] = merging if errors[0] is None else errors[0] + merging
        self.alternates = alternates_of(
            name, self._again, arrays, alternates, results, errors, factors
        )
        self.factors = factors_of(self.eqn, self._again, arrays, factors, results)

    def _errors_inside(self, operands: Sequence[Any]) -> list[np.ndarray | None] | None:
        """What operands are off by that programs compute before a loop; `None` where all programs agree."""
        pairs = zip((known.chain for known in self.operands), operands, strict=True)
        errors = [error_inside(*pair) for pair in pairs]
        differ = decides_within(self.eqn) or any(one is not None for one in errors)
        return errors if differ else None

    def _computing(self, is_followed: bool, operands: Sequence[Any]) -> Callable[..., Any]:
        """What computes the results with JAX from operands such as these."""
        if self.is_draw:
            return drawing(self.eqn, operands)
        return self._program(alone, operands) if is_followed else partial(evaluate, self.bind)

    def _program(self, make: Callable[..., Any], operands: Sequence[Any]) -> Callable[..., Any]:
        key = make, id(self.eqn), self.kind, tuple((np.shape(one), one.dtype) for one in operands)
        if key not in self.others.programs:
            self.others.programs[key] = self.eqn, make(self.bind, operands)
        return self.others.programs[key][1]

    def _again(self, *operands: np.ndarray) -> Sequence[Any]:
        results = None if self.compute is None else self.compute(*operands)
        if results is None:
            results = map(np.asarray, evaluate(self.bind, list(map(on_device, operands))))
        return list(results)

    @property
    def is_probing(self) -> bool:
        """Whether an operand is known only at each step of an enclosing loop. Asks for nothing."""
        return any(isinstance(known, Deferred) for known in self.operands)

    @property
    def is_draw(self) -> bool:
        """Whether it makes PRNG keys, or draws bits from keys."""
        if self.eqn is None or nested_jaxprs(self.eqn):
            return False
        avals = [atom.aval for atom in (*self.eqn.invars, *self.eqn.outvars)]
        return any(map(is_key, avals)) and not any(map(has_derivative, avals))

    @property
    def size(self) -> int:
        """The number of elements of all results."""
        return sum(map(size_of, self.kind[1]))

    def pending(self) -> list[Evaluation]:
        """The makers of operands that have not computed them."""
        makers = [known.maker for known in self.operands]
        return [one for one in makers if one is not None and one.results is None]

    def computed(self) -> bool:
        """Compute the results with NumPy, if that is possible, or at once since they are drawn."""
        if self.is_draw:
            return all(known.is_available for known in self.operands) and self.settle()
        if self.compute is None:
            return False
        operands = [known.raw() for known in self.operands]
        if any(map(is_key, operands)):
            return False
        try:
            with np.errstate(all="ignore"):
                results = self.compute(*map(np.asarray, operands))
        except Unavailable:
            self.bind = not_computable
            return False
        if results is None:
            self.compute = None
        return results is not None and self.settle(results, by_numpy=True)

    def run(self) -> bool:
        """Compute the results at once, with NumPy or with JAX, if that is possible."""
        if not all(known.is_available for known in self.operands):
            return False  # it may be known at the next step of a loop
        return self.computed() or self.settle()

    def forced(self) -> Sequence[Any]:
        """The results, after those of all that it needs: on the host, outside any trace.

        **Raises:** `Unavailable`.
        """
        if self.results is None:
            force(self, self.others)
        if self.results is None:
            raise Unavailable
        return self.results


def item_of(known: Known, number: int) -> Known:
    """Slice `number` of an array along its leading axis, which is computed only when asked for."""

    def sliced(array: Any) -> list[Any]:
        return [array[number, ...]]

    return Evaluation([known], sliced, sliced).outputs(1)[0]
