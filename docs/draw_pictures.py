"""Draws the pictures of the documentation with the library's own plots, into `docs/pictures/`.

`mkdocs build` calls it; `python docs/draw_pictures.py` does the same by hand.
"""

from typing import Any

import numpy as np
from drawing import draw, FOLDER

import asdex


def five_point(side: int) -> asdex.SparsityPattern:
    """Nearest neighbors on a square grid."""
    point = np.arange(side * side)
    row, col = np.divmod(point, side)
    rows, cols = [point], [point]
    for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        inside = (0 <= row + di) & (row + di < side) & (0 <= col + dj) & (col + dj < side)
        rows.append(point[inside])
        cols.append((point + di * side + dj)[inside])
    return asdex.SparsityPattern.from_coo(
        np.concatenate(rows), np.concatenate(cols), (side * side, side * side)
    )


def arrowhead(n: int) -> asdex.SparsityPattern:
    """A full first row, a full first column, and the diagonal."""
    every, zero = np.arange(n), np.zeros(n, np.int64)
    rows, cols = np.concatenate([every, zero, every]), np.concatenate([every, every, zero])
    return asdex.SparsityPattern.from_coo(rows, cols, (n, n))


def on_pre_build(config: Any = None) -> None:
    """Draw all pictures."""
    del config
    draw(PICTURES, FOLDER)


def _compression(plt: Any) -> Any:
    coloring = asdex.jacobian_coloring_from_sparsity(five_point(6))
    figure, ax = plt.subplots(figsize=(6, 4))
    asdex.spy(coloring, ax=ax, compressed="beside")
    ax.set_title("columns in 5 colors")
    figure.axes[1].set_title("compressed")
    return figure


def _lattice(plt: Any) -> Any:
    side = 10
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    for ax, order in zip(axes, ("natural", None), strict=True):
        colors, num_colors = asdex.color_cols(five_point(side), order=order)
        grid = colors.reshape(side, side)
        ax.imshow(grid, cmap="tab10", vmin=0, vmax=9)
        for (i, j), color in np.ndenumerate(grid):
            ax.text(j, i, str(color), ha="center", va="center", color="white", fontsize=7)
        ax.set_title(f"{order or 'lattice'}: {num_colors} colors")
        ax.set_axis_off()
    return figure


def _bidirectional(plt: Any) -> Any:
    coloring = asdex.jacobian_coloring_from_sparsity(arrowhead(20), mode="auto")
    figure, ax = plt.subplots(figsize=(3, 3))
    asdex.spy(coloring, ax=ax, compressed="beside")
    ax.set_title("2 groups of columns and a row")
    return figure


PICTURES = {
    "compression": _compression,
    "lattice": _lattice,
    "bidirectional": _bidirectional,
}


if __name__ == "__main__":
    on_pre_build()
