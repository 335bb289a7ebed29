"""Sparse Hessians of a scalar function, from sample inputs or from a coloring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.sharding import Mesh

from .._arguments import Samples
from .._signatures import refusing, signature_of
from ..coloring import ColoredPattern, HessianMode, HessianSearch, Order, OrderName, Recovery
from ..detection import Captured, DetectionOptions, Local, Unknown
from ..formats import OutputFormat
from ._derivative import evaluate, in_triangle, SparseDerivative, with_value
from ._from_samples import from_samples
from ._guard import guarded
from ._kinds import HESSIAN
from ._options import COMPRESSED, Constant, EvaluationOptions, Triangle, Verify
from ._spread_rows import RowAxis


def hessian(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | Order | None = None,
    budget: float | None = None,
    output_format: OutputFormat = "bcoo",
    flatten: bool = False,
    triangle: Triangle | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    row_axis: RowAxis | None = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    constant: Constant = "recompute",
    elements: bool | None = None,
    verify: Verify = False,
    coloring: ColoredPattern | None = None,
    input_shape: int | Sequence[int] | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    local: Local = False,
    **kwargs: Any,
) -> SparseDerivative:
    """The sparse Hessian of a scalar function: detect its pattern, color it, and return a function for it.

    Direct recovery from a star coloring after Coleman and Moré (Math. Programming 28, 1984) and Gebremedhin,
    Manne and Pothen, "What Color Is Your Jacobian?" (SIAM Review 47, 2005).

    **Arguments:**

    - `f`: a function that `jax.jit` can trace and reverse, from arrays or pytrees to a single element.
    - `mode`, `symmetric`, `recovery`, `order`, `budget`: as for `asdex.hessian_coloring`.
    - `constant`: as for `asdex.jacobian`; the quadratic part of `f` has constant entries. The others are read
        from products with groups of columns or, if that takes fewer, from a symmetric coloring of the rows
        and columns that they are in.
    - `triangle`: return only the entries of the `"lower"` (row >= column) or the `"upper"` triangle of the
        flattened matrix, as many solvers take symmetric matrices; `SparseDerivative.sparsity` is their
        pattern.
    - all others: as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` with the calling convention of `f`, which returns the Hessian with shape
    `input.shape + input.shape`, `(n, n)` for a vector. For pytrees it returns a tree of trees of such
    blocks, as `jax.hessian` does.

    **Raises:**

    As `asdex.jacobian`; `ValueError` if the output of `f` has more than one element.
    """
    return from_samples(
        f,
        Samples.of(hessian, f, args, kwargs, input_shape),
        DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local),
        HessianSearch(mode, symmetric, recovery, order, budget),
        EvaluationOptions(
            output_format=output_format,
            has_aux=has_aux,
            holomorphic=holomorphic,
            allow_int=allow_int,
            chunk_size=chunk_size,
            mesh=mesh,
            axis=axis,
            row_axis=row_axis,
            constant=constant,
            elements=elements,
            verify=verify,
            flatten=flatten,
            triangle=triangle,
        ),
        HESSIAN,
        coloring,
    )


_NOT_COMPRESSED = (
    "output_format",
    "flatten",
    "triangle",
    "row_axis",
    "constant",
    "elements",
    "verify",
)
_REASON = (
    "a compressed derivative is a plain array, what one call computes. `asdex.decompress` takes the format; "
    "all other options are those of `asdex.hessian`."
)
_COMPRESSED: Any = COMPRESSED


@signature_of(hessian)
def value_and_hessian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.hessian`; the result returns `(value, hessian)`.

    With `has_aux` it returns `((value, aux), hessian)`.
    """
    return with_value(hessian(f, *args, **options))


@signature_of(hessian)
def value_gradient_and_hessian(
    f: Callable[..., Any], *args: Any, **options: Any
) -> SparseDerivative:
    """As `asdex.hessian`; the result returns `(value, gradient, hessian)`, for steps of Newton's method.

    With `has_aux` it returns `((value, aux), gradient, hessian)`. The gradient is that of `jax.grad`, with
    the tree of the differentiated arguments, or a vector `(n,)` with `flatten`. It is computed on the way to
    the Hessian, except by `mode="rev_over_fwd"`, which adds a reverse pass.
    """
    return with_value(hessian(f, *args, **options), gradient=True)


@signature_of(hessian, _NOT_COMPRESSED, _REASON)
def compressed_hessian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.hessian`; the result returns the compressed Hessian `B`, with `has_aux` `(B, aux)`.

    `B` is `(num_colors, n)`, one Hessian-vector product per color; `asdex.decompress` reads the matrix from
    it. There is no `output_format`, `flatten`, `triangle`, `constant`, `elements` or `verify`.
    """
    return hessian(f, *args, output_format=_COMPRESSED, **options)


@signature_of(hessian, _NOT_COMPRESSED, _REASON)
def value_and_compressed_hessian(
    f: Callable[..., Any], *args: Any, **options: Any
) -> SparseDerivative:
    """As `asdex.compressed_hessian`; the result returns `(value, B)`, with `has_aux` `((value, aux), B)`."""
    return with_value(compressed_hessian(f, *args, **options))


_NO_SAMPLES = (
    "constant entries and elements are found at sample arguments, and a coloring has none. Use "
    "`asdex.hessian(f, *args, coloring=coloring)`."
)


@refusing(("constant", "elements"), _NO_SAMPLES)
def hessian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    *,
    has_aux: bool = False,
    flatten: bool = False,
    triangle: Triangle | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    row_axis: RowAxis | None = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    verify: Verify = False,
) -> SparseDerivative:
    """As `asdex.hessian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Hessian; it also says which arguments are differentiated.
    - all others: as for `asdex.hessian`. `constant` and `elements` are refused, since they need samples
        of all arguments: `asdex.hessian(f, *args, coloring=coloring)` has them.

    **Returns:**

    An `asdex.SparseDerivative` that returns the Hessian.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`, or for `constant` and `elements`; `ValueError`
    if it is for another kind of derivative.
    """
    options = EvaluationOptions(
        output_format=output_format,
        has_aux=has_aux,
        holomorphic=holomorphic,
        allow_int=allow_int,
        chunk_size=chunk_size,
        mesh=mesh,
        axis=axis,
        row_axis=row_axis,
        flatten=flatten,
        triangle=triangle,
        verify=verify,
    )
    return guarded(in_triangle(evaluate(f, coloring, options, HESSIAN), options), options)


@signature_of(hessian_from_coloring)
def value_and_hessian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.value_and_hessian`, with a coloring made before."""
    return with_value(hessian_from_coloring(*args, **options))


@signature_of(hessian_from_coloring)
def value_gradient_and_hessian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.value_gradient_and_hessian`, with a coloring made before."""
    return with_value(hessian_from_coloring(*args, **options), gradient=True)


@signature_of(hessian_from_coloring, _NOT_COMPRESSED, _REASON)
def compressed_hessian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.compressed_hessian`, with a coloring made before."""
    return hessian_from_coloring(*args, output_format=_COMPRESSED, **options)


@signature_of(hessian_from_coloring, _NOT_COMPRESSED, _REASON)
def value_and_compressed_hessian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.value_and_compressed_hessian`, with a coloring made before."""
    return with_value(compressed_hessian_from_coloring(*args, **options))
