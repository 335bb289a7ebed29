"""Detection at points: the values of a function's inputs at each, and what its results depend on at any."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from .._arguments import enumeration
from .._arrays import is_key
from .._jaxprs import open_jaxpr
from ._traced_function import Traced
from .interpreter import Value
from .known import Known


def at_point(traced: Traced, operands: list[Value], values: Sequence[Any]) -> list[Value]:
    """The same operands with these values, one array per input of the jaxpr.

    **Raises:** `TypeError` for something without a value, `ValueError` for other shapes than the samples'.
    """
    avals = [variable.aval for variable in open_jaxpr(traced.jaxpr).invars]
    got = [tuple(np.shape(one)) for one in values]
    if got != [aval.shape for aval in avals]:
        raise ValueError(
            "Expected a point with arrays like the samples, of shapes "
            f"{enumeration(str(a.shape) for a in avals)}, got shapes {enumeration(map(str, got))}. Pass a "
            "tuple of all positional arguments for each point."
        )
    for value in values:
        if isinstance(value, jax.ShapeDtypeStruct | Tracer):
            raise TypeError(
                f"Expected arrays with values for a local pattern, got {type(value).__name__} of shape "
                f"{value.shape}. Pass arrays, outside of jax.jit, or detect the pattern for all values: "
                "local=False."
            )
    placed = []
    for operand, one, aval in zip(operands, values, avals, strict=True):
        known = Known.of(one if is_key(one) else np.asarray(one, aval.dtype))
        known.of_point = operand.dependence is not None
        placed.append(operand._replace(known=known))
    return placed


def united(points: Sequence[list[Value]]) -> list[Value]:
    """The results at several points: each depends on what it depends on at any of them."""
    if len(points) == 1:
        return points[0]
    dependences = [
        [one.dependence for one in results if one.dependence is not None]
        for results in zip(*points, strict=True)
    ]
    return [Value(reduce(or_, some) if some else None, None) for some in dependences]
