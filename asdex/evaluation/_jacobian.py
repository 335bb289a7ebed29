"""Sparse Jacobians of a function, from sample inputs or from a coloring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Unpack

from jax.sharding import Mesh

from .._detect_and_color import jacobian_coloring
from ..coloring import ColoredPattern, JacobianMode, OrderName
from ..decompression import OutputFormat
from ._derivative import make_derivative, SparseDerivative
from ._options import EvaluationOptions
from ._samples import derivative_from_samples


def jacobian(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
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
    """The sparse Jacobian of `f`: detect its pattern, color it, and return a function that evaluates it.

    Compression by colors after Curtis, Powell and Reid (1974) and Gebremedhin, Manne and Pothen, "What
    Color Is Your Jacobian?" (SIAM Review 47, 2005).

    **Arguments:**

    - `f`: a function that `jax.jit` can trace, from arrays or pytrees to an array or a pytree.
    - `args`, `kwargs`: sample inputs in the calling convention of `f`: arrays or `jax.ShapeDtypeStruct`s.
    - `argnums`, `has_aux`, `holomorphic`, `allow_int`: as for `jax.jacobian`.
    - `mode`, `symmetric`, `order`, `budget`: as for `asdex.jacobian_coloring`.
    - `output_format`: `"bcoo"`, `"bcsr"`, `"bsr"`, `"dense"` (arrays of jax), `"numpy_dense"`, `"scipy_coo"`,
        `"scipy_csr"`, `"scipy_csc"`, `"scipy_bsr"` (outside of transformations), or `"data"`: the
        `(nnz,)` values alone, in the order of `coloring.sparsity`.
    - `chunk_size`: how many passes a device batches; by default all. Fewer need less memory.
    - `mesh`, `axis`: a `jax.sharding.Mesh`, and the name or names of its axes that the colors are spread over
        (a mesh with a single axis needs no name). Each device then runs its share of the passes, and the
        result is whole on all of them. Without `mesh`, `axis` is a keyword of `f`.
    - `constant`: `"reuse"` finds the entries that no call can change, computes them once, and colors for the
        others only. What may change are all floating-point leaves of `f` and all arrays and floating-point
        numbers among the arguments; values and predicates count, not only derivatives. Entries that would be
        NaN because an infinite factor meets a zero are then what they are elsewhere.
    - `input_shape`, `unknown`, `values`: as for `asdex.jacobian_sparsity`.

    **Returns:**

    An `asdex.SparseDerivative` with the calling convention of `f`, which returns the Jacobian with shape
    `output.shape + input.shape`, `(m, n)` for a vector function; SciPy formats and `"bcsr"` are always
    `(m, n)`. For pytrees it returns a tree of trees of such blocks, as `jax.jacobian` does.

    **Raises:**

    `TypeError` if there is no sample input or `f` cannot be traced; `ValueError` for an unknown option.
    """
    options = {
        "argnums": argnums,
        "has_aux": has_aux,
        "mode": mode,
        "symmetric": symmetric,
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
        jacobian_coloring, f, args, options, hessian=False, compressed=False, with_value=False
    )


def jacobian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.jacobian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Jacobian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns the Jacobian.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=False,
        compressed=False,
        with_value=False,
        output_format=output_format,
        **options,
    )


def compressed_jacobian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """A function that evaluates the compressed Jacobian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.jacobian`, without `output_format`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `B`, and with `has_aux` `(B, aux)`.
    `B` is `(num_colors, m)` for a coloring with mode `"fwd"`, `(num_colors, n)` with mode `"rev"`, a pair
    `(column colors, m)` and `(row colors, n)` with mode `"bidirectional"`; `asdex.decompress` reads the
    matrix from it.

    **Raises:**

    As `asdex.jacobian`; `TypeError` for `output_format`.
    """
    return derivative_from_samples(
        jacobian_coloring, f, args, options, hessian=False, compressed=True, with_value=False
    )


def compressed_jacobian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.compressed_jacobian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Jacobian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `B`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=False,
        compressed=True,
        with_value=False,
        **options,
    )


def value_and_jacobian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """A function that evaluates the value of `f` and the sparse Jacobian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, jacobian)`; with `has_aux` `((value, aux), jacobian)`.

    **Raises:**

    As `asdex.jacobian`.
    """
    return derivative_from_samples(
        jacobian_coloring, f, args, options, hessian=False, compressed=False, with_value=True
    )


def value_and_jacobian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.value_and_jacobian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Jacobian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, jacobian)`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=False,
        compressed=False,
        with_value=True,
        output_format=output_format,
        **options,
    )


def value_and_compressed_jacobian(
    f: Callable[..., Any], *args: Any, **options: Any
) -> SparseDerivative:
    """A function that evaluates the value of `f` and the compressed Jacobian.

    **Arguments:**

    - `f`, `args`, `options`: as for `asdex.jacobian`, without `output_format`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, B)`, and with `has_aux` `((value, aux), B)`.
    `B` is `(num_colors, m)` for a coloring with mode `"fwd"`, `(num_colors, n)` with mode `"rev"`, a pair
    `(column colors, m)` and `(row colors, n)` with mode `"bidirectional"`; `asdex.decompress` reads the
    matrix from it.

    **Raises:**

    As `asdex.jacobian`; `TypeError` for `output_format`.
    """
    return derivative_from_samples(
        jacobian_coloring, f, args, options, hessian=False, compressed=True, with_value=True
    )


def value_and_compressed_jacobian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    **options: Unpack[EvaluationOptions],
) -> SparseDerivative:
    """As `asdex.value_and_compressed_jacobian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Jacobian; it also says which arguments are differentiated.
    - `options`: `has_aux`, `holomorphic`, `allow_int`, `chunk_size`, `mesh`, `axis`, as for `asdex.jacobian`.

    **Returns:**

    An `asdex.SparseDerivative` that returns `(value, B)`.

    **Raises:**

    `TypeError` if `coloring` is not an `asdex.ColoredPattern`; `ValueError` if it is for another kind of
    derivative.
    """
    return make_derivative(
        f,
        coloring,
        hessian=False,
        compressed=True,
        with_value=True,
        **options,
    )
