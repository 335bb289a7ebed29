"""Possible grids for the columns of a pattern, given by shapes or inferred from distances."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from ._geometry import Block, conflict_types, Geometry, Pairs, periodic_axes, wrapped


Shapes = Sequence[tuple[int, ...]]
Rating = tuple[float, int, int]
Rate = Callable[[Geometry], Rating]

_MAX_SPECIES_DIMENSION = 8
_MAX_SPECIES = 16
_MAX_DIMENSIONS = 5
_MAX_STRIDES = 8
_RARE = 0.05  # against the most frequent type


def geometries(n: int, shapes: Shapes, pairs: Pairs) -> Iterator[Geometry]:
    """Yield the geometries that may explain the pairs, the most likely first.

    **Arguments:** `n`: the number of columns. `shapes`: the shapes of the arrays from which the
    columns come, empty if unknown. `pairs`: a sample of the conflicts.

    If several arrays have the same shape, each is a species. So is each index along a short
    dimension. Long dimensions are split further, since the function may reshape an array. An offset
    that many pairs have in common is the stride of a grid axis, or close to one.
    """
    known = [shape for shape in shapes if math.prod(shape)]
    base: tuple[int, ...] = ()
    if known and sum(map(math.prod, known)) == n:
        if all(shape == known[0] for shape in known):
            base = _strides((len(known), *known[0]))
        elif all(len(shape) == len(known[0]) for shape in known):
            yield _staggered(known)
    candidates = _candidate_strides(n, pairs)
    rate = functools.cache(functools.partial(_rating, pairs=pairs))
    seen = set()
    for start in dict.fromkeys([base, ()]):
        likeliest = _refine(n, start, candidates, rate, (True, False))
        if likeliest not in seen:
            yield likeliest
        if likeliest.num_species > 1:
            other = _refine(n, start, candidates, rate, (False,))
        else:
            start = _species_stride(n, candidates, rate)
            other = _refine(n, start, candidates, rate, (True,))
        if other not in {likeliest, *seen}:
            yield other
        seen |= {likeliest, other}


def _species_stride(n: int, candidates: list[int], rate: Rate) -> tuple[int, ...]:
    """The stride that most likely counts species, in a tuple that is empty if there is none."""
    trials = [(_from_strides(n, (stride,), True), stride) for stride in candidates]
    trials = [(rate(trial), stride) for trial, stride in trials if trial.num_species > 1]
    return (min(trials)[1],) if trials else ()


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides greater than 1 of an array in C order, ascending, without those of length-1 axes."""
    suffixes = np.cumprod(np.array(shape[:0:-1], np.int64)).tolist()
    return tuple(sorted({stride for stride in suffixes if 1 < stride < math.prod(shape)}))


def _staggered(shapes: list[tuple[int, ...]]) -> Geometry:
    """Arrays of slightly different shapes, such as velocities on the faces of a grid."""
    axes = tuple(range(len(shapes[0])))
    starts = np.cumsum([0, *map(math.prod, shapes)]).tolist()
    blocks = tuple(Block(starts[k], shape, axes, k) for k, shape in enumerate(shapes))
    sizes = tuple(each[0] if len(set(each)) == 1 else 0 for each in zip(*shapes, strict=True))
    return Geometry(blocks, sizes)


def _from_strides(n: int, strides: tuple[int, ...], with_species: bool) -> Geometry:
    shape = tuple(high // low for low, high in pairwise((1, *strides, n)))[::-1]
    longest = max(shape)
    axes, num_species, num_axes = [], 1, 0
    for size in shape:
        small = with_species and size <= _MAX_SPECIES_DIMENSION and 2 * size <= longest
        if small and num_species * size <= _MAX_SPECIES:
            num_species *= size
            axes.append(-1)
        else:
            axes.append(num_axes)
            num_axes += 1
    sizes = tuple(size for size, axis in zip(shape, axes, strict=True) if axis >= 0)
    return Geometry((Block(0, shape, tuple(axes), 0),), sizes)


def _candidate_strides(n: int, pairs: Pairs) -> list[int]:
    """Divisors of n at or near the most common distances between columns in conflict."""
    distances, counts = np.unique(pairs.right - pairs.left, return_counts=True)
    common = distances[np.argsort(-counts, kind="stable")][:64]
    near = np.concatenate([common, common // 2, *(common + k for k in (-1, 1, -2, 2))])
    divides = (near > 1) & (near < n) & (n % np.maximum(near, 1) == 0)
    return list(dict.fromkeys(near[divides].tolist()))[:_MAX_STRIDES]


def _refine(
    n: int,
    strides: tuple[int, ...],
    candidates: list[int],
    rate: Rate,
    with_species: tuple[bool, ...],
) -> Geometry:
    """Add the stride that explains the pairs best, again and again, until none improves the rating."""

    def rated(chain: tuple[int, ...]) -> tuple[Rating, Geometry]:
        trials = dict.fromkeys(_from_strides(n, chain, species) for species in with_species)
        return min(((rate(trial), trial) for trial in trials), key=lambda trial: trial[0])

    best, geometry = rated(strides)
    while len(strides) < _MAX_DIMENSIONS - 1:
        chains = (
            tuple(sorted({*strides, stride})) for stride in candidates if stride not in strides
        )
        trials = [
            (*rated(chain), chain)
            for chain in chains
            if all(high % low == 0 for low, high in pairwise(chain))
        ]
        if not trials or min(trial[0] for trial in trials) >= best:
            break
        best, geometry, strides = min(trials, key=lambda trial: trial[0])  # the first of equals
    return geometry


def _rating(geometry: Geometry, pairs: Pairs) -> Rating:
    """A sort key of geometries: few types per species are best, then few species, then many axes.

    If the points are divided into kinds that are not species, the number of types per kind stays the
    same. But the number of rare types, which occur only at boundaries, seems to decrease, since the
    sample misses some of them. So a geometry with many species must be better by more than that.
    """
    types = conflict_types(geometry, pairs)
    counts = wrapped(geometry, types, periodic_axes(geometry, types)).counts
    rare = np.count_nonzero(counts < _RARE * counts.max(initial=0))
    frequent, num_species = len(counts) - rare, geometry.num_species
    return frequent / num_species**0.9 + rare / num_species**0.5, num_species, -len(geometry.sizes)
