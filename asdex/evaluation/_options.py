"""How to evaluate a derivative, as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from jax.sharding import Mesh

from .._arguments import check_choice
from ..formats import FORMATS
from ._devices import Batches, batches


Constant = Literal["recompute", "reuse"]
Triangle = Literal["lower", "upper"]
Verify = bool | Literal["flag"]

COMPRESSED = "compressed"
"""The format of a derivative that is not decompressed."""


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What a call computes, and on what.

    The fields are the keywords of `asdex.jacobian` and `asdex.hessian`.

    **Raises:** as `asdex.jacobian`.
    """

    output_format: str = "bcoo"
    has_aux: bool = False
    holomorphic: bool = False
    allow_int: bool = False
    chunk_size: int | None = None
    mesh: Mesh | None = None
    axis: str | Sequence[str] | None = None
    constant: Constant = "recompute"
    flatten: bool = False
    triangle: Triangle | None = None
    elements: bool | None = None
    verify: Verify = False

    def __post_init__(self) -> None:
        if self.output_format != COMPRESSED:
            check_choice("output_format", self.output_format, FORMATS)
        check_choice("constant", self.constant, Constant)
        if self.triangle is not None:
            check_choice("triangle", self.triangle, Triangle)
        if self.elements not in (None, True, False):
            raise ValueError(
                f"Expected `elements` to be True, False, or None for what costs less, got {self.elements!r}."
            )
        if self.verify not in (False, True, "flag"):
            raise ValueError(f'Expected `verify` to be True, False or "flag", got {self.verify!r}.')
        _ = self.batches

    @property
    def batches(self) -> Batches:
        """How the passes are batched and spread over devices."""
        return batches(self.chunk_size, self.mesh, self.axis)

    @property
    def is_compressed(self) -> bool:
        return self.output_format == COMPRESSED
