"""Draws the pictures of the explanations with the library's own plots, into `docs/pictures/`.

`mkdocs build` calls it; `python docs/draw_explanations.py` does the same by hand.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from drawing import draw, FOLDER, open_frame

import asdex


def on_pre_build(config: Any = None) -> None:
    """Draw all pictures."""
    del config
    draw(PICTURES, FOLDER)


def heat(u: Any) -> Any:
    """The residual of a heat equation on a square grid."""
    side = round(u.size**0.5)
    v = jnp.pad(u.reshape(side, side), 1)
    neighbors = v[1:-1, :-2] + v[1:-1, 2:] + v[:-2, 1:-1] + v[2:, 1:-1]
    return (neighbors - 4 * v[1:-1, 1:-1]).ravel()


def _pattern(plt: Any) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    for ax, side in zip(axes, (6, 30), strict=True):
        sparsity = asdex.jacobian_sparsity(heat, input_shape=side**2)
        asdex.spy(sparsity, ax=ax)
        ax.set_title(f"{side}×{side} grid: {sparsity.density:.1%} of the entries")
        ax.set(xticks=[], yticks=[], xlabel=f"{sparsity.n} inputs", ylabel=f"{sparsity.m} outputs")
    return figure


def _product(plt: Any) -> Any:
    """J S = B: columns of one color are added."""
    coloring = asdex.jacobian_coloring(heat, input_shape=36)
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(6.4, 4), gridspec_kw={"width_ratios": [36, 5, 5], "wspace": 0.35}
    )
    asdex.spy(coloring, ax=left)
    left.set(xticks=[], yticks=[], title="J, its columns in 5 colors")
    inputs, colors = np.arange(36), np.arange(coloring.num_colors)
    seeds = asdex.SparsityPattern.from_coo(inputs, coloring.colors, (36, len(colors)))
    asdex.spy(
        asdex.ColoredPattern(seeds, colors, len(colors), False, "fwd"), ax=middle, aspect="auto"
    )
    middle.set(xticks=[], yticks=[], title="S, a seed\nfor each color")
    asdex.spy(coloring, ax=right, compressed=True, aspect="auto")
    right.set(xticks=[], yticks=[], title="B = J S,\n5 products")
    for ax, sign in ((left, "×"), (middle, "=")):
        ax.annotate(sign, (1, 0.5), (9, 0), "axes fraction", "offset points", va="center", size=13)
    return figure


def _passes(plt: Any) -> Any:
    """Passes for a full Jacobian or Hessian against the number of inputs, all from colorings."""
    problems = {
        "squared differences": lambda n: asdex.jacobian_coloring(
            lambda x: (x[1:] - x[:-1]) ** 2, input_shape=n
        ),
        "heat equation, 2-D": lambda n: asdex.jacobian_coloring(
            heat, input_shape=round(n**0.5) ** 2
        ),
        "Rosenbrock, Hessian": lambda n: asdex.hessian_coloring(
            lambda x: jnp.sum((x[1:] - x[:-1] ** 2) ** 2), input_shape=n
        ),
    }
    sizes = [16, 64, 256, 1024, 4096, 16384]
    figure, ax = plt.subplots(figsize=(5, 3))
    ax.loglog(sizes, sizes, color="gray", linestyle="--", label="one per column")
    for (name, color), marker in zip(problems.items(), "osv", strict=True):
        ax.loglog(sizes, [color(n).num_colors for n in sizes], marker=marker, label=name)
    ax.set(xlabel="inputs", ylabel="passes of differentiation", ylim=(1, None))
    ax.legend(frameon=False)
    open_frame(ax)
    return figure


def _symmetry(plt: Any) -> Any:
    """A Hessian with one variable in every term: columns, and stars."""
    n = 16

    def energy(x: Any) -> Any:
        return jnp.sum(x[0] * x[1:] ** 2) + jnp.sum((x[2:] - x[1:-1]) ** 4)

    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    pattern = asdex.hessian_sparsity(energy, input_shape=n)
    by_columns, _ = asdex.color_cols(pattern)
    columns = asdex.ColoredPattern(pattern, by_columns, int(by_columns.max()) + 1, False, "fwd")
    stars = asdex.hessian_coloring_from_sparsity(pattern)
    for ax, name, coloring in zip(axes, ("columns", "stars"), (columns, stars), strict=True):
        asdex.spy(coloring, ax=ax)
        ax.set(xticks=[], yticks=[], title=f"{name}: {coloring.num_colors} colors")
    return figure


def _index_sets(plt: Any) -> Any:
    """The pattern after each equation of a small program."""
    steps = {
        "x": lambda x: x,
        "y = roll(x, 5)": lambda x: jnp.roll(x, 5),
        "z = x * y": lambda x: x * jnp.roll(x, 5),
        "s = sums by fours": lambda x: (x * jnp.roll(x, 5)).reshape(5, 4).sum(1),
        "cumsum(s)": lambda x: jnp.cumsum((x * jnp.roll(x, 5)).reshape(5, 4).sum(1)),
    }
    figure, axes = plt.subplots(1, len(steps), figsize=(9, 2))
    for ax, (name, step) in zip(axes, steps.items(), strict=True):
        asdex.spy(asdex.jacobian_sparsity(step, input_shape=20), ax=ax)
        ax.set(xticks=[], yticks=[], title=name)
    return figure


PICTURES = {
    "pattern": _pattern,
    "product": _product,
    "passes": _passes,
    "symmetry": _symmetry,
    "index-sets": _index_sets,
}


if __name__ == "__main__":
    on_pre_build()
