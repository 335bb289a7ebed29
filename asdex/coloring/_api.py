"""Colorings of a pattern as plain arrays: one function per problem."""

import numpy as np
from jaxtyping import Int32

from .._pattern import as_pattern, PatternLike
from ._choose import color_bidirectionally, color_graph, color_partition
from ._options import SearchOptions
from ._orders import OrderName
from ._star_set import find_stars, StarSet


def color_cols(
    sparsity: PatternLike, *, order: OrderName | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int]:
    """Color the columns so that columns which share a row differ, with few colors.

    Greedy partial distance-2 coloring (Curtis, Powell and Reid 1974; Gebremedhin, Manne and
    Pothen, "What Color Is Your Jacobian?", SIAM Review 47, 2005) in several orders, periodic
    colorings of stencils (Goldfarb and Toint 1984), and recoloring class by class (Culberson 1992);
    the best is kept.

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern, BCOO or dense array.
    - `order`: color greedily, once, in this order of the columns: "natural", "largest_first",
      "smallest_last" or "random". By default several algorithms compete.
    - `budget`: how long the search may take, in seconds on an ordinary machine; estimated from
      sizes, so that the result is the same everywhere. By default about as long as detection takes,
      and at least 0.15. Two greedy colorings and the search for a period are always done.

    **Returns:** `(colors, num_colors)`: int32 `(n,)`, and their number, 0 without nonzeros.

    **Raises:** `ValueError` for an unknown order or a negative budget.
    """
    pattern = as_pattern(sparsity)
    colored = color_partition(
        pattern, "fwd", *SearchOptions(order=order, budget=budget).effort(pattern)
    )
    return colored.colors, colored.num_colors


def color_rows(
    sparsity: PatternLike, *, order: OrderName | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " m"], int]:
    """Color the rows so that rows which share a column differ: [`color_cols`][] of the transpose.

    **Arguments:** as for [`color_cols`][].

    **Returns:** `(colors, num_colors)`: int32 `(m,)`, and their number, 0 without nonzeros.
    """
    pattern = as_pattern(sparsity)
    colored = color_partition(
        pattern, "rev", *SearchOptions(order=order, budget=budget).effort(pattern)
    )
    return colored.colors, colored.num_colors


def color_symmetric(
    sparsity: PatternLike, *, order: OrderName | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int, StarSet]:
    """Star-color the adjacency graph of a symmetric pattern, with few colors.

    Greedy star coloring (Coleman and Moré 1984; Gebremedhin, Tarafdar, Manne and Pothen, SIAM J.
    Sci. Comput. 29, 2007) in several orders, periodic colorings of stencils, and recoloring class by
    class; vertices that are coupled to most others get colors of their own. The best is kept.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `order`, `budget`: as for [`color_cols`][].

    **Returns:** `(colors, num_colors, stars)`: int32 `(n,)`, their number, and the [`StarSet`][].

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    pattern = as_pattern(sparsity)
    colored = color_graph(
        pattern, "fwd_over_rev", *SearchOptions(order=order, budget=budget).effort(pattern)
    )
    stars = find_stars(pattern, colored.colors, colored.num_colors)
    return colored.colors, colored.num_colors, stars


def color_acyclic(
    sparsity: PatternLike, *, order: OrderName | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int]:
    """Color the adjacency graph of a symmetric pattern acyclically, with few colors.

    Adjacent vertices differ and no cycle has two colors: fewer colors than a star coloring, but the
    matrix is recovered by substitution (Coleman and Cai 1986; Gebremedhin, Tarafdar, Manne and
    Pothen, SIAM J. Sci. Comput. 29, 2007).

    **Arguments:** as for [`color_symmetric`][].

    **Returns:** `(colors, num_colors)`: int32 `(n,)`, and their number, 0 without nonzeros.

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    pattern = as_pattern(sparsity)
    effort = SearchOptions(order=order, budget=budget).effort(pattern)
    colored = color_graph(pattern, "fwd_over_rev", *effort, recovery="substitution")
    return colored.colors, colored.num_colors


def color_bidirectional(
    sparsity: PatternLike, *, order: OrderName | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], Int32[np.ndarray, " m"], int]:
    """Color columns and rows together, such that each nonzero can be read from one of its two.

    For matrices with a few dense rows or columns, such as arrowheads: those are peeled off, and the
    rest is colored by [`color_cols`][] or [`color_rows`][] (star bicoloring: Hossain and Steihaug
    1998; Coleman and Verma 1998; Gebremedhin, Manne and Pothen, SIAM Review 47, 2005, section 6).

    **Arguments:** as for [`color_cols`][].

    **Returns:** `(column_colors, row_colors, num_colors)`: int32 `(n,)` and `(m,)`, each numbered
    from 0, with -1 for columns and rows that take part in no product, and the sum of their numbers.
    """
    pattern = as_pattern(sparsity)
    colored = color_bidirectionally(
        pattern, *SearchOptions(order=order, budget=budget).effort(pattern)
    )
    assert colored.column_colors is not None and colored.row_colors is not None
    return colored.column_colors, colored.row_colors, colored.num_colors
