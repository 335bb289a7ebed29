"""Sparse Jacobians of a function, from sample inputs or from a coloring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.sharding import Mesh

from .._arguments import Samples
from .._signatures import refusing, signature_of
from ..coloring import ColoredPattern, JacobianMode, JacobianSearch, Order, OrderName
from ..detection import Captured, DetectionOptions, Local, Unknown
from ..formats import OutputFormat
from ._derivative import evaluate, SparseDerivative, with_value
from ._from_samples import from_samples
from ._guard import guarded
from ._kinds import JACOBIAN
from ._options import COMPRESSED, Constant, EvaluationOptions, Verify
from ._spread_rows import RowAxis


def jacobian(
    f: Callable[..., Any],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    mode: JacobianMode | None = "auto",
    symmetric: bool = False,
    order: OrderName | Order | None = None,
    budget: float | None = None,
    output_format: OutputFormat = "bcoo",
    flatten: bool = False,
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
    """The sparse Jacobian of `f`: detect its pattern, color it, and return a function that evaluates it.

    Compression by colors after Curtis, Powell and Reid (1974) and Gebremedhin, Manne and Pothen, "What
    Color Is Your Jacobian?" (SIAM Review 47, 2005).

    **Arguments:**

    - `f`: a function that `jax.jit` can trace, from arrays or pytrees to an array or a pytree.
    - `args`, `kwargs`: sample inputs in the calling convention of `f`: arrays or `jax.ShapeDtypeStruct`s.
    - `argnums`, `has_aux`, `holomorphic`, `allow_int`: as for `jax.jacobian`.
    - `mode`: as for `asdex.jacobian_coloring`; `None` means `"auto"` here.
    - `symmetric`, `order`, `budget`: as for `asdex.jacobian_coloring`.
    - `output_format`: an `asdex.OutputFormat`. Those of NumPy and SciPy are for calls outside of
        transformations; `"data"` is the `(nnz,)` values alone, in the order of `coloring.sparsity`.
    - `flatten`: return one `(m, n)` matrix, in every format, where the input or the output is a tree or an
        array of another rank: arguments one after the other, their leaves in the order of
        `jax.tree_util.tree_flatten`, each in C order.
    - `chunk_size`: how many passes a device batches. Fewer need less memory; 1 batches none. By default as
        many as run fastest, which follows from what the derivative of `f` is made of.
    - `mesh`, `axis`: a `jax.sharding.Mesh`, and the name or names of its axes that the colors are spread over
        (a mesh with a single axis needs no name). Each device then runs its share of the passes, and the
        result is whole on all of them.
    - `row_axis`: the axis or axes of `mesh` that the rows of the matrix are spread over, as the leading
        dimensions of outputs and inputs are; a `jax.sharding.PartitionSpec` for other dimensions. Each device
        computes and holds its rows. By default as differentiated samples are sharded, or else as the
        arguments of a plain call. The values of each device are filled up with zeros to one length, so that
        `"data"` is `(devices * length,)`, `"bcoo"` has indices out of bounds there, `"bcsr"` is a batch of
        `(devices, rows, n)`, and `"row_blocks"` an `asdex.RowBlocks`, whose products move no more than is
        needed. With an `axis` of the same mesh colors are spread over that, too.
    - `constant`: `"reuse"` finds the entries that no call can change, computes them once, and colors for the
        others only. What may change are all floating-point leaves of `f` and all arrays and floating-point
        numbers among the arguments; values and predicates count, not only derivatives. Entries that would be
        NaN because an infinite factor meets a zero are then what they are elsewhere.
    - `elements`: whether to differentiate at the elements of `f`, if it copies its inputs to elements and
        adds up what it computes on each (Griewank and Toint 1982): no more passes than an element has inputs.
        `None` does it where a call is estimated to cost less; not with `constant="reuse"`.
    - `verify`: compare each call, also inside of `jax.jit`, with JVPs or VJPs of `f` along two random
        directions, and raise an error (`equinox.error_if`) where they differ; `"flag"` returns whether they
        agree as the last item of the result instead. A wrong entry of size `e`, in a row with a sum `s` of
        absolute values, is missed with a probability of about `10 (s / e)**2 eps`, `eps` of the dtype.
    - `coloring`: an `asdex.ColoredPattern` made before with the same `argnums`, such as one from a file. Its
        pattern is taken for that of `f`. Constant entries and elements are found in `f` as it is now; `mode`,
        `symmetric`, `order` and `budget` are for these.
    - `input_shape`, `unknown`, `captured`, `max_nnz`, `local`: as for `asdex.jacobian_sparsity`. The matrix
        is right where the pattern holds; `verify` says whether it does. With `local` neither `constant` nor
        `elements` is used.

    These names belong to asdex; a keyword of `f` of the same name is passed by `functools.partial`. All other
    keywords are those of `f`.

    **Returns:**

    An `asdex.SparseDerivative` with the calling convention of `f`, which returns the Jacobian with shape
    `output.shape + input.shape`, `(m, n)` for a vector function; SciPy formats and `"bcsr"` are always
    `(m, n)`. For pytrees it returns a tree of trees of such blocks, as `jax.jacobian` does.

    **Raises:**

    `TypeError` if there is no sample input, if a differentiated one is an integer without `allow_int`, if an
    output is an integer, if an option is misspelt, or if `f` cannot be traced; `ValueError` for an option
    with a value that is not allowed; as `asdex.jacobian_from_coloring` for `coloring`, and if the samples
    are not of its types.
    """
    return from_samples(
        f,
        Samples.of(jacobian, f, args, kwargs, input_shape),
        DetectionOptions(argnums, has_aux, allow_int, unknown, captured, max_nnz, local),
        JacobianSearch(mode or "auto", symmetric, order=order, budget=budget),
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
        ),
        JACOBIAN,
        coloring,
    )


_NOT_COMPRESSED = ("output_format", "flatten", "row_axis", "constant", "elements", "verify")
_REASON = (
    "a compressed derivative is a plain array, what one call computes. `asdex.decompress` takes the format; "
    "all other options are those of `asdex.jacobian`."
)
_COMPRESSED: Any = COMPRESSED


@signature_of(jacobian)
def value_and_jacobian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.jacobian`; the result returns `(value, jacobian)`.

    With `has_aux` it returns `((value, aux), jacobian)`.
    """
    return with_value(jacobian(f, *args, **options))


@signature_of(jacobian, _NOT_COMPRESSED, _REASON)
def compressed_jacobian(f: Callable[..., Any], *args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.jacobian`; the result returns the compressed Jacobian `B`, with `has_aux` `(B, aux)`.

    `B` is `(num_colors, m)` for a coloring with mode `"fwd"`, `(num_colors, n)` with mode `"rev"`, a pair
    `(column colors, m)` and `(row colors, n)` with mode `"bidirectional"`; `asdex.decompress` reads the
    matrix from it. There is no `output_format`, `flatten`, `constant`, `elements` or `verify`.
    """
    return jacobian(f, *args, output_format=_COMPRESSED, **options)


@signature_of(jacobian, _NOT_COMPRESSED, _REASON)
def value_and_compressed_jacobian(
    f: Callable[..., Any], *args: Any, **options: Any
) -> SparseDerivative:
    """As `asdex.compressed_jacobian`; the result returns `(value, B)`, with `has_aux` `((value, aux), B)`."""
    return with_value(compressed_jacobian(f, *args, **options))


_NO_SAMPLES = (
    "constant entries and elements are found at sample arguments, and a coloring has none. Use "
    "`asdex.jacobian(f, *args, coloring=coloring)`."
)


@refusing(("constant", "elements"), _NO_SAMPLES)
def jacobian_from_coloring(
    f: Callable[..., Any],
    coloring: ColoredPattern,
    output_format: OutputFormat = "bcoo",
    *,
    has_aux: bool = False,
    flatten: bool = False,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    row_axis: RowAxis | None = None,
    holomorphic: bool = False,
    allow_int: bool = False,
    verify: Verify = False,
) -> SparseDerivative:
    """As `asdex.jacobian`, with a coloring made before.

    **Arguments:**

    - `f`: the function, or another one with the same pattern.
    - `coloring`: an `asdex.ColoredPattern` for a Jacobian; it also says which arguments are differentiated.
    - all others: as for `asdex.jacobian`. `constant` and `elements` are refused, since they need samples
        of all arguments: `asdex.jacobian(f, *args, coloring=coloring)` has them.

    **Returns:**

    An `asdex.SparseDerivative` that returns the Jacobian.

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
        verify=verify,
    )
    return guarded(evaluate(f, coloring, options, JACOBIAN), options)


@signature_of(jacobian_from_coloring)
def value_and_jacobian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.value_and_jacobian`, with a coloring made before."""
    return with_value(jacobian_from_coloring(*args, **options))


@signature_of(jacobian_from_coloring, _NOT_COMPRESSED, _REASON)
def compressed_jacobian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.compressed_jacobian`, with a coloring made before."""
    return jacobian_from_coloring(*args, output_format=_COMPRESSED, **options)


@signature_of(jacobian_from_coloring, _NOT_COMPRESSED, _REASON)
def value_and_compressed_jacobian_from_coloring(*args: Any, **options: Any) -> SparseDerivative:
    """As `asdex.value_and_compressed_jacobian`, with a coloring made before."""
    return with_value(compressed_jacobian_from_coloring(*args, **options))
