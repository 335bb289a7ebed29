"""Equinox's internal primitives, from which its loops, `diffrax`, `optimistix` and `lineax` are built."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from asdex import Dependence, Equation, register, registered_rules, Value, zero_derivative
from asdex.detection import everywhere


zero_derivative("unvmap_all", "unvmap_any", "unvmap_max")


@register("nondifferentiable_backward")
def nondifferentiable_backward(eqn: Equation, operand: Dependence) -> Dependence:
    """Returns its operand, which must not be differentiated in reverse."""
    eqn.forbid("rev")
    return operand


@register("select_if_vmap")
def select_if_vmap(
    eqn: Equation, predicate: Dependence, x: Dependence, y: Dependence
) -> Dependence:
    """Returns `x`. Under `vmap` over the predicate it is a `select_n` of `x` and `y` instead."""
    del eqn, predicate, y
    return x


@register("maybe_set")
def maybe_set(eqn: Equation, *operands: Dependence) -> list[Value]:
    """`x.at[i].set(value)`, if the predicate holds: only the elements at `i` read the value."""
    del operands
    return eqn.expand(implementation(eqn), key=())


@register("vprim")
def vprim(eqn: Equation, *operands: Dependence) -> Any:
    """A batch of calls of the primitive `prim`, whose own rule sees the batch."""
    primitive, _, _ = innermost(eqn)
    rule = registered_rules().get(primitive.name)
    return NotImplemented if rule is None else rule(eqn, *operands)


@vprim.undecided
def undecided_in_a_batch(eqn: Equation, *undecided: np.ndarray) -> Any:
    """As the primitive's own rule says; all, where it does not."""
    rule = registered_rules().get(innermost(eqn)[0].name)
    decide = None if rule is None else rule.functions.get("undecided")
    if decide is None:
        return [everywhere(aval.shape) for aval in eqn.out_avals]
    return decide(eqn, *undecided)


class Batch(NamedTuple):
    """One `vmap` of a primitive; its results are batched in front."""

    size: int
    name: Any
    axes: tuple[int | None, ...]

    def of(self, function: Callable[..., Any], further: Sequence[int]) -> Callable[..., Any]:
        """`function` under this `vmap`, where further arguments have the batch axes `further`."""
        return jax.vmap(
            function, in_axes=(*self.axes, *further), axis_size=self.size, axis_name=self.name
        )


def innermost(eqn: Equation) -> tuple[Any, dict[str, Any], list[Batch]]:
    """The primitive inside of nested `vprim`s, its parameters, and the batches, outermost first."""
    primitive, params, batches = eqn.primitive, eqn.params, []
    while primitive.name == "vprim":
        batches.append(Batch(params["__axis_size"], params["__axis_name"], params["__batch_axes"]))
        primitive, params = params["prim"], dict(params["params"])
    return primitive, params, batches


@register("noinline")
def noinline(eqn: Equation, index: Dependence, *operands: Dependence) -> Any:
    """Calls the function with a given number in a table, which is not compiled into the program.

    The function can be followed if its number is known.
    """
    del index, operands
    number = eqn.known(0)
    if number is None:
        return NotImplemented
    call = implementation(eqn)
    return eqn.expand(lambda _, *rest: call(number, *rest))


def implementation(eqn: Equation) -> Callable[..., Any]:
    """The primitive's Python implementation, a function of the operands."""
    return partial(eqn.primitive.impl, **eqn.params)


def is_checkpointed_loop(jaxpr: Any) -> bool:
    """Whether a function with a custom VJP is a loop of Equinox with checkpoints.

    The VJP rule of `equinox.internal.while_loop(kind="checkpointed")` is that of the loop itself, with some
    steps computed again. The loop has the same structure as the rule, and is far easier to follow. Equinox
    marks it by a name, which is all that tells it from other functions.
    """
    equations = getattr(jaxpr, "jaxpr", jaxpr).eqns
    return any("checkpointed-no-vjp" in str(one.source_info.name_stack) for one in equations)
