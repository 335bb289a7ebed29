"""Colorings from which only some entries of a matrix can be read, since the others are known already.

These are the restricted colorings of Gebremedhin, Manne and Pothen ("What Color Is Your Jacobian?", SIAM
Review 47, 2005). In a row, entries that are not required may have the same color. A required entry must
differ in color from all other entries of its row, so that it can be read without a sum.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from .._errors import InvalidColoringError
from .._sets import ranges
from ..pattern import chosen_nonzeros, column_order, SparsityPattern
from ._cheapest_mode import cost_of
from ._colored_pattern import ColoredPattern
from ._colors import count
from ._search import color
from ._search_options import SearchOptions
from .problems import Acyclic, Bidirectional, Columns, Star
from .recoverability import mirror_positions, read_from_column


_EXPANSION, _SMALL = 8, 100_000
"""The most entries of groups of conflicting columns: per entry of the pattern, and for a small pattern."""

_AS_USUAL = SearchOptions()

Required = Bool[np.ndarray, " nnz"]


def color_required(
    sparsity: SparsityPattern,
    required: Required,
    whole: ColoredPattern,
    allowed: Sequence[str],
    options: SearchOptions = _AS_USUAL,
) -> ColoredPattern:
    """Color a pattern so that the required entries can be read, in the cheapest of several ways.

    **Arguments:**

    - `sparsity`: the pattern of the matrix.
    - `required`: which of its entries must be readable.
    - `whole`: a coloring for all entries. Its kind (symmetric, bidirectional) is one of the ways.
    - `allowed`: the modes in which columns, or rows, may be colored.
    - `options`: say how long to search.

    **Returns:**

    A coloring whose pattern holds the required entries, and perhaps more. -1 marks columns and rows that
    take part in no product.
    """
    if not np.any(required):
        mode = "fwd" if whole.mode == "bidirectional" else whole.mode
        nobody = np.full(sparsity.m if mode == "rev" else sparsity.n, -1, np.int32)
        return ColoredPattern(chosen_nonzeros(sparsity, required), nobody, 0, False, mode)
    ways = [color_partially(sparsity, required, mode, options) for mode in allowed]
    if whole.symmetric or whole.mode == "bidirectional":
        ways.append(_color_as_whole(sparsity, required, whole, options))
    return min(ways, key=cost_of)


def color_partially(
    sparsity: SparsityPattern,
    required: Required,
    mode: str,
    options: SearchOptions = _AS_USUAL,
) -> ColoredPattern:
    """Color the columns, or the rows for mode "rev", of the required entries; the others get color -1."""
    across, marked, grid = sparsity, required, sparsity.input_avals
    if mode == "rev":
        _, order = column_order(sparsity)
        across, marked, grid = sparsity.T, required[order], sparsity.output_avals
    problem = Columns(conflict_groups(across, marked), tuple(aval.shape for aval in grid))
    colors = color(problem, *options.limits(across.nnz))
    takes_part = np.bincount(across.cols[marked], minlength=across.n) > 0
    colors = np.where(takes_part, colors, -1).astype(np.int32)
    check_required(across, marked, colors)
    part = chosen_nonzeros(sparsity, required)
    return ColoredPattern(part, colors, count(colors), False, mode, problem.lower_bound)


def conflict_groups(sparsity: SparsityPattern, required: Required) -> SparsityPattern:
    """Return a pattern whose rows are groups of columns; any two columns of a group need different colors.

    Let V be the required entries of a row, and C its other entries in columns that have required entries
    elsewhere. Then V + c is a group for every c in C; if C is empty, V is the only group. If these groups
    would have too many entries, V + C is the only group.
    """
    rows, cols = sparsity.rows, sparsity.cols
    num_required = np.bincount(rows[required], minlength=sparsity.m)
    elsewhere = np.bincount(cols[required], minlength=sparsity.n)[cols] > 0
    further = ~required & elsewhere & (num_required[rows] > 0)
    num_further = np.bincount(rows[further], minlength=sparsity.m)
    limit = max(_SMALL, _EXPANSION * sparsity.nnz)
    apart = _cheapest(num_further * (num_required + 1), limit)
    num_groups = np.where(apart, np.maximum(num_further, 1), 1)
    first = np.cumsum(num_groups) - num_groups
    copies = num_groups[rows[required]]
    of_required = ranges(first[rows[required]], copies)
    of_further = np.where(apart[rows[further]], ranges(first, num_further), first[rows[further]])
    return SparsityPattern.from_coo(
        np.concatenate([of_required, of_further]),
        np.concatenate([np.repeat(cols[required], copies), cols[further]]),
        (int(num_groups.sum()), sparsity.n),
    )


def _cheapest(costs: np.ndarray, limit: int) -> np.ndarray:
    """Mark as many items as the limit allows, the cheapest first."""
    order = np.argsort(costs, kind="stable")
    marked = np.empty(len(costs), bool)
    marked[order] = np.cumsum(costs[order]) <= limit
    return marked


def _color_as_whole(
    sparsity: SparsityPattern,
    required: Required,
    whole: ColoredPattern,
    options: SearchOptions,
) -> ColoredPattern:
    """Color all entries whose row and column have required entries, in the way of `whole`."""
    if whole.symmetric:
        required = required | required[mirror_positions(sparsity)]
    in_row = np.bincount(sparsity.rows[required], minlength=sparsity.m) > 0
    in_column = np.bincount(sparsity.cols[required], minlength=sparsity.n) > 0
    inside = in_row[sparsity.rows] & in_column[sparsity.cols]
    if np.all(inside):
        return whole
    part = chosen_nonzeros(sparsity, inside)
    if whole.symmetric:
        problem = Star(part) if whole.recovery == "direct" else Acyclic(part)
    else:
        problem = Bidirectional(part)
    colored = options.color(problem, whole.mode)
    return dataclasses.replace(
        colored,
        column_colors=_masked(colored.column_colors, in_column),
        row_colors=_masked(colored.row_colors, in_row),
    )


def _masked(colors: np.ndarray | None, taking_part: np.ndarray) -> np.ndarray | None:
    return None if colors is None else np.where(taking_part, colors, -1).astype(np.int32)


def check_required(sparsity: SparsityPattern, required: Required, colors: np.ndarray) -> None:
    """Check that each required entry is the only one of its color in its row.

    **Raises:** [`InvalidColoringError`][] naming an entry that is not.
    """
    unreadable = required & ~read_from_column(sparsity, colors)
    if np.any(unreadable):
        position = int(np.argmax(unreadable))
        i, j = int(sparsity.rows[position]), int(sparsity.cols[position])
        raise InvalidColoringError(
            f"Invalid coloring: entry ({i}, {j}) shares color {colors[j]} with another entry of row {i}. "
            "Give its column a color of its own there."
        )
