"""Gathers and scatters over their dimension numbers, drawn at random, with known and unknown indices."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from rule_case import detect, points

from asdex.testing import check_rule


MODES = ("clip", "fill", "promise_in_bounds")


class Problem(NamedTuple):
    """A gather, and the scatter that writes where it reads."""

    shape: tuple[int, ...]
    index: np.ndarray
    numbers: lax.GatherDimensionNumbers
    slice_sizes: tuple[int, ...]
    mode: str

    def gather(self, x, index):
        return lax.gather(x, index, self.numbers, self.slice_sizes, mode=self.mode, fill_value=0)

    def scatter(self, scatter, x, index, updates, **options):
        return scatter(x, index, updates, self.scatter_numbers, mode=self.mode, **options)

    @property
    def scatter_numbers(self) -> lax.ScatterDimensionNumbers:
        return lax.ScatterDimensionNumbers(
            update_window_dims=self.numbers.offset_dims,
            inserted_window_dims=self.numbers.collapsed_slice_dims,
            scatter_dims_to_operand_dims=self.numbers.start_index_map,
            operand_batching_dims=self.numbers.operand_batching_dims,
            scatter_indices_batching_dims=self.numbers.start_indices_batching_dims,
        )

    @property
    def result_shape(self) -> tuple[int, ...]:
        gathered = self.gather(jnp.zeros(self.shape), jnp.asarray(self.index))
        return gathered.shape

    def with_index(self, index: np.ndarray) -> "Problem":
        return self._replace(index=index)


def draw(seed: int) -> Problem:
    """All kinds of dimensions: windows, collapsed, batching; permuted index vectors; any rank."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    shape = tuple(int(n) for n in rng.integers(1, 4, rank))
    axes = [int(axis) for axis in rng.permutation(rank)]
    batching = sorted(axes[: int(rng.integers(0, min(2, rank)))])
    free = [axis for axis in axes if axis not in batching]
    indexed = free[: int(rng.integers(1, len(free) + 1))]
    collapsed = sorted(axis for axis in free if rng.random() < 0.5)
    single = {*collapsed, *batching}
    sizes = tuple(
        1 if axis in single else int(rng.integers(1, n + 1)) for axis, n in enumerate(shape)
    )
    outer = [int(n) for n in rng.integers(1, 3, int(rng.integers(0, 3)))]
    index_batching = []
    for axis in batching:
        outer.append(shape[axis])
        index_batching.append(len(outer) - 1)
    windows = rank - len(single)
    offset = sorted(int(axis) for axis in rng.permutation(len(outer) + windows)[:windows])
    numbers = lax.GatherDimensionNumbers(
        offset_dims=tuple(offset),
        collapsed_slice_dims=tuple(collapsed),
        start_index_map=tuple(indexed),
        operand_batching_dims=tuple(batching),
        start_indices_batching_dims=tuple(index_batching),
    )
    mode = MODES[seed % 3]
    index = draw_index(rng, shape, sizes, numbers, mode, outer)
    return Problem(shape, index, numbers, sizes, mode)


def draw_index(rng, shape, sizes, numbers, mode, outer) -> np.ndarray:
    """Index vectors, some of them out of bounds on either side unless the mode forbids it."""
    over = 0 if mode == "promise_in_bounds" else 2
    columns = [
        rng.integers(-over, shape[axis] - sizes[axis] + 1 + over, outer)
        for axis in numbers.start_index_map
    ]
    return np.stack(columns, axis=-1).astype(np.int32)


PROBLEMS = [pytest.param(draw(seed), id=f"{seed}-{MODES[seed % 3]}") for seed in range(30)]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_gather_with_a_known_index_is_exact(problem: Problem):
    report = check_rule(lambda x: problem.gather(x, problem.index), points(problem.shape), points=1)
    np.testing.assert_array_equal(report.detected, report.true)
    assert report.detected.sum(axis=1).max(initial=0) <= 1


@pytest.mark.parametrize("problem", PROBLEMS)
def test_scatter_with_a_known_index_is_exact(problem: Problem):
    x, updates = points(problem.shape), points(problem.result_shape)

    def fn(scatter, **options):
        return lambda x, u: problem.scatter(scatter, x, problem.index, u, **options)

    added = check_rule(fn(lax.scatter_add), x, updates, points=1)
    np.testing.assert_array_equal(added.detected, added.true)
    landing = added.true[:, x.size :]
    # A plain scatter overwrites exactly where an update lands; if several do, any of them may win.
    untouched = np.diag(~landing.any(axis=1))
    overwritten = check_rule(fn(lax.scatter), x, updates, points=1).detected
    np.testing.assert_array_equal(overwritten, np.hstack([untouched, landing]))
    for scatter in (lax.scatter_min, lax.scatter_max):
        np.testing.assert_array_equal(detect(fn(scatter), x, updates), added.detected)
    if landing.sum(axis=1).max(initial=0) <= 1:
        unique = check_rule(fn(lax.scatter_mul, unique_indices=True), x, updates, points=2)
        np.testing.assert_array_equal(unique.detected, unique.true)


def all_starts(problem: Problem) -> list[Problem]:
    """The same problem for each start, one out of bounds included, in all places of the index array."""
    first = 0 if problem.mode == "promise_in_bounds" else -1
    ranges = [
        range(first, problem.shape[axis] - problem.slice_sizes[axis] + 1)
        for axis in problem.numbers.start_index_map
    ]
    index = problem.index
    return [
        problem.with_index(np.broadcast_to(np.array(vector, np.int32), index.shape))
        for vector in itertools.product(*ranges)
    ]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_gather_with_an_unknown_index(problem: Problem):
    x = points(problem.shape)
    detected = detect(problem.gather, x, problem.index)
    true = np.zeros_like(detected)
    for one in all_starts(problem):
        true |= detect(lambda x, one=one: one.gather(x, one.index), x)
    for one in (problem, *all_starts(problem)[:1]):
        check_rule(one.gather, x, jnp.asarray(one.index), points=1)
    np.testing.assert_array_equal(detected, true)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_scatter_with_an_unknown_index(problem: Problem):
    x, updates = points(problem.shape), points(problem.result_shape)

    def fn(x, index, updates):
        return problem.scatter(lax.scatter, x, index, updates)

    detected = detect(fn, x, problem.index, updates)
    true = np.zeros_like(detected)
    for one in all_starts(problem):
        true |= detect(lambda x, u, one=one: fn(x, one.index, u), x, updates)
    check_rule(fn, x, jnp.asarray(problem.index), updates, points=1)
    if problem.mode == "promise_in_bounds":
        # A broken promise leaves the operand as it is, in the rule as on the CPU.
        true[:, : x.size] = np.eye(x.size)
    np.testing.assert_array_equal(detected[:, x.size :], true[:, x.size :])
    kept, certain = detected[:, : x.size], true[:, : x.size]
    assert (np.eye(x.size) >= kept).all()
    assert (kept >= certain).all()
    # What windows at all starts have in common is overwritten for sure, which the rule does not look for.
    indexed = problem.numbers.start_index_map
    if all(problem.slice_sizes[axis] in (1, problem.shape[axis]) for axis in indexed):
        np.testing.assert_array_equal(kept, certain)


@pytest.mark.parametrize("size", [0, 2])
@pytest.mark.parametrize("count", [0, 3])
def test_nothing_to_read_or_write(size: int, count: int):
    problem = Problem(
        shape=(3, size),
        index=np.arange(count, dtype=np.int32)[:, None],
        numbers=lax.GatherDimensionNumbers((1,), (0,), (0,)),
        slice_sizes=(1, size),
        mode="fill",
    )
    x, updates = points((3, size)), points((count, size))
    gathered = check_rule(lambda x: problem.gather(x, problem.index), x)
    assert gathered.detected.shape == (count * size, 3 * size)
    assert gathered.exact
    assert (
        check_rule(problem.gather, x, jnp.asarray(problem.index)).detected.shape
        == gathered.true.shape
    )
    for scatter in (lax.scatter, lax.scatter_add):
        written = check_rule(lambda x, u: problem.scatter(scatter, x, problem.index, u), x, updates)  # noqa: B023
        assert written.exact
        unknown = check_rule(
            lambda x, i, u: problem.scatter(scatter, x, i, u),  # noqa: B023
            x,
            jnp.asarray(problem.index),
            updates,
        )
        assert unknown.detected.shape == (3 * size, (3 + count) * size)
