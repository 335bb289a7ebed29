"""What to detect, as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from .._arguments import check_choice


Unknown = Literal["dense", "error"]
Captured = Literal["constant", "unknown"]


@dataclasses.dataclass(frozen=True)
class DetectionOptions:
    """The derivative whose pattern is wanted, and what may be taken for granted about the function.

    The fields are the keywords of `asdex.jacobian_sparsity`.

    **Raises:** `ValueError` for a value that is not allowed.
    """

    argnums: int | Sequence[int] = 0
    has_aux: bool = False
    allow_int: bool = False
    unknown: Unknown = "dense"
    captured: Captured = "constant"
    max_nnz: int | None = None

    def __post_init__(self) -> None:
        check_choice("unknown", self.unknown, Unknown)
        check_choice("captured", self.captured, Captured)
