"""Functions with derivative rules of their own: what counts is the rule, not the function."""

from collections.abc import Sequence

import numpy as np

from asdex import Dependence, Equation, register, Value
from asdex.detection import custom_jaxpr, everywhere, Facts, nowhere, same_places, support_of

from .equinox_internal import is_checkpointed_loop


@register("stop_gradient", zero_at_zero=True)
def stop_gradient(eqn: Equation, operand: Dependence) -> Dependence:
    """Returns its operand, and has a zero derivative."""
    return operand if eqn.of_tangents else Dependence.none(operand.shape)


stop_gradient.changes(same_places)


@register("custom_jvp_call")
def custom_jvp_call(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """Follows the function's JVP rule: a straight-through `round` has a diagonal.

    Results that depend on nothing, such as a loop counter that is only passed through, stay known.
    """
    if eqn.of_tangents or all(operand.is_none for operand in operands):
        return eqn.interpret(custom_jaxpr(eqn), eqn.operands, eqn.needed)
    results = eqn.derive_forward()
    constant = [
        result.is_none and needed for result, needed in zip(results, eqn.needed, strict=True)
    ]
    if not any(constant):
        return results
    primals = eqn.interpret(custom_jaxpr(eqn), eqn.primals(), constant)
    return [
        primal._replace(dependence=None) if use else result
        for result, primal, use in zip(results, primals, constant, strict=True)
    ]


@register("custom_vjp_call", "custom_vjp_call_jaxpr")
def custom_vjp_call(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """Follows the function's VJP rule, transposed. JAX has no forward mode for such functions."""
    function = custom_jaxpr(eqn)
    if eqn.of_tangents or all(operand.is_none for operand in operands):
        return eqn.interpret(function, eqn.operands, eqn.needed)
    eqn.forbid("fwd")
    if is_checkpointed_loop(function):
        with eqn.allowing("rev"):
            return eqn.interpret(function, eqn.operands, eqn.needed)
    return eqn.derive_reverse()


@custom_jvp_call.zeros
@custom_vjp_call.zeros
def zeros_of_a_function(eqn: Facts, *masks: np.ndarray) -> list[np.ndarray]:
    """What the function itself makes zero at a point. Its derivative rule may return other values."""
    del masks
    equation = eqn.equation()
    if not equation.at_point:
        return [everywhere(aval.shape) for aval in eqn.out_avals]
    results = equation.interpret(custom_jaxpr(equation), equation.operands)
    return [support_of(value, aval) for value, aval in zip(results, eqn.out_avals, strict=True)]


@custom_jvp_call.undecided
@custom_vjp_call.undecided
def undecided_within(eqn: Equation, *undecided: np.ndarray) -> list[np.ndarray]:
    """What the function itself leaves undecided."""
    del undecided
    results = eqn.interpret(custom_jaxpr(eqn), eqn.primals())
    return [
        nowhere(aval.shape) if one.undecided is None else one.undecided
        for one, aval in zip(results, eqn.out_avals, strict=True)
    ]
