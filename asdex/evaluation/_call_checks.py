"""Whether what a call differentiates is what the options and the coloring are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TYPE_CHECKING

from .._arguments import check_differentiable, check_outputs, Inputs
from .._arrays import has_derivative, is_complex, size_of


if TYPE_CHECKING:
    from ._kernel import Options


def check_kinds_of_inputs(inputs: Inputs, options: Options) -> None:
    """Refuse differentiated leaves of other kinds than the options say.

    **Raises:**

    `TypeError`, as jax does, for integer inputs without `allow_int`, and for complex inputs to a forward
    pass (or any real input) where `holomorphic` says otherwise.
    """
    check_differentiable(inputs, options.allow_int)
    for path, aval in zip(inputs.paths, inputs.avals, strict=True):
        dtype = aval.dtype
        if not has_derivative(aval):
            continue
        if options.holomorphic and not is_complex(aval):
            raise TypeError(f"With holomorphic=True expected {path} of complex dtype, got {dtype}.")
        if is_complex(aval) and not options.holomorphic and options.mode != "rev":
            raise TypeError(
                f"Expected {path} of real dtype, got {dtype}. For a holomorphic function pass "
                "holomorphic=True."
            )


def check_output(flat: Sequence[Any], options: Options) -> None:
    """Refuse leaves of the output that are others than the coloring was made for.

    **Raises:** `ValueError` for other sizes or shapes; `TypeError` for complex ones without `holomorphic`.
    """
    m = sum(size_of(leaf) for leaf in flat)
    if m != options.shape[0]:
        raise ValueError(
            f"The coloring is for a function with {options.shape[0]} outputs (its pattern has shape "
            f"{options.shape}), but this function returned {m}. Make a coloring for this function."
        )
    shapes = [aval.shape for aval in options.output_avals]
    if shapes and shapes != [leaf.shape for leaf in flat]:
        raise ValueError(
            f"The coloring is for a function with outputs of shapes {_list(shapes)}, but this function "
            f"returned {_list(leaf.shape for leaf in flat)}. Make a coloring for this function."
        )
    check_outputs(flat)
    for leaf in flat:
        if (
            options.mode in ("rev", "bidirectional")
            and is_complex(leaf)
            and not options.holomorphic
        ):
            raise TypeError(
                f"Expected real outputs for reverse mode, got dtype {leaf.dtype}. For a holomorphic function "
                "pass holomorphic=True."
            )


def _list(shapes: Iterable[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))
