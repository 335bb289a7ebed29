"""Calls that carry the called function as a jaxpr, along with something that detection need not know."""

from collections.abc import Sequence

from asdex import Dependence, Equation, register, Value
from asdex.detection import is_jaxpr


@register("composite", "linear_call", "custom_partitioning", "remat_opt", "custom_dce_call")
@register("compute_on", "xla_metadata_call", "scheduling_group", "fused_call")
def call(eqn: Equation, *operands: Dependence) -> Sequence[Value]:
    """Evaluates its one jaxpr: a composite operation, a linear function that knows its transpose, ..."""
    del operands
    (body,) = (value for value in eqn.params.values() if is_jaxpr(value))
    return eqn.interpret(body, eqn.operands, eqn.needed)


call.changes(call.dependence)
