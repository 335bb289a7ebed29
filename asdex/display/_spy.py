"""Plots of matrices with matplotlib."""

from typing import Any

import numpy as np

from ._entries import Entries
from ._raster import palette, raster


_MAX_PIXELS = 1024
"""An image never has more pixels than this along a side, however large the pattern."""
_LEAST_SHARE = 0.1
"""How wide a compressed form is at least, beside its pattern."""
_PAD = 0.3
"""Inches between the two."""


def plot(
    whole: Entries | None,
    forms: dict[str, Entries],
    num_groups: int,
    ax: Any,
    cmap: Any,
    kwargs: dict[str, Any],
) -> Any:
    """Draw the entries of a matrix with its compressed forms beside it, or the first of the forms alone.

    **Arguments:** `whole`: the entries of the matrix; `None` for a form alone. `forms`: by "columns" and by
    "rows". `num_groups`: 0 for a plain pattern. `ax`, `cmap`, `kwargs`: as for `asdex.spy`.

    **Returns:** the `Axes`.

    **Raises:** `ImportError` without matplotlib.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            '`asdex.spy` needs matplotlib, which is not installed: `pip install "asdex[plot]"`.'
        ) from error
    ax = plt.gca() if ax is None else ax
    first = next(iter(forms.values())) if whole is None else whole
    _draw(ax, first, num_groups, cmap, kwargs)
    if whole is not None and forms:
        _draw_beside(ax, forms, num_groups, cmap, kwargs)
    return ax


def _draw(ax: Any, entries: Entries, num_groups: int, cmap: Any, kwargs: dict[str, Any]) -> None:
    rows, cols, shape, groups = entries
    options: dict[str, Any] = {
        "cmap": _default_cmap(num_groups) if cmap is None else cmap,
        "vmin": 0,
        "vmax": max(num_groups - 1, 1),
        "interpolation": "nearest",
        "extent": (-0.5, max(shape[1], 1) - 0.5, max(shape[0], 1) - 0.5, -0.5),
        "aspect": "equal" if 0 < max(shape) <= 8 * min(shape) else "auto",
    }
    options |= kwargs
    size = _pixels(ax, shape, options["aspect"] == "equal")
    image = raster(rows, cols, shape, groups, size)
    ax.imshow(np.ma.masked_less(image, 0), **options)
    for axis in (ax.xaxis, ax.yaxis):
        if hasattr(axis.get_major_locator(), "set_params"):
            axis.get_major_locator().set_params(integer=True)


def _draw_beside(
    ax: Any, forms: dict[str, Entries], num_groups: int, cmap: Any, kwargs: dict[str, Any]
) -> None:
    """Draw compressed forms on new axes, which stay beside those of the pattern."""
    from mpl_toolkits.axes_grid1 import make_axes_locatable

    left, right, bottom, top = ax.images[0].get_extent()
    divider = make_axes_locatable(ax)
    for name, form in forms.items():
        if name == "columns":
            share = form.shape[1] / max(right - left, 1)
            options: dict[str, Any] = {"position": "right", "sharey": ax}
        else:
            share = form.shape[0] / max(bottom - top, 1)
            options = {"position": "bottom", "sharex": ax}
        share = min(max(share, _LEAST_SHARE), 1.0)
        beside = divider.append_axes(size=f"{100 * share:g}%", pad=_PAD, **options)
        _draw(beside, form, num_groups, cmap, {**kwargs, "aspect": "auto"})
        ends = sorted({0, max(form.shape[name == "columns"] - 1, 0)})  # there is no room for more
        if name == "columns":
            beside.set_xticks(ends)
            beside.tick_params(labelleft=False)
        else:
            beside.set_yticks(ends)
            ax.tick_params(labelbottom=False)


def _pixels(ax: Any, shape: tuple[int, int], equal: bool) -> tuple[int, int]:
    """Pixels for the entries: no more than the axes have, which would leave some of them out."""
    box = ax.get_window_extent()
    scales = [box.height / max(shape[0], 1), box.width / max(shape[1], 1)]
    if equal:
        scales = [min(scales)] * 2
    height, width = (
        max(min(size, round(size * scale), _MAX_PIXELS), 1)
        for size, scale in zip(shape, scales, strict=True)
    )
    return height, width


def _default_cmap(num_groups: int) -> Any:
    if num_groups == 0:
        return "gray_r"
    from matplotlib.colors import ListedColormap

    return ListedColormap(palette(num_groups))
