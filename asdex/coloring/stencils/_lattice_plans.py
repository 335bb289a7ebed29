"""Colorings that are linear in the grid point, modulo the number of colors, and their slips.

A plan colors species s at the point i of a grid by h((a . i + t[s]) mod M). On an unbounded grid M is
the number of colors K and h the identity: two columns differ if a . d + t[s'] - t[s] is nonzero
mod K for their offset d (Goldfarb and Toint, "Optimal estimation of Jacobian and Hessian matrices
that arise in finite difference calculations", Math. Comp. 43, 1984). Around a periodic axis of
length N this closes if K divides a N. Otherwise the lattice must slip at some places. These must be
so far apart that no two columns in conflict have two slips between them. There are two ways:

- Along an axis k, the color grows m times by a_k + e_k instead of a_k, with N a_k + m e_k = 0
  mod K (`axis_plans`).
- At m places of the cycle Z_M, h grows by 1 + e instead of 1, with M + m e = 0 mod K, where M is the
  length of an axis. The slips then run along the diagonals a . i = const (`cyclic_plans`). So a
  periodic square grid of any size above 19 needs 6 colors for the 5-point stencil; slips along the
  axes would take 8.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int32

from ._geometry import Geometry, Types


_WORK = 3_000_000  # comparisons in one stage of a search
_MOST = 4096  # partial solutions that are kept
_SIGNED = 6  # unknowns of which both signs are tried on a cycle
_FEW = 6  # plans to be tried on the matrix for one number of colors


class Plan(NamedTuple):
    """The coloring `cycle[(sum of axes[k][point[k]] + species[kind]) mod len(cycle)]`."""

    axes: tuple[Int[np.ndarray, " size"], ...]
    species: Int[np.ndarray, " num_species"]
    cycle: Int32[np.ndarray, " modulus"]

    def colors(self, geometry: Geometry) -> Int32[np.ndarray, " n"]:
        """Return the color of each column."""
        position = geometry.evaluate(self.axes, self.species)
        position %= len(self.cycle)
        return self.cycle[position]


class Stage(NamedTuple):
    """A set of unknowns that are chosen together, and the values that they may have."""

    unknowns: tuple[int, ...]
    values: Int[np.ndarray, "choices unknowns"]


def linear_forms(geometry: Geometry, types: Types) -> Int[np.ndarray, "types unknowns"]:
    """Return the color differences of the types, as linear forms in (a, t[1], t[2], ...); t[0] = 0."""
    kinds = np.eye(geometry.num_species, dtype=np.int64)
    return np.hstack([types.offsets, (kinds[types.second] - kinds[types.first])[:, 1:]])


def nonzero_solutions(
    forms: Int[np.ndarray, "forms unknowns"], stages: Sequence[Stage], modulus: int
) -> Int[np.ndarray, "solutions unknowns"]:
    """Return all or many of the vectors over Z_modulus at which no form is zero.

    The unknowns are chosen stage by stage. Each form is applied as soon as its unknowns are known.
    """
    forms = np.unique(forms % modulus, axis=0)
    order = [unknown for stage in stages for unknown in stage.unknowns]
    stage_of = np.repeat(np.arange(len(stages)), [len(stage.unknowns) for stage in stages])
    forms = forms[:, order]
    if not np.all(np.any(forms, axis=1)):
        return np.zeros((0, len(order)), np.int64)
    decided = np.where(forms != 0, stage_of, -1).max(axis=1, initial=-1)
    found, known = np.zeros((1, 0), np.int64), 0
    for number, stage in enumerate(stages):
        now = forms[decided == number]
        upto = known + len(stage.unknowns)
        limit = max(_WORK // max(len(stage.values) * len(now), 1), 1)
        found = spread(found, limit)
        base = (found @ now[:, :known].T) % modulus
        step = (-(stage.values @ now[:, known:upto].T)) % modulus
        alive = np.ones((len(base), len(step)), bool)
        for left, right in zip(base.T.astype(np.int16), step.T.astype(np.int16), strict=True):
            alive &= left[:, None] != right
        old, new = spread(np.argwhere(alive), _MOST).T
        found, known = np.hstack([found[old], stage.values[new]]), upto
    return found[:, np.argsort(order)]


def spread(array: np.ndarray, limit: int) -> np.ndarray:
    """At most `limit` evenly spaced rows."""
    if len(array) <= limit:
        return array
    return array[np.arange(limit) * len(array) // limit]


def free_stages(num_axes: int, num_unknowns: int, modulus: int) -> list[Stage]:
    """One stage per unknown. Units of Z_modulus only permute the colors, so they normalize the first."""
    first = [0, *(k for k in range(1, modulus) if modulus % k == 0)]
    every = np.arange(modulus)[:, None]
    values = [np.array(first)[:, None] if num_axes else every, *[every] * (num_unknowns - 1)]
    return [Stage((k,), values[k]) for k in range(num_unknowns)]


def plain_solutions(
    geometry: Geometry, types: Types, num_colors: int
) -> Int[np.ndarray, "solutions unknowns"]:
    """Return the lattices (a, t[1], ...) mod `num_colors` that separate the types."""
    forms = linear_forms(geometry, types)
    stages = free_stages(len(geometry.sizes), forms.shape[1], num_colors)
    return nonzero_solutions(forms, stages, num_colors)


def plain_plans(
    geometry: Geometry, types: Types, num_colors: int, preferring: Types | None = None
) -> list[Plan]:
    """Return lattices that separate the types, and as many of the preferred types as possible."""
    solutions = plain_solutions(geometry, types, num_colors)
    if preferring is not None and len(solutions):
        missed = solutions @ linear_forms(geometry, preferring).T % num_colors == 0
        solutions = solutions[np.argsort(missed.sum(axis=1), kind="stable")]
        return [linear_plan(geometry, solution, num_colors) for solution in solutions[:1]]
    return [linear_plan(geometry, solution, num_colors) for solution in spread(solutions, _FEW)]


def linear_plan(
    geometry: Geometry, solution: Int[np.ndarray, " unknowns"], num_colors: int
) -> Plan:
    """Return the plan of one lattice."""
    num_axes = len(geometry.sizes)
    axes = (a * np.arange(length) % num_colors for a, length in _axes(geometry, solution))
    species = np.concatenate([[0], solution[num_axes:]])
    return Plan(tuple(axes), species, np.arange(num_colors, dtype=np.int32))


def _axes(geometry: Geometry, solution: np.ndarray) -> Iterator[tuple[int, int]]:
    lengths = [0] * len(geometry.sizes)
    for block in geometry.blocks:
        for size, axis in zip(block.shape, block.axes, strict=True):
            if axis >= 0:
                lengths[axis] = max(lengths[axis], size)
    return zip(solution.tolist(), lengths, strict=False)


def slips_needed(period: int, num_colors: int) -> Int[np.ndarray, "num_colors num_colors"]:
    """Return the least m with `period` a + m e = 0 mod `num_colors`, for all [a, e]; -1 for none."""
    every = np.arange(num_colors)
    least = np.full((num_colors, num_colors), -1)  # by the residue that the slips have to cancel
    for m in range(num_colors - 1, -1, -1):
        least[-m * every % num_colors, every] = m
    return least[period * every % num_colors]


def slipping(length: int, step: int, slip: int, slips: int) -> Int[np.ndarray, " length"]:
    """Return the values along an axis: steps of `step`, but `step + slip` at `slips` even places."""
    steps = np.full(length, step, np.int64)
    steps[np.arange(slips) * length // max(slips, 1)] += slip
    return np.concatenate([[0], np.cumsum(steps)[:-1]])


def axis_plans(
    geometry: Geometry, types: Types, periodic: Sequence[int], num_colors: int
) -> list[Plan]:
    """Return plans that slip along the periodic axes, for types with wrapped offsets.

    Of all families, these alone color a periodic 25-point stencil of 37 by 38 points (in 31 colors) and a
    7-point stencil of 20 by 21 by 23 points (in 10).
    """
    forms = linear_forms(geometry, types)
    num_linear = forms.shape[1]
    crossings = _crossings(types.offsets, periodic)
    repeated = np.repeat(forms[None], len(crossings), axis=0)
    forms = np.concatenate([repeated, crossings], axis=2).reshape(-1, num_linear + len(periodic))
    stages = free_stages(len(geometry.sizes), num_linear, num_colors)
    needed = {}
    for slip, axis in enumerate(periodic, num_linear):
        reach = np.abs(types.offsets[:, axis]).max(initial=0)
        needed[axis] = slips_needed(geometry.sizes[axis], num_colors)
        feasible = (needed[axis] >= 0) & (needed[axis] * reach <= geometry.sizes[axis])
        choices = np.argwhere(feasible)
        allowed = choices[np.isin(choices[:, 0], stages[axis].values)]
        stages[axis] = Stage((axis, slip), allowed)
    plans = []
    for solution in spread(nonzero_solutions(forms, stages, num_colors), _FEW):
        plan = linear_plan(geometry, solution[:num_linear], num_colors)
        axes = list(plan.axes)
        for slip, axis in enumerate(periodic, num_linear):
            a, e = int(solution[axis]), int(solution[slip])
            steps = slipping(geometry.sizes[axis], a, e, int(needed[axis][a, e]))
            axes[axis] = steps % num_colors
        plans.append(plan._replace(axes=tuple(axes)))
    return plans


def _crossings(
    offsets: Int[np.ndarray, "types axes"], periodic: Sequence[int]
) -> Int[np.ndarray, "cases types periodic"]:
    """The ways in which pairs may cross slips, as coefficients of the e: 0, or the sign of the offset."""
    signs = np.sign(offsets[:, list(periodic)])
    cases = np.array(list(product((0, 1), repeat=len(periodic))))
    return cases[:, None, :] * signs


def cyclic_plans(
    geometry: Geometry, types: Types, periodic: Sequence[int], num_colors: int
) -> list[Plan]:
    """Return plans that slip on a cycle Z_M, for types with wrapped offsets.

    M is the length of a periodic axis. If a . i does not close in Z_M around one other axis, the
    coloring may slip along that axis as well, by one place of the cycle at a time.
    """
    forms = linear_forms(geometry, types)
    candidates = _signed(plain_solutions(geometry, types, num_colors), num_colors)
    reaches = np.abs(types.offsets).max(axis=0, initial=0)
    plans = []
    for period in sorted({geometry.sizes[axis] for axis in periodic}):
        turns = np.zeros((len(candidates), len(geometry.sizes)), np.int64)
        for axis in periodic:
            turns[:, axis] = -candidates[:, axis] * geometry.sizes[axis] % period
        for axis, shift in [(0, 0), *product(periodic, (1, -1))]:
            needed = turns[:, axis] * shift % period
            others = np.delete(turns, axis, axis=1) if shift else turns
            fits = ((needed > 0) == (shift != 0)) & ~np.any(others, axis=1)
            fits &= needed * reaches[axis] <= max(geometry.sizes[axis], 1)
            chosen = spread(np.flatnonzero(fits), _MOST)
            crossing = shift * np.sign(types.offsets[:, axis])
            straight = candidates[chosen] @ forms.T
            distances = np.abs(np.hstack([straight, straight + crossing] if shift else [straight]))
            for row, slip, count in _safe_slips(distances, period, num_colors):
                solution, turn = candidates[chosen[row]], int(needed[chosen[row]])
                plan = linear_plan(geometry, solution, period)
                axes = list(plan.axes)
                if shift:
                    step, length = int(solution[axis]), geometry.sizes[axis]
                    axes[axis] = slipping(length, step, shift, turn) % period
                cycle = slipping(period, 1, slip, count) % num_colors
                plans.append(Plan(tuple(axes), plan.species, cycle.astype(np.int32)))
    return plans


def _safe_slips(
    distances: Int[np.ndarray, "candidates k"], period: int, num_colors: int
) -> list[tuple[int, int, int]]:
    """Return (candidate, slip, number of slips) with which a cycle separates all distances."""
    width = distances.max(axis=1, initial=0)
    residues = np.zeros((len(distances), num_colors), bool)
    residues[np.arange(len(distances))[:, None], distances % num_colors] = True
    safe = ~residues[:, -np.arange(num_colors) % num_colors] & ~residues[:, :1]
    needed = slips_needed(period, num_colors)[1 % num_colors]
    good = np.argwhere(safe & (needed >= 0) & (needed * width[:, None] <= period))
    room = period - needed[good[:, 1]] * width[good[:, 0]]
    best = good[np.argsort(-room, kind="stable")[:2]]
    return [(int(row), int(slip), int(needed[slip])) for row, slip in best]


def _signed(
    solutions: Int[np.ndarray, "p unknowns"], modulus: int
) -> Int[np.ndarray, "q unknowns"]:
    """Multiples by units, both as residues x and as x - modulus, since these differ as integers."""
    num_unknowns = solutions.shape[1]
    units = np.array([k for k in range(modulus) if gcd(k, modulus) == 1])
    signs = list(product((0, 1), repeat=min(num_unknowns, _SIGNED)))
    shifts = np.pad(np.array(signs) * modulus, ((0, 0), (0, max(num_unknowns - _SIGNED, 0))))
    solutions = spread(solutions, max(_MOST // (len(units) * len(shifts)), 1))
    multiples = units[:, None, None] * solutions % modulus
    return (multiples[:, :, None] - shifts).reshape(-1, num_unknowns)
