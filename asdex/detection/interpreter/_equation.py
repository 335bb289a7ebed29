"""What a rule sees of the equation that it propagates through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TYPE_CHECKING

import numpy as np

from ..._jaxprs import EquationView, open_jaxpr
from .._registry import find_rule
from ..dependence import (
    as_mask,
    Dependence,
    everywhere,
    identities,
    is_everywhere,
    Mask,
    nowhere,
    Range,
)
from ..facts import bounds_of, Facts, support_of, values_of
from ._derivation import Derivation, structs, traced
from ._value import Value


if TYPE_CHECKING:
    from ._interpreter import Interpreter


_MOST_NAMES = 3
"""Arguments that a cause names; of more, it says how many."""


class Equation(EquationView):
    """One equation of a jaxpr, as rules see it."""

    def __init__(
        self, eqn: Any, operands: Sequence[Value], needed: Sequence[bool], interpreter: Interpreter
    ):
        super().__init__(eqn)
        self._interpreter = interpreter
        self.operands = tuple(operands)
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
    def at_point(self) -> bool:
        """Whether what is known of operands holds at one point: they may depend on inputs all the same."""
        return self._interpreter.at_point

    @property
    def of_changes(self) -> bool:
        """Whether the question is which elements of values change, and not of derivatives."""
        return self._interpreter.of_changes

    def dependences(self) -> list[Dependence]:
        """What each operand depends on."""
        pairs = zip(self.operands, self.in_avals, strict=True)
        return [operand.as_dependence(aval) for operand, aval in pairs]

    def primals(self) -> list[Value]:
        """The operands without what they depend on: their values may vary, their derivatives do not count."""
        return [
            one._replace(dependence=None, varies=one.varies or one.dependence is not None)
            for one in self.operands
        ]

    def known(self, index: int) -> np.ndarray | None:
        """The value of operand `index`, if it depends on constants alone, or at a point; else `None`.

        Nothing is computed before this is called. The array must not be changed. A value that is undecided
        at the point is not known.
        """
        return self.value(index) if self.operands[index].undecided is None else None

    def value(self, index: int) -> np.ndarray | None:
        """As `known`, with the values at the point of undecided elements."""
        values = values_of(self.operands[index], self.in_avals[index])
        return values[0] if values else None

    def values(self, index: int) -> list[np.ndarray]:
        """What `known` returns and, if another program may round it otherwise, more such values.

        It is empty if nothing is known. Where the first is zero, all are.
        """
        decided = self.operands[index].undecided is None
        return values_of(self.operands[index], self.in_avals[index]) if decided else []

    def bounds(self, index: int) -> Range:
        """Bounds on each element of operand `index`, infinite where nothing is known.

        They come from its value or from range rules (`argmax`, `clamp`, `rem`, comparisons, arithmetic), and
        are computed only when this is called.
        """
        bounds = bounds_of(self.operands[index], self.in_avals[index])
        undecided = self.operands[index].undecided
        if undecided is None:
            return bounds
        top = 1.0 if self.in_avals[index].dtype == np.bool_ else np.inf
        low, high = np.where(undecided, 1 - top, bounds.low), np.where(undecided, top, bounds.high)
        return Range(low, high)

    def nonzero(self, index: int) -> Mask:
        """Which elements of operand `index` may be nonzero in some call: all where nothing is known.

        An element that is zero in every call, such as one off the diagonal of `jnp.diag(p)`, removes what it
        multiplies. What it depends on itself stays: its derivative need not be zero.
        """
        support = support_of(self.operands[index], self.in_avals[index])
        undecided = self.operands[index].undecided
        return support if undecided is None or is_everywhere(support) else support | undecided

    def undecided(self, index: int) -> Mask:
        """Which elements of operand `index` may have other values next to the point, as at ties."""
        mask = self.operands[index].undecided
        return nowhere(getattr(self.in_avals[index], "shape", ())) if mask is None else mask

    def varies(self, index: int) -> Mask:
        """Which elements of operand `index` depend on what is differentiated, as far as that is known."""
        operand = self.operands[index]
        if operand.varies:
            return everywhere(self.in_avals[index].shape)
        return as_mask(operand.as_dependence(self.in_avals[index]))

    def unless_known(self, operands: Iterable[int], what: str, verb: str = "comes from") -> str:
        """Say of operands that are not known which arguments they come from; "" if all of them are known.

        **Arguments:**

        - `operands`: their positions.
        - `what`, `verb`: what stands before the names of the arguments, such as "the index", "comes from".
        """
        unknown = [k for k in operands if self.known(k) is None]
        if not unknown:
            return ""
        names = sorted(frozenset().union(*(self.operands[k].comes_from for k in unknown)))
        if len(names) > _MOST_NAMES:
            rest = len(names) - _MOST_NAMES + 1
            names = [*names[: _MOST_NAMES - 1], f"{rest} other arguments"]
        listed = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
        return f"{what} {verb} {listed}" if names else f"{what} is not known"

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

    def expand(self, function: Callable[..., Any], key: Any = None) -> list[Value]:
        """Evaluate a JAX function of the operands in place of the equation.

        What is known of the operands stays known within the function.

        **Arguments:**

        - `function`: takes one array per operand, and returns an array or a pytree of arrays.
        - `key`: hashable, and the same wherever `function` does the same for this equation; then it is traced
            once. By default it is traced anew.

        **Returns:**

        One `Value` per array that the function returns.

        **Raises:**

        `DerivationFailed` if the function cannot be traced.
        """
        jaxpr = self._interpreter.once(self._eqn, key, lambda: self.trace(function))
        with self._interpreter.in_place_of(self._eqn, derivative=False):
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
