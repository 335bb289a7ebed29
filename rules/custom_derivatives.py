"""Functions with derivative rules of their own: what counts is the rule, not the function."""

from collections.abc import Sequence

from asdex import Dependence, Equation, register, Value

from .equinox_internal import checkpointed_loop


@register("custom_jvp_call")
def custom_jvp_call(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Follows the function's JVP rule: a straight-through `round` has a diagonal."""
    del operands
    return eqn.derive_forward()


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
