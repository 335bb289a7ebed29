"""The stars of star colorings: which edges they have, and reading with hubs of the caller's choice."""

import dataclasses
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_families import random_graph
from hypothesis import given, strategies as st

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
seeds = st.integers(0, 2**32 - 1)


def random_coloring(rng):
    n = int(rng.integers(1, 12))
    pattern = random_graph(n, int(rng.integers(0, 2 * n)), rng)
    return asdex.hessian_coloring_from_sparsity(pattern, budget=0)


def stars_of(coloring) -> Any:
    assert coloring.star_set is not None
    return coloring.star_set


def hub_vertices(stars):
    return np.where(stars.hub < 0, -stars.hub - 1, stars.hub)


def with_chosen_hubs(stars, rng):
    """The edges in another order, each a star of its own, and either end the hub where both may be."""
    hubs = hub_vertices(stars)[stars.star]
    lone = (stars.hub < 0)[stars.star]
    hubs = np.where(lone & (rng.random(len(hubs)) < 0.5), stars.edge_hi, hubs)
    order, pos = rng.permutation(len(hubs)), rng.permutation(len(hubs))
    star = rng.permutation(len(hubs))
    hub = np.empty(len(hubs), np.int64)
    hub[star[pos]] = np.where(rng.random(len(hubs)) < 0.5, hubs, -hubs - 1)[order]
    chosen = asdex.StarSet(star, hub, stars.edge_lo[order], stars.edge_hi[order], pos)
    return chosen, hubs


def colored(coloring, stars):
    """The same coloring with other stars."""
    pattern, colors = coloring.sparsity, coloring.colors
    return asdex.ColoredPattern(
        pattern, colors, coloring.num_colors, True, coloring.mode, star_set=stars
    )


def compressed(matrix, coloring):
    return matrix @ (np.asarray(coloring.colors)[:, None] == np.arange(coloring.num_colors))


@given(seeds)
def test_every_edge_has_its_ends_and_every_star_its_hub(seed):
    coloring = random_coloring(np.random.default_rng(seed))
    stars, pattern = stars_of(coloring), coloring.sparsity
    upper = pattern.rows < pattern.cols
    np.testing.assert_array_equal(stars.edge_lo, pattern.rows[upper])
    np.testing.assert_array_equal(stars.edge_hi, pattern.cols[upper])
    np.testing.assert_array_equal(stars.edge_pos, np.arange(len(stars.star)))
    hubs = hub_vertices(stars)[stars.star]
    assert np.all((hubs == stars.edge_lo) | (hubs == stars.edge_hi))
    np.testing.assert_array_equal(np.bincount(stars.star) == 1, stars.hub < 0)
    spokes = stars.edge_lo + stars.edge_hi - hubs
    triples = np.stack([stars.star, hubs, coloring.colors[spokes]])
    assert len(np.unique(triples, axis=1).T) == len(stars.hub)
    assert all(one.dtype == np.int32 for one in jax.tree.leaves(stars))
    asdex.check_coloring_symmetric(pattern, coloring.colors, star_set=stars)


@given(seeds)
def test_entries_are_read_at_the_hubs_that_were_chosen(seed):
    """Of a matrix that is not symmetric, whose mirrored entries tell where they were read."""
    rng = np.random.default_rng(seed)
    coloring = random_coloring(rng)
    pattern = coloring.sparsity
    stars, hubs = with_chosen_hubs(stars_of(coloring), rng)
    asdex.check_coloring_symmetric(pattern, coloring.colors, star_set=stars)
    matrix = pattern.todense() * rng.integers(1, 10**6, pattern.shape)
    lo, hi = stars_of(coloring).edge_lo, stars_of(coloring).edge_hi
    spokes = lo + hi - hubs
    expected = matrix.copy()
    expected[lo, hi] = expected[hi, lo] = matrix[spokes, hubs]
    B = compressed(matrix, coloring).T.astype(np.int32)
    chosen = colored(coloring, stars)
    np.testing.assert_array_equal(asdex.decompress(B, chosen, "numpy_dense"), expected)
    bare = asdex.StarSet(np.arange(len(hubs)), hubs)  # in the order of the pattern
    np.testing.assert_array_equal(
        asdex.decompress(B, colored(coloring, bare), "numpy_dense"), expected
    )


def path(n):
    every = np.arange(n - 1)
    return asdex.SparsityPattern(
        [*range(n), *every, *(every + 1)], [*range(n), *(every + 1), *every], (n, n)
    )


@pytest.fixture
def coloring():
    """The path 0 - 1 - 2 - 3 - 4: vertex 1 is the hub of 0 and 2, vertex 3 that of 2 and 4 or of none."""
    colors = np.array([0, 1, 0, 2, 1], np.int32)
    return asdex.ColoredPattern(path(5), colors, 3, True, "fwd_over_rev")


def test_stars_of_a_path(coloring):
    stars = stars_of(coloring)
    assert stars.star.tolist() == [0, 0, 1, 2] and stars.hub.tolist() == [1, -3, -4]


def energy(x):
    return jnp.sum(jnp.sin(x[1:] * x[:-1])) + jnp.sum(x**3)


@pytest.mark.parametrize("output_format", ["dense", "bcoo", "bsr"])
def test_hessian(coloring, output_format):
    x = jnp.arange(1.0, 6.0)
    stars = asdex.StarSet([0, 0, 1, 2], [1, -4, 4])
    H = asdex.hessian_from_coloring(energy, colored(coloring, stars), output_format=output_format)
    found = H(x) if output_format == "dense" else H(x).todense()
    np.testing.assert_allclose(found, jax.hessian(energy)(x), rtol=1e-5)


def test_full_matrices_are_read_at_the_hubs_too():
    pattern = asdex.SparsityPattern.from_dense(np.ones((3, 3)))
    stars = asdex.StarSet([0, 1, 2], [-2, 0, -2])
    coloring = asdex.ColoredPattern(pattern, np.arange(3), 3, True, "fwd_over_rev", star_set=stars)
    B = jnp.arange(9.0).reshape(3, 3)  # B[hub, spoke]
    found = asdex.decompress(B, coloring, "dense")
    np.testing.assert_array_equal(found, [[0, 3, 2], [3, 4, 5], [2, 5, 8]])


@pytest.mark.parametrize(
    ("stars", "message"),
    [
        (([0, 0, 1, 2], [0, -3, -4]), "the hub of the edge from 1 to 2 is 0. Name one of its ends"),
        (([0, 3, 1, 2], [0, -3, -4, 2]), "vertex 1 has several neighbors of color 0.*Make 1 its"),
        (([0, 0, 1], [1, -3]), r"one star for each of the 4 entries above.*\(3,\)"),
        (([0, 0, 1, 3], [1, -3, -4]), "integers from 0 to 2 in `star`"),
        (([0.0, 0.0, 1.0, 2.0], [1, -3, -4]), "integers from 0 to 2 in `star`"),
        (
            ([0, 0, 1, 2], [1, -3, -4], [0, 1, 2, 2], [1, 2, 3, 3]),
            "the edge from 3 to 4 is none of its edges",
        ),
        (
            ([0, 0, 1, 2], [1, -3, -4], [0, 1, 2, 2], [1, 2, 3, 4]),
            r"Invalid star set: Expected entries of the pattern, got \(2, 4\)",
        ),
        (
            ([0, 0, 1, 2], [1, -3, -4], [0, 1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 4]),
            "integers from 0 to 3 in `edge_pos`",
        ),
    ],
)
def test_wrong_stars_are_refused(coloring, stars, message):
    stars = asdex.StarSet(*stars)
    with pytest.raises(asdex.InvalidColoringError, match=message):
        asdex.check_coloring_symmetric(coloring.sparsity, coloring.colors, star_set=stars)
    with pytest.raises(asdex.InvalidColoringError, match=message):
        asdex.decompressor_for(colored(coloring, stars))


def test_stars_are_of_star_colorings_and_have_both_ends():
    wrong: list[Any] = [{"symmetric": False}, {"symmetric": True, "recovery": "substitution"}]
    for options in wrong:
        with pytest.raises(ValueError, match="symmetric coloring with direct recovery"):
            asdex.ColoredPattern(
                path(2),
                np.arange(2),
                2,
                mode="fwd_over_rev",
                star_set=asdex.StarSet([0], [-1]),
                **options,
            )
    for name in ("edge_lo", "edge_hi", "edge_pos"):
        with pytest.raises(ValueError, match="both ends of the edges"):
            asdex.StarSet([0], [-1], **{name: [0]})


def test_stars_are_kept_with_their_coloring(coloring, tmp_path):
    stars = asdex.StarSet([0, 0, 1, 2], [1, -4, 4])
    one = colored(coloring, stars)
    assert stars_of(one).hub.tolist() == [1, -4, 4] and stars_of(one).edge_hi.tolist() == [
        1,
        2,
        3,
        4,
    ]
    one.save(tmp_path / "coloring")
    one = pickle.loads(pickle.dumps(asdex.ColoredPattern.load(tmp_path / "coloring")))
    np.testing.assert_array_equal(stars_of(one).hub, [1, -4, 4])
    device = jax.jit(lambda c: c)(one)
    np.testing.assert_array_equal(stars_of(device).star, [0, 0, 1, 2])
    B = jnp.asarray(compressed(np.arange(25.0).reshape(5, 5) * path(5).todense(), one).T)
    expected = asdex.decompress_data(B, one)
    np.testing.assert_array_equal(asdex.decompress_data(B, device), expected)
    # Stars belong to colors: they do not fit to others.
    other = dataclasses.replace(one, colors=np.array([0, 1, 2, 1, 0], np.int32))
    with pytest.raises(asdex.InvalidColoringError, match="several neighbors of color"):
        asdex.decompressor_for(other)
    # A traced coloring of a symmetric matrix is read to the same values, wherever that is.
    symmetric = path(5).todense() * np.add.outer(np.arange(5.0), np.arange(5.0))
    B = jnp.asarray(compressed(symmetric, one).T)
    inside = jax.jit(lambda c, B: asdex.decompress(B, c, "dense"))(one, B)
    np.testing.assert_array_equal(inside, symmetric)
