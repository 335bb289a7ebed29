"""What to detect, as one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np

from .._arguments import check_choice


Unknown = Literal["dense", "error"]
Captured = Literal["constant", "unknown"]
Local = Literal[False, True] | Sequence[Any] | np.ndarray | jax.Array
"""Whether the pattern holds at the sample inputs only, or further points at which it holds."""


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
    local: Local = False

    def __post_init__(self) -> None:
        check_choice("unknown", self.unknown, Unknown)
        check_choice("captured", self.captured, Captured)
        if not isinstance(self.local, bool) and not (np.iterable(self.local) and len(self.local)):
            raise TypeError(
                "Expected `local` to be True, False or a sequence of at least one point, got "
                f"{self.local!r}."
            )

    @property
    def is_local(self) -> bool:
        """Whether the pattern holds at some points only."""
        return self.local is not False

    def points(self, samples: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The positional arguments at each point; `samples` are those of the call."""
        if isinstance(self.local, bool):
            return [tuple(samples)]
        return [one if isinstance(one, tuple) else (one,) for one in self.local]
