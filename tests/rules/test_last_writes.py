"""Which write to a place was the last one, and what rows depend on through the rows that they read."""

import importlib

import jax
import numpy as np
import pytest

from asdex.detection import identities


last_writes = importlib.import_module("asdex.rules.last_writes")


def test_the_last_write_before_a_time():
    targets = np.array([[0, 1, 0], [1, -1, 1]])  # of two steps, in three columns
    writes = last_writes.LastWrites(targets, np.array([1, 2, 3]), width=4)
    assert writes.are_unique
    places, steps, times = (
        np.array([0, 0, 0, 1, 1, 1, 2]),
        [0, 0, 1, 1, 1, 2, 2],
        [0, 2, 2, 0, 1, 0, 0],
    )
    expected = [-1, 0, 2, 1, 4, 6, -1]  # rows of four columns
    np.testing.assert_array_equal(writes.last(places, np.array(steps), np.array(times)), expected)


def test_two_writes_at_one_time():
    targets = np.array([[0, 1, 0]])
    assert not last_writes.LastWrites(targets, np.array([1, 1, 1]), width=3).are_unique
    assert last_writes.LastWrites(targets, np.array([1, 1, 0]), width=3).are_unique


@pytest.mark.parametrize("density", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_rows_that_read_one_another(seed, density):
    """Rows read earlier ones; what those depend on that are needed, by powers of the matrix."""
    rng, size = np.random.default_rng(seed), 30
    reads = np.tril(rng.random((size, size)) < density, -1)
    reads[range(10, 20), range(9, 19)] = True  # a sum, addend by addend
    needed = rng.random(size) < 0.4
    (own,) = identities([jax.ShapeDtypeStruct((size,), np.float32)])
    found = last_writes.with_what_they_read(own, *np.nonzero(reads), needed)
    expected = np.linalg.inv(np.eye(size) - 1e-3 * reads) > 0
    np.testing.assert_array_equal(found.to_csr(size).toarray()[needed], expected[needed])
