"""What keeps passes from being batched: references that hold seeds, and primitives that JAX cannot batch."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import jax

from ..._errors import UnbatchedPassesWarning
from ..._jaxprs import has_reference, rebind, source_line, source_position
from ._batch_size import equations
from ._flat_jaxpr import Program, Step


def check_references(program: Program) -> None:
    """Refuse references that hold what depends on a seed: what is read from them does not say so.

    **Raises:** `NotImplementedError`.
    """
    if any(step.active and has_reference(step.eqn) for step in program.steps):
        raise NotImplementedError(
            "Expected a function with references (`jax.new_ref`) of its own alone, got one with others too: "
            "jax cannot replace them by values. Pass in and return the values of those outside."
        )


def warn_of_single_passes(steps: Iterable[Step], error: NotImplementedError) -> None:
    """Say that the passes run one at a time, because of which primitive and which of the user's lines.

    **Arguments:** `steps`: those of a pass. `error`: what JAX raised when it was to batch them.
    """
    found = next(filter(None, map(_unbatchable, steps)), None)
    source = "" if found is None else source_line(found) or "unknown source"
    what = "the passes" if found is None else f"the primitive '{found.primitive.name}' ({source})"
    message = (
        f"JAX cannot batch {what}, so the passes run one at a time: {str(error).rstrip('.')}. Pass "
        "chunk_size=1 to say that this is meant, or give the primitive a batching rule."
    )
    warnings.warn_explicit(message, UnbatchedPassesWarning, *source_position(source))


def _unbatchable(step: Step) -> Any | None:
    """The innermost equation of a step on seeds that cannot be batched, if there is one."""
    if not step.active:
        return None
    failing = [eqn for eqn in equations(step.eqn) if not _is_batchable(eqn)]
    return failing[-1] if failing else None


def _is_batchable(eqn: Any) -> bool:
    try:
        operands = [
            jax.ShapeDtypeStruct((1, *atom.aval.shape), atom.aval.dtype) for atom in eqn.invars
        ]
        jax.eval_shape(jax.vmap(lambda *of_one: rebind(eqn, of_one)), *operands)
    except NotImplementedError:
        return False
    except Exception:  # which has other causes: an axis of a mesh, a reference
        return True
    return True
