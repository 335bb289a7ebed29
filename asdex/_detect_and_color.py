"""From a function to a coloring: detection, then the cheapest coloring that the function allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._arguments import Samples
from .coloring import (
    color_hessian,
    color_jacobian,
    ColoredPattern,
    HessianMode,
    HessianSearch,
    JacobianMode,
    JacobianSearch,
    Order,
    OrderName,
    Recovery,
)
from .detection import Captured, detect_hessian, detect_jacobian, DetectionOptions, Local, Unknown


def jacobian_coloring(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | Order | None = None,
    budget: float | None = None,
    allow_int: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> ColoredPattern:
    """Detect the sparsity of the Jacobian of `f` and color it.

    **Arguments:**

    - `f`, `args`, `kwargs`, `argnums`, `has_aux`, `allow_int`, `input_shape`, `unknown`, `captured`,
        `max_nnz`, `local`: as for `asdex.jacobian_sparsity`.
    - `mode`: `"fwd"` (JVPs), `"rev"` (VJPs) or `"bidirectional"` (some of both); `None` takes the cheaper of
        forward and reverse mode, `"auto"` the cheapest of the three, a VJP counting as 1.1 JVPs. They choose
        among the modes that `f` allows: a `jax.lax.while_loop` has no reverse mode, a `jax.custom_vjp` no
        forward mode, and neither do real outputs of complex inputs; complex outputs of real inputs have no
        reverse mode. `print(coloring)` says where another mode would need fewer passes.
    - `symmetric`: use the symmetry of the Jacobian, which must hold for its values.
    - `order`, `budget`: as for `asdex.color_cols`.

    **Returns:**

    An `asdex.ColoredPattern` for a Jacobian of shape `(m, n)`.

    **Raises:**

    As `asdex.jacobian_sparsity`; `ValueError` for an unknown `mode`.

    **Warns:**

    `asdex.DenseColoringWarning` if nothing is gained over a dense Jacobian.
    """
    samples = Samples.of(jacobian_coloring, f, args, kwargs, input_shape)
    detection = DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local)
    search = JacobianSearch(mode, symmetric, order=order, budget=budget)
    return color_jacobian(detect_jacobian(f, samples, detection), search)


def hessian_coloring(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | Order | None = None,
    budget: float | None = None,
    allow_int: bool = False,
    input_shape: int | Sequence[int] | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> ColoredPattern:
    """Detect the sparsity of the Hessian of a scalar function and color it.

    **Arguments:**

    - `f`, `args`, `kwargs`, `argnums`, `has_aux`, `allow_int`, `input_shape`, `unknown`, `captured`,
        `max_nnz`, `local`: as for `asdex.hessian_sparsity`.
    - `mode`: how Hessian-vector products are computed: `"fwd_over_rev"`, `"rev_over_fwd"` or
        `"rev_over_rev"`. `"auto"` and `None` are the first, or the last where the gradient has no forward
        mode.
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
    samples = Samples.of(hessian_coloring, f, args, kwargs, input_shape)
    detection = DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local)
    search = HessianSearch(mode, symmetric, recovery, order, budget)
    return color_hessian(detect_hessian(f, samples, detection), search)
