"""From the pattern of a derivative to a colored pattern."""

from .._pattern import as_pattern, PatternLike, SparsityPattern
from ._choose import color_bidirectionally, color_cheapest, color_graph, color_partition
from ._colored_pattern import ColoredPattern
from ._dense_warning import warn_if_dense
from ._options import HessianMode, HessianSearch, JacobianMode, JacobianSearch, Recovery
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
    options = HessianSearch(mode, symmetric, recovery, order, budget)
    return color_hessian(as_pattern(sparsity), options)


def color_jacobian(sparsity: SparsityPattern, options: JacobianSearch) -> ColoredPattern:
    """Color the pattern of a Jacobian, in a mode that the function allows where it is free to choose."""
    mode, effort = options.mode, options.effort(sparsity)
    if options.symmetric and mode == "bidirectional":
        raise ValueError(
            'A symmetric coloring needs one kind of pass: expected mode "fwd" or "rev", got '
            '"bidirectional". Pass `symmetric=False`.'
        )
    if options.symmetric:
        colored = color_graph(sparsity, _prescribed(mode) or sparsity.modes[0], *effort)
    elif mode == "bidirectional":
        colored = color_bidirectionally(sparsity, *effort)
    elif mode in ("fwd", "rev"):
        colored = color_partition(sparsity, mode, *effort)
    else:
        colored = color_cheapest(sparsity, *effort, both=mode == "auto")
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
    mode, symmetric, effort = options.mode, options.symmetric, options.effort(sparsity)
    known = _prescribed(mode) or "fwd_over_rev"
    if sparsity.m != sparsity.n:
        raise ValueError(
            f"A Hessian pattern is square, got shape {sparsity.shape}. "
            "For a Jacobian use `jacobian_coloring_from_sparsity`."
        )
    if options.recovery == "substitution" and not symmetric:
        raise ValueError(
            "Recovery by substitution uses the symmetry: expected `symmetric=True`, got False. Pass "
            'recovery="direct" to color the columns.'
        )
    if symmetric:
        colored = color_graph(sparsity, known, *effort, recovery=options.recovery)
    else:
        colored = color_partition(sparsity, known, *effort)
    warn_if_dense(colored, sparsity.n, "Hessian")
    return colored


def _prescribed(mode: str | None) -> str | None:
    return None if mode == "auto" else mode
