"""How far another program, or another device, may be from the results of one equation by rounding."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from ..._arrays import has_derivative, is_complex
from ..._jaxprs import EquationView, nested_jaxprs, open_jaxpr, rebind
from .._registry import find_rule
from ._digits import common_step, has_digits, is_power_of_two
from ._reassociation import DIVIDES, is_merged, kinds_of, PRODUCTS, ROUNDINGS, SUMS


_Compute = Callable[..., Sequence[Any]]
_EXACT: Final = (
    *("bitcast_convert_type", "complex", "conj", "cummax", "cummin", "imag", "nextafter"),
    *("pmax", "pmin", "maybe_set", "nondifferentiable_backward", "nontraceable", "real"),
    *("select_if_vmap", "stop_gradient"),
)
"""Primitives that pass values on, or round them in one way, though NumPy does not compute them."""
_IN_ANY_ORDER: Final = ("reduce", "reduce_window", "scatter-mul")
"""Primitives that combine elements by an operation of their own, in an order that programs choose."""
_APPROXIMATED: Final = (DIVIDES, "sqrt")
"""Primitives that a CPU rounds correctly. An H200 is up to two roundings away, a power of two apart."""
_ABSOLUTE: Final = ("lgamma", "digamma")
"""Functions with zeros near which they are as exact as near one."""
_IMPRECISE: Final = dict.fromkeys(
    ("igamma", "igammac", "igamma_grad_a", "random_gamma_grad", "regularized_incomplete_beta"), 256
)
"""How many times as far implementations differ: on an H200 by up to 3,700 roundings from a CPU."""
_OF_MATRICES: Final = 8
"""How many times as far implementations of factorizations differ: on an H200 by up to 62 roundings."""
_DIGITS: Final = {"cpu": 24, "gpu": 11}
"""Binary digits of the factors of products of single precision, by the backend; 8 on others, such as TPUs."""


_SHORT: Final = (1, 256)
"""Numbers that are whole after multiplication with one of these are short: few bits follow the point."""


def is_rounded(eqn: Any) -> bool:
    """Whether another program may round the results of an equation otherwise, though not its operands.

    Quotients are dealt with apart, but within a nested jaxpr.
    """
    return _is_rounded_itself(eqn) or may_differ(_within(eqn))


def _is_rounded_itself(eqn: Any) -> bool:
    """As `is_rounded`, but for what is computed within nested jaxprs."""
    rule = find_rule(eqn.primitive)
    if rule is not None and _adds_many(eqn, rule):
        return True
    if nested_jaxprs(eqn):
        return eqn.primitive.name in _IN_ANY_ORDER and any(map(_rounds, _within(eqn)))
    if rule is None or eqn.primitive.name in _EXACT:
        return rule is None
    return not (rule.moves or rule.picks or (rule.in_place and "value" in rule.functions))


def _within(eqn: Any) -> list[Any]:
    return [one for jaxpr in nested_jaxprs(eqn) for one in open_jaxpr(jaxpr).eqns]


def _rounds(eqn: Any) -> bool:
    """Whether an equation computes something, in place of picking or comparing."""
    rule = find_rule(eqn.primitive)
    return rule is None or not (rule.moves or rule.picks)


def may_differ(eqns: Sequence[Any]) -> bool:
    """Whether another program may round what equations compute otherwise, also quotients and fused sums.

    What is computed within nested jaxprs may be merged with what is around them.
    """
    levels = list(_levels(eqns))
    flat = [eqn for level in levels for eqn in level]
    names = {
        eqn.primitive.name for eqn in flat if any(has_derivative(one.aval) for one in eqn.outvars)
    }
    fused = not names.isdisjoint(PRODUCTS) and not names.isdisjoint(SUMS)
    apart = {DIVIDES} if jax.default_backend() == "cpu" else {DIVIDES, *_APPROXIMATED}
    kinds = list(map(kinds_of, levels))
    across = sum(map(len, kinds)) > len(set().union(*kinds))
    return (
        fused
        or across
        or not names.isdisjoint(apart)
        or any(map(is_merged, levels))
        or any(map(_is_rounded_itself, flat))
        or any(eqn.params.get("unroll", 1) > 1 and computes_within(eqn) for eqn in flat)
    )


def _levels(eqns: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The equations of a jaxpr, and those of each jaxpr nested in it."""
    yield eqns
    for eqn in eqns:
        for jaxpr in nested_jaxprs(eqn):
            yield from _levels(open_jaxpr(jaxpr).eqns)


def may_be_otherwise(eqn: Any) -> bool:
    """Whether another program may compute an equation otherwise, beside some others of a larger program."""
    floating = any(has_derivative(one.aval) for one in eqn.outvars)
    return floating and (eqn.primitive.name in (*PRODUCTS, *SUMS, "sqrt") or is_rounded(eqn))


def computes_within(eqn: Any) -> bool:
    """Whether there are such equations within the jaxprs of an equation."""
    return any(may_be_otherwise(one) for level in _levels(_within(eqn)) for one in level)


def errors_within(eqn: Any, operands: Sequence[Any], results: Sequence[Any]) -> list[Any]:
    """The sizes of the rounding errors of an equation that is traced.

    Sums and products of short numbers have none. Those of sums are in proportion to sums of absolute values,
    since nearly everything may cancel.
    """
    name, rule = eqn.primitive.name, find_rule(eqn.primitive)
    unit, sizes = _unit([eqn], results[0].dtype), list(map(abs, results))
    numbers = [one for one in operands if has_derivative(one)]
    if rule is not None and _adds_many(eqn, rule):
        parts = [abs(one) if has_derivative(one) else one for one in operands]
        sizes = [abs(one) for one in rebind(eqn, parts)]
        exact = _are_short(numbers, sizes, len(rule.linear_in) or 1, jnp.all)
    elif name == DIVIDES:
        exact = [not is_complex(operands[1]) and abs(jnp.frexp(operands[1])[0]) == 0.5]
    elif name in SUMS:
        sizes = [sum(map(abs, numbers))]
        exact = _are_short(numbers, sizes, 1)
    elif name in PRODUCTS:
        exact = _are_short(numbers, sizes, eqn.params.get("y", 2))
    else:
        return [ROUNDINGS * unit * one for one in sizes]
    return [jnp.where(a, 0, unit * b) for a, b in zip(exact, sizes, strict=True)]


def _are_short(
    numbers: Sequence[Any],
    sizes: Sequence[Any],
    factors: int,
    together: Callable[[Any], Any] = lambda short: short,
) -> list[Any]:
    """Where numbers have so few digits that no sum of them, or of products of so many, is rounded.

    **Arguments:** `sizes`: sums or products of their absolute values.
    """
    exact: list[Any] = [False] * len(sizes)
    for scale in _SHORT if factors > 0 else ():
        whole = [together(scale * one == jnp.round(scale * one)) for one in numbers]
        limit = 1 / (scale**factors * float(jnp.finfo(sizes[0].dtype).eps))
        are_whole = functools.reduce(jnp.logical_and, whole)
        exact = [a | (are_whole & (b <= limit)) for a, b in zip(exact, sizes, strict=True)]
    return exact


def roundoff(
    eqn: Any,
    compute: _Compute,
    operands: Sequence[np.ndarray],
    results: Sequence[Any],
    by_numpy: bool,
    of_products: bool,
) -> list[np.ndarray | None]:
    """The size of the rounding errors of each result, an array; `None` where all programs agree.

    **Arguments:**

    - `eqn`: `None` for what moves elements without an equation.
    - `compute`: makes the results of other operands.
    - `by_numpy`: whether NumPy computed the results, as a CPU rounds them.
    - `of_products`: whether an operand is a rounded product.
    """
    exact: list[np.ndarray | None] = [None] * len(results)
    if eqn is None:
        return exact
    name, found = eqn.primitive.name, [np.asarray(one) for one in results]
    if by_numpy:
        rounds = name in _APPROXIMATED and jax.default_backend() != "cpu"
        rounds = rounds and not (name == DIVIDES and is_power_of_two(operands[1]))
    else:  # a product of complex numbers is made of products and a sum
        rounds = is_rounded(eqn) or (name in PRODUCTS and found[0].dtype.kind == "c")
    if not rounds or not any(map(has_derivative, (*operands, *found))):
        return exact
    rule = find_rule(eqn.primitive)
    if rule is not None and _adds_many(eqn, rule):
        sizes = _of_sums(eqn, compute, operands, found, of_products)
    else:
        sizes = [_size(eqn, operands, one) * _unit([eqn], one.dtype) for one in found]
    return [size if has_derivative(one) else None for size, one in zip(sizes, found, strict=True)]


def _size(eqn: Any, operands: Sequence[np.ndarray], result: np.ndarray) -> Any:
    """What errors are in proportion to: in factorizations, to the largest element."""
    name, rule = eqn.primitive.name, find_rule(eqn.primitive)
    size = np.abs(result) * _IMPRECISE.get(name, 1)
    if name in _ABSOLUTE:
        return np.maximum(size, 1)
    if name in _IN_ANY_ORDER:
        largest = [np.abs(one).max(initial=0) for one in operands if has_derivative(one)]
        return np.maximum(size, max(largest, default=0))
    if rule is None or rule.in_place or nested_jaxprs(eqn):
        return size
    return np.where(size > 0, _OF_MATRICES * size.max(initial=0), size)


def _unit(eqns: Sequence[Any], dtype: Any) -> float:
    """One rounding of results, or of products with fewer digits, if there are any among the equations."""
    if not jnp.issubdtype(dtype, jnp.inexact):
        return 0.0
    found = [digits for eqn in eqns if (digits := _digits(eqn, dtype)) is not None]
    return max([float(jnp.finfo(dtype).eps), *(2.0**-digits / ROUNDINGS for digits in found)])


def _adds_many(eqn: Any, rule: Any) -> bool:
    """Whether results are sums of elements, or of products of elements, of the operands."""
    linear = rule.is_linear(EquationView(eqn)) or len(rule.linear_in) > 1
    return linear and not (rule.moves or rule.in_place) and eqn.primitive.name != "scatter"


def _of_sums(
    eqn: Any,
    compute: _Compute,
    operands: Sequence[np.ndarray],
    results: Sequence[np.ndarray],
    of_products: bool,
) -> list[Any]:
    """Errors in proportion to sums of absolute values, since nearly everything may cancel.

    They grow with the root of the number of terms, as in a random walk. Sums of two terms are rounded once,
    but for products. Sums are exact where their terms are multiples of one number, and small enough.
    """
    rule: Any = find_rule(eqn.primitive)
    factors = len(rule.linear_in) or 1
    digits = _digits(eqn, results[0].dtype)
    steering = rule.steered_by(EquationView(eqn))
    numbers = [k for k, one in enumerate(operands) if k not in steering and has_derivative(one)]
    first = -1 if eqn.primitive.name == "scatter-sub" else 1

    def of_sizes(size: Callable[[np.ndarray], np.ndarray]) -> Sequence[Any]:
        sizes = {k: np.asarray(size(operands[k])).astype(operands[k].dtype) for k in numbers}
        for k in numbers[:1]:
            sizes[k] = first * sizes[k]
        return compute(*(sizes.get(k, one) for k, one in enumerate(operands)))

    totals, terms = of_sizes(np.abs), of_sizes(lambda one: one != 0)
    sizes = []
    for total, count, result in zip(totals, terms, results, strict=True):
        total, count = np.abs(np.asarray(total)), np.abs(np.asarray(count))
        eps = float(jnp.finfo(result.dtype).eps)
        size = np.zeros_like(total)
        if common_step(operands, factors) < eps * total.max(initial=0):
            once = 2 if factors == 1 and not of_products else 1
            size = np.where(count > once, total * np.sqrt(count), 0) * (eps / ROUNDINGS)
        if digits is not None and not all(has_digits(one, digits) for one in operands):
            size = np.maximum(size, total * 2.0 ** (1 - digits) / ROUNDINGS)
        sizes.append(size)
    return sizes


def _digits(eqn: Any, dtype: Any) -> int | None:
    """The digits that factors of products in an equation, or within it, are rounded to; `None` for all."""
    if inner := _within(eqn):
        return next((found for one in inner if (found := _digits(one, dtype)) is not None), None)
    precision = eqn.params.get("precision", jax.lax.Precision.HIGHEST)
    pair = precision if isinstance(precision, tuple) else (precision,)
    is_full = all(one is jax.lax.Precision.HIGHEST for one in pair)
    single = np.dtype(dtype) in (np.float32, np.complex64)
    digits = _DIGITS.get(jax.default_backend(), 8)
    return digits if single and not is_full and digits < 24 else None


def drawing(primitive: str, operands: Sequence[np.ndarray]) -> Callable[[Any], np.ndarray]:
    """Draws by how many roundings the elements of an array differ.

    The same for the same operands, such as for an equation that stands twice. Otherwise not, or a difference
    of equal numbers would be zero in all programs.
    """
    seed = functools.reduce(
        lambda crc, one: zlib.crc32(one.tobytes(), crc), operands, zlib.crc32(primitive.encode())
    )
    rng = np.random.default_rng(seed)
    return lambda size: size * rng.uniform(ROUNDINGS, 4 * ROUNDINGS, np.shape(size))


def shifted(array: Any, errors: Any) -> Any:
    """An array, whose elements differ by errors; both parts of a complex number do."""
    return (array + (1 + 1j if is_complex(array) else 1) * errors).astype(array.dtype)
