"""The keywords that all evaluating functions share."""

from collections.abc import Sequence
from typing import TypedDict

from jax.sharding import Mesh


class EvaluationOptions(TypedDict, total=False):
    """Keywords that say how a derivative is computed; their meaning is that in `asdex.jacobian`."""

    has_aux: bool
    holomorphic: bool
    allow_int: bool
    chunk_size: int | None
    mesh: Mesh | None
    axis: str | Sequence[str] | None
