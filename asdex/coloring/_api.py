"""Colorings of patterns: one function per problem, and the choice between modes."""

import os
import sys
import warnings
from collections.abc import Sequence
from typing import get_args

import numpy as np
from jaxtyping import Int32

from .._errors import DenseColoringWarning
from .._pattern import as_pattern, PatternLike, SparsityPattern
from ._check import check_coloring_cols, check_coloring_rows, check_coloring_symmetric
from ._colored_pattern import ColoredPattern, HessianMode, JacobianMode
from ._greedy import greedy_partition
from ._problem import adjacency, columns, partition_lower_bound, rows, star_lower_bound
from ._search import fewest_colors
from ._star import greedy_star
from ._star_set import find_stars, StarSet


def color_cols(sparsity: PatternLike) -> tuple[Int32[np.ndarray, " n"], int]:
    """Color the columns so that columns which share a row differ, with few colors.

    Greedy partial distance-2 coloring (Curtis, Powell and Reid 1974; Gebremedhin, Manne and
    Pothen, "What Color Is Your Jacobian?", SIAM Review 47, 2005) in several orders, of which the
    best is kept.

    **Arguments:** `sparsity`: an `(m, n)` pattern, BCOO or dense array.

    **Returns:** `(colors, num_colors)`: int32 `(n,)`, and their number, 0 without nonzeros.
    """
    colored = _color_partition(as_pattern(sparsity), "fwd")
    return colored.colors, colored.num_colors


def color_rows(sparsity: PatternLike) -> tuple[Int32[np.ndarray, " m"], int]:
    """Color the rows so that rows which share a column differ: [`color_cols`][] of the transpose.

    **Arguments:** `sparsity`: an `(m, n)` pattern, BCOO or dense array.

    **Returns:** `(colors, num_colors)`: int32 `(m,)`, and their number, 0 without nonzeros.
    """
    colored = _color_partition(as_pattern(sparsity), "rev")
    return colored.colors, colored.num_colors


def color_symmetric(sparsity: PatternLike) -> tuple[Int32[np.ndarray, " n"], int, StarSet]:
    """Star-color the adjacency graph of a symmetric pattern, with few colors.

    Greedy star coloring (Coleman and Moré 1984; Gebremedhin, Tarafdar, Manne and Pothen, SIAM J.
    Sci. Comput. 29, 2007) in several orders, of which the best is kept.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.

    **Returns:** `(colors, num_colors, stars)`: int32 `(n,)`, their number, and the [`StarSet`][].

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    pattern = as_pattern(sparsity)
    colored = _color_star(pattern, "fwd_over_rev")
    stars = find_stars(pattern, colored.colors, colored.num_colors)
    return colored.colors, colored.num_colors, stars


def jacobian_coloring_from_sparsity(
    sparsity: PatternLike, *, mode: JacobianMode | None = None, symmetric: bool = False
) -> ColoredPattern:
    """Color the pattern of a Jacobian.

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern, BCOO or dense array.
    - `mode`: "fwd" colors the columns, for JVPs; "rev" the rows, for VJPs; "auto" or `None` takes
      what needs fewer colors, and "fwd" if they tie.
    - `symmetric`: color for a symmetric matrix, by a star coloring. The *values* must be symmetric.

    **Returns:** the [`ColoredPattern`][].

    **Raises:** `ValueError` for an unknown mode, or if `symmetric` and the pattern is not.

    **Warns:** [`DenseColoringWarning`][] if the colors save nothing over a dense Jacobian.
    """
    pattern = as_pattern(sparsity)
    known = _check_mode(mode, get_args(JacobianMode), "Jacobian")
    allowed = ("fwd", "rev") if known == "auto" else (known,)
    return color_jacobian(pattern, symmetric=symmetric, allowed=allowed)


def hessian_coloring_from_sparsity(
    sparsity: PatternLike, *, mode: HessianMode | None = None, symmetric: bool = True
) -> ColoredPattern:
    """Color the pattern of a Hessian.

    **Arguments:**

    - `sparsity`: an `(n, n)` pattern, BCOO or dense array.
    - `mode`: "fwd_over_rev" (also "auto" and `None`), "rev_over_fwd" or "rev_over_rev": how the
      Hessian-vector products are to be computed. The colors do not depend on it.
    - `symmetric`: use the symmetry by a star coloring; else color the columns.

    **Returns:** the [`ColoredPattern`][].

    **Raises:** `ValueError` for an unknown mode, if the pattern is not square, or if `symmetric`
    and the pattern is not structurally symmetric.

    **Warns:** [`DenseColoringWarning`][] if the colors save nothing over a dense Hessian.
    """
    pattern = as_pattern(sparsity)
    known = _check_mode(mode, get_args(HessianMode), "Hessian")
    known = "fwd_over_rev" if known == "auto" else known
    if pattern.m != pattern.n:
        raise ValueError(
            f"A Hessian pattern is square, got shape {pattern.shape}. "
            "For a Jacobian use `jacobian_coloring_from_sparsity`."
        )
    colored = _color_star(pattern, known) if symmetric else _color_partition(pattern, known)
    _warn_if_dense(colored, pattern.n, "Hessian")
    return colored


def color_jacobian(
    sparsity: SparsityPattern, *, symmetric: bool = False, allowed: Sequence[str] = ("fwd", "rev")
) -> ColoredPattern:
    """Color for whichever of the `allowed` modes ("fwd", "rev") needs fewest colors."""
    if symmetric:
        colored = _color_star(sparsity, "fwd" if "fwd" in allowed else "rev")
    else:
        colored = _color_cheapest(sparsity, allowed)
    dense = min({"fwd": sparsity.n, "rev": sparsity.m}[mode] for mode in allowed)
    _warn_if_dense(colored, dense, "Jacobian")
    return colored


def _color_cheapest(sparsity: SparsityPattern, allowed: Sequence[str]) -> ColoredPattern:
    """Color in the mode with the smallest bound first; a mode that cannot win is not tried."""
    bounds = {
        "fwd": int(np.diff(sparsity.indptr).max(initial=0)),
        "rev": int(np.bincount(sparsity.cols).max(initial=0)),
    }
    best = None
    for mode in sorted(allowed, key=lambda mode: (bounds[mode], mode)):
        if best is None or (bounds[mode], mode) < (best.num_colors, best.mode):
            colored = _color_partition(sparsity, mode)
            if best is None or (colored.num_colors, mode) < (best.num_colors, best.mode):
                best = colored
    assert best is not None
    return best


def _color_partition(sparsity: SparsityPattern, mode: str) -> ColoredPattern:
    problem = rows(sparsity) if mode == "rev" else columns(sparsity)
    bound = partition_lower_bound(problem)
    colors = fewest_colors(greedy_partition, problem, bound)
    check = check_coloring_rows if mode == "rev" else check_coloring_cols
    check(sparsity, colors)
    return ColoredPattern(sparsity, colors, _count(sparsity, colors), False, mode, bound)


def _color_star(sparsity: SparsityPattern, mode: str) -> ColoredPattern:
    graph = adjacency(sparsity)
    bound = min(star_lower_bound(graph), sparsity.nnz)
    colors = fewest_colors(greedy_star, graph, bound)
    check_coloring_symmetric(sparsity, colors)
    return ColoredPattern(sparsity, colors, _count(sparsity, colors), True, mode, bound)


def _count(sparsity: SparsityPattern, colors: Int32[np.ndarray, " k"]) -> int:
    return int(colors.max(initial=0)) + 1 if sparsity.nnz else 0


def _check_mode(mode: str | None, known: tuple[str, ...], what: str) -> str:
    if mode is None:
        return "auto"
    if mode not in known:
        raise ValueError(
            f"Unknown mode for a {what}: expected one of {', '.join(map(repr, known))}, got "
            f"{mode!r}."
        )
    return mode


def _warn_if_dense(colored: ColoredPattern, dense: int, what: str) -> None:
    if colored.num_colors < dense or min(colored.sparsity.shape) <= 1:
        return
    m, n = colored.sparsity.shape
    warnings.warn(
        f"The coloring needs {colored.num_colors} colors for a {m}×{n} {what}: as many derivative "
        "passes as the dense matrix. If the pattern has more nonzeros than you expect, print it "
        "and look for full rows or columns; if it is truly dense, use JAX's dense derivatives.",
        DenseColoringWarning,
        stacklevel=_caller_level(),
    )


def _caller_level() -> int:
    """Return the `stacklevel` with which `_warn_if_dense` points outside of asdex."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
