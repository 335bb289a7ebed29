"""The two-colored stars into which a star coloring decomposes a graph."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Int, Integer

from .._errors import InvalidColoringError
from ..pattern import SparsityPattern


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


def with_edges(stars: StarSet, sparsity: SparsityPattern) -> StarSet:
    """Return stars with the ends of their edges, by default those of a pattern in its order."""
    if stars.edge_lo is not None:
        return stars
    upper = sparsity.rows < sparsity.cols
    return StarSet(stars.star, stars.hub, sparsity.rows[upper], sparsity.cols[upper])


def hubs_of_edges(
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
