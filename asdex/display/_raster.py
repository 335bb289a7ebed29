"""Pictures of patterns as pixels, and the colors that groups are drawn in."""

import colorsys

import numpy as np
from jaxtyping import Int


# Seen well on light and on dark paper; the colors of matplotlib's "tab10", then lighter ones.
_FEW = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
)
_MORE = (
    *("#8bb8e0", "#ffbb78", "#8fd48a", "#ff9896", "#c5b0d5"),
    *("#c49c94", "#f7b6d2", "#b0b0b0", "#dbdb8d", "#9edae5"),
)
_GOLDEN = 0.5 * (5**0.5 - 1)
_LIGHTNESSES = (0.45, 0.62, 0.53)


def palette(num_groups: int) -> list[str]:
    """Return one color per group, as `#rrggbb`; groups whose numbers are close differ clearly."""
    if num_groups <= len(_FEW) + len(_MORE):
        return [*_FEW, *_MORE][:num_groups]
    return [_hex(k * _GOLDEN % 1.0, _LIGHTNESSES[k % len(_LIGHTNESSES)]) for k in range(num_groups)]


def _hex(hue: float, lightness: float) -> str:
    channels = colorsys.hls_to_rgb(hue, lightness, 0.7)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def raster(
    rows: Int[np.ndarray, " k"],
    cols: Int[np.ndarray, " k"],
    shape: tuple[int, int],
    groups: Int[np.ndarray, " k"],
    size: tuple[int, int],
) -> Int[np.ndarray, "height width"]:
    """Bin the entries of an `(m, n)` matrix to pixels.

    **Returns:** the group of an entry in each pixel (the last one, of many), -1 where there is none.
    """
    image = np.full(size, -1, np.int64)
    y = rows.astype(np.int64) * size[0] // max(shape[0], 1)
    x = cols.astype(np.int64) * size[1] // max(shape[1], 1)
    image[y, x] = groups
    return image
