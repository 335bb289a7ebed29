"""From the pattern of a derivative to a colored pattern."""

from ..pattern import as_pattern, PatternLike, SparsityPattern
from ._cheapest_mode import color_cheapest
from ._colored_pattern import ColoredPattern
from ._dense_warning import warn_if_dense
from ._search_options import HessianMode, HessianSearch, JacobianMode, JacobianSearch, Recovery
from .greedy import Order, OrderName
from .problems import Acyclic, Bidirectional, Columns, Rows, Star


def jacobian_coloring_from_sparsity(
    sparsity: PatternLike,
    *,
    mode: JacobianMode | None = None,
    symmetric: bool = False,
    order: OrderName | Order | None = None,
    budget: float | None = None,
) -> ColoredPattern:
    """Color the pattern of a Jacobian.

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern, BCOO or dense array.
    - `mode`: "fwd" colors the columns, for JVPs; "rev" the rows, for VJPs; "bidirectional" both, for
      a few of each. `None` takes the cheaper of "fwd" and "rev", "auto" the cheapest of the three,
      where a VJP counts as 1.1 JVPs, among the modes that the pattern says its function allows.
    - `symmetric`: color for a symmetric matrix, by a star coloring. The *values* must be symmetric.
    - `order`, `budget`: as for [`color_cols`][].

    **Returns:** the [`ColoredPattern`][].

    **Raises:** `ValueError` for an unknown mode or order, if `symmetric` and the pattern is not, or
    if `symmetric` and `mode` is "bidirectional".

    **Warns:** [`DenseColoringWarning`][] if the colors save nothing over a dense Jacobian.
    """
    options = JacobianSearch(mode, symmetric, order=order, budget=budget)
    return color_jacobian(as_pattern(sparsity), options)


def hessian_coloring_from_sparsity(
    sparsity: PatternLike,
    *,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | Order | None = None,
    budget: float | None = None,
) -> ColoredPattern:
    """Color the pattern of a Hessian.

    **Arguments:**

    - `sparsity`: an `(n, n)` pattern, BCOO or dense array.
    - `mode`: "fwd_over_rev", "rev_over_fwd" or "rev_over_rev": how the Hessian-vector products are to be
      computed. The colors do not depend on it. "auto" and `None` are the first, or the last where the
      gradient has no forward mode.
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
    options = HessianSearch(mode, symmetric, recovery, order, budget)
    return color_hessian(as_pattern(sparsity), options)


def color_jacobian(sparsity: SparsityPattern, options: JacobianSearch) -> ColoredPattern:
    """Color the pattern of a Jacobian, in a mode that the function allows where it is free to choose."""
    mode = options.mode
    if options.symmetric and mode == "bidirectional":
        raise ValueError(
            'A symmetric coloring needs one kind of pass: expected mode "fwd" or "rev", got '
            '"bidirectional". Pass `symmetric=False`.'
        )
    if options.symmetric:
        colored = options.color(Star(sparsity), _prescribed(mode) or sparsity.modes[0])
    elif mode == "bidirectional":
        colored = options.color(Bidirectional(sparsity), mode)
    elif mode in ("fwd", "rev"):
        colored = options.color(Rows(sparsity) if mode == "rev" else Columns(sparsity), mode)
    else:
        colored = color_cheapest(sparsity, *options.limits(sparsity.nnz), both=mode == "auto")
    sizes = {"fwd": sparsity.n, "rev": sparsity.m}
    tried = [mode] if mode in sizes else sparsity.modes
    warn_if_dense(
        colored, min(sizes[one] for one in tried), "Jacobian", _untried(sparsity, options)
    )
    return colored


def _untried(sparsity: SparsityPattern, options: JacobianSearch) -> set[str]:
    """The modes that the function allows, and which the choice of the mode did not weigh."""
    mode = options.mode
    if options.symmetric or len(sparsity.modes) < 2 or mode in ("auto", "bidirectional"):
        return set()
    return {"bidirectional"} if mode is None else {"fwd", "rev", "bidirectional"} - {mode}


def color_hessian(sparsity: SparsityPattern, options: HessianSearch) -> ColoredPattern:
    """Color the pattern of a Hessian."""
    substitution = options.recovery == "substitution"
    if sparsity.m != sparsity.n:
        raise ValueError(
            f"A Hessian pattern is square, got shape {sparsity.shape}. "
            "For a Jacobian use `jacobian_coloring_from_sparsity`."
        )
    if substitution and not options.symmetric:
        raise ValueError(
            "Recovery by substitution uses the symmetry: expected `symmetric=True`, got False. Pass "
            'recovery="direct" to color the columns.'
        )
    if options.symmetric:
        problem = Acyclic(sparsity) if substitution else Star(sparsity)
    else:
        problem = Columns(sparsity)
    default = "fwd_over_rev" if "fwd" in sparsity.modes else "rev_over_rev"
    colored = options.color(problem, _prescribed(options.mode) or default)
    warn_if_dense(colored, sparsity.n, "Hessian")
    return colored


def _prescribed(mode: str | None) -> str | None:
    return None if mode == "auto" else mode
