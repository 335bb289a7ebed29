"""Colorings of stencils by lattices, instead of a greedy coloring in some order."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int, Int32

from ..._sets import ranges
from ...pattern import SparsityPattern
from ._geometry import conflict_types, Geometry, Pairs, periodic_axes, Types, wrapped
from ._geometry_inference import geometries, Shapes
from ._lattice_plans import axis_plans, cyclic_plans, plain_plans, Plan
from ._repair import repair, row_groups, RowGroups


_LONGEST = 128  # nonzeros in a row of a stencil
_PROBED = 96  # rows that tell a stencil from a mesh
_RECURRENCE = (
    24  # how often the distances of half of their pairs of columns occur: 50 to 600 in stencils
)
_SAMPLED = 300  # rows whose conflicts are collected before the search
_SAMPLED_PAIRS = 50_000
_FEW_PAIRS = 20_000
_RATED_PAIRS = 1000  # pairs that decide between geometries
_MOST_TYPES = 512
_BULK = 0.1  # against the most frequent type: more seldom ones belong to boundaries
_SHARE = 0.7  # of the conflicts of a stencil, that are of the frequent types
_CORRECTIONS = 12  # lattices of one geometry that may fail on the matrix


def lattice_columns(
    sparsity: SparsityPattern, lower_bound: int, max_colors: int, shapes: Shapes = ()
) -> Int32[np.ndarray, " n"] | None:
    """Color the columns of a stencil by a lattice, with few colors.

    Columns at the point i of a grid get the color (a . i + t[species]) mod k. Where the lattice does
    not close on a periodic grid, it slips or is repaired (`_lattice_plans`, `_repair`). The grid is
    taken from `shapes`, or inferred from the distances between columns that share a row. The
    conflicts in a sample of the rows decide which lattices are tried, in the order of ascending k.
    Each is checked on all rows. If it has conflicts, they are added to the sample.

    **Arguments:**

    - `sparsity`: an `(m, n)` pattern.
    - `lower_bound`: the least number of colors that is tried.
    - `max_colors`: the largest number of colors that is tried.
    - `shapes`: the shapes of the arrays to which the columns belong, empty if unknown. To color rows,
      pass the transpose and the shapes of the outputs.

    **Returns:** valid int32 colors `(n,)`, or `None` if the pattern is not a stencil or no lattice
    with at most `max_colors` colors was found.
    """
    least = max(lower_bound, 1)
    if not may_be_stencil(sparsity, least, max_colors):
        return None
    groups = row_groups(sparsity)
    return search_lattices(explanations(sparsity, groups, shapes), groups, least, max_colors)


def search_lattices(
    candidates: Iterable[tuple[Geometry, Types]], groups: RowGroups, least: int, most: int
) -> Int32[np.ndarray, " n"] | None:
    """Return the best coloring by a lattice, over several geometries with their types of conflicts."""
    best, most = None, min(most, most_colors(least))
    for geometry, types in candidates:
        colors = _search(geometry, types, groups, least, most)
        if colors is not None:
            best, most = colors, int(colors.max())
        if most < least:
            break
    return best


def most_colors(least: int) -> int:
    """The most colors with which a lattice is better than a greedy coloring."""
    return least + max(least // 4, 4)


def explanations(
    sparsity: SparsityPattern, groups: RowGroups, shapes: Shapes
) -> Iterator[tuple[Geometry, Types]]:
    """Yield the geometries in which a sample of the conflicts has few types; a mesh has none."""
    if not groups.number or groups.longest > _LONGEST:
        return
    pairs = _sampled_pairs(groups, _SAMPLED, _SAMPLED_PAIRS)
    some = spread_indices(len(pairs.left), _RATED_PAIRS)
    for geometry in geometries(sparsity.n, shapes, Pairs(pairs.left[some], pairs.right[some])):
        types = conflict_types(geometry, pairs)
        if 0 < types.number <= _MOST_TYPES:
            if _bulk(types).counts.sum() > _SHARE * types.counts.sum():
                yield geometry, types


def _bulk(types: Types) -> Types:
    return types.take(types.counts >= _BULK * types.counts.max())


def may_be_stencil(sparsity: SparsityPattern, least: int, most: int) -> bool:
    """Whether the same distances between columns recur in a few sampled rows."""
    if least > min(most, _LONGEST) or not sparsity.nnz:
        return False
    chosen = np.unique(sparsity.rows[spread_indices(sparsity.nnz, _PROBED)])
    starts = np.searchsorted(sparsity.rows, chosen, side="left")
    lengths = np.searchsorted(sparsity.rows, chosen, side="right") - starts
    if lengths.max() > _LONGEST:
        return False
    few = sparsity.cols[ranges(starts, lengths)]
    groups = RowGroups(np.append(0, np.cumsum(lengths)), few)
    pairs = _sampled_pairs(groups, _PROBED, _FEW_PAIRS)
    _, counts = np.unique(pairs.right - pairs.left, return_counts=True)
    return 2 * counts[counts >= _RECURRENCE].sum() > len(pairs.left)


def _sampled_pairs(groups: RowGroups, most_groups: int, most_pairs: int) -> Pairs:
    """Return about `most_pairs` pairs of columns that share a group."""
    count = min(most_groups, max(2 * most_pairs // groups.longest**2, 16))
    groups = groups.take(spread_indices(groups.number, count))
    lengths = groups.lengths
    padded = np.full((len(lengths), groups.longest), -1, np.int64)
    padded[np.arange(groups.longest) < lengths[:, None]] = groups.columns
    left, right = np.triu_indices(groups.longest, 1)
    present = padded[:, right] >= 0
    return Pairs(padded[:, left][present], padded[:, right][present])


def spread_indices(length: int, count: int) -> Int[np.ndarray, " k"]:
    """Return about `count` places below `length`: both ends, and a golden-ratio sequence between them.

    Evenly spaced places could all lie in the same column of a grid.
    """
    if length <= count:
        return np.arange(length)
    inner = np.modf(np.arange(1, count + 1) * 0.6180339887498949)[0] * length
    ends = np.arange(min(8, length))
    return np.unique(np.concatenate([ends, inner.astype(np.int64), length - 1 - ends]))


Family = Callable[[Geometry, Types, int], Sequence[Plan]]


def _search(
    geometry: Geometry, types: Types, groups: RowGroups, least: int, most: int
) -> Int32[np.ndarray, " n"] | None:
    """Try the families of plans for each number of colors, and then the repair of a plain lattice."""
    bulk = _bulk(types)
    left = _CORRECTIONS
    found = None
    for num_colors in range(least, most + 1):
        for family in _FAMILIES:
            colors, types, left = _try_family(geometry, types, groups, family, num_colors, left)
            if colors is not None:
                found, most = colors, num_colors - 1
                break
        if found is not None or not left:
            break
    # A lattice that suits most rows may have fewer colors; the other rows can then be recolored.
    repaired = _repaired(geometry, bulk, types, groups, least, most)
    return found if repaired is None else repaired


def _try_family(
    geometry: Geometry, types: Types, groups: RowGroups, family: Family, num_colors: int, left: int
) -> tuple[Int32[np.ndarray, " n"] | None, Types, int]:
    """Try plans until one is valid; conflicts of a new type that a plan has are added to the sample."""
    plans = list(family(geometry, types, num_colors))
    while plans and left:
        colors = plans.pop(0).colors(geometry)
        broken = groups.conflicts(colors)
        if not len(broken):
            return colors, types, left
        left -= 1
        pairs = _sampled_pairs(groups.take(broken), _PROBED, _FEW_PAIRS)
        more = types.union(conflict_types(geometry, pairs), geometry)
        if more.number > types.number:
            types = more
            plans = list(family(geometry, types, num_colors))
    return None, types, left


def _plain(geometry: Geometry, types: Types, num_colors: int) -> Sequence[Plan]:
    return plain_plans(geometry, types, num_colors)


def _cyclic(geometry: Geometry, types: Types, num_colors: int) -> Sequence[Plan]:
    periodic = periodic_axes(geometry, types)
    if not periodic:
        return []
    return cyclic_plans(geometry, wrapped(geometry, types, periodic), periodic, num_colors)


def _along_axes(geometry: Geometry, types: Types, num_colors: int) -> Sequence[Plan]:
    periodic = periodic_axes(geometry, types)
    if not periodic:
        return []
    return axis_plans(geometry, wrapped(geometry, types, periodic), periodic, num_colors)


_FAMILIES: tuple[Family, ...] = (_plain, _cyclic, _along_axes)


def _repaired(
    geometry: Geometry, bulk: Types, types: Types, groups: RowGroups, least: int, most: int
) -> Int32[np.ndarray, " n"] | None:
    """Repair the lattice with the fewest colors that suits the types of conflicts in most rows."""
    inside = wrapped(geometry, bulk, periodic_axes(geometry, types))
    for num_colors in range(least, most):  # a repair takes one color more
        plans = plain_plans(geometry, inside, num_colors, preferring=types)
        if plans:
            return repair(groups, plans[0].colors(geometry), most)
    return None
