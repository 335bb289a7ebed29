"""The equations of a body that write to what it carries, and those that add to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from asdex.detection import is_literal, literal_value, live_steps, open_jaxpr, scan_arity

from .flat_bodies import flat_body
from .loop_places import replaces, writes_to_a_part, written
from .loop_values import are_in, known_of_scan


_ADDITIONS = ("add", "add_any", "sub")
_SCATTERED_ADDITIONS = ("scatter-add", "scatter-sub")


class Changes(NamedTuple):
    """What a step does to carried values, by their places.

    **Attributes:**

    - `added`: what is added to each sum.
    - `chains`: the equations that write to each other one, in turn, with the number of what a loop carries.
    - `loops`: the loops among these, by the identities of their equations: the place of each carried value.
    """

    added: dict[int, list[Addend]]
    chains: dict[int, list[tuple[Any, int]]]
    loops: dict[int, dict[int, int]]


def changes_of(
    equations: Equations,
    known: Collection[Any],
    pairs: Mapping[int, Sequence[Any]],
    num_carry: int,
    sums: Collection[int] | None,
) -> Changes:
    """What a step does to carried values, from their variables before and after it.

    **Arguments:** `known`: variables. `sums`: the places that are sums; by default all that can be.

    **Raises:** `NotImplementedError` if one of these sums is read.
    """
    while True:
        added = {
            place: found
            for place, (before, after) in pairs.items()
            if sums is None or place in sums
            if (found := equations.added(after, before)) is not None
        }
        if sums is not None and not added.keys() >= sums & pairs.keys():
            raise NotImplementedError("a loop inside reads a sum")
        chains = {
            place: equations.writes_between(before, after)
            for place, (before, after) in pairs.items()
            if place not in added
        }
        through = [
            *((eqn, number, place) for place, chain in chains.items() for eqn, number in chain),
            *((eqn, atoms[0], place) for place, one in added.items() for _, eqn, atoms in one),
        ]
        eqns: dict[int, Any] = {}
        loops: dict[int, dict[int, int]] = {}
        for eqn, number, place in through:
            if eqn is not None and eqn.primitive.name == "scan":
                eqns[id(eqn)] = eqn
                loops.setdefault(id(eqn), {})[number] = place
        refused = [
            eqn
            for eqn in eqns.values()
            if not _only_writes(equations, known, num_carry, eqn, loops[id(eqn)])
        ]
        if not refused:
            return Changes(added, chains, loops)
        equations.refused += refused


def _only_writes(
    equations: Equations, known: Collection[Any], outputs: int, loop: Any, places: dict[int, int]
) -> bool:
    """Whether a loop changes nothing but what is known and what it writes to, and no more of it is read.

    **Arguments:** `outputs`: where the further results of the body start, which those of the loop may be.
    """
    num_consts, num_carry = scan_arity(loop)
    kept = known_of_scan(loop, are_in(known, loop.invars))[0][:num_carry]
    inner = open_jaxpr(equations.inside(loop).body)
    pairs = zip(inner.invars[num_consts:], inner.outvars, strict=False)
    results = open_jaxpr(equations.body).outvars[outputs:]
    return all(
        equations.uses[one] == sum(one is result for result in results)
        for one in loop.outvars[num_carry:]
    ) and all(
        keep or after is before or number in places
        for number, (keep, (before, after)) in enumerate(zip(kept, pairs, strict=False))
    )


Addend = tuple[int, Any, list[Any]]
"""A sign; an equation that puts a value into zeros or adds it to a part, or `None`; what `written` says.

Also a loop that adds to it, with the number of the carried value, or to zeros of its own.
"""


def _sign(name: str) -> int:
    return -1 if name in ("sub", "scatter-sub") else 1


def _is_elementwise(eqn: Any) -> bool:
    """Whether no operand is broadcast along an axis of length 1, as an equation may do since jax 0.12."""
    shape = eqn.outvars[0].aval.shape
    return all(is_literal(one) or one.aval.shape == shape for one in eqn.invars)


class Equations:
    """The equations of a body, by what they make and how often it is used.

    **Attributes:** `refused`: loops within that count like any other equation.
    """

    def __init__(self, body: Any, refused: Sequence[Any] = ()):
        self.body, inner = body, open_jaxpr(body)
        eqns = [eqn for eqn, *_ in live_steps(inner, [True] * len(inner.outvars))]
        self._makers = {variable: eqn for eqn in eqns for variable in eqn.outvars}
        atoms = [*(atom for eqn in eqns for atom in eqn.invars), *inner.outvars]
        self.uses = Counter(atom for atom in atoms if not is_literal(atom))
        self.refused = list(refused)
        self._inside: dict[int, Equations] = {}

    def maker(self, atom: Any) -> Any | None:
        return None if is_literal(atom) else self._makers.get(atom)

    def inside(self, loop: Any) -> Equations:
        """Those of the body of a loop within."""
        found = self._inside.get(id(loop))
        if found is None:
            found = self._inside[id(loop)] = Equations(flat_body(loop.params["jaxpr"]))
        return found

    def _through_loop(self, eqn: Any, result: Any) -> tuple[Any, int] | None:
        """What a result of a loop starts as, and its number among what the loop carries."""
        num_consts, num_carry = scan_arity(eqn)
        number = eqn.outvars.index(result)
        if number >= num_carry or any(eqn is one for one in self.refused):
            return None
        return eqn.invars[num_consts + number], number

    def writes_between(self, before: Any, after: Any) -> list[tuple[Any, int]]:
        """The equations that make `after` of `before` by writing to parts of it; none if others do.

        Among these are loops, with the number of the carried value.
        """
        found: list[tuple[Any, int]] = []
        while after is not before:
            eqn = self.maker(after)
            if eqn is None:
                return []
            step = (eqn.invars[0], 0) if writes_to_a_part(eqn) else None
            if eqn.primitive.name == "scan":
                step = self._through_loop(eqn, after)
            if step is None:
                return []
            found.append((eqn, step[1]))
            after = step[0]
        return found[::-1]

    def added(self, atom: Any, carried: Any) -> list[Addend] | None:
        """What is added up to `atom`, starting from `carried`; `None` if it is read for anything else."""
        found: list[Addend] = []
        while atom is not carried:
            eqn = self.maker(atom)
            if eqn is None or self.uses[atom] != 1:
                return None
            name = eqn.primitive.name
            if name == "scan":
                step = self._through_loop(eqn, atom)
                if step is None or not self._adds(eqn, step[1]):
                    return None
                atom, number = step
                found.append((1, eqn, [number]))
                continue
            first, *others = eqn.invars
            if name in _SCATTERED_ADDITIONS:
                found.append((_sign(name), eqn, written(eqn, eqn.invars[1:])))
            elif name in _ADDITIONS:
                if name != "sub" and self._leads_to(others[0], carried):
                    first, others = others[0], [first]
                if not _is_elementwise(eqn):
                    return None
                found += self._addends(others[0], _sign(name))
            elif name != "convert_element_type":
                return None
            atom = first
        return found if self.uses[carried] == 1 else None

    def _adds(self, loop: Any, number: int) -> bool:
        """Whether a loop only adds to a value that it carries."""
        inside = self.inside(loop)
        inner, (num_consts, _) = open_jaxpr(inside.body), scan_arity(loop)
        return inside.added(inner.outvars[number], inner.invars[num_consts + number]) is not None

    def _leads_to(self, atom: Any, carried: Any) -> bool:
        """Whether `atom` is `carried`, or a sum that starts with it."""
        while atom is not carried:
            eqn = self.maker(atom)
            if eqn is None or eqn.primitive.name not in (
                *_ADDITIONS,
                *_SCATTERED_ADDITIONS,
                "convert_element_type",
            ):
                return False
            atom = eqn.invars[0]
        return True

    def _addends(self, atom: Any, sign: int) -> list[Addend]:
        """A value as a sum of what is put into zeros, and of other values."""
        eqn = self.maker(atom)
        if eqn is not None:
            name = eqn.primitive.name
            if name == "scan" and self.uses[atom] == 1:
                step = self._through_loop(eqn, atom)
                if step is not None and self._is_zero(step[0]) and self._adds(eqn, step[1]):
                    return [(sign, eqn, [step[1]])]
            if name in _ADDITIONS and _is_elementwise(eqn):
                first, second = eqn.invars
                return self._addends(first, sign) + self._addends(second, sign * _sign(name))
            places = name in _SCATTERED_ADDITIONS or replaces(eqn)
            if places and self._is_zero(eqn.invars[0]):
                return [(sign * _sign(name), eqn, written(eqn, eqn.invars[1:]))]
        return [(sign, None, [atom])]

    def _is_zero(self, atom: Any) -> bool:
        eqn = self.maker(atom)
        if eqn is not None and eqn.primitive.name == "broadcast_in_dim":
            atom = eqn.invars[0]
        return is_literal(atom) and not np.any(literal_value(atom))
