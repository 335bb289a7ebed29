"""The keywords that all evaluating functions share."""

from typing import TypedDict


class EvaluationOptions(TypedDict, total=False):
    """Keywords that say how a derivative is computed; their meaning is that in `asdex.jacobian`."""

    has_aux: bool
    holomorphic: bool
    allow_int: bool
    chunk_size: int | None
