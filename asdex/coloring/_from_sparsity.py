"""From the pattern of a derivative to a colored pattern."""

from collections.abc import Sequence
from typing import get_args

from .._pattern import as_pattern, PatternLike, SparsityPattern
from ._choose import color_bidirectionally, color_cheapest, color_graph, color_partition
from ._colored_pattern import ColoredPattern, HessianMode, JacobianMode, Recovery
from ._dense_warning import warn_if_dense
from ._options import check_mode, check_one_of, effort
from ._orders import OrderName


def jacobian_coloring_from_sparsity(
    sparsity: PatternLike,
    *,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | None = None,
    budget: float | None = None,
) -> ColoredPattern:
    """Color the pattern of a Jacobian.

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern, BCOO or dense array.
    - `mode`: "fwd" colors the columns, for JVPs; "rev" the rows, for VJPs; "bidirectional" both, for
      a few of each; "auto" or `None` takes what costs least, where a VJP counts as 1.1 JVPs.
    - `symmetric`: color for a symmetric matrix, by a star coloring. The *values* must be symmetric.
    - `order`, `budget`: as for [`color_cols`][].

    **Returns:** the [`ColoredPattern`][].

    **Raises:** `ValueError` for an unknown mode or order, if `symmetric` and the pattern is not, or
    if `symmetric` and `mode` is "bidirectional".

    **Warns:** [`DenseColoringWarning`][] if the colors save nothing over a dense Jacobian.
    """
    pattern = as_pattern(sparsity)
    return color_jacobian(pattern, mode=mode, symmetric=symmetric, order=order, budget=budget)


def hessian_coloring_from_sparsity(
    sparsity: PatternLike,
    *,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | None = None,
    budget: float | None = None,
) -> ColoredPattern:
    """Color the pattern of a Hessian.

    **Arguments:**

    - `sparsity`: an `(n, n)` pattern, BCOO or dense array.
    - `mode`: "fwd_over_rev" (also "auto" and `None`), "rev_over_fwd" or "rev_over_rev": how the
      Hessian-vector products are to be computed. The colors do not depend on it.
    - `symmetric`: use the symmetry by a star coloring; else color the columns.
    - `recovery`: "direct", or "substitution" for an acyclic coloring: fewer colors, but nonzeros are
      sums and differences of products, with more rounding error.
    - `order`, `budget`: as for [`color_cols`][].

    **Returns:** the [`ColoredPattern`][].

    **Raises:** `ValueError` for an unknown mode, recovery or order, if the pattern is not square, if
    `symmetric` and the pattern is not structurally symmetric, or if substitution is asked for without
    symmetry.

    **Warns:** [`DenseColoringWarning`][] if the colors save nothing over a dense Hessian.
    """
    pattern = as_pattern(sparsity)
    known = check_mode(mode, get_args(HessianMode), "Hessian")
    known = "fwd_over_rev" if known == "auto" else known
    if pattern.m != pattern.n:
        raise ValueError(
            f"A Hessian pattern is square, got shape {pattern.shape}. "
            "For a Jacobian use `jacobian_coloring_from_sparsity`."
        )
    check_one_of("recovery", recovery, get_args(Recovery))
    if recovery == "substitution" and not symmetric:
        raise ValueError(
            "Recovery by substitution uses the symmetry: expected `symmetric=True`, got False. Pass "
            'recovery="direct" to color the columns.'
        )
    search = effort(pattern, order, budget)
    if symmetric:
        colored = color_graph(pattern, known, *search, recovery=recovery)
    else:
        colored = color_partition(pattern, known, *search)
    warn_if_dense(colored, pattern.n, "Hessian")
    return colored


def color_jacobian(
    sparsity: SparsityPattern,
    *,
    mode: str | None = None,
    symmetric: bool = False,
    allowed: Sequence[str] = ("fwd", "rev"),
    order: OrderName | None = None,
    budget: float | None = None,
) -> ColoredPattern:
    """As `jacobian_coloring_from_sparsity`, where "auto" chooses among the `allowed` modes."""
    known = check_mode(mode, get_args(JacobianMode), "Jacobian")
    search = effort(sparsity, order, budget)
    if symmetric and known == "bidirectional":
        raise ValueError(
            'A symmetric coloring needs one kind of pass: expected mode "fwd" or "rev", got '
            '"bidirectional". Pass `symmetric=False`.'
        )
    if symmetric:
        first = "fwd" if "fwd" in allowed else "rev"
        colored = color_graph(sparsity, first if known == "auto" else known, *search)
    elif known == "bidirectional":
        colored = color_bidirectionally(sparsity, *search)
    elif known == "auto":
        colored = color_cheapest(sparsity, allowed, *search)
    else:
        colored = color_partition(sparsity, known, *search)
    sizes = {"fwd": sparsity.n, "rev": sparsity.m}
    tried = [known] if known in sizes else allowed
    warn_if_dense(colored, min(sizes[one] for one in tried), "Jacobian")
    return colored
