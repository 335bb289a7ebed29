"""What notebooks show of patterns and colorings: a picture with the facts beside it."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from ._entries import compressed_forms, is_known
from ._raster import palette, raster
from ._svg import svg
from ._text import cost_of, describe_coloring, describe_pattern, percent, plural


if TYPE_CHECKING:
    from ..coloring import ColoredPattern
    from ..pattern import SparsityPattern


# Screen pixels: the longest side of a picture, and the largest entry.
_SIDE, _LARGEST = 240, 14
# Pixels of the picture along a side at most, and along the shorter one at least.
_MOST_BINS, _FEWEST_BINS = 120, 6
# Screen pixels of a color in a compressed form, by the number of colors up to which it is.
_COLOR_WIDTHS = ((4, 14), (16, 8), (40, 4), (_MOST_BINS, 2))
_MODES = {
    "fwd": "forward",
    "rev": "reverse",
    "bidirectional": "forward and reverse",
    "fwd_over_rev": "forward over reverse",
    "rev_over_fwd": "reverse over forward",
    "rev_over_rev": "reverse over reverse",
}


def pattern_html(sparsity: "SparsityPattern") -> str:
    """Return a picture of a pattern and its facts; only a description of one that is not known."""
    if not is_known(sparsity):
        return f"<pre>{escape(describe_pattern(sparsity))}</pre>"
    how = _Scale(sparsity.shape)
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    image = raster(rows, cols, sparsity.shape, np.zeros(sparsity.nnz, np.int64), how.bins)
    picture = svg(image, None, how.cell, f"The nonzeros of a {_shape(sparsity)} matrix")
    return _page("SparsityPattern", picture, [*_facts_of_pattern(sparsity), *_scale_fact(how)])


def coloring_html(coloring: "ColoredPattern", groups: Int[np.ndarray, " nnz"] | None) -> str:
    """Return the pattern in the colors of its groups, its compressed forms, and the facts.

    **Arguments:** `groups`: the group of each nonzero; `None` for a coloring that is not known, of which
    only a description is returned.
    """
    if groups is None:
        return f"<pre>{escape(describe_coloring(coloring))}</pre>"
    sparsity = coloring.sparsity
    how, colors = _Scale(sparsity.shape), palette(coloring.num_colors)
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    image = raster(rows, cols, sparsity.shape, groups, how.bins)
    pictures = svg(image, colors, how.cell, f"The nonzeros of a {_shape(sparsity)} matrix by color")
    for name, form in compressed_forms(coloring).items():
        bins, cell = _color_scale(form.shape[name == "columns"])
        label = f"Its compressed form by {name}"
        if name == "columns" and bins:
            image = raster(*form, (how.bins[0], bins))
            pictures = _row(pictures, "→", svg(image, colors, (how.cell[0], cell), label))
        elif bins:
            below = svg(raster(*form, (bins, how.bins[1])), colors, (cell, how.cell[1]), label)
            pictures = f"<div>{pictures}<div>↓</div>{below}</div>"
    facts = [*_facts_of_coloring(coloring), *_facts_of_pattern(sparsity), *_scale_fact(how)]
    return _page("ColoredPattern", pictures, facts)


class _Scale:
    """How large to draw an `(m, n)` matrix: `bins` of entries, each a `cell` of screen pixels."""

    def __init__(self, shape: tuple[int, int]):
        self.shape = shape
        longest = max(*shape, 1)
        side = max(min(_SIDE // longest, _LARGEST), _SIDE // _MOST_BINS)
        self.cell = (side, side)
        self.bins = (self._bins(shape[0], longest), self._bins(shape[1], longest))

    def _bins(self, size: int, longest: int) -> int:
        if longest <= _MOST_BINS:
            return max(size, 1)
        return max(size * _MOST_BINS // longest, min(size, _FEWEST_BINS), 1)


def _color_scale(num_colors: int) -> tuple[int, int]:
    """Return the number of bins for the colors, and how wide each is."""
    widths = (width for most, width in _COLOR_WIDTHS if num_colors <= most)
    return min(num_colors, _MOST_BINS), next(widths, _COLOR_WIDTHS[-1][1])


def _facts_of_pattern(sparsity: "SparsityPattern") -> list[tuple[str, str]]:
    facts = [
        ("shape", _shape(sparsity)),
        ("nonzeros", f"{sparsity.nnz:,} ({percent(sparsity.nnz, sparsity.m * sparsity.n)})"),
    ]
    for name, indices, size in (
        ("per row", sparsity.rows, sparsity.m),
        ("per column", sparsity.cols, sparsity.n),
    ):
        counts = np.bincount(np.asarray(indices), minlength=size)
        if counts.size:
            least, most = int(counts.min()), int(counts.max())
            facts.append((name, f"{least:,}" if least == most else f"{least:,} to {most:,}"))
    for name, avals in (("inputs", sparsity.input_avals), ("outputs", sparsity.output_avals)):
        if avals:
            texts = [f"{aval.dtype}{list(aval.shape)}" for aval in avals]
            shown = texts if len(texts) <= 4 else [*texts[:3], f"… {len(texts) - 3} more"]
            facts.append((name, ", ".join(shown)))
    return facts


def _facts_of_coloring(coloring: "ColoredPattern") -> list[tuple[str, str]]:
    colors = plural(coloring.num_colors, "color")
    if coloring.optimal:
        colors += ", proven to be the fewest"
    elif coloring.lower_bound:
        colors += f", at least {coloring.lower_bound} needed"
    if coloring.symmetric:
        kind = "star" if coloring.recovery == "direct" else "acyclic"
        colors += f" ({kind} coloring)"
    facts = [
        ("passes", cost_of(coloring)),
        ("colors", colors),
        ("mode", _MODES.get(coloring.mode, coloring.mode)),
    ]
    if coloring.recovery != "direct":
        facts.append(("recovery", coloring.recovery))
    return facts + ([("reason", coloring.reason)] if coloring.reason else [])


def _scale_fact(how: _Scale) -> list[tuple[str, str]]:
    if how.bins == how.shape or min(how.shape) == 0:
        return []
    sizes = [-(-size // bins) for size, bins in zip(how.shape, how.bins, strict=True)]
    return [("a dot", f"any of up to {sizes[0]:,}×{sizes[1]:,} entries")]


def _shape(sparsity: "SparsityPattern") -> str:
    return f"{sparsity.m:,} × {sparsity.n:,}"


def _row(*parts: str) -> str:
    return f'<div style="display:flex;align-items:center;gap:8px">{"".join(parts)}</div>'


def _page(title: str, picture: str, facts: list[tuple[str, str]]) -> str:
    """Pictures on the left and facts on the right, or below where there is no room."""
    left = "text-align:left;padding:1px 10px 1px 0"
    cells = "".join(
        '<tr style="background:none">'
        f'<th style="{left};font-weight:normal;opacity:.65">{escape(name)}</th>'
        f'<td style="{left}">{escape(text)}</td></tr>'
        for name, text in facts
    )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start">'
        f"<div>{picture}</div><div><strong>{title}</strong>"
        f'<table style="border:none;margin:4px 0 0">{cells}</table></div></div>'
    )
