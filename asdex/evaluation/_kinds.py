"""The two kinds of derivatives."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..coloring import ColoredPattern


class Kind(NamedTuple):
    """A kind of derivative, and the modes of colorings for it."""

    name: str
    modes: tuple[str, ...]


JACOBIAN = Kind("Jacobian", ("fwd", "rev", "bidirectional"))
HESSIAN = Kind("Hessian", ("fwd_over_rev", "rev_over_fwd", "rev_over_rev"))


def check_coloring(coloring: Any, kind: Kind) -> None:
    """Check that a coloring is one, and for this kind of derivative.

    **Raises:** `TypeError` if it is not an `asdex.ColoredPattern`; `ValueError` if it is for the other kind.
    """
    if not isinstance(coloring, ColoredPattern):
        raise TypeError(
            f"Expected an asdex.ColoredPattern, got {type(coloring).__name__}. Make one with "
            f"asdex.{kind.name.lower()}_coloring or ..._coloring_from_sparsity."
        )
    if coloring.mode not in kind.modes:
        raise ValueError(
            f"Expected a coloring for a {kind.name}, with mode {', '.join(map(repr, kind.modes))}, got mode "
            f"{coloring.mode!r}. Use asdex.{kind.name.lower()}_coloring."
        )
