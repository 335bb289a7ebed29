"""Facts about arrays whose values are not known: bounds on elements, and which of them are always zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from ..._arrays import has_derivative, size_of
from ..._jaxprs import is_jaxpr
from ...pattern import in_order
from .._registry import find_rule, Rule, same_places
from ..dependence import everywhere, Mask, nowhere, Range, simplified, union
from ..known import SUMS
from ._knowledge import bounds_of, is_same, Knowledge, support_of, values_of
from ._rule_facts import doubts, ranges, supports


_MAX_DEPTH = 64
"""Equations after which facts forget their operands, so that a long loop does not keep all its steps."""


class Facts:
    """Facts about one result of an equation, computed when asked for, and the equation as rules see it.

    `is_same` says of a value at a point that no program rounds it otherwise.
    """

    __slots__ = (
        *("_answers", "_depth", "_eqn", "_interpreter", "_is_sum_of_same", "_shared", "in_avals"),
        *("index", "is_same", "name", "operands", "out_avals", "params", "primitive", "rule"),
    )

    def __init__(
        self, eqn: Any, operands: Sequence[Knowledge], index: int, interpreter: Any = None
    ):
        self.index = index
        self._eqn, self._interpreter = eqn, interpreter
        self.primitive = eqn.primitive
        self.name: str = eqn.primitive.name
        self.params: dict[str, Any] = eqn.params
        self.in_avals = [atom.aval for atom in eqn.invars]
        self.out_avals = [variable.aval for variable in eqn.outvars]
        self.operands = tuple(operands)
        self.rule = find_rule(eqn.primitive)
        of_same = all(map(is_same, self.operands))
        self.is_same = of_same and self.rule is not None and (self.rule.moves or self.rule.picks)
        self._is_sum_of_same = of_same and self.name in SUMS
        self._depth = _depth_after(self.operands)
        self._answers: dict[str, Any] = {}
        self._shared: dict[Any, Any] = {}

    @staticmethod
    def of_support(mask: Mask, aval: Any) -> Facts:
        """Facts about an array of which no more is known than where it may be nonzero."""
        facts = Facts.of_one_of([], aval)
        facts._answers = {"support": mask, "range": Range.unbounded(mask.shape)}
        return facts

    @staticmethod
    def of_one_of(values: Sequence[Any], aval: Any) -> Facts:
        """Facts about an array that is, in each call, one or another of some values of its type."""
        return Facts.by(_ONE_OF, values, [aval] * len(values), aval)

    @staticmethod
    def by(rule: Rule, values: Sequence[Any], in_avals: Sequence[Any], aval: Any) -> Facts:
        """Facts about what is made from some values in a way that is no equation, by a rule of its own."""
        facts = object.__new__(Facts)
        facts.index, facts.name, facts.primitive, facts.params = 0, "", None, {}
        facts.in_avals, facts.out_avals = list(in_avals), [aval]
        facts.operands = tuple(Knowledge(value.known, value.facts) for value in values)
        facts.rule, facts._eqn, facts._interpreter, facts._answers = rule, None, None, {}
        facts._shared, facts.is_same, facts._is_sum_of_same = {}, False, False
        facts._depth = _depth_after(facts.operands)
        return facts

    @property
    def aval(self) -> Any:
        """Shape and dtype of the result."""
        return self.out_avals[self.index]

    @property
    def is_in_place(self) -> bool:
        """Whether each element follows from those at its own place in the operands, or from scalars."""
        sizes = {size_of(aval) for aval in self.in_avals}
        transposes = self.name == "reshape" and self.params.get("dimensions") is not None
        in_place = self.rule is not None and self.rule.in_place
        return in_place and not transposes and sizes <= {1, size_of(self.aval)}

    @property
    def may_be_rounded(self) -> bool:
        """Whether a zero of the result at a point may be a rounding error.

        That of `x * y - y * x`, compiled with other equations, may be a small number; that of `x - y` not.
        """
        return self._is_computed and not self._is_sum_of_same

    @property
    def _is_computed(self) -> bool:
        """Whether the result has a floating-point value that is computed at a point, perhaps."""
        at_point = self._interpreter is None or self._interpreter.at_point
        return at_point and has_derivative(self.aval)

    def range(self) -> Range:
        """Bounds on the elements of the result."""
        return self._answer("range")

    def support(self) -> Mask:
        """Which elements of the result may be nonzero in some call."""
        return self._answer("support")

    def doubt(self) -> Mask:
        """Which zeros of the result at a point may be rounding errors; true where it is not zero, perhaps."""
        return self._answer("doubt")

    def doubt_at(self, places: Any) -> Facts | None:
        """What `doubt` says of some elements, and nothing else; `None` if they are the same everywhere."""
        if self.is_same or not self._is_computed:
            return None
        doubt = self.doubt() if self.may_be_rounded else nowhere(self.aval.shape)
        facts = Facts.of_support(everywhere(doubt[places].shape), self.aval)
        facts._answers["doubt"] = doubt[places]
        return facts

    def known(self, index: int) -> np.ndarray | None:
        """The value of an operand, if it is known."""
        values = values_of(self.operands[index], self.in_avals[index])
        return values[0] if values else None

    def bounds(self, index: int) -> Range:
        """Bounds on the elements of an operand."""
        return bounds_of(self.operands[index], self.in_avals[index])

    def nonzero(self, index: int) -> Mask:
        """Which elements of an operand may be nonzero in some call."""
        return support_of(self.operands[index], self.in_avals[index])

    def equation(self) -> Any:
        """The equation as sparsity rules see it, on operands that depend on nothing."""
        return self._interpreter.equation_on(self._eqn, self.operands)

    def given(self, operands: Sequence[Knowledge], result: Range | None = None) -> Facts:
        """The same equation on other operands, with the bounds of its result where these are settled."""
        other = copy(self)
        other._shared = {}
        other.operands, other._answers = (
            tuple(operands),
            {} if result is None else {"range": result},
        )
        return other

    def forget(self) -> None:
        """Let go of the operands: what has not been asked for yet is not known from now on."""
        self.operands = ()

    def _answer(self, question: str) -> Any:
        """The answer to a question, after all others that it needs: no recursion."""
        if question not in self._answers:
            for facts, asked in in_order((self, question), lambda one: one[0]._needed(one[1])):
                facts._compute(asked)
        return self._answers[question]

    def _needed(self, question: str) -> list[tuple[Facts, str]]:
        """The questions that are answered first: about operands, or another one about the result."""
        if question in self._answers:
            return []
        if question == "doubt" and not self._picks:
            return [(self, "support")]
        needed = []
        for one in self._read(question):
            if one.facts is not None and one.known is None:
                needed.append((one.facts, "range" if question == "range" else "support"))
            elif one.facts is not None and one.facts.may_be_rounded and question != "range":
                needed.append((one.facts, "doubt"))
        return needed

    @property
    def _picks(self) -> bool:
        return self.rule is not None and self.rule.picks

    def _read(self, question: str) -> Sequence[Knowledge]:
        """The operands that matter to a question: where an index points says nothing about zeros."""
        if question == "range" or self.rule is None:
            return self.operands
        steering = self.rule.steered_by(self)
        return [one for number, one in enumerate(self.operands) if number not in steering]

    def _compute(self, question: str) -> None:
        if question in self._answers:
            return
        forgotten = len(self.operands) < len(self.in_avals)
        if question == "support":
            self._answers[question] = everywhere(self.aval.shape) if forgotten else self._support()
        elif question == "doubt":
            picks = self._picks and not forgotten
            self._answers[question] = self._result(doubts) if picks else self.support()
        else:
            bounds = None if forgotten else self._result(ranges)
            self._answers[question] = _broadcast(bounds, self.aval)
        if self._depth == 0:
            self.operands = ()

    def _support(self) -> Mask:
        mask = self._result(supports)
        shape = self.aval.shape
        return everywhere(shape) if mask is None else simplified(np.asarray(mask), shape)

    def _result(self, answers: Callable[[Facts, Rule], Any]) -> Any:
        """What a rule answers about this result; `None` if it has nothing to say."""
        if answers not in self._shared:
            self._shared[answers] = None if self.rule is None else answers(self, self.rule)
        found = self._shared[answers]
        return found[self.index] if isinstance(found, list) else found


def _depth_after(operands: Sequence[Knowledge]) -> int:
    return (max((one.facts._depth for one in operands if one.facts), default=0) + 1) % _MAX_DEPTH


_ONE_OF = Rule(same_places, in_place=True, exact=True)
_ONE_OF.alternatives(lambda eqn, *ranges: list(ranges))
_ONE_OF.zeros(lambda eqn, *masks: union(masks, eqn.aval.shape))


def facts_of_results(eqn: Any, operands: Sequence[Any], interpreter: Any) -> list[Facts | None]:
    """Facts about the results of an equation, which hold on to what is known of its operands."""
    rule = find_rule(eqn.primitive)
    nothing: list[Facts | None] = [None] * len(eqn.outvars)
    # A function with a derivative rule of its own may be constant and have a derivative that is not zero.
    if interpreter.of_changes and (rule is None or not rule.says_of_changes):
        return nothing
    if not interpreter.at_point and not _has_facts(eqn, rule, operands, interpreter):
        return nothing
    pairs = [Knowledge(operand.known, operand.facts) for operand in operands]
    results = [Facts(eqn, pairs, index, interpreter) for index in range(len(eqn.outvars))]
    for one in results:
        one._shared = results[0]._shared
    return list(results)


def _has_facts(eqn: Any, rule: Rule | None, operands: Sequence[Any], interpreter: Any) -> bool:
    """Whether anything follows from what is known of the operands; at a point, a zero may be rounded."""
    if rule is None or "range" in rule.functions:
        return rule is not None
    if any(map(is_jaxpr, eqn.params.values())):
        silent = interpreter.unknown == "quiet"  # facts within facts would multiply
    else:
        silent = all(operand.known is None and operand.facts is None for operand in operands)
    return not silent and (rule.exact or "zeros" in rule.functions)


def _broadcast(bounds: Range | None, aval: Any) -> Range:
    if bounds is None:
        return Range.unbounded(aval.shape)
    low, high = (np.asarray(one, np.float64) for one in bounds)
    if low.shape == high.shape == aval.shape:
        return Range(low, high)
    return Range(np.broadcast_to(low, aval.shape), np.broadcast_to(high, aval.shape))
