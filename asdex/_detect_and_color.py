"""From a function to a coloring: detection, then the cheapest coloring that the function allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from ._arguments import sample_arguments
from ._pattern import SparsityPattern
from .coloring import (
    color_jacobian,
    ColoredPattern,
    hessian_coloring_from_sparsity,
    HessianMode,
    JacobianMode,
    OrderName,
    Recovery,
)
from .detection import detect_hessian, detect_jacobian


def jacobian_coloring(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | None = None,
    budget: float | None = None,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    **kwargs: Any,
) -> ColoredPattern:
    """Detect the sparsity of the Jacobian of `f` and color it.

    **Arguments:**

    - `f`, `args`, `kwargs`, `argnums`, `has_aux`, `input_shape`, `unknown`, `values`: as for
        `asdex.jacobian_sparsity`.
    - `mode`: `"fwd"` (JVPs), `"rev"` (VJPs), `"bidirectional"` (some of both), or `"auto"` (also `None`):
        whatever costs least, a VJP counting as 1.1 JVPs, among the modes that `f` allows: a
        `jax.lax.while_loop` has no reverse mode, a `jax.custom_vjp` no forward mode, and neither do real
        outputs of complex inputs; complex outputs of real inputs have no reverse mode.
        `print(coloring)` says what was chosen and why.
    - `symmetric`: use the symmetry of the Jacobian, which must hold for its values.
    - `order`, `budget`: as for `asdex.color_cols`.

    **Returns:**

    An `asdex.ColoredPattern` for a Jacobian of shape `(m, n)`.

    **Raises:**

    As `asdex.jacobian_sparsity`; `ValueError` for an unknown `mode`.

    **Warns:**

    `asdex.DenseColoringWarning` if nothing is gained over a dense Jacobian.
    """
    return jacobian_coloring_and_modes(
        f,
        *args,
        argnums=argnums,
        has_aux=has_aux,
        mode=mode,
        symmetric=symmetric,
        order=order,
        budget=budget,
        input_shape=input_shape,
        unknown=unknown,
        values=values,
        **kwargs,
    )[0]


def jacobian_coloring_and_modes(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | None = None,
    budget: float | None = None,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    **kwargs: Any,
) -> tuple[ColoredPattern, tuple[str, ...]]:
    """As `jacobian_coloring`; also the modes among which one may choose, "fwd" and "rev"."""
    detection = detect_jacobian(
        f,
        sample_arguments(args, input_shape),
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
    )
    possible = [one for one in ("fwd", "rev") if one not in detection.unsupported_modes]
    allowed = [one for one in possible if one in _modes_for_dtypes(detection.sparsity)]
    modes = tuple(allowed or possible or ("fwd", "rev"))
    coloring = color_jacobian(
        detection.sparsity,
        mode=mode,
        symmetric=symmetric,
        allowed=modes,
        order=order,
        budget=budget,
    )
    if mode not in (None, "auto"):
        modes = () if mode == "bidirectional" else (mode,)
    return coloring, (coloring.mode,) if symmetric else modes


def _modes_for_dtypes(sparsity: SparsityPattern) -> tuple[str, ...]:
    """The modes in which jax differentiates between these dtypes.

    A complex output of a real input has derivatives in forward mode alone, a real output of a complex
    input in reverse mode alone, and both modes serve where all is real or all holomorphic.
    """
    complex_input, complex_output = (
        any(jnp.issubdtype(aval.dtype, np.complexfloating) for aval in avals)
        for avals in (sparsity.input_avals, sparsity.output_avals)
    )
    if complex_input == complex_output:
        return ("fwd", "rev")
    return ("fwd",) if complex_output else ("rev",)


def hessian_coloring(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | None = None,
    budget: float | None = None,
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    **kwargs: Any,
) -> ColoredPattern:
    """Detect the sparsity of the Hessian of a scalar function and color it.

    **Arguments:**

    - `f`, `args`, `kwargs`, `argnums`, `has_aux`, `input_shape`, `unknown`, `values`: as for
        `asdex.hessian_sparsity`.
    - `mode`: how Hessian-vector products are computed: `"fwd_over_rev"` (also `"auto"` and `None`),
        `"rev_over_fwd"` or `"rev_over_rev"`.
    - `symmetric`: use the symmetry of the Hessian (a star coloring); else color its columns.
    - `recovery`: `"direct"`, or `"substitution"` for an acyclic coloring, with fewer colors and more
        rounding error.
    - `order`, `budget`: as for `asdex.color_cols`.

    **Returns:**

    An `asdex.ColoredPattern` for a Hessian of shape `(n, n)`.

    **Raises:**

    As `asdex.hessian_sparsity`; `ValueError` for an unknown `mode`.

    **Warns:**

    `asdex.DenseColoringWarning` if nothing is gained over a dense Hessian.
    """
    detection = detect_hessian(
        f,
        sample_arguments(args, input_shape),
        kwargs,
        argnums=argnums,
        has_aux=has_aux,
        unknown=unknown,
        values=values,
    )
    return hessian_coloring_from_sparsity(
        detection.sparsity,
        mode=mode,
        symmetric=symmetric,
        recovery=recovery,
        order=order,
        budget=budget,
    )
