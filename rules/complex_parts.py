"""Complex numbers whose real and imaginary parts depend on different inputs: `(x + 1j * y).real` on `x`."""

from typing import Any

import numpy as np

from asdex import Dependence, Equation
from asdex.detection import keep_parts, Parts, register_parts


keep_parts(
    # linear, with real coefficients
    *("neg", "add", "add_any", "sub", "reduce_sum", "cumsum", "copy", "select_n"),
    # data movement
    *("reshape", "squeeze", "broadcast_in_dim", "transpose", "rev", "slice", "pad", "concatenate"),
    *("split", "stack", "unstack", "tile", "gather", "scatter", "scatter-add", "dynamic_slice"),
    "dynamic_update_slice",
)


@register_parts("complex")
def complex_(eqn: Equation, real: Parts, imag: Parts) -> Parts:
    """`real + 1j * imag`."""
    del eqn
    return Parts(real.real, imag.real)


@register_parts("real", "conj", "convert_element_type")
def same(eqn: Equation, z: Parts) -> Parts:
    """Both parts stay apart, if both are left."""
    del eqn
    return z


@register_parts("imag")
def imag(eqn: Equation, z: Parts) -> Parts:
    """The result is real, and depends on the imaginary part."""
    del eqn
    return Parts(z.imag, Dependence.none(z.imag.shape))


@register_parts("mul", "div")
def scale(eqn: Equation, z: Parts, w: Parts) -> Any:
    """A known factor with a real part joins each part to itself, one with an imaginary part to the other."""
    index = 0 if eqn.name == "mul" and eqn.known(1) is None else 1
    factor = eqn.known(index)
    if factor is None:
        return NotImplemented
    other = (w, z)[index]
    real, imag = (one.broadcast_to(eqn.out_avals[0].shape) for one in other)
    straight, crossed = np.real(factor) != 0, np.imag(factor) != 0
    return Parts(real.keep(straight) | imag.keep(crossed), imag.keep(straight) | real.keep(crossed))
