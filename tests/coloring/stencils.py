"""Patterns of stencils on grids, and of what is none."""

from itertools import product
from typing import Any

import numpy as np
from scipy.spatial import Delaunay

import asdex


def cross(dimensions, reach=1):
    steps = np.eye(dimensions, dtype=int)
    around = [k * step for step in steps for k in range(-reach, reach + 1) if k]
    return [(0,) * dimensions, *map(tuple, around)]


def box(dimensions, reach=1):
    return list(product(range(-reach, reach + 1), repeat=dimensions))


def stencil(sizes, offsets, periodic: Any = False, species=1, couplings=(), interleaved=False):
    """Species are stacked, or interleaved; `couplings` holds (species, species, offset)."""
    points = np.indices(sizes).reshape(len(sizes), -1)
    num_points = points.shape[1]
    entries = [(s, s, offset) for s in range(species) for offset in offsets]
    rows, cols = [], []
    for s, t, offset in [*entries, *couplings]:
        others = points + np.array(offset)[:, None]
        bounds = np.array(sizes)[:, None]
        inside = np.all((others >= 0) & (others < bounds) | periodic, axis=0)
        row = np.flatnonzero(inside)
        col = np.ravel_multi_index(tuple((others % bounds)[:, inside]), sizes)
        rows.append(row * species + s if interleaved else s * num_points + row)
        cols.append(col * species + t if interleaved else t * num_points + col)
    n = species * num_points
    return asdex.SparsityPattern.from_coo(np.concatenate(rows), np.concatenate(cols), (n, n))


def local(species, dimensions):
    """Couplings of all species at each point."""
    here = (0,) * dimensions
    return [(s, t, here) for s in range(species) for t in range(species) if s != t]


def brusselator(side, periodic=True, interleaved=False):
    return stencil((side, side), cross(2), periodic, 2, local(2, 2), interleaved)


def longest_row(pattern):
    return int(np.bincount(pattern.rows, minlength=1).max())


def delaunay(n, rng):
    simplices = Delaunay(rng.random((n, 2))).simplices
    pairs = list(product(range(3), repeat=2))
    rows, cols = (np.concatenate([simplices[:, pair[k]] for pair in pairs]) for k in (0, 1))
    return asdex.SparsityPattern.from_coo(rows, cols, (n, n))


def permuted(pattern, rng):
    order = rng.permutation(pattern.n)
    return asdex.SparsityPattern.from_coo(order[pattern.rows], order[pattern.cols], pattern.shape)


def blocks(n, size):
    first = np.arange(n) // size * size
    cols = first[:, None] + np.arange(size)
    return asdex.SparsityPattern.from_coo(np.repeat(np.arange(n), size), cols.ravel(), (n, n))


def random_stencil(rng):
    """One to three dimensions and species, periodic or not, with a few entries anywhere."""
    dimensions = int(rng.integers(1, 4))
    sizes = tuple(rng.integers(3, (400, 24, 11)[dimensions - 1], dimensions).tolist())
    species = int(rng.integers(1, 4))
    offsets = rng.integers(-2, 3, (int(rng.integers(1, 7)), dimensions)).tolist()
    couplings = [
        (*rng.integers(0, species, 2).tolist(), tuple(rng.integers(-1, 2, dimensions).tolist()))
        for _ in range(int(rng.integers(0, 5)))
    ]
    periodic = rng.random((dimensions, 1)) < 0.5
    pattern = stencil(sizes, offsets, periodic, species, couplings, rng.random() < 0.5)
    rows, cols = rng.integers(0, pattern.n, (2, int(rng.integers(0, 4))))
    return asdex.SparsityPattern.from_coo(
        np.concatenate([pattern.rows, rows]), np.concatenate([pattern.cols, cols]), pattern.shape
    )


def symmetric(pattern):
    """The union of a pattern with its transpose."""
    return asdex.SparsityPattern.from_coo(
        np.concatenate([pattern.rows, pattern.cols]),
        np.concatenate([pattern.cols, pattern.rows]),
        pattern.shape,
    )
