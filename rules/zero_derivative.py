"""Primitives whose derivative is zero wherever it exists."""

from typing import Any

import numpy as np

from asdex import Dependence, Equation, register, zero_derivative


zero_derivative(
    # comparisons, predicates and logic
    *("eq", "ne", "lt", "le", "gt", "ge", "eq_to", "lt_to", "le_to", "is_finite"),
    *("and", "or", "xor", "not", "reduce_and", "reduce_or", "reduce_xor"),
    *("shift_left", "shift_right_arithmetic", "shift_right_logical", "population_count", "clz"),
    # piecewise constant
    *("floor", "ceil", "round"),
    # integers out
    *("argmax", "argmin", "iota", "bitcast_convert_type"),
    # random numbers: a function of keys, which are integers
    *("random_bits", "random_seed", "random_split", "random_fold_in", "random_wrap"),
    *("random_unwrap", "random_clone", "threefry2x32", "rng_bit_generator", "rng_uniform"),
)


@register("sign")
def sign(eqn: Equation, operand: Dependence) -> Any:
    """`-1`, `0` or `1`. For complex numbers `z / abs(z)`, which JAX differentiates since version 0.12."""
    if np.issubdtype(eqn.in_avals[0].dtype, np.complexfloating):
        return NotImplemented
    return Dependence.none(operand.shape)
