"""Colorings of a pattern as plain arrays: one function per problem."""

import numpy as np
from jaxtyping import Int32

from ..pattern import as_pattern, PatternLike
from ._search_options import SearchOptions
from ._star_set import StarSet
from .greedy import Order, OrderName
from .problems import Acyclic, Bidirectional, Columns, Rows, Star
from .recoverability import find_stars


def color_cols(
    sparsity: PatternLike, *, order: OrderName | Order | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int]:
    """Color the columns, with few colors, so that columns which share a row have different colors.

    Several algorithms compete, and the coloring with the fewest colors is returned: greedy partial
    distance-2 coloring in several orders (Curtis, Powell and Reid 1974; Gebremedhin, Manne and
    Pothen, "What Color Is Your Jacobian?", SIAM Review 47, 2005), periodic colorings of stencils
    (Goldfarb and Toint 1984), and recoloring class by class (Culberson 1992).

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern, BCOO or dense array.
    - `order`: instead of a search, color greedily once, and visit the columns in this order:
      "natural" (as numbered), "largest_first" (those with most conflicts first), "smallest_last"
      (repeatedly take the column with fewest conflicts as the last), "saturation" (next the column
      whose neighbors have the most colors), or "random" (the same order in every call). Or a function
      from a graph, `asdex.coloring.Incidence`, to a permutation of its vertices, here the columns.
    - `budget`: the time that the search may take, in seconds on an ordinary machine. The time is
      estimated from sizes, so that the result is the same everywhere. By default it is 0.03 to 0.045
      seconds for patterns of up to a million nonzeros, and else about the time that detection takes.
      The search for a periodic coloring is always done, and if there is none, two greedy colorings.

    **Returns:** `(colors, num_colors)`: int32 `(n,)`, and the number of colors, 0 if there are no
    nonzeros.

    **Raises:** `ValueError` for an unknown order, one that is no permutation, or a negative budget.
    """
    problem = Columns(as_pattern(sparsity))
    colored = SearchOptions(order=order, budget=budget).color(problem, "fwd")
    return colored.colors, colored.num_colors


def color_rows(
    sparsity: PatternLike, *, order: OrderName | Order | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " m"], int]:
    """Color the rows, with few colors, so that rows which share a column have different colors.

    This is [`color_cols`][] of the transpose.

    **Arguments:** as for [`color_cols`][].

    **Returns:** `(colors, num_colors)`: int32 `(m,)`, and the number of colors, 0 if there are no
    nonzeros.
    """
    problem = Rows(as_pattern(sparsity))
    colored = SearchOptions(order=order, budget=budget).color(problem, "rev")
    return colored.colors, colored.num_colors


def color_symmetric(
    sparsity: PatternLike, *, order: OrderName | Order | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int, StarSet]:
    """Star-color the adjacency graph of a symmetric pattern, with few colors.

    Several algorithms compete, and the coloring with the fewest colors is returned: greedy star
    coloring in several orders (Coleman and Moré 1984; Gebremedhin, Tarafdar, Manne and Pothen, SIAM
    J. Sci. Comput. 29, 2007), periodic colorings of stencils, and recoloring class by class.
    Vertices that are coupled to most others get colors of their own.

    **Arguments:** `sparsity`: an `(n, n)` pattern, BCOO or dense array, structurally symmetric.
    `order`, `budget`: as for [`color_cols`][].

    **Returns:** `(colors, num_colors, stars)`: int32 `(n,)`, the number of colors, and the
    [`StarSet`][].

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    problem = Star(as_pattern(sparsity))
    colored = SearchOptions(order=order, budget=budget).color(problem, "fwd_over_rev")
    stars = find_stars(problem.sparsity, colored.colors, colored.num_colors)
    return colored.colors, colored.num_colors, stars


def color_acyclic(
    sparsity: PatternLike, *, order: OrderName | Order | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], int]:
    """Color the adjacency graph of a symmetric pattern acyclically, with few colors.

    Adjacent vertices have different colors, and no cycle has only two colors. This takes fewer
    colors than a star coloring, but the matrix is recovered by substitution (Coleman and Cai 1986;
    Gebremedhin, Tarafdar, Manne and Pothen, SIAM J. Sci. Comput. 29, 2007).

    **Arguments:** as for [`color_symmetric`][].

    **Returns:** `(colors, num_colors)`: int32 `(n,)`, and the number of colors, 0 if there are no
    nonzeros.

    **Raises:** `ValueError` if the pattern is not square or not structurally symmetric.
    """
    problem = Acyclic(as_pattern(sparsity))
    colored = SearchOptions(order=order, budget=budget).color(problem, "fwd_over_rev")
    return colored.colors, colored.num_colors


def color_bidirectional(
    sparsity: PatternLike, *, order: OrderName | Order | None = None, budget: float | None = None
) -> tuple[Int32[np.ndarray, " n"], Int32[np.ndarray, " m"], int]:
    """Color columns and rows, so that each nonzero can be read by its column or by its row.

    This is for matrices with a few dense rows or columns, such as arrowheads. The dense ones are
    colored separately, and the rest is colored by [`color_cols`][] or [`color_rows`][] (star
    bicoloring: Hossain and Steihaug 1998; Coleman and Verma 1998; Gebremedhin, Manne and Pothen,
    SIAM Review 47, 2005, section 6).

    **Arguments:** as for [`color_cols`][].

    **Returns:** `(column_colors, row_colors, num_colors)`: int32 `(n,)` and `(m,)`, each numbered
    from 0, with -1 for columns and rows that take part in no product; and the total number of
    colors.
    """
    problem = Bidirectional(as_pattern(sparsity))
    colored = SearchOptions(order=order, budget=budget).color(problem, "bidirectional")
    assert colored.column_colors is not None and colored.row_colors is not None
    return colored.column_colors, colored.row_colors, colored.num_colors
