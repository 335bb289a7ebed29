"""Pictures of patterns as SVG: small, self-contained, and legible on light and on dark paper."""

from html import escape

import numpy as np
from jaxtyping import Int


# Entries are drawn apart from this many screen pixels on.
_APART, _GAP = 6, 1
_INK = "currentColor"


def svg(
    image: Int[np.ndarray, "height width"],
    colors: list[str] | None,
    cell: tuple[int, int],
    label: str,
) -> str:
    """Draw pixels, each with the color of its group.

    **Arguments:**

    - `image`: the group of each pixel, -1 for none.
    - `colors`: one color per group; `None` for that of the text around.
    - `cell`: the height and width of a pixel on the screen.
    - `label`: what the picture shows, for readers who do not see it.
    """
    height, width = image.shape[0] * cell[0], image.shape[1] * cell[1]
    gap = _GAP if min(cell) >= _APART else 0
    paths = []
    for group in np.unique(image[image >= 0]).tolist():
        ink = _INK if colors is None else colors[group]
        paths.append(f'<path stroke="{ink}" d="{_strokes(image == group, cell, gap)}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(label)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" shape-rendering="crispEdges" fill="none" '
        f'stroke-width="{cell[0] - gap}" style="border:1px solid rgba(128,128,128,.6);flex:none">'
        f"<title>{escape(label)}</title>{''.join(paths)}</svg>"
    )


def _strokes(marked: np.ndarray, cell: tuple[int, int], gap: int) -> str:
    """Horizontal strokes through the marked pixels; neighbors in one stroke unless there are gaps."""
    padded = np.pad(marked, ((0, 0), (1, 1)))
    if gap:
        ys, starts = np.nonzero(marked)
        stops = starts + 1
    else:
        ys, starts = np.nonzero(padded[:, 1:-1] & ~padded[:, :-2])
        stops = np.nonzero(padded[:, 1:-1] & ~padded[:, 2:])[1] + 1
    xs, lengths = starts * cell[1], (stops - starts) * cell[1] - gap
    middles = ys * cell[0] + 0.5 * (cell[0] - gap)
    return "".join(
        f"M{x} {y:g}h{length}"
        for x, y, length in zip(xs.tolist(), middles.tolist(), lengths.tolist(), strict=True)
    )
