"""Which elements of a value can differ from one call of a function to the next.

Unlike in a sparsity pattern, what counts is the value and not its derivative: `abs(x)` has the derivative
`sign(x)`, which does not depend on `x` as far as derivatives go, and yet changes with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._jaxprs import open_jaxpr
from ._interpreter import Interpreter
from ._masks import as_dependence, as_mask, everywhere, Mask
from ._registry import load_plugins
from ._value import Value


def changing_elements(jaxpr: Any, *, captured: str = "constant") -> list[Mask]:
    """Which elements of the results of a closed jaxpr may change when its inputs do.

    **Arguments:**

    - `captured`: `"unknown"` lets captured floating-point arrays change too, `"constant"` does not.
    """
    load_plugins()
    inner = open_jaxpr(jaxpr)
    shapes = [getattr(variable.aval, "shape", ()) for variable in inner.invars]
    inputs = [Value(as_dependence(everywhere(shape)), None) for shape in shapes]
    results = Interpreter(captured=captured, of_changes=True).run(jaxpr, inputs)
    return [
        np.zeros(variable.aval.shape, np.bool_)
        if one.dependence is None
        else as_mask(one.dependence)
        for one, variable in zip(results, inner.outvars, strict=True)
    ]
