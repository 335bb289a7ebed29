"""What is said of a primitive that has no rule, where JAX cannot derive one."""

from __future__ import annotations

import warnings
from typing import Final, TYPE_CHECKING

from ..._errors import UnknownPrimitiveError, UnknownPrimitiveWarning
from ..._jaxprs import source_position


if TYPE_CHECKING:
    from ._equation import Equation


_CALLS_OUT: Final = ("pure_callback", "io_callback", "buffer_callback", "ffi_call")
"""Primitives that call what is not a program of JAX, a different function each time."""


def report(equation: Equation, failure: Exception | None, unknown: str, warned: set[str]) -> None:
    """Warn, once for each primitive, or raise, as `unknown` says.

    **Arguments:** `failure`: why JAX could not derive a rule. `warned`: the names of primitives that were
    warned about, to which this one is added.

    **Raises:** `UnknownPrimitiveError`.
    """
    if unknown == "error":
        raise UnknownPrimitiveError(
            f"Refused the primitive '{equation.name}' ({equation.source}), which has no sparsity rule: "
            'every result would have to be taken to depend on every operand, as unknown="dense" '
            f"allows. {_advice(equation, failure)}"
        )
    if equation.name not in warned and unknown != "quiet":
        warned.add(equation.name)
        file, line = source_position(equation.source)
        message = (
            f"No sparsity rule for the primitive '{equation.name}' ({equation.source}): every result is "
            f"taken to depend on every operand. {_advice(equation, failure)}"
        )
        warnings.warn_explicit(message, UnknownPrimitiveWarning, file, line)


def _advice(equation: Equation, failure: Exception | None) -> str:
    """How to make the pattern sparser where a primitive is not known."""
    reason = "" if failure is None else f" JAX could not derive one: {failure}"
    if equation.name in _CALLS_OUT:
        return (
            "To make the pattern sparser, and the call differentiable, wrap it into a function with "
            "jax.custom_jvp, whose rule asdex follows; a sparsity rule for "
            f"'{equation.name}' would apply to all such calls.{reason}"
        )
    return (
        "To make the pattern sparser, register a rule with "
        f"asdex.register('{equation.name}').{reason}"
    )
