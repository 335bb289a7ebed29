"""The values of a pattern's nonzeros by compressed passes, for functions that are given later."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array, Inexact

from ..coloring import ColoredPattern
from ..decompression import decompressor_for
from ..evaluation import compressed_jacobian_from_coloring
from ..evaluation._compiled import evaluate
from ..evaluation._kernel import Kernel
from ..pattern import check_known
from ._structure import Structure


class Compression(eqx.Module):
    """The parts of a coloring for a compiled function: index arrays as leaves, the pattern as a constant."""

    kernel: Kernel
    structure: Structure = eqx.field(static=True)

    @classmethod
    def of(cls, coloring: ColoredPattern) -> Compression:
        """**Raises:** `TypeError` if it is no coloring, or traced; `ValueError` for that of a Hessian."""
        check_known(coloring, "A linear operator")
        derivative = compressed_jacobian_from_coloring(_unset, coloring)
        parts = (derivative.colors, derivative.row_colors, decompressor_for(coloring))
        kernel = Kernel(None, *parts, derivative.options)
        return cls(kernel, Structure(coloring.sparsity))

    def __call__(
        self, f: Callable[..., Any], *args: Any, holomorphic: bool
    ) -> Inexact[Array, " nnz"]:
        """The values of the Jacobian of `f` with respect to its first argument."""
        options = dataclasses.replace(self.kernel.options, argnums=0, holomorphic=holomorphic)
        return evaluate(dataclasses.replace(self.kernel, f=f, options=options), args, {}).data


def _unset(*args: Any) -> Any:
    raise AssertionError("a compression is called with a function")
