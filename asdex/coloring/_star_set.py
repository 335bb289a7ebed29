"""The two-colored stars that a star coloring decomposes a graph into, and what is read from which."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.core import Tracer
from jaxtyping import Bool, Int, Integer

from .._errors import InvalidColoringError
from .._pattern import as_pattern, SparsityPattern
from ._counts import spoke_entries
from ._problem import mirror_positions


class StarSet(eqx.Module):
    """The two-colored stars of a star coloring (Gebremedhin, Tarafdar, Manne and Pothen 2007).

    In a star coloring any two colors induce a forest of stars: a hub of one color and its spokes of
    the other. The edges of the graph are the strictly upper-triangular nonzeros of the pattern; each
    belongs to one star. H[hub, spoke] is read from the hub's color, in the spoke's row. Either end of
    an edge that is a star on its own can be its hub.

    **Attributes:**

    - `star`: integers `(edges,)`, the star of each edge.
    - `hub`: integers `(stars,)`, the hub of each star, or `-hub - 1` for a star of one edge.
    - `edge_lo`, `edge_hi`: integers `(edges,)`, the smaller and the larger end of each edge. Without
      them, `None`, the edges are those of the pattern, row after row; `ColoredPattern.star_set` has them.
    - `edge_pos`: integers `(edges,)`, where in `star` the edge from `edge_lo` to `edge_hi` stands; by
      default each in its place.
    """

    star: Integer[np.ndarray, " edges"]
    hub: Integer[np.ndarray, " stars"]
    edge_lo: Integer[np.ndarray, " edges"] | None
    edge_hi: Integer[np.ndarray, " edges"] | None
    edge_pos: Integer[np.ndarray, " edges"] | None

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(
        self, star: Any, hub: Any, edge_lo: Any = None, edge_hi: Any = None, edge_pos: Any = None
    ):
        if (edge_lo is None) != (edge_hi is None) or (edge_lo is None and edge_pos is not None):
            raise ValueError(
                "Expected both ends of the edges, `edge_lo` and `edge_hi`, got one of them, or `edge_pos` "
                "alone. Leave out all three for the edges in the order of the pattern."
            )
        if edge_lo is not None and edge_pos is None:
            edge_pos = np.arange(len(edge_lo), dtype=np.int32)
        self.star, self.hub = _array(star), _array(hub)
        self.edge_lo, self.edge_hi, self.edge_pos = map(_array, (edge_lo, edge_hi, edge_pos))


def _array(numbers: Any) -> Any:
    return numbers if numbers is None or isinstance(numbers, jax.Array) else np.asarray(numbers)


_ARRAYS = ("star", "hub", "edge_lo", "edge_hi", "edge_pos")


def stars_to_arrays(stars: StarSet | None) -> dict[str, np.ndarray]:
    """Return the arrays that describe stars in a file."""
    values = {name: getattr(stars, name, None) for name in _ARRAYS}
    return {name: np.asarray(value) for name, value in values.items() if value is not None}


def stars_from_arrays(arrays: Mapping[str, np.ndarray]) -> StarSet | None:
    """Return the stars that a file's arrays describe, `None` if there are none."""
    return (
        StarSet(**{name: arrays[name] for name in _ARRAYS if name in arrays})
        if "star" in arrays
        else None
    )


def find_stars(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], num_colors: int
) -> StarSet:
    """Return the stars of a valid star coloring of a structurally symmetric `(n, n)` pattern.

    Stars are numbered by their first edge. The hub of an edge that is one on its own is its smaller end.
    """
    upper = sparsity.rows < sparsity.cols
    v, w = sparsity.rows[upper].astype(np.int64), sparsity.cols[upper].astype(np.int64)
    spokes = spoke_entries(sparsity, colors)
    v_is_hub, w_is_hub = spokes[upper], spokes[mirror_positions(sparsity)][upper]
    hub = np.where(v_is_hub, v, np.where(w_is_hub, w, -v - 1))
    spoke_color = np.where(v_is_hub, colors[w], colors[v])
    alone = sparsity.n * num_colors + np.arange(len(v))
    keys = np.where(hub < 0, alone, hub * num_colors + spoke_color)
    _, first_edge, sorted_star = np.unique(keys, return_index=True, return_inverse=True)
    by_first_edge = np.argsort(first_edge)
    number = np.empty(len(first_edge), np.int32)
    number[by_first_edge] = np.arange(len(first_edge), dtype=np.int32)
    hub = hub[first_edge[by_first_edge]].astype(np.int32)
    return with_edges(StarSet(number[sorted_star], hub), sparsity)


def with_edges(stars: StarSet, sparsity: SparsityPattern) -> StarSet:
    """Return stars with the ends of their edges, by default those of a pattern in its order."""
    if stars.edge_lo is not None:
        return stars
    upper = sparsity.rows < sparsity.cols
    return StarSet(stars.star, stars.hub, sparsity.rows[upper], sparsity.cols[upper])


def read_across(
    sparsity: SparsityPattern, colors: Integer[np.ndarray, " n"], stars: StarSet | None
) -> Bool[np.ndarray, " nnz"]:
    """Mark the nonzeros (v, w) of a star-colored pattern that are read as H[w, v], from v's color.

    With stars of the caller's, these are those whose hub is v. Else, and while a transformation traces one
    of the arrays, they are those that cannot be read in their own row, `spoke_entries`.

    **Raises:** [`InvalidColoringError`][] if the stars are not those of the pattern, or if an entry is not
    alone where its hub says that it is read.
    """
    if stars is None or any(
        isinstance(leaf, Tracer) for leaf in jax.tree.leaves((sparsity, colors, stars))
    ):
        return spoke_entries(sparsity, colors)
    sparsity = as_pattern(sparsity)
    places, hubs = _hubs_of_edges(stars, sparsity)
    mirror = mirror_positions(sparsity)
    across = np.zeros(sparsity.nnz, bool)
    across[places] = hubs == sparsity.rows[places]
    across[mirror[places]] = hubs == sparsity.cols[places]
    wrong = ~across & spoke_entries(sparsity, colors) & (sparsity.rows != sparsity.cols)
    if np.any(wrong):
        first = int(np.argmax(wrong))
        spoke, hub = int(sparsity.rows[first]), int(sparsity.cols[first])
        raise InvalidColoringError(
            f"Invalid star set: vertex {spoke} has several neighbors of color {np.asarray(colors)[hub]}, "
            f"that of vertex {hub}, which is to be the hub of the edge between them. Make {spoke} its hub."
        )
    return across


def _hubs_of_edges(
    stars: StarSet, sparsity: SparsityPattern
) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"]]:
    """The place of each edge among the nonzeros, and its hub.

    **Raises:** [`InvalidColoringError`][] if the edges are not those of the pattern, or hubs not their ends.
    """
    count = int(np.count_nonzero(sparsity.rows < sparsity.cols))
    complete = with_edges(stars, sparsity)
    star, hub = np.asarray(stars.star), np.asarray(stars.hub).astype(np.int64)
    lo, hi, pos = map(np.asarray, (complete.edge_lo, complete.edge_hi, complete.edge_pos))
    if any(one.shape != (count,) for one in (star, lo, hi, pos)):
        raise InvalidColoringError(
            f"Invalid star set: expected one star for each of the {count} entries above the diagonal, got "
            f"arrays of shapes {star.shape}, {lo.shape}, {hi.shape}, {pos.shape}. Make it anew for this "
            "pattern."
        )
    for name, numbers, bound in (("edge_pos", pos, count), ("star", star, len(hub))):
        _check_numbers(name, numbers, bound)
    places = _places(sparsity, lo, hi)
    hubs = np.where(hub < 0, -hub - 1, hub)[star[pos]]
    stray = (hubs != lo) & (hubs != hi)
    if np.any(stray):
        first = int(np.argmax(stray))
        raise InvalidColoringError(
            f"Invalid star set: the hub of the edge from {lo[first]} to {hi[first]} is {hubs[first]}. Name "
            "one of its ends `hub`, or `-hub - 1` for a star of one edge."
        )
    return places, hubs


def _places(
    sparsity: SparsityPattern, lo: Int[np.ndarray, " edges"], hi: Int[np.ndarray, " edges"]
) -> Int[np.ndarray, " edges"]:
    """The place of each edge among the nonzeros; as many edges as there are above the diagonal."""
    try:
        places = sparsity.positions(lo, hi)
    except (TypeError, ValueError) as error:
        raise InvalidColoringError(f"Invalid star set: {error}") from None
    found = np.zeros(sparsity.nnz, bool)
    found[places] = True
    missing = (sparsity.rows < sparsity.cols) & ~found
    if np.any(missing):
        first = int(np.argmax(missing))
        raise InvalidColoringError(
            f"Invalid star set: the edge from {sparsity.rows[first]} to {sparsity.cols[first]} is none of "
            "its edges. Name each entry above the diagonal once."
        )
    return places


def _check_numbers(name: str, numbers: np.ndarray, bound: int) -> None:
    if len(numbers) and not (
        np.issubdtype(numbers.dtype, np.integer) and 0 <= numbers.min() <= numbers.max() < bound
    ):
        raise InvalidColoringError(
            f"Invalid star set: expected integers from 0 to {bound - 1} in `{name}`, got {numbers!r}."
        )
