"""Compression: one AD pass per color, batched.

The seeds are built inside the trace from the colors, and the function is linearised once for all colors.
Inputs and outputs are lists of arrays ("leaves"); `B` has one row per color and the concatenated elements of
all leaves as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Inexact, Int

from .._arguments import size_of
from ._chunks import default_chunk, is_folded
from ._devices import Batches
from ._program import examine


Leaves = Sequence[Any]
LeafFunction = Callable[..., tuple[list[Any], Any]]
"""A function of the leaves of the inputs that returns the leaves of the output and auxiliary data."""


def push_forward(
    function: LeafFunction,
    leaves: Leaves,
    colors: Int[Array, " n"],
    num_colors: int,
    batches: Batches,
) -> tuple[Inexact[Array, "num_colors m"], Any]:
    """`B[c] = J @ seed_c` by forward mode, and the function's auxiliary data."""
    outputs, linear, aux = jax.linearize(function, *leaves, has_aux=True)

    def rows(numbers: Int[Array, " k"]) -> Array:
        return _flat_rows(jax.vmap(linear)(*_seeds(numbers, colors, leaves)), outputs)

    return _in_chunks(rows, colors, num_colors, _length(leaves, outputs), batches), aux


def pull_back(
    function: LeafFunction,
    leaves: Leaves,
    colors: Int[Array, " m"],
    num_colors: int,
    batches: Batches,
) -> tuple[Inexact[Array, "num_colors n"], Any]:
    """`B[c] = seed_c @ J` by reverse mode, and the function's auxiliary data."""
    outputs, transposed, aux = jax.vjp(function, *leaves, has_aux=True)

    def rows(numbers: Int[Array, " k"]) -> Array:
        return _flat_rows(jax.vmap(transposed)(_seeds(numbers, colors, outputs)), leaves)

    return _in_chunks(rows, colors, num_colors, _length(leaves, outputs), batches), aux


def push_and_pull(
    function: LeafFunction,
    leaves: Leaves,
    column_colors: Int[Array, " n"],
    row_colors: Int[Array, " m"],
    num_colors: tuple[int, int],
    batches: Batches,
) -> tuple[tuple[Inexact[Array, "column_colors m"], Inexact[Array, "row_colors n"]], Any]:
    """`B = (F, R)`, `F[c] = J @ seed_c` and `R[c] = seed_c @ J`, and the function's auxiliary data."""
    outputs, linear, aux = jax.linearize(function, *leaves, has_aux=True)
    if all(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in outputs):
        transposed = jax.linear_transpose(linear, *leaves)
    else:  # integer outputs have tangents that cannot be transposed
        _, transposed, _ = jax.vjp(function, *leaves, has_aux=True)

    def forward(numbers: Int[Array, " k"]) -> Array:
        return _flat_rows(jax.vmap(linear)(*_seeds(numbers, column_colors, leaves)), outputs)

    def reverse(numbers: Int[Array, " k"]) -> Array:
        return _flat_rows(jax.vmap(transposed)(_seeds(numbers, row_colors, outputs)), leaves)

    length = _length(leaves, outputs)
    one, other = num_colors
    F = _in_chunks(forward, column_colors, one, length, batches)
    return (F, _in_chunks(reverse, row_colors, other, length, batches)), aux


def gradient_along(
    scalar: Callable[..., tuple[Any, Any]],
    leaves: Leaves,
    colors: Int[Array, " n"],
    num_colors: int,
    batches: Batches,
) -> tuple[Inexact[Array, "num_colors n"], Any]:
    """`B[c] = H @ seed_c` as the gradient of a directional derivative, and the auxiliary data."""
    aux = scalar(*leaves)[1]
    numbers = tuple(range(len(leaves)))

    def product(*seed: Any) -> Any:
        def slope(*at: Any) -> Any:
            return jax.jvp(lambda *x: scalar(*x)[0], at, seed)[1]

        return jax.grad(slope, argnums=numbers, holomorphic=_complex(leaves))(*leaves)

    def rows(ids: Int[Array, " k"]) -> Array:
        return _flat_rows(jax.vmap(product)(*_seeds(ids, colors, leaves)), leaves)

    return _in_chunks(rows, colors, num_colors, _length(leaves), batches), aux


def _complex(leaves: Leaves) -> bool:
    return any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in leaves)


def _seeds(numbers: Int[Array, " k"], colors: Int[Array, " n"], leaves: Leaves) -> list[Array]:
    """For each color in `numbers` the indicator of its vertices, cut and shaped like the leaves."""
    bounds = np.cumsum([size_of(leaf) for leaf in leaves])[:-1]
    if isinstance(numbers, np.ndarray):
        parts = np.split(np.asarray(colors), bounds)
    else:
        parts = jnp.split(colors, bounds)
    return [
        _seed(part[None] == numbers[:, None], leaf)
        for part, leaf in zip(parts, leaves, strict=True)
    ]


def _seed(mask: Any, leaf: Any) -> Any:
    shape = (mask.shape[0], *leaf.shape)
    if not jnp.issubdtype(leaf.dtype, jnp.inexact):  # an integer output has jax's own kind of zero
        return np.zeros(shape, jax.dtypes.float0)
    return mask.astype(leaf.dtype).reshape(shape)


def _flat_rows(batched: Leaves, like: Leaves) -> Array:
    """Batches of leaves as one matrix with a row per batch entry; zeros for integer leaves."""
    flat = []
    for one, leaf in zip(batched, like, strict=True):
        shape = (one.shape[0], size_of(leaf))
        zero = one.dtype == jax.dtypes.float0
        flat.append(jnp.zeros(shape, leaf.dtype) if zero else one.reshape(shape))
    # The leaves share one matrix, also where the user forbids implicit promotion.
    with jax.numpy_dtype_promotion("standard"):
        return flat[0] if len(flat) == 1 else jnp.concatenate(flat, axis=1)


def _length(*sides: Leaves) -> int:
    """The elements of the inputs or of the outputs, whichever are more."""
    return max(sum(map(size_of, leaves)) for leaves in sides)


def _in_chunks(
    rows: Callable[[Any], Array],
    colors: Int[Array, " vertices"],
    num_colors: int,
    length: int,
    batches: Batches,
) -> Inexact[Array, "num_colors columns"]:
    """All rows of `B`, a batch at a time; each pass handles about `length` elements."""
    size = batches.size
    if size is None:
        program = examine(rows, num_colors)
        known = not isinstance(colors, Tracer) and batches == Batches()
        if known and is_folded(num_colors, length, program):
            return rows(np.arange(num_colors, dtype=np.int32))
        size = default_chunk(batches.share(num_colors), length, program)
    width = batches.width(size, num_colors)

    def batch(numbers: Int[Array, " width"]) -> Array:
        return batches.spread(rows(batches.spread(numbers)))

    # Numbers past the last color belong to no vertex: their seeds are zero and their rows are cut off.
    if width >= num_colors:
        return batch(jnp.arange(width, dtype=jnp.int32))[:num_colors]
    count = -(-num_colors // width)
    stacked = jax.lax.map(batch, jnp.arange(count * width, dtype=jnp.int32).reshape(count, width))
    return stacked.reshape(count * width, -1)[:num_colors]
