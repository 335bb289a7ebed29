"""Plots of patterns and colorings with matplotlib."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from .._pattern import SparsityPattern
from ..coloring import ColoredPattern
from ..coloring._counts import read_from_column
from ._text import compressed_forms


# An image never has more pixels than this along a side, however large the pattern.
_MAX_PIXELS = 1024


def spy(
    pattern: SparsityPattern | ColoredPattern,
    *,
    ax: Any = None,
    compressed: bool = False,
    cmap: Any = None,
    **kwargs: Any,
) -> Any:
    """Plot where a matrix has its nonzeros; for a coloring, in the color of their group.

    Large patterns are binned, so that the cost of drawing is bounded.

    **Arguments:**

    - `pattern`: a [`SparsityPattern`][] or a [`ColoredPattern`][], `(m, n)`.
    - `ax`: the matplotlib `Axes` to draw on; the current ones if omitted.
    - `compressed`: draw the compressed form of a coloring instead: `(m, num_colors)`, or
      `(num_colors, n)` if its rows are colored; that of the columns if both are.
    - `cmap`: a matplotlib colormap; gray for patterns, qualitative for colorings by default.
    - `kwargs`: passed to `Axes.imshow`.

    **Returns:** the `Axes`.

    **Raises:** `ImportError` without matplotlib. `ValueError` if `compressed` and there is no
    coloring.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            '`asdex.spy` needs matplotlib, which is not installed: `pip install "asdex[plot]"`.'
        ) from error
    if compressed and not isinstance(pattern, ColoredPattern):
        raise ValueError(
            f"`compressed=True` needs a ColoredPattern, got a {type(pattern).__name__}. Color it "
            "with `jacobian_coloring_from_sparsity` or `hessian_coloring_from_sparsity`."
        )
    rows, cols, shape, groups, num_groups = _entries(jax.tree.map(np.asarray, pattern), compressed)
    ax = plt.gca() if ax is None else ax
    options: dict[str, Any] = {
        "cmap": _default_cmap(num_groups) if cmap is None else cmap,
        "vmin": 0,
        "vmax": max(num_groups - 1, 1),
        "interpolation": "nearest",
        "extent": (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5),
        "aspect": "equal" if max(shape) <= 8 * min(shape) else "auto",
    }
    ax.imshow(_image(rows, cols, shape, groups), **(options | kwargs))
    return ax


def _entries(pattern: SparsityPattern | ColoredPattern, compressed: bool):
    """Return the rows, columns, shape, group of each entry, and number of groups, to be drawn."""
    if isinstance(pattern, SparsityPattern):
        groups = np.ones(pattern.nnz, np.int64)  # the dark end of a map from 0 to 1
        return pattern.rows, pattern.cols, pattern.shape, groups, 0
    sparsity = pattern.sparsity
    of_columns, of_rows = compressed_forms(pattern)
    if compressed:
        form = of_columns if of_columns is not None else of_rows
        assert form is not None
        return form.rows, form.cols, form.shape, form.groups, pattern.num_colors
    if pattern.mode == "rev":
        groups = pattern.colors[sparsity.rows]
    else:
        groups = pattern.colors[sparsity.cols]
        if pattern.row_colors is not None:  # rows are numbered after columns
            by_column = read_from_column(sparsity, pattern.colors)
            first = pattern.num_colors - pattern.num_row_colors
            groups = np.where(by_column, groups, first + pattern.row_colors[sparsity.rows])
    return sparsity.rows, sparsity.cols, sparsity.shape, groups, pattern.num_colors


def _image(
    rows: Int[np.ndarray, " k"],
    cols: Int[np.ndarray, " k"],
    shape: tuple[int, int],
    groups: Int[np.ndarray, " k"],
) -> np.ma.MaskedArray:
    """Return the group at each pixel; masked where there is no entry."""
    height, width = (max(min(size, _MAX_PIXELS), 1) for size in shape)
    image = np.full((height, width), -1, np.int64)
    y = rows.astype(np.int64) * height // max(shape[0], 1)
    x = cols.astype(np.int64) * width // max(shape[1], 1)
    image[y, x] = groups
    return np.ma.masked_less(image, 0)


def _default_cmap(num_groups: int) -> str:
    if num_groups == 0:
        return "gray_r"
    if num_groups <= 10:
        return "tab10"
    return "tab20" if num_groups <= 20 else "turbo"
