"""Sums of sums, and products of products, which programs compute in another order than their equations say.

XLA makes `A + (c + d)` of `(A + c) + d` and `A * (c * d)` of `(A * c) * d`, takes `A / c` for a product, and
`a` for the square of `sqrt(a)`. Half precision it computes in single, without rounding in between. A *chain*
is what such an array was added up from, or multiplied together from: if all orders are exact, there is
nothing to round.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..._arrays import has_derivative, is_half
from ..._jaxprs import EquationView, is_literal
from .._registry import find_rule
from ._digits import common_step, is_power_of_two


DIVIDES: Final = "div"
PRODUCTS: Final = ("mul", "square", "integer_pow", DIVIDES)
SUMS: Final = ("add", "add_any", "sub")
ROUNDINGS: Final = 16
"""By how many roundings, at least, sums and functions such as `sin` may differ."""

Leaf = tuple[np.ndarray, bool]
"""A term, and whether it is subtracted, or a factor, and whether it divides."""
_PAIRED: Final = 3
"""Leaves of which all orders are computed."""


class Chain(NamedTuple):
    """How an array was made.

    - `kinds`: `"sum"` or `"product"`; both where elements of several arrays were brought together.
    - `leaves`: the terms or factors, and which are subtracted or divide; `None` if there are many, or if one
      is rounded.
    - `total`: a bound on the sum of the absolute values of the terms.
    - `moved`: whether elements of the leaves are elsewhere by now.
    - `step`: a power of two of which many terms, that are not kept, are multiples; 0 if none is known.
    """

    kinds: frozenset[str]
    leaves: tuple[Leaf, ...] | None
    total: float
    moved: bool = False
    step: float = 0.0

    def is_exact(self, kind: str, limits: Any) -> bool:
        """Whether no order of adding up or multiplying rounds anything, or leaves the range of numbers."""
        if self.leaves is not None:
            return _is_exact(kind, self.leaves, limits)
        return 0 < float(limits.eps) * self.total <= self.step

    @property
    def common_step(self) -> float:
        """A power of two of which all terms are multiples; 0 if none is, or if there are factors."""
        if self.kinds != {"sum"}:
            return 0.0
        return self.step if self.leaves is None else common_step([one for one, _ in self.leaves])


_ROUNDS: Final = "convert_element_type"
_KINDS: Final = (
    dict.fromkeys(SUMS, "sum")
    | dict.fromkeys((*PRODUCTS, "sqrt"), "product")
    | {_ROUNDS: "product"}
)
_PASSING: Final = (
    *("bitcast_convert_type", "clamp", "complex", "conj", "imag", "max", "min", "real"),
    *("reduce_precision", "stop_gradient"),
)
"""What may be an identity, or a part of one, though it neither moves elements nor is linear."""
_REPLACING: Final = ("scatter", "scatter-max", "scatter-min")
_INVERTS: Final = ("sub", DIVIDES)
_MOST_LEAVES: Final = 8
"""So many are kept, and with them their arrays."""
_HIGHEST_POWER: Final = 4


def chain_of(
    eqn: Any,
    operands: Sequence[np.ndarray],
    chains: Sequence[Chain | None],
    results: Sequence[Any],
) -> Chain | None:
    """That of the results of an equation.

    **Arguments:** `eqn`: `None` for what moves elements without an equation.
    """
    kind = _kind_of(eqn)
    if kind is None:
        chain = _joined(chains) if _passes(eqn) else None
        return chain if chain is None or _keeps_elements(eqn) else _summed(chain, operands, results)
    if eqn.params.get("y") == 1:  # the first power
        return _joined(chains)
    dropped = _are_dropped(eqn, kind, operands)
    left = [one for one, drop in zip(chains, dropped, strict=True) if one is not None and not drop]
    found = [one for one, drop in zip(chains, dropped, strict=True) if one is not None and drop]
    if any(dropped) and not any(kind in one.kinds for one in found):
        return _joined(left)
    # What is brought together before it is known to be dropped may be brought together with more.
    chain = _brought_together(eqn, kind, operands, chains)
    others = [one for one in left if any(dropped) and one.kinds != {kind}]
    return _joined([chain, *others]) if others else chain


def _brought_together(
    eqn: Any, kind: str, operands: Sequence[np.ndarray], chains: Sequence[Chain | None]
) -> Chain:
    parts = [
        one
        if one is not None and kind in one.kinds
        else Chain(frozenset((kind,)), ((array, False),), _largest(array))
        for array, one in zip(operands, chains, strict=True)
    ]
    leaves, name = [one.leaves for one in parts], eqn.primitive.name
    if name in _INVERTS and leaves[1] is not None:
        leaves[1] = tuple((array, not inverted) for array, inverted in leaves[1])
    elif name in ("square", "integer_pow"):
        power = eqn.params.get("y", 2)
        leaves = leaves * power if 0 < power <= _HIGHEST_POWER else [None]
    elif name == "sqrt":
        leaves = [None]
    return _chain(frozenset((kind,)), parts, leaves, any(one.moved for one in parts))


def merging_error(
    eqn: Any, chains: Sequence[Chain | None], chain: Chain | None, result: np.ndarray
) -> np.ndarray | None:
    """The size of the rounding errors by another order, in the unit of `roundoff`; `None` if there are none.

    **Arguments:** `chains`, `chain`: those of the operands and of the result.
    """
    kind = _kind_of(eqn)
    merges = any(one is not None and kind in one.kinds for one in chains)
    if (
        chain is None
        or kind is None
        or not has_derivative(result)
        or not (merges or is_half(result))
    ):
        return None
    limits = jnp.finfo(result.dtype)
    if chain.is_exact(kind, limits):
        return None
    leaves = chain.leaves or ()
    if len(leaves) == _PAIRED and not (chain.moved or is_half(result)):
        errors = [np.abs(one - result) for one in _orders(kind, leaves)]
        size = np.nan_to_num(functools.reduce(np.fmax, errors), posinf=np.inf)
        return size / ROUNDINGS if size.any() else None
    return _error_of_orders(kind, chain, result) / ROUNDINGS


def _error_of_orders(kind: str, chain: Chain, result: np.ndarray) -> np.ndarray:
    size = np.full(result.shape, chain.total) if kind == "sum" else 2 * np.abs(result)
    return size * float(jnp.finfo(result.dtype).eps)


def error_inside(chain: Chain | None, array: Any) -> np.ndarray | None:
    """By how much an array may be other than it is within a loop or a branch that a program inlines.

    **Arguments:** `chain`: that of the array. `None` is returned where no order rounds it.
    """
    if chain is None or not has_derivative(array):
        return None
    array, limits = np.asarray(array), jnp.finfo(array.dtype)
    kinds = (one for one in chain.kinds if not chain.is_exact(one, limits))
    errors = [_error_of_orders(one, chain, array) for one in kinds]
    return functools.reduce(np.maximum, errors) if errors else None


def inlined(results: Sequence[Any]) -> Chain:
    """The chain of results of a loop or a branch that programs may inline: sums or products of anything."""
    return Chain(frozenset(("sum", "product")), None, max(map(_largest, results), default=0.0))


def _orders(kind: str, leaves: Sequence[Leaf]) -> list[np.ndarray]:
    """The sum or product of three leaves, of which any two come first."""
    combine = _added if kind == "sum" else _multiplied
    return [
        value
        for k, last in enumerate(leaves)
        for first in combine(*(one for j, one in enumerate(leaves) if j != k))
        for value, inverted in combine(first, last)
        if not inverted
    ]


def _added(a: Leaf, b: Leaf) -> list[Leaf]:
    if a[1] == b[1]:
        return [(a[0] + b[0], a[1])]
    return [(a[0] - b[0] if b[1] else b[0] - a[0], False)]


def _multiplied(a: Leaf, b: Leaf) -> list[Leaf]:
    if a[1] == b[1]:
        inverse = [((1 / a[0]) * (1 / b[0]), False)] if a[1] else []
        return [(a[0] * b[0], a[1]), *inverse]
    (one, _), (divisor, _) = (a, b) if b[1] else (b, a)
    return [(one / divisor, False), (one * (1 / divisor), False)]


def is_merged(eqns: Sequence[Any]) -> bool:
    """Whether some of the equations may be computed in another order, or without rounding in between."""
    kinds: dict[Any, str] = {}
    for eqn in eqns:
        kind = _kind_of(eqn)
        found = {kinds[one] for one in eqn.invars if not is_literal(one) and one in kinds}
        if kind is not None and (kind in found or is_half(eqn.outvars[0].aval)):
            return True
        if kind is not None:
            kinds[eqn.outvars[0]] = kind
        elif found and _passes(eqn):
            kinds.update(dict.fromkeys(eqn.outvars, found.pop()))
    return False


def kinds_of(eqns: Sequence[Any]) -> set[str]:
    """Which of sums and products there are among some equations."""
    return {kind for eqn in eqns if (kind := _kind_of(eqn)) is not None}


def _kind_of(eqn: Any) -> str | None:
    if eqn is None or eqn.primitive.name not in _KINDS:
        return None
    rounds = is_half if eqn.primitive.name == _ROUNDS else has_derivative
    return _KINDS[eqn.primitive.name] if rounds(eqn.outvars[0].aval) else None


def _passes(eqn: Any) -> bool:
    """Whether elements of the results may be elements of the operands, or their sums, in some program."""
    rule = None if eqn is None else find_rule(eqn.primitive)
    if eqn is None or rule is None or eqn.primitive.name in _PASSING:
        return True
    return rule.moves or rule.is_linear(EquationView(eqn)) or (rule.picks and not rule.in_place)


def _keeps_elements(eqn: Any) -> bool:
    """Whether elements of the results are elements of the operands, perhaps negated, if `_passes` says so."""
    if eqn is None or eqn.primitive.name in (*_PASSING, *_REPLACING):
        return True
    rule = find_rule(eqn.primitive)
    return rule is not None and (rule.moves or rule.picks or rule.in_place)


def _are_dropped(eqn: Any, kind: str, operands: Sequence[np.ndarray]) -> list[bool]:
    """Which operands programs drop: zero everywhere in a sum, one everywhere in a product."""
    neutral = 0 if kind == "sum" else 1
    dropped = [bool(np.all(one == neutral)) and len(operands) > 1 for one in operands]
    return [False, *dropped[1:]] if eqn.primitive.name in _INVERTS else dropped


def _joined(found: Sequence[Chain | None]) -> Chain | None:
    chains = [one for one in found if one is not None]
    if not chains:
        return None
    kinds = frozenset[str]().union(*(one.kinds for one in chains))
    return _chain(kinds, chains, [one.leaves for one in chains], moved=True)


def _summed(chain: Chain, operands: Sequence[np.ndarray], results: Sequence[Any]) -> Chain:
    """The chain of sums of elements: in another program, of one of them alone or of all."""
    sums = [float(np.abs(one).sum()) for one in map(np.asarray, operands) if has_derivative(one)]
    total = max(chain.total, *sums, *map(_largest, results))
    step = min(chain.common_step, common_step(list(map(np.asarray, results))))
    return Chain(chain.kinds, None, total, moved=True, step=step)


def _chain(
    kinds: frozenset[str],
    parts: Sequence[Chain],
    leaves: Sequence[tuple[Leaf, ...] | None],
    moved: bool,
) -> Chain:
    """The chain of several, with these leaves of theirs."""
    known = [some for some in leaves if some is not None]
    found = tuple(leaf for some in known for leaf in some)
    total = sum(one.total for one in parts)
    if len(known) == len(leaves) and len(found) <= _MOST_LEAVES:
        return Chain(kinds, found, total, moved)
    step = min(one.common_step for one in parts) if kinds == {"sum"} else 0.0
    return Chain(kinds, None, total, moved, step)


def _largest(array: Any) -> float:
    return float(np.abs(np.asarray(array)).max(initial=0)) if has_derivative(array) else np.inf


def _is_exact(kind: str, leaves: Sequence[Leaf], limits: Any) -> bool:
    if kind == "product" and not all(is_power_of_two(one) for one, divides in leaves if divides):
        return False
    arrays = [1 / one if divides and kind == "product" else one for one, divides in leaves]
    steps, largest = [common_step([one]) for one in arrays], [_largest(one) for one in arrays]
    if kind == "sum":
        return bool(min(steps) >= float(limits.eps) * sum(largest))
    in_range = np.prod(np.maximum(largest, 1)) <= float(limits.max)
    in_range = in_range and np.prod(np.minimum(steps, 1)) >= float(limits.tiny)
    return bool(in_range and np.prod(steps) >= float(limits.eps) * np.prod(largest))
