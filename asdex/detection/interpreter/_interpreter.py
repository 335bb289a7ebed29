"""The interpreter: walks a jaxpr and propagates dependences, one rule per primitive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TYPE_CHECKING

from jax.core import Tracer

from ..._arrays import has_derivative, is_floating
from ..._jaxprs import (
    call_jaxpr,
    custom_jaxpr,
    is_literal,
    is_predictable,
    jaxpr_consts,
    literal_value,
    live_steps,
    nested_jaxprs,
    open_jaxpr,
    source_line,
)
from ..._progress import track
from ..._versions import FORWARDING_PRIMITIVES
from .._registry import find_rule
from ..dependence import Dependence, is_everywhere
from ..facts import Facts, facts_of_results, Knowledge, known_results, partly_known_results
from ..known import Evaluations, Known
from ._changes import changes, changing
from ._complex import by_parts, without_parts
from ._derivation import DerivationFailed
from ._equation import Equation
from ._results import checked, results_of
from ._undecided import may_be_undecided, with_undecided
from ._unknown_primitives import report
from ._value import Value


if TYPE_CHECKING:
    from .._limit import FirstLarge
    from ._recorder import Recorder


class Interpreter:
    """One detection: evaluates jaxprs on `Value`s.

    `unknown` says what happens to a primitive for which nothing better is known than that every result
    depends on every operand: `"dense"` warns once per primitive, `"error"` raises, `"quiet"` does neither.
    `captured="unknown"` treats captured floating-point arrays as unknown, `"constant"` as constants. A
    `recorder` keeps what was done.

    With `of_changes` the question is which elements of values change with the inputs, and not which
    derivatives can be nonzero: `floor(x)` changes with `x`, and so does what a changing index picks.

    `at_point` says that what is known holds at one point only, also of what depends on inputs.
    """

    def __init__(
        self,
        *,
        unknown: str = "dense",
        captured: str = "constant",
        recorder: Recorder | None = None,
        of_changes: bool = False,
        at_point: bool = False,
    ):
        self.unknown = unknown
        self.of_changes, self.at_point = of_changes, at_point
        self.captured = captured
        self._recorder: Any = recorder
        self._is_running = False
        self.unsupported_modes: dict[str, str] = {}
        self.of_tangents = False
        self._evaluations = Evaluations(at_once=at_point)
        self._deriving: list[tuple[str, str]] = []
        self._callers: list[Any] = []
        self._warned: set[str] = set()
        self._made: dict[Any, tuple[Any, Any]] = {}

    def once(self, eqn: Any, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` returns, made once for an equation that is evaluated again at each step of a loop.

        It is made anew where the `key` is `None`.
        """
        if key is None:
            return make()
        if (id(eqn), key) not in self._made:
            self._made[id(eqn), key] = eqn, make()
        return self._made[id(eqn), key][1]

    def run(
        self, jaxpr: Any, operands: Sequence[Value], needed: Sequence[bool] | None = None
    ) -> list[Value]:
        """Evaluate a jaxpr, closed or without constants.

        **Arguments:**

        - `operands`: one value per input variable.
        - `needed`: which results are wanted (default: all); what only the others need is skipped.

        **Returns:**

        One value per output variable; results that are not needed are unspecified.
        """
        inner = open_jaxpr(jaxpr)
        wanted = [True] * len(inner.outvars) if needed is None else list(needed)
        environment: dict[Any, Value] = dict(zip(inner.invars, operands, strict=True))
        for variable, const in zip(inner.constvars, jaxpr_consts(jaxpr), strict=True):
            environment[variable] = self.constant(const)

        def read(atom: Any) -> Value:
            if is_literal(atom):
                return Value(None, Known.of(literal_value(atom)))
            return environment[atom]

        steps = live_steps(inner, wanted)
        if not self._is_running:
            self._is_running = True
            steps = track(steps, "detecting", len(inner.eqns))
        for eqn, used, dying in steps:
            results = self.evaluate(eqn, [read(atom) for atom in eqn.invars], used)
            environment.update(zip(eqn.outvars, results, strict=True))
            for variable in dying:
                environment.pop(variable, None)
        unused = Value.unknown()
        return [
            read(atom) if want else unused for atom, want in zip(inner.outvars, wanted, strict=True)
        ]

    def again(self, recorder: FirstLarge, jaxpr: Any, operands: Sequence[Value]) -> None:
        """Evaluate a jaxpr once more, for what a recorder makes of it, without warning again."""
        self._recorder = recorder
        self.run(jaxpr, operands)

    def constant(self, value: Any) -> Value:
        """A captured constant. One that an outer transformation traces is unknown."""
        hidden = self.captured == "unknown" and is_floating(value)
        if not hidden and not isinstance(value, Tracer):
            return Value(None, Known.of(value))
        dependence = changing(value).dependence if self.of_changes else None
        return Value(dependence, None, comes_from=frozenset(["a captured array"]))

    def evaluate(self, eqn: Any, operands: list[Value], needed: list[bool]) -> list[Value]:
        """The results of one equation; those that are not needed are unspecified."""
        constant = all(operand.dependence is None for operand in operands)
        inner = call_jaxpr(eqn) or (custom_jaxpr(eqn) if constant else None)
        if inner is not None:
            self._callers.append(eqn)
            try:
                return self.run(inner, operands, needed)
            finally:
                self._callers.pop()
        if self.of_changes and not is_predictable(eqn):
            return [changing(variable.aval) for variable in eqn.outvars]
        known = self._known_results(eqn, operands)
        facts = facts_of_results(eqn, operands, self)
        equation = Equation(eqn, operands, needed, self)
        forwards = eqn.primitive.name in FORWARDING_PRIMITIVES and None in known
        if self.at_point and nested_jaxprs(eqn):
            forwards = forwards or may_be_undecided(equation)
        if constant and not (forwards and any(operand.known is not None for operand in operands)):
            values = [Value(None, *pair) for pair in zip(known, facts, strict=True)]
            if self.at_point:
                values = with_undecided(equation, values)
            return self._with_arguments(operands, values)
        record = None
        if self._recorder is not None and not constant:
            record = self._recorder.enter(equation, (id(eqn), *map(id, self._callers)))
        try:
            results = self.propagate(equation)
        except Exception as error:
            error.add_note(f"While asdex propagated '{equation.name}' from {equation.source}.")
            raise
        values = [
            self._with_facts(equation, checked(equation, aval, result, self.follows(aval)), one)
            if value is None or self.at_point
            else Value(None, value)
            for aval, result, one, value in zip(
                equation.out_avals, results, facts, known, strict=True
            )
        ]
        if self.at_point:
            pairs = zip(values, known, strict=True)
            values = [value._replace(known=value.known or one) for value, one in pairs]
            values = with_undecided(equation, values, results)
        values = self._with_arguments(operands, values)
        if self._recorder is not None and record is not None:
            self._recorder.leave(record, values)
        return values

    def _with_facts(self, equation: Equation, value: Value, facts: Facts | None) -> Value:
        """A result with the facts about it. What is always zero does not change.

        The result of a function with a derivative rule of its own does all the same: a constant with a
        derivative that is not zero.
        """
        # An input that a nested jaxpr returns is no result of the equation: its zeros at a point are certain.
        inside = self.at_point and value.known is not None and bool(nested_jaxprs(equation))
        facts, dependence = value.facts or (None if inside else facts), value.dependence
        if facts is None:
            return value
        rule = find_rule(equation.primitive)
        if self.of_changes and dependence is not None and rule is not None and rule.says_of_changes:
            support = facts.support()
            dependence = dependence if is_everywhere(support) else dependence.keep(support)
        return value._replace(facts=facts, dependence=dependence)

    def _with_arguments(self, operands: list[Value], results: list[Value]) -> list[Value]:
        """Results that come from the arguments that the operands come from, if anyone will ask."""
        if self._recorder is None:
            return results
        names = frozenset().union(*(operand.comes_from for operand in operands))
        return [result._replace(comes_from=names) for result in results]

    def _known_results(self, eqn: Any, operands: list[Value]) -> Sequence[Known | None]:
        knowns = [operand.known for operand in operands if operand.known is not None]
        if len(knowns) < len(operands):
            every = [operand.known for operand in operands]
            return partly_known_results(eqn, every, self._evaluations)
        if not is_predictable(eqn):
            return [None] * len(eqn.outvars)
        return known_results(eqn, knowns, self._evaluations)

    def follows(self, aval: Any) -> bool:
        """Whether values of this type can depend on anything: bits of tangents as well."""
        return self.of_changes or self.of_tangents or has_derivative(aval)

    def equation_on(self, eqn: Any, operands: Sequence[Knowledge]) -> Equation:
        """An equation on operands that depend on nothing."""
        values = [Value(None, known, facts) for known, facts in operands]
        quiet = Interpreter(
            unknown="quiet",
            captured=self.captured,
            of_changes=self.of_changes,
            at_point=self.at_point,
        )
        return Equation(eqn, values, [True] * len(eqn.outvars), quiet)

    def propagate(self, equation: Equation) -> Sequence[Dependence | Value]:
        """Apply the primitive's rule, or what stands in for one."""
        rule = find_rule(equation.primitive)
        if self.of_changes:
            return changes(equation, rule)
        if rule is None:
            return self._fall_back(equation)
        apart = by_parts(equation)
        if apart is not None:
            return apart
        try:
            function = rule
            if self.at_point and not self.is_deriving(equation.name):
                function = rule.functions.get("at_point", rule)
            operands = list(map(without_parts, equation.dependences()))
            results = function(equation, *operands)
            if results is NotImplemented and function is not rule:
                results = rule(equation, *operands)
        except DerivationFailed as failure:
            return self._dense(equation, failure)
        if results is NotImplemented:
            return self._fall_back(equation)
        return [
            one if isinstance(one, Value) else without_parts(one)
            for one in results_of(equation, results)
        ]

    def _fall_back(self, equation: Equation) -> Sequence[Dependence | Value]:
        """Without a rule: the structure of the primitive's own JVP, else dense."""
        if not any(map(self.follows, equation.out_avals)):
            return [Value.unknown()] * len(equation.out_avals)
        if not self.is_deriving(equation.name) and not equation.reads_bits_of_tangents:
            try:
                equation.origin = "derived"
                return equation.derive_forward()
            except DerivationFailed as failure:
                return self._dense(equation, failure)
        return self._dense(equation)

    @contextmanager
    def in_place_of(self, eqn: Any, *, derivative: bool) -> Iterator[None]:
        """While a jaxpr is evaluated in place of `eqn`, whose own equations have no user line.

        The jaxpr computes the same as `eqn`, or its `derivative`.
        """
        self._deriving.append((eqn.primitive.name, self.source(eqn)))
        before = self.of_tangents
        self.of_tangents = before or derivative
        try:
            yield
        finally:
            self.of_tangents = before
            self._deriving.pop()

    def is_deriving(self, name: str) -> bool:
        """Whether the derivative of an equation of primitive `name` is being evaluated."""
        return any(name == outer for outer, _ in self._deriving)

    def source(self, eqn: Any) -> str:
        """The user's line behind an equation, be it inside a library function or a derived rule."""
        if self._deriving:
            return self._deriving[0][1]
        lines = (source_line(one) for one in (eqn, *reversed(self._callers)))
        return next((line for line in lines if line), "unknown source")

    def _dense(self, equation: Equation, failure: Exception | None = None) -> list[Dependence]:
        report(equation, failure, self.unknown, self._warned)
        equation.origin = "dense"
        return equation.dense()
