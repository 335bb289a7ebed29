"""Primitives that return their operands unchanged, with a hint to the compiler or the runtime."""

from asdex import Dependence, Equation, register


@register(
    *("optimization_barrier", "device_put", "name", "sharding_constraint", "layout_constraint"),
    *("reshard", "mesh_cast", "pvary", "relayout", "dll_constraint", "xla_metadata_value"),
    *("nontraceable", "nonbatchable"),  # Equinox's
    moves=True,
)
def identity(eqn: Equation, *operands: Dependence) -> list[Dependence]:
    """Result `k` is operand `k`."""
    del eqn
    return list(operands)
