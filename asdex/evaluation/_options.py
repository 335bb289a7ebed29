"""How to evaluate a derivative, as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from jax.sharding import Mesh

from .._arguments import check_choice
from .._arrays import is_complex
from ..formats import FORMATS, ROW_BLOCK_FORMATS
from ..pattern import SparsityPattern
from ._spread_rows import row_sharding, RowAxis, RowSharding, sharding_of
from .passes import Batches, batches


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
    row_axis: RowAxis | RowSharding | None = None
    constant: Constant = "recompute"
    flatten: bool = False
    triangle: Triangle | None = None
    elements: bool | None = None
    verify: Verify = False

    def __post_init__(self) -> None:
        if self.output_format != COMPRESSED:
            check_choice("output_format", self.output_format, (*FORMATS, "row_blocks"))
        check_choice("constant", self.constant, Constant)
        if self.triangle is not None:
            check_choice("triangle", self.triangle, Triangle)
        if self.elements not in (None, True, False):
            raise ValueError(
                f"Expected `elements` to be True, False, or None for what costs less, got {self.elements!r}."
            )
        if self.row_axis is not None and not self.can_spread_rows:
            raise ValueError(
                f"Expected an output format out of {', '.join(map(repr, ROW_BLOCK_FORMATS))}, and neither "
                '`triangle` nor constant="reuse" nor elements=True nor `verify`, where rows are spread over '
                f"devices, got output_format={self.output_format!r}, triangle={self.triangle!r}, "
                f"constant={self.constant!r}, elements={self.elements!r}, verify={self.verify!r}."
            )
        if self.verify not in (False, True, "flag"):
            raise ValueError(f'Expected `verify` to be True, False or "flag", got {self.verify!r}.')
        _ = self.batches

    @property
    def batches(self) -> Batches:
        """How the passes are batched and spread over devices."""
        rows = self.rows
        mesh = self.mesh if rows is None else rows.mesh
        return batches(self.chunk_size, mesh, self.axis, () if rows is None else rows.cuts)

    @property
    def rows(self) -> RowSharding | None:
        """How the rows are spread over devices, if they are."""
        if self.row_axis is None or isinstance(self.row_axis, RowSharding):
            return self.row_axis
        return row_sharding(self.mesh, self.row_axis)

    @property
    def can_spread_rows(self) -> bool:
        """Whether nothing is asked for that has no form of row blocks."""
        asked = self.triangle, self.elements, self.verify, self.constant == "reuse"
        return self.output_format in ROW_BLOCK_FORMATS and not any(asked)

    def spread_as(self, args: Sequence[Any], pattern: SparsityPattern) -> EvaluationOptions:
        """The same options, with rows spread as the differentiated arguments are sharded, if they are.

        Not where the options say another thing or want a tree of several blocks, or where real and complex
        arrays come together.
        """
        avals = (pattern.input_avals, pattern.output_avals)
        if any(len(set(map(is_complex, one))) > 1 for one in avals):
            return self
        one_block = len(pattern.input_avals) == 1 and len(pattern.output_avals) <= 1
        as_blocks = one_block or self.flatten or self.output_format in ("data", "row_blocks")
        said = self.mesh is not None or self.row_axis is not None
        if said or not (as_blocks and self.can_spread_rows):
            return self
        sharding = sharding_of(args, pattern.argnums)
        if sharding is None or (sharding.mesh.size == 1 and self.output_format != "row_blocks"):
            return self
        return dataclasses.replace(self, row_axis=sharding)
