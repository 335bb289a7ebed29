"""What a rule sees of the equation that it propagates through, and the jaxprs that it can have evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import Any, TYPE_CHECKING

from ..._arrays import has_derivative
from ..._jaxprs import open_jaxpr
from .._registry import find_rule
from ..dependence import (
    Dependence,
    identities,
)
from ..facts import Facts
from ._derivation import Derivation, structs, traced
from ._operands import Operands
from ._value import Value


if TYPE_CHECKING:
    from ._interpreter import Interpreter


class Equation(Operands):
    """One equation of a jaxpr, as rules see it."""

    def __init__(
        self, eqn: Any, operands: Sequence[Value], needed: Sequence[bool], interpreter: Interpreter
    ):
        super().__init__(eqn, operands)
        self._interpreter = interpreter
        self.needed = tuple(needed)
        self.origin = "rule"

    @property
    def source(self) -> str:
        """Where the user's code made this equation: `file:line (function)`."""
        return self._interpreter.source(self._eqn)

    @property
    def derived(self) -> bool:
        """Whether the equation stems from tracing the derivative of an equation of the same primitive."""
        return self._interpreter.is_deriving(self.name)

    @property
    def of_tangents(self) -> bool:
        """Whether the equation computes tangents or cotangents within the derivative of another one.

        It is then linear in all that depends on inputs, and what counts is its value, not its derivative.
        """
        return self._interpreter.of_tangents

    @property
    def reads_bits_of_tangents(self) -> bool:
        """Whether it reads or makes whole numbers that follow from tangents, which have no derivative."""
        followed = [one.dependence is not None for one in self.operands]
        atoms = [*compress(self.in_avals, followed), *self.out_avals]
        return self.of_tangents and not all(map(has_derivative, atoms))

    @property
    def at_point(self) -> bool:
        """Whether what is known of operands holds at one point: they may depend on inputs all the same."""
        return self._interpreter.at_point

    @property
    def of_changes(self) -> bool:
        """Whether the question is which elements of values change, and not of derivatives."""
        return self._interpreter.of_changes

    @property
    def cause(self) -> str:
        """Why the results depend on so much, in half a sentence; "" where only the operands are to blame."""
        if self.origin == "dense":
            return "it has no rule"
        rule = find_rule(self.primitive)
        function = None if rule is None else rule.functions.get("cause")
        return "" if function is None else function(self)

    def dense(self) -> list[Dependence]:
        """Every element of every result depends on all elements of all operands."""
        union = Dependence.none(())
        for operand in self.operands:
            if operand.dependence is not None:
                union = union | operand.dependence.reduce(range(operand.dependence.ndim))
        return [union.broadcast_to(aval.shape) for aval in self.out_avals]

    # --- nested jaxprs ----------------------------------------------------------------------------

    def interpret(
        self,
        jaxpr: Any,
        operands: Sequence[Value | Dependence],
        needed: Sequence[bool] | None = None,
    ) -> list[Value]:
        """Evaluate a nested jaxpr in a fresh environment.

        **Arguments:**

        - `jaxpr`: a jaxpr from `params`.
        - `operands`: one per input variable: a `Dependence` (of an array whose value is unknown), or a
            `Value` such as those in `self.operands`, which also carries what is known.
        - `needed`: which results are wanted; by default all.

        **Returns:**

        One `Value` per result.
        """
        values = [Value(one, None) if isinstance(one, Dependence) else one for one in operands]
        return self._interpreter.run(jaxpr, values, needed)

    def expand(
        self, function: Callable[..., Any], key: Any = None, *, derivative: bool = False
    ) -> list[Value]:
        """Evaluate a JAX function of the operands in place of the equation.

        What is known of the operands stays known within the function.

        **Arguments:**

        - `function`: takes one array per operand, and returns an array or a pytree of arrays.
        - `key`: hashable, and the same wherever `function` does the same for this equation; then it is traced
            once. By default it is traced anew.
        - `derivative`: whether JAX differentiates the equation by the values of the function at tangents, and
            never the function, as that of a solver. `Equation.of_tangents` holds within it.

        **Returns:**

        One `Value` per array that the function returns.

        **Raises:**

        `DerivationFailed` if the function cannot be traced.
        """
        jaxpr = self._interpreter.once(self._eqn, key, lambda: self.trace(function))
        with self._interpreter.in_place_of(self._eqn, derivative=derivative):
            return self._interpreter.run(jaxpr, self.operands)

    @property
    def notes(self) -> dict[str, Any]:
        """What rules note for when they see the same equation again, at another step of a loop around it."""
        return self._interpreter.once(self._eqn, "notes", dict)

    def trace(self, function: Callable[..., Any], *further: Any) -> Any:
        """The jaxpr of a JAX function of the operands, and of `further` arrays (`jax.ShapeDtypeStruct`s)."""
        return traced(function, *structs(self.in_avals), *further)

    def structure(
        self,
        jaxpr: Any,
        operands: Sequence[Value | None],
        facts: Sequence[Facts | None] | None = None,
    ) -> list[Value]:
        """How the results of a nested jaxpr depend on its own operands.

        **Arguments:**

        - `jaxpr`: a jaxpr from `params`.
        - `operands`: one per input variable: `None` for an operand to follow, else a `Value`.
        - `facts`: what is known of the operands to follow, if anything: one entry per input variable.

        **Returns:**

        One `Value` per result, in whose dependence the inputs are the elements of the followed operands,
        one after the other: pass `Dependence.join` of them to `Dependence.substitute`.
        """
        avals = [variable.aval for variable in open_jaxpr(jaxpr).invars]
        pairs = zip(avals, operands, strict=True)
        seeds = iter(identities([aval for aval, operand in pairs if operand is None]))
        values: list[Value] = []
        for aval, operand, one in zip(avals, operands, facts or [None] * len(avals), strict=True):
            if operand is None:
                seed = Value(next(seeds), None, one)
                operand = seed if self._interpreter.follows(aval) else Value.unknown()
            values.append(operand)
        return self._interpreter.run(jaxpr, values)

    def local_structure(self) -> list[Dependence]:
        """How the results depend on the elements of all operands, one operand after the other."""
        seeds = [
            one if one.dependence is None else one._replace(dependence=seed)
            for one, seed in zip(self.operands, identities(self.in_avals), strict=True)
        ]
        local = Equation(self._eqn, seeds, self.needed, self._interpreter)
        results = self._interpreter.propagate(local)
        return [
            one.as_dependence(aval) if isinstance(one, Value) else one
            for one, aval in zip(results, self.out_avals, strict=True)
        ]

    # --- derivatives of the equation itself -------------------------------------------------------

    def derive_forward(self) -> list[Dependence]:
        """The structure of `jax.jvp` of this equation: its own derivative rule, traced and evaluated.

        **Raises:**

        `DerivationFailed` if JAX cannot differentiate the equation.
        """
        derivation = Derivation(self)
        key = "forward", *derivation.active
        jaxpr = self._interpreter.once(self._eqn, key, derivation.forward)
        operands = [*derivation.primals, *derivation.seeds]
        with self._interpreter.in_place_of(self._eqn, derivative=True):
            results = self._interpreter.run(jaxpr, operands)
        return [
            value.as_dependence(aval) for value, aval in zip(results, self.out_avals, strict=True)
        ]

    def derive_reverse(self) -> list[Dependence]:
        """The structure of `jax.vjp` of this equation, transposed.

        **Raises:**

        `DerivationFailed` if JAX cannot differentiate the equation in reverse.
        """
        derivation = Derivation(self)
        key = "reverse", *derivation.active
        jaxpr, followed = self._interpreter.once(self._eqn, key, derivation.reverse)
        operands = [*derivation.primals, *[None] * followed]
        with self._interpreter.in_place_of(self._eqn, derivative=True), self.allowing("rev"):
            pulled = self.structure(jaxpr, operands)
        return derivation.transposed(pulled)

    def forbid(self, mode: str) -> None:
        """Note that the whole function cannot be differentiated in `mode` (`"fwd"` or `"rev"`)."""
        self._interpreter.unsupported_modes.setdefault(mode, f"'{self.name}' ({self.source})")

    @contextmanager
    def allowing(self, mode: str) -> Iterator[None]:
        """Within this context nothing forbids `mode`: this equation has a derivative rule for it."""
        before = dict(self._interpreter.unsupported_modes)
        yield
        if mode not in before:
            self._interpreter.unsupported_modes.pop(mode, None)
