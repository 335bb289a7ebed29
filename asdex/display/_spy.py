"""Plots of patterns and colorings with matplotlib."""

from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, BCSR
from jaxtyping import Int

from .._bsr import BSR
from .._pattern import as_pattern, PatternLike, SparsityPattern
from ..coloring import ColoredPattern
from ._entries import compressed_forms, groups_of, is_known
from ._raster import palette, raster


_MAX_PIXELS = 1024
"""An image never has more pixels than this along a side, however large the pattern."""
_LEAST_SHARE = 0.1
"""How wide a compressed form is at least, beside its pattern."""
_PAD = 0.3
"""Inches between the two."""
_FORMS = (False, True, "columns", "rows", "beside")


def spy(
    pattern: PatternLike | ColoredPattern | BCSR | BSR | sp.sparray | sp.spmatrix,
    *,
    ax: Any = None,
    compressed: bool | Literal["columns", "rows", "beside"] = False,
    cmap: Any = None,
    **kwargs: Any,
) -> Any:
    """Plot where a matrix has its nonzeros; for a coloring, in the color of their group.

    Large patterns are binned, so that the cost of drawing is bounded and no nonzero is lost.

    **Arguments:**

    - `pattern`: a [`SparsityPattern`][] or a [`ColoredPattern`][], `(m, n)`. Of a matrix the pattern is
      plotted: the nonzeros of a dense array, the stored entries of a BCOO, BCSR, [`BSR`][] or SciPy array.
    - `ax`: the matplotlib `Axes` to draw on; the current ones if omitted.
    - `compressed`: `True` draws the compressed form of a coloring instead: `(m, num_colors)`, or
      `(num_colors, n)` if its rows are colored. A bidirectional coloring has two: "columns" (also
      `True`) or "rows". "beside" draws the pattern, and its compressed forms on axes of their own:
      to the right for groups of columns, below for groups of rows.
    - `cmap`: a matplotlib colormap; gray for patterns, one clear color per group for colorings by
      default.
    - `kwargs`: passed to `Axes.imshow`.

    **Returns:** the `Axes`.

    **Raises:** `ImportError` without matplotlib. `TypeError` for anything else than a pattern or a matrix.
    `ValueError` if `compressed` and there is no coloring, or none of that kind, if the indices are not
    known, as under `jax.jit`, or if an array is not 2-D.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            '`asdex.spy` needs matplotlib, which is not installed: `pip install "asdex[plot]"`.'
        ) from error
    shown = _as_shown(pattern)
    forms = _forms(shown, compressed)
    ax = plt.gca() if ax is None else ax
    if compressed in (False, "beside"):
        _draw(ax, _whole(shown), cmap, kwargs)
    if compressed == "beside":
        _draw_beside(ax, forms, cmap, kwargs)
    elif compressed:
        _draw(ax, next(iter(forms.values())), cmap, kwargs)
    return ax


def _as_shown(pattern: Any) -> SparsityPattern | ColoredPattern:
    """The pattern itself, or that of a matrix."""
    if isinstance(pattern, SparsityPattern | ColoredPattern):
        return pattern
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(pattern)):
        raise _unknown_indices(pattern)
    if isinstance(pattern, BSR):
        pattern = pattern.to_scipy()
    if isinstance(pattern, BCSR):
        return as_pattern(pattern.to_bcoo())
    if isinstance(pattern, np.ndarray | jax.Array | BCOO):
        return as_pattern(pattern)
    if sp.issparse(pattern) and pattern.ndim == 2:
        entries = pattern.tocoo()
        return SparsityPattern.from_coo(entries.row, entries.col, entries.shape)
    raise TypeError(
        "Expected a SparsityPattern, a ColoredPattern or a 2-D matrix (a NumPy, JAX, BCOO, BCSR, BSR or "
        f"SciPy array), got {type(pattern).__name__}. For a derivative such as `asdex.jacobian(f, x)` pass "
        "its attribute `coloring`."
    )


def _unknown_indices(pattern: Any) -> ValueError:
    return ValueError(
        f"Expected a pattern with known indices, got {pattern!r}. Plot it outside of "
        "transformations such as `jax.jit`."
    )


class _Entries(NamedTuple):
    """What to draw: entries of a matrix in their groups, of which a plain pattern has none."""

    rows: Int[np.ndarray, " k"]
    cols: Int[np.ndarray, " k"]
    shape: tuple[int, int]
    groups: Int[np.ndarray, " k"]
    num_groups: int


def _forms(pattern: SparsityPattern | ColoredPattern, compressed: Any) -> dict[str, _Entries]:
    """The compressed forms that were asked for, after a check of what was asked."""
    if compressed not in _FORMS:
        raise ValueError(
            f"Expected `compressed` to be one of {', '.join(map(repr, _FORMS))}, got {compressed!r}."
        )
    if not is_known(pattern):
        raise _unknown_indices(pattern)
    if compressed is False:
        return {}
    if not isinstance(pattern, ColoredPattern):
        raise ValueError(
            f"`compressed={compressed!r}` needs a ColoredPattern, got a {type(pattern).__name__}. Color "
            "it with `jacobian_coloring_from_sparsity` or `hessian_coloring_from_sparsity`."
        )
    forms = {
        name: _Entries(*form, pattern.num_colors)
        for name, form in zip(("columns", "rows"), compressed_forms(pattern), strict=True)
        if form is not None
    }
    if compressed not in ("columns", "rows"):
        return forms
    if compressed not in forms:
        raise ValueError(
            f"`compressed={compressed!r}` needs a coloring with groups of {compressed}, got one of mode "
            f"{pattern.mode!r}. Pass `compressed=True`."
        )
    return {compressed: forms[compressed]}


def _whole(pattern: SparsityPattern | ColoredPattern) -> _Entries:
    if isinstance(pattern, SparsityPattern):
        sparsity, num_groups = pattern, 0
        groups = np.ones(sparsity.nnz, np.int64)  # the dark end of a map from 0 to 1
    else:
        sparsity, groups, num_groups = pattern.sparsity, groups_of(pattern), pattern.num_colors
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    return _Entries(rows, cols, sparsity.shape, groups, num_groups)


def _draw(ax: Any, entries: _Entries, cmap: Any, kwargs: dict[str, Any]) -> None:
    rows, cols, shape, groups, num_groups = entries
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


def _draw_beside(ax: Any, forms: dict[str, _Entries], cmap: Any, kwargs: dict[str, Any]) -> None:
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
        _draw(beside, form, cmap, {**kwargs, "aspect": "auto"})
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
