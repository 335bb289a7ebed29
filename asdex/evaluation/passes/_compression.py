"""Compression: one AD pass per color.

The seeds are built inside the trace from the colors, and the function is linearised once for all colors.
Inputs and outputs are lists of arrays ("leaves"); `B` has one row per color and the concatenated elements of
all leaves as columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Inexact, Int

from ..._arrays import is_complex, ravel, unravel
from ..._versions import varying_as
from ._batched_passes import Coloring, Passes


Leaves = Sequence[Any]
LeafFunction = Callable[..., tuple[list[Any], Any]]
"""A function of the leaves of the inputs that returns the leaves of the output and auxiliary data."""


def push_forward(
    function: LeafFunction, leaves: Leaves, coloring: Coloring, passes: Passes
) -> tuple[Inexact[Array, "num_colors m"], Any]:
    """`B[c] = J @ seed_c` by forward mode, and the function's auxiliary data."""

    def one(numbers: Any, colors: Any, leaves: Leaves) -> tuple[list[Array], Any]:
        _, linear, aux = jax.linearize(function, *leaves, has_aux=True)
        return [ravel(linear(*_seeds(numbers[0], colors[0], leaves)))], aux

    def beside(numbers: Any, colors: Any, leaves: Leaves) -> tuple[list[Array], Any]:
        seeds = _seeds(numbers[0], colors[0], leaves)
        _, tangents, aux = jax.jvp(function, tuple(leaves), tuple(seeds), has_aux=True)
        return [ravel(tangents)], aux

    (B,), aux = passes(one, leaves, [coloring], beside)
    return B, aux


def pull_back(
    function: LeafFunction, leaves: Leaves, coloring: Coloring, passes: Passes
) -> tuple[Inexact[Array, "num_colors n"], Any]:
    """`B[c] = seed_c @ J` by reverse mode, and the function's auxiliary data."""

    def one(numbers: Any, colors: Any, leaves: Leaves) -> tuple[list[Array], Any]:
        outputs, transposed, aux = jax.vjp(function, *leaves, has_aux=True)
        return [ravel(transposed(_seeds(numbers[0], colors[0], outputs)))], aux

    (B,), aux = passes(one, leaves, [coloring])
    return B, aux


def push_and_pull(
    function: LeafFunction, leaves: Leaves, columns: Coloring, rows: Coloring, passes: Passes
) -> tuple[tuple[Inexact[Array, "column_colors m"], Inexact[Array, "row_colors n"]], Any]:
    """`B = (F, R)`, `F[c] = J @ seed_c` and `R[c] = seed_c @ J`, and the function's auxiliary data."""

    def one(numbers: Any, colors: Any, leaves: Leaves) -> tuple[list[Array], Any]:
        outputs, linear, aux = jax.linearize(function, *leaves, has_aux=True)
        transposed = jax.linear_transpose(linear, *leaves)
        forward = linear(*_seeds(numbers[0], colors[0], leaves))
        reverse = transposed(_seeds(numbers[1], colors[1], outputs))
        return [ravel(forward), ravel(reverse)], aux

    (F, R), aux = passes(one, leaves, [columns, rows])
    return (F, R), aux


def gradient_along(
    scalar: Callable[..., tuple[Any, Any]], leaves: Leaves, coloring: Coloring, passes: Passes
) -> tuple[Inexact[Array, "num_colors n"], Any]:
    """`B[c] = H @ seed_c` as the gradient of a directional derivative, and the auxiliary data."""
    places = tuple(range(len(leaves)))

    def one(numbers: Any, colors: Any, leaves: Leaves) -> tuple[list[Array], Any]:
        seed = tuple(_seeds(numbers[0], colors[0], leaves))

        def slope(*at: Any) -> Any:
            _, tangent, aux = jax.jvp(scalar, at, seed, has_aux=True)
            return tangent, aux

        gradient = jax.grad(slope, places, has_aux=True, holomorphic=any(map(is_complex, leaves)))
        row, aux = gradient(*leaves)
        return [ravel(row)], aux

    (B,), aux = passes(one, leaves, [coloring])
    return B, aux


def zeros(
    mode: str, shape: tuple[int, int], counts: tuple[int, int], outputs: Any, leaves: Leaves
) -> Any:
    """`B` of a derivative that is zero everywhere, in the dtype that passes would give it.

    **Arguments:**

    - `counts`: the number of colors, and of those that are of rows in bidirectional mode.
    - `outputs`, `leaves`: the leaves of the outputs, or stand-ins for them, and of the inputs.
    """
    (m, n), (count, rows) = shape, counts
    match mode:
        case "fwd":
            return jnp.zeros((count, m), _common_dtype(outputs))
        case "bidirectional":
            forward = jnp.zeros((count - rows, m), _common_dtype(outputs))
            return forward, jnp.zeros((rows, n), _common_dtype(leaves))
        case _:
            return jnp.zeros((count, n), _common_dtype(leaves))


def _common_dtype(leaves: Leaves) -> Any:
    """The dtype of a matrix that the leaves share."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*([leaf.dtype for leaf in leaves] or [float]))


def _seeds(number: Any, colors: Int[Array, " vertices"], leaves: Leaves) -> list[Array]:
    """The indicator of the vertices of a color, cut and shaped like the leaves."""
    pairs = zip(unravel(colors, leaves), leaves, strict=True)
    return [varying_as((part == number).astype(leaf.dtype), leaf) for part, leaf in pairs]
