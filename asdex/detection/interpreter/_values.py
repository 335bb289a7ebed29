"""What detection says of values, and not of derivatives: which elements change, and what is sure about them.

The derivative of `abs(x)` is `sign(x)`, which does not depend on `x` as far as derivatives go, and yet
changes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._jaxprs import open_jaxpr
from .._registry import load_plugins
from ..dependence import as_mask, Mask, Range
from ..facts import bounds_of, Facts, support_of
from ._changes import changing
from ._interpreter import Interpreter
from ._value import Value


def changing_elements(jaxpr: Any, *, captured: str = "constant") -> list[Mask]:
    """Which elements of the results of a closed jaxpr may change when its inputs do.

    **Arguments:**

    - `captured`: `"unknown"` lets captured floating-point arrays change too, `"constant"` does not.
    """
    load_plugins()
    inner = open_jaxpr(jaxpr)
    inputs = [changing(variable.aval) for variable in inner.invars]
    results = Interpreter(captured=captured, of_changes=True).run(jaxpr, inputs)
    pairs = zip(results, inner.outvars, strict=True)
    return [as_mask(one.as_dependence(variable.aval)) for one, variable in pairs]


def claimed_facts(jaxpr: Any, masks: Sequence[Mask]) -> list[tuple[Mask, Range]]:
    """Where the results of a closed jaxpr may be nonzero, and bounds on them.

    **Arguments:**

    - `masks`: for each input, which of its elements may be nonzero.
    """
    load_plugins()
    inner = open_jaxpr(jaxpr)
    values = [
        Value(None, None, Facts.of_support(mask, variable.aval))
        for mask, variable in zip(masks, inner.invars, strict=True)
    ]
    results = Interpreter().run(jaxpr, values)
    pairs = [(one, v.aval) for one, v in zip(results, inner.outvars, strict=True)]
    return [(support_of(*pair), bounds_of(*pair)) for pair in pairs]
