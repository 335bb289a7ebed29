"""Plots of patterns and colorings with matplotlib."""

from typing import Any, Literal

import jax
import numpy as np
import scipy.sparse as sp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, BCSR

from .coloring import ColoredPattern, groups_of
from .display import compressed_forms, Entries, is_known, plot
from .formats import BSR
from .pattern import as_pattern, PatternLike, SparsityPattern


_FORMS = (False, True, "columns", "rows", "beside")


def spy(
    pattern: PatternLike | ColoredPattern | BCSR | BSR | sp.sparray | sp.spmatrix,
    *,
    ax: Any = None,
    compressed: bool | Literal["columns", "rows", "beside"] = False,
    cmap: Any = None,
    **kwargs: Any,
) -> Any:
    """Plot where a matrix has its nonzeros; for a coloring, in the color of their group.

    Large patterns are binned, so that the cost of drawing is bounded and no nonzero is lost.

    **Arguments:**

    - `pattern`: a [`SparsityPattern`][] or a [`ColoredPattern`][], `(m, n)`. Of a matrix the pattern is
      plotted: the nonzeros of a dense array, the stored entries of a BCOO, BCSR, [`BSR`][] or SciPy array.
    - `ax`: the matplotlib `Axes` to draw on; the current ones if omitted.
    - `compressed`: `True` draws the compressed form of a coloring instead: `(m, num_colors)`, or
      `(num_colors, n)` if its rows are colored. A bidirectional coloring has two: "columns" (also
      `True`) or "rows". "beside" draws the pattern, and its compressed forms on axes of their own:
      to the right for groups of columns, below for groups of rows.
    - `cmap`: a matplotlib colormap; gray for patterns, one clear color per group for colorings by
      default.
    - `kwargs`: passed to `Axes.imshow`.

    **Returns:** the `Axes`.

    **Raises:** `ImportError` without matplotlib. `TypeError` for anything else than a pattern or a matrix.
    `ValueError` if `compressed` and there is no coloring, or none of that kind, if the indices are not
    known, as under `jax.jit`, or if an array is not 2-D.
    """
    shown = _as_shown(pattern)
    forms = _forms(shown, compressed)
    whole = _whole(shown) if compressed in (False, "beside") else None
    num_groups = shown.num_colors if isinstance(shown, ColoredPattern) else 0
    return plot(whole, forms, num_groups, ax, cmap, kwargs)


def _as_shown(pattern: Any) -> SparsityPattern | ColoredPattern:
    """The pattern itself, or that of a matrix."""
    if isinstance(pattern, SparsityPattern | ColoredPattern):
        return pattern
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(pattern)):
        raise _unknown_indices(pattern)
    if isinstance(pattern, BSR):
        stored, (m, n), (height, width) = (
            pattern.to_scipy().tocoo(),
            pattern.shape,
            pattern.block_shape,
        )
        rows, cols = stored.row, stored.col
        if pattern.components == "first":  # SciPy's is numbered node by node
            rows = rows % height * (m // height) + rows // height
            cols = cols % width * (n // width) + cols // width
        return SparsityPattern.from_coo(rows, cols, (m, n))
    if isinstance(pattern, BCSR):
        return as_pattern(pattern.to_bcoo())
    if isinstance(pattern, np.ndarray | jax.Array | BCOO):
        return as_pattern(pattern)
    if sp.issparse(pattern) and pattern.ndim == 2:
        return SparsityPattern.from_scipy(pattern)
    raise TypeError(
        "Expected a SparsityPattern, a ColoredPattern or a 2-D matrix (a NumPy, JAX, BCOO, BCSR, BSR or "
        f"SciPy array), got {type(pattern).__name__}. For a derivative such as `asdex.jacobian(f, x)` pass "
        "its attribute `coloring`."
    )


def _unknown_indices(pattern: Any) -> ValueError:
    return ValueError(
        f"Expected a pattern with known indices, got {pattern!r}. Plot it outside of "
        "transformations such as `jax.jit`."
    )


def _forms(pattern: SparsityPattern | ColoredPattern, compressed: Any) -> dict[str, Entries]:
    """The compressed forms that were asked for, after a check of what was asked."""
    if compressed not in _FORMS:
        raise ValueError(
            f"Expected `compressed` to be one of {', '.join(map(repr, _FORMS))}, got {compressed!r}."
        )
    if not is_known(pattern):
        raise _unknown_indices(pattern)
    if compressed is False:
        return {}
    if not isinstance(pattern, ColoredPattern):
        raise ValueError(
            f"`compressed={compressed!r}` needs a ColoredPattern, got a {type(pattern).__name__}. Color "
            "it with `jacobian_coloring_from_sparsity` or `hessian_coloring_from_sparsity`."
        )
    forms = compressed_forms(pattern)
    if compressed not in ("columns", "rows"):
        return forms
    if compressed not in forms:
        raise ValueError(
            f"`compressed={compressed!r}` needs a coloring with groups of {compressed}, got one of mode "
            f"{pattern.mode!r}. Pass `compressed=True`."
        )
    return {compressed: forms[compressed]}


def _whole(pattern: SparsityPattern | ColoredPattern) -> Entries:
    if isinstance(pattern, SparsityPattern):
        sparsity = pattern
        groups = np.ones(sparsity.nnz, np.int64)  # the dark end of a map from 0 to 1
    else:
        sparsity, groups = pattern.sparsity, groups_of(pattern)
    return Entries(np.asarray(sparsity.rows), np.asarray(sparsity.cols), sparsity.shape, groups)
