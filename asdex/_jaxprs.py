"""Helpers for jaxprs: their equations, nested jaxprs, literals and source lines."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer
from jax.extend import source_info_util
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ._arrays import on_device
from ._versions import binder, CALL_PRIMITIVES, discharged, UNPREDICTABLE_PRIMITIVES


# An equation that asdex makes stems from the line that called asdex.
source_info_util.register_exclusion(str(Path(__file__).parent) + os.sep)


def open_jaxpr(jaxpr: Any) -> Any:
    """The `Jaxpr` inside a `ClosedJaxpr`, which are one class since jax 0.11."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def jaxpr_consts(jaxpr: Any) -> Sequence[Any]:
    """The values of a jaxpr's constant variables."""
    return getattr(jaxpr, "consts", ())


_JAXPRS = ClosedJaxpr, Jaxpr


def is_jaxpr(value: Any) -> bool:
    return isinstance(value, _JAXPRS)


def nested_jaxprs(eqn: Any) -> list[Any]:
    """The jaxprs in the parameters of an equation."""
    values = [
        one
        for value in eqn.params.values()
        for one in (value if isinstance(value, tuple | list) else (value,))
    ]
    return [value for value in values if is_jaxpr(value)]


def primitive_names(jaxpr: Any) -> set[str]:
    """The names of all primitives in a jaxpr and in those nested in it."""
    names = {eqn.primitive.name for eqn in open_jaxpr(jaxpr).eqns}
    inner = [primitive_names(one) for eqn in open_jaxpr(jaxpr).eqns for one in nested_jaxprs(eqn)]
    return names.union(*inner)


def is_literal(atom: Any) -> bool:
    return isinstance(atom, Literal)


def literal_value(atom: Any) -> np.ndarray:
    """The value of a literal, which may be a scalar or a typed array."""
    return np.asarray(atom.val, dtype=atom.aval.dtype)


def call_jaxpr(eqn: Any) -> Any | None:
    """The jaxpr that a call equation evaluates, or `None` if the equation is not a plain call."""
    if eqn.primitive.name not in CALL_PRIMITIVES:
        return None
    found = [value for value in eqn.params.values() if is_jaxpr(value)]
    if len(found) != 1:
        return None
    inner = open_jaxpr(found[0])
    same_arity = len(inner.invars) == len(eqn.invars) and len(inner.outvars) == len(eqn.outvars)
    return found[0] if same_arity else None


def custom_jaxpr(eqn: Any) -> Any | None:
    """The jaxpr of a function with a derivative rule of its own; `None` for other equations.

    Its name in the parameters depends on the version of jax.
    """
    if not eqn.primitive.name.startswith(("custom_jvp_call", "custom_vjp_call")):
        return None
    return eqn.params.get("call_jaxpr", eqn.params.get("fun_jaxpr"))


def inlined_jaxpr(eqn: Any) -> Any | None:
    """The jaxpr of a call of `jax.jit` that may as well be a part of the program around it; else `None`."""
    if eqn.primitive.name not in ("jit", "pjit"):
        return None
    shardings = (*eqn.params.get("in_shardings", ()), *eqn.params.get("out_shardings", ()))
    if any(type(one).__name__ != "UnspecifiedValue" for one in shardings):
        return None
    return None if eqn.params.get("compiler_options_kvs") else call_jaxpr(eqn)


def scan_arity(eqn: Any) -> tuple[int, int]:
    """The number of constants and of carried values of a `scan`: an `Equation`, or one of a jaxpr.

    Scanned operands and results have one dimension more outside the body than inside; this holds in every
    version, while the parameters that hold the numbers changed in jax 0.11.
    """
    body = open_jaxpr(eqn.params["jaxpr"])
    carried = _same_ranks(_out_avals(eqn), body.outvars)
    return _same_ranks(_in_avals(eqn), body.invars) - carried, carried


def _in_avals(eqn: Any) -> Sequence[Any]:
    return [v.aval for v in eqn.invars] if hasattr(eqn, "invars") else eqn.in_avals


def _out_avals(eqn: Any) -> Sequence[Any]:
    return [v.aval for v in eqn.outvars] if hasattr(eqn, "outvars") else eqn.out_avals


def _same_ranks(outside: Sequence[Any], inside: Sequence[Any]) -> int:
    pairs = zip(outside, inside, strict=True)
    return sum(len(out.shape) == len(variable.aval.shape) for out, variable in pairs)


def is_predictable(eqn: Any) -> bool:
    """Whether an equation gives the same results wherever and whenever it is evaluated."""
    if eqn.effects or eqn.primitive.name in UNPREDICTABLE_PRIMITIVES:
        return False
    if any(_is_hardware_key(atom.aval) for atom in (*eqn.invars, *eqn.outvars)):
        return False
    return all(
        is_predictable(one) and not may_collide(one)
        for inner in nested_jaxprs(eqn)
        for one in open_jaxpr(inner).eqns
    )


def may_collide(eqn: Any) -> bool:
    """Whether several updates may overwrite one element, of which any may stay."""
    if eqn.primitive.name != "scatter" or eqn.params.get("unique_indices"):
        return False
    return math.prod(eqn.invars[1].aval.shape[:-1]) > 1


def _is_hardware_key(aval: Any) -> bool:
    """Whether the type is that of keys of a random number generator which each platform has its own of."""
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and not isinstance(dtype, np.dtype) and "rbg" in str(dtype)


def without_references(jaxpr: Any) -> Any:
    """The same closed jaxpr with the contents of mutable references (`jax.new_ref`) as ordinary values.

    **Raises:**

    `NotImplementedError` if JAX cannot rewrite it so.
    """
    if not _has_references(jaxpr):
        return jaxpr
    pure = discharged(jaxpr)
    if _has_references(pure):
        raise NotImplementedError("a reference is created outside of the function")
    return pure


def _has_references(jaxpr: Any) -> bool:
    return any(map(has_reference, open_jaxpr(jaxpr).eqns))


def has_reference(eqn: Any) -> bool:
    """Whether an equation reads or writes a reference, or creates one in a nested jaxpr."""
    atoms = (*eqn.invars, *eqn.outvars)
    return any(hasattr(atom.aval, "inner_aval") for atom in atoms) or any(
        type(effect).__name__ == "InternalMutableArrayEffect" for effect in eqn.effects
    )


@contextmanager
def settings_of(eqn: Any) -> Iterator[None]:
    """The settings that an equation was traced with, its name scope and the user's line."""
    names = source_info_util.current_name_stack() + eqn.source_info.name_stack
    context = source_info_util.user_context(eqn.source_info.traceback, name_stack=names)
    with context, eqn.ctx.manager:
        yield


def rebind(eqn: Any, operands: Sequence[Any]) -> Sequence[Any]:
    """The results of an equation on other operands, under the settings that it was traced with.

    A derivative rule of the user's gets arrays of JAX's, as where it is traced: it may read them at an index
    that is.
    """
    if custom_jaxpr(eqn) is not None:
        operands = [on_device(one) if np.ndim(one) else one for one in operands]
    with settings_of(eqn):
        results = binder(eqn.primitive, eqn.params)(*operands)
    return results if eqn.primitive.multiple_results else (results,)


def evaluated(
    jaxpr: Any,
    consts: Sequence[Any],
    operands: Sequence[Any],
    evaluate: Callable[..., Sequence[Any]] = rebind,
    wanted: Sequence[Any] | None = None,
) -> list[Any]:
    """The results of a jaxpr, or the `wanted` atoms alone, on values of its constant variables and inputs."""
    eqns = jaxpr.eqns if wanted is None else [eqn for eqn, *_ in steps_to(jaxpr.eqns, wanted)]
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *operands), strict=True))

    def read(atom: Any) -> Any:
        return literal_value(atom) if is_literal(atom) else values[atom]

    for eqn in eqns:
        values.update(zip(eqn.outvars, evaluate(eqn, list(map(read, eqn.invars))), strict=True))
    return list(map(read, jaxpr.outvars if wanted is None else wanted))


def is_staged() -> bool:
    """Whether operations become a part of a program that is traced, rather than being done now."""
    # Placed rather than computed, which would compile something where it is done now.
    return isinstance(jax.device_put(np.float32(0)), Tracer)


def source_line(eqn: Any) -> str:
    """Where the user's code made the equation: `file:line (function)`."""
    return str(source_info_util.summarize(eqn.source_info))


def source_position(source: str) -> tuple[str, int]:
    """The file and the line number in what `source_line` returns, for warnings that point there."""
    found = re.match(r"(.+?):(\d+)", source)
    return (found[1], int(found[2])) if found else (source, 0)


class EquationView:
    """An equation of a jaxpr, without what is known of its operands."""

    def __init__(self, eqn: Any):
        self._eqn = eqn

    @property
    def primitive(self) -> Any:
        return self._eqn.primitive

    @property
    def name(self) -> str:
        return self._eqn.primitive.name

    @property
    def params(self) -> dict[str, Any]:
        """The equation's parameters."""
        return self._eqn.params

    @property
    def in_avals(self) -> list[Any]:
        """Shapes and dtypes of the operands."""
        return [atom.aval for atom in self._eqn.invars]

    @property
    def repeats_operand(self) -> bool:
        """Whether one variable is both the first and the second operand, as in `x != x`."""
        first, second, *_ = self._eqn.invars
        return first is second

    @property
    def out_avals(self) -> list[Any]:
        """Shapes and dtypes of the results."""
        return [variable.aval for variable in self._eqn.outvars]


class _Step(NamedTuple):
    """An equation, which of its results are used, and the variables that nothing reads after it."""

    eqn: Any
    needed: list[bool]
    dying: list[Any]


def live_steps(jaxpr: Any, wanted: Sequence[bool]) -> Iterator[_Step]:
    """The equations that the wanted results need, in order: dead code is never evaluated."""
    return steps_to(jaxpr.eqns, compress(jaxpr.outvars, wanted))


def steps_to(eqns: Sequence[Any], atoms: Iterable[Any]) -> Iterator[_Step]:
    """Those of some equations that are needed to compute `atoms`, in order."""
    live = {atom for atom in atoms if not is_literal(atom)}
    steps: list[_Step] = []
    for eqn in reversed(eqns):
        needed = [variable in live for variable in eqn.outvars]
        if not any(needed):
            continue
        read = {atom for atom in eqn.invars if not is_literal(atom)}
        dying = [*(read - live), *(v for v in eqn.outvars if v not in live)]
        live |= read
        steps.append(_Step(eqn, needed, dying))
    return reversed(steps)
