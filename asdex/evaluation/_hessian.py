"""Sparse Hessians of a scalar function, from sample inputs or from a coloring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack

from jax.sharding import Mesh

from .._detect_and_color import hessian_coloring
from ..coloring import ColoredPattern, HessianMode, OrderName, Recovery
from ..decompression import OutputFormat
from ._derivative import make_derivative, SparseDerivative
from ._options import EvaluationOptions
from ._samples import derivative_from_samples


def hessian(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | None = None,
    budget: float | None = None,
    output_format: OutputFormat = "bcoo",
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    constant: Literal["recompute", "reuse"] = "recompute",
    input_shape: int | Sequence[int] | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
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
    - all others: as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` with the calling convention of `f`, which returns the Hessian with shape
    `input.shape + input.shape`, `(n, n)` for a vector. For pytrees it returns a tree of trees of such
    blocks, as `jax.hessian` does.

    **Raises:**

    As `asdex.jacobian`; `ValueError` if the output of `f` has more than one element.
    """
    options = {
        "argnums": argnums,
        "has_aux": has_aux,
        "mode": mode,
        "symmetric": symmetric,
        "recovery": recovery,
        "order": order,
        "budget": budget,
        "output_format": output_format,
        "chunk_size": chunk_size,
        "mesh": mesh,
        "holomorphic": holomorphic,
        "allow_int": allow_int,
        "constant": constant,
        "input_shape": input_shape,
        "unknown": unknown,
        "values": values,
        **kwargs,
    }
    return derivative_from_samples(
        hessian_coloring, f, args, options, hessian=True, compressed=False, with_value=False
    )


def hessian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.hessian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Hessian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.hessian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns the Hessian.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=True,
        compressed=False,
        with_value=False,
        output_format=output_format,
        **options,
    )


def compressed_hessian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """A function that evaluates the compressed Hessian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.hessian`, without `output_format`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `B`, and with `has_aux` `(B, aux)`.
    `B` is `(num_colors, n)`, one Hessian-vector product per color; `asdex.decompress` reads the matrix
    from it.

    **Raises:**

    As `asdex.hessian`; `TypeError` for `output_format`.
    """
    return derivative_from_samples(
        hessian_coloring, f, args, options, hessian=True, compressed=True, with_value=False
    )


def compressed_hessian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.compressed_hessian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Hessian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.hessian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `B`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=True,
        compressed=True,
        with_value=False,
        **options,
    )


def value_and_hessian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """A function that evaluates the value of `f` and the sparse Hessian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.hessian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, hessian)`; with `has_aux` `((value, aux), hessian)`.

    **Raises:**

    As `asdex.hessian`.
    """
    return derivative_from_samples(
        hessian_coloring, f, args, options, hessian=True, compressed=False, with_value=True
    )


def value_and_hessian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.value_and_hessian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Hessian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.hessian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, hessian)`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=True,
        compressed=False,
        with_value=True,
        output_format=output_format,
        **options,
    )


def value_and_compressed_hessian(
    f: Callable[..., Any], *args: Any, **options: Any
) -> SparseDerivative:
    """A function that evaluates the value of `f` and the compressed Hessian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.hessian`, without `output_format`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, B)`, and with `has_aux` `((value, aux), B)`.
    `B` is `(num_colors, n)`, one Hessian-vector product per color; `asdex.decompress` reads the matrix
    from it.

    **Raises:**

    As `asdex.hessian`; `TypeError` for `output_format`.
    """
    return derivative_from_samples(
        hessian_coloring, f, args, options, hessian=True, compressed=True, with_value=True
    )


def value_and_compressed_hessian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.value_and_compressed_hessian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Hessian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.hessian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, B)`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=True,
        compressed=True,
        with_value=True,
        **options,
    )
