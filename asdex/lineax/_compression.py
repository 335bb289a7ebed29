"""The values of a pattern's nonzeros by compressed passes, for functions that are given later."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jax.core import Tracer
from jaxtyping import Array, Inexact

from ..coloring import ColoredPattern
from ..decompression import decompressor_for
from ..evaluation import compressed_jacobian_from_coloring
from ..evaluation._compiled import evaluate
from ..evaluation._kernel import Kernel
from ._structure import Structure


class Compression(eqx.Module):
    """The parts of a coloring for a compiled function: index arrays as leaves, the pattern as a constant."""

    kernel: Kernel
    structure: Structure = eqx.field(static=True)

    @classmethod
    def of(cls, coloring: ColoredPattern) -> Compression:
        """**Raises:** the same as `check_coloring`; `ValueError` for the coloring of a Hessian."""
        check_coloring(coloring)
        derivative = compressed_jacobian_from_coloring(_unset, coloring)
        parts = (derivative.colors, derivative.row_colors, decompressor_for(coloring))
        kernel = Kernel(None, *parts, derivative.options)
        return cls(kernel, Structure(coloring.sparsity))

    def __call__(
        self, f: Callable[..., Any], *args: Any, holomorphic: bool
    ) -> Inexact[Array, " nnz"]:
        """The values of the Jacobian of `f` with respect to its first argument."""
        kernel = self.kernel
        options = dataclasses.replace(kernel.options, argnums=0, holomorphic=holomorphic)
        parts = (kernel.colors, kernel.row_colors, kernel.decompressor)
        return evaluate(Kernel(f, *parts, options), args, {}).data


def check_coloring(coloring: Any) -> None:
    """**Raises:** `TypeError` if the argument is not a coloring, or is traced."""
    if not isinstance(coloring, ColoredPattern):
        raise TypeError(
            f"Expected an asdex.ColoredPattern, got {type(coloring).__name__}. Make one with "
            "asdex.jacobian_coloring."
        )
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(coloring)):
        raise TypeError(
            "Expected a coloring with known colors, got one that is traced, because it was passed as an "
            "argument through `jit` or another transformation. Close over the coloring instead."
        )


def _unset(*args: Any) -> Any:
    raise AssertionError("a compression is called with a function")
