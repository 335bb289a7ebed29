"""The result of coloring: a pattern, its colors, and the AD mode that they are meant for."""

import os
from typing import Any, cast

import equinox as eqx
import numpy as np
from jaxtyping import Int, Int32

from ..pattern import (
    as_pattern,
    npz_path,
    pattern_fields,
    pattern_to_arrays,
    saved_arrays,
    SparsityPattern,
)
from ._star_set import stars_from_arrays, stars_to_arrays, StarSet, with_edges
from .recoverability import find_stars, read_from_column


class ColoredPattern(eqx.Module):
    """A sparsity pattern with a coloring of its columns, its rows, or its adjacency graph.

    Colorings compare and hash by identity.

    **Attributes:**

    - `sparsity`: the `(m, n)` pattern.
    - `column_colors`: int32 `(n,)`, the colors of the columns, for JVPs and HVPs; else `None`.
    - `row_colors`: int32 `(m,)`, the colors of the rows, for VJPs; else `None`. With mode
      "bidirectional" there are both, each numbered from 0.
      -1 marks columns and rows that take part in no product, with mode "bidirectional" and where
      only some entries are to be read (`SparseDerivative.per_call`).
    - `num_colors`: the number of derivative passes; 0 for a pattern without nonzeros.
    - `symmetric`: whether `colors` belongs to the adjacency graph of a symmetric pattern, so that
      one of H[i, j] and H[j, i] is read.
    - `mode`: "fwd" (JVPs), "rev" (VJPs), "bidirectional" (both), or "fwd_over_rev",
      "rev_over_fwd", "rev_over_rev" (HVPs).
    - `lower_bound`: no coloring of this kind has fewer colors; 0 when unknown.
    - `num_row_colors`: how many of the `num_colors` passes are for `row_colors`: with mode
      "bidirectional", some of them.
    - `recovery`: "direct" (each nonzero is one entry of the compressed matrix) or "substitution"
      (an acyclic coloring: nonzeros are found one after the other).
    - `reason`: why the mode was chosen, where that may surprise: for reverse mode, for both modes,
      and for forward mode where another would need fewer passes.
    - `chosen_stars`: the `star_set` that the coloring was made with, by whose hubs it is read; `None`
      if the hubs are chosen here.
    """

    sparsity: SparsityPattern
    column_colors: Int32[np.ndarray, " n"] | None
    row_colors: Int32[np.ndarray, " m"] | None
    num_colors: int = eqx.field(static=True)
    symmetric: bool = eqx.field(static=True)
    mode: str = eqx.field(static=True)
    lower_bound: int = eqx.field(static=True)
    num_row_colors: int = eqx.field(static=True)
    recovery: str = eqx.field(static=True)
    reason: str = eqx.field(static=True)
    chosen_stars: StarSet | None

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(
        self,
        sparsity: SparsityPattern,
        colors: Any = None,
        num_colors: int = 0,
        symmetric: bool = False,
        mode: str = "fwd",
        lower_bound: int = 0,
        *,
        column_colors: Any = None,
        row_colors: Any = None,
        num_row_colors: int = 0,
        recovery: str = "direct",
        reason: str = "",
        chosen_stars: StarSet | None = None,
        star_set: StarSet | None = None,
    ):
        """**Arguments:**

        - `colors`: those of the columns, or of the rows with mode "rev": short for `column_colors` or
            `row_colors`.
        - `lower_bound`: no coloring of this kind has fewer colors; 0 when unknown.
        - `star_set`: another name of `chosen_stars`.
        - all others: the attributes.

        **Raises:** `ValueError` for `colors` with mode "bidirectional", which has two arrays of them, and for
        stars of a coloring that is not one by stars.
        """
        if colors is not None:
            if mode == "bidirectional":
                raise ValueError(
                    "Expected `column_colors` and `row_colors` for a bidirectional coloring, got `colors`."
                )
            column_colors, row_colors = (None, colors) if mode == "rev" else (colors, None)
        chosen_stars = chosen_stars if star_set is None else star_set
        if chosen_stars is not None and not (symmetric and recovery == "direct"):
            raise ValueError(
                "Expected a symmetric coloring with direct recovery for a `star_set`, got "
                f"symmetric={symmetric} and recovery={recovery!r}. Leave it out."
            )
        self.sparsity = sparsity
        self.column_colors, self.row_colors = column_colors, row_colors
        self.num_colors, self.num_row_colors = num_colors, num_row_colors
        self.symmetric, self.mode, self.lower_bound = symmetric, mode, lower_bound
        self.recovery, self.reason, self.chosen_stars = recovery, reason, chosen_stars

    @property
    def colors(self) -> Int32[np.ndarray, " vertices"]:
        """The colors of the columns, `(n,)`, or of the rows, `(m,)`, where `mode` is "rev".

        **Raises:** `ValueError` with mode "bidirectional", where columns and rows are colored.
        """
        if self.mode == "bidirectional":
            raise ValueError(
                "Expected a coloring of the columns or of the rows, got a bidirectional one, which has two "
                "arrays: `column_colors` of shape (n,) and `row_colors` of shape (m,). For one array pass "
                '`mode=None`, which takes the cheaper of "fwd" and "rev".'
            )
        return cast(Any, self.row_colors if self.mode == "rev" else self.column_colors)

    @property
    def optimal(self) -> bool:
        """Whether the number of colors is proven to be the least possible for this kind."""
        return self.num_colors == self.lower_bound

    @property
    def star_set(self) -> StarSet | None:
        """The two-colored stars of a star coloring, else `None`; computed at each access if not given."""
        if not self.symmetric or self.recovery != "direct":
            return None
        if self.chosen_stars is not None:
            return with_edges(self.chosen_stars, as_pattern(self.sparsity))
        return find_stars(as_pattern(self.sparsity), np.asarray(self.colors), self.num_colors)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the coloring to `path` (NumPy's `.npz`; a missing suffix is added)."""
        arrays: dict[str, Any] = {
            name: np.asarray(getattr(self, name))
            for name in (*_ARRAYS, *_SCALARS)
            if getattr(self, name) is not None
        }
        arrays |= stars_to_arrays(self.chosen_stars)
        np.savez(npz_path(path), **arrays, **pattern_to_arrays(self.sparsity))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "ColoredPattern":
        """Read a coloring that `save` wrote.

        **Raises:** `ValueError` if the file holds no coloring.
        """
        with saved_arrays(path) as arrays:
            present = {name: arrays[name] for name in _ARRAYS if name in arrays}
            if not present:
                raise ValueError(
                    f"Expected a file with a coloring, got {npz_path(path)} with the arrays "
                    f"{sorted(arrays)}. Use `SparsityPattern.load` for a pattern."
                )
            return cls(
                SparsityPattern.from_coo(**pattern_fields(arrays)),
                **present,
                star_set=stars_from_arrays(arrays),
                **{name: arrays[name].item() for name in _SCALARS if name in arrays},
            )

    def __repr__(self) -> str:
        from ..display import describe_coloring

        return describe_coloring(self)

    def __str__(self) -> str:
        from ..display import draw_coloring

        return draw_coloring(self)

    def _repr_html_(self) -> str:
        from ..display import coloring_html, is_known

        return coloring_html(self, groups_of(self) if is_known(self) else None)


def groups_of(coloring: ColoredPattern) -> Int[np.ndarray, " nnz"]:
    """Return the group from which each nonzero is read; rows are numbered after columns."""
    sparsity = coloring.sparsity
    rows, cols = np.asarray(sparsity.rows), np.asarray(sparsity.cols)
    if coloring.column_colors is None:
        return np.asarray(coloring.row_colors)[rows]
    colors = np.asarray(coloring.column_colors)
    if coloring.row_colors is None:
        return colors[cols]
    by_column = read_from_column(sparsity, colors)
    first = coloring.num_colors - coloring.num_row_colors
    return np.where(by_column, colors[cols], first + np.asarray(coloring.row_colors)[rows])


_ARRAYS = ("column_colors", "row_colors")
_SCALARS = (
    *("num_colors", "symmetric", "mode", "lower_bound"),
    *("num_row_colors", "recovery", "reason"),
)
