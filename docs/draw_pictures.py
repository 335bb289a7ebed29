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


def _elements(plt: Any) -> Any:
    """A mesh, the derivatives at its elements, and what they are assembled to."""
    angles = np.arange(6) * np.pi / 3
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.concatenate([[[0, 0]], ring, [[1.7, 0.9], [1.7, -0.9]]])
    around = [[0, k, k % 6 + 1] for k in range(1, 7)]
    triangles = np.array([*around, [1, 2, 7], [1, 7, 8], [1, 6, 8]])
    rows, cols = (np.repeat(triangles, 3, 1).ravel(), np.tile(triangles, 3).ravel())
    of_element = np.repeat(np.arange(len(triangles)), 9)
    place = np.arange(3 * len(triangles)).reshape(-1, 3)
    figure, (mesh, blocks, matrix) = plt.subplots(1, 3, figsize=(7.5, 2.8))
    colors = {"cmap": "tab10", "vmin": 0, "vmax": 9}
    mesh.tripcolor(*points.T, triangles, facecolors=np.arange(len(triangles)), alpha=0.7, **colors)
    mesh.triplot(*points.T, triangles, color="white")
    for number, point in enumerate(points):
        circle = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "gray"}
        mesh.text(*point, str(number), ha="center", va="center", fontsize=7, bbox=circle)
    mesh.set_title("elements that share nodes")
    mesh.set_aspect("equal")
    mesh.set_axis_off()
    squares = {"marker": "s", **colors}
    inner = np.tile(place, 3).ravel(), np.repeat(place, 3, 1).ravel()
    blocks.scatter(*inner, c=of_element, s=6, **squares)
    blocks.set_title("copies: 3 passes")
    matrix.scatter(cols, rows, c=of_element, alpha=0.5, s=60, **squares)
    fullest = np.bincount(np.unique(rows * len(points) + cols) // len(points)).max()
    matrix.set_title(f"sums: {fullest} in the fullest row")
    for ax, size in ((blocks, place.size), (matrix, len(points))):
        ax.set(
            xlim=(-0.7, size - 0.3), ylim=(size - 0.3, -0.7), aspect="equal", xticks=[], yticks=[]
        )
    return figure


PICTURES = {
    "elements": _elements,
    "compression": _compression,
    "lattice": _lattice,
    "bidirectional": _bidirectional,
}


if __name__ == "__main__":
    on_pre_build()
