"""Functions with derivative rules of their own: what counts is the rule, not the function."""

from collections.abc import Sequence

from asdex import Dependence, Equation, register, Value

from .equinox_internal import checkpointed_loop


@register("custom_jvp_call")
def custom_jvp_call(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """Follows the function's JVP rule: a straight-through `round` has a diagonal.

    Results that depend on nothing, such as a loop counter that is only passed through, stay known.
    """
    del operands
    results = eqn.derive_forward()
    constant = [
        result.is_none and needed for result, needed in zip(results, eqn.needed, strict=True)
    ]
    if not any(constant):
        return results
    operands_alone = [value._replace(dependence=None) for value in eqn.operands]
    primals = eqn.interpret(eqn.params["call_jaxpr"], operands_alone, constant)
    return [
        Value(None, primal.known, primal.bounds) if use else result
        for result, primal, use in zip(results, primals, constant, strict=True)
    ]


@register("custom_vjp_call", "custom_vjp_call_jaxpr")
def custom_vjp_call(eqn: Equation, *operands: Dependence) -> Sequence[Value | Dependence]:
    """Follows the function's VJP rule, transposed. JAX has no forward mode for such functions."""
    del operands
    eqn.forbid("fwd")
    loop = checkpointed_loop(eqn)
    if loop is not None:
        with eqn.allowing("rev"):
            return eqn.interpret(loop, eqn.operands, eqn.needed)
    return eqn.derive_reverse()
