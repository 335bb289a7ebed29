"""Patterns with equal parts, as batches make them, are colored by one copy of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_families import band, complete, cross, pattern_of
from hypothesis import given, strategies as st

import asdex
from asdex.coloring.problems import Columns, Star
from asdex.coloring.reductions import Copies


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def batch(pattern, count, axis="leading"):
    dense, eye = pattern.todense(), np.eye(count, dtype=np.int8)
    return pattern_of(np.kron(eye, dense) if axis == "leading" else np.kron(dense, eye))


def compact(dense):
    """Without empty rows and columns."""
    return dense[np.any(dense, axis=1)][:, np.any(dense, axis=0)]


def copies_of(problem):
    assert isinstance(problem.reduction, Copies)
    return problem.reduction


def grid_of_item(problem):
    assert problem.reduced is not None
    return problem.reduced.grid


@st.composite
def patterns(draw, square=False):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m = draw(st.integers(1, 8))
    n = m if square else draw(st.integers(1, 8))
    dense = rng.random((m, n)) < draw(st.sampled_from([0.15, 0.3, 0.6]))
    dense[0, 0] = True
    return pattern_of(dense | dense.T if square else dense)


@given(patterns(), st.integers(2, 5), st.sampled_from(["leading", "trailing"]))
def test_batches_are_colored_like_one_item(pattern, count, axis):
    whole = batch(pattern, count, axis)
    shape = (count, pattern.n) if axis == "leading" else (pattern.n, count)
    copies = copies_of(Columns(whole, (shape,)))
    part = copies.pattern.todense()
    # Items that fall into equal parts themselves leave less than one item.
    assert part.sum() <= pattern.nnz
    if part.sum() == pattern.nnz:
        np.testing.assert_array_equal(part, compact(pattern.todense()))
    colors = np.arange(copies.pattern.n, dtype=np.int32)
    np.testing.assert_array_equal(copies.contract(copies.expand(colors)), colors)
    assert asdex.color_cols(whole, budget=0.01)[1] <= asdex.color_cols(pattern, budget=0.0)[1]
    assert asdex.color_rows(whole, budget=0.0)[1] <= whole.m


def test_the_smallest_copies_count():
    """Two halves of a batch are copies of each other, but larger than its items."""
    item = pattern_of(np.array([[1, 1, 0, 0], [0, 0, 1, 1]]))
    copies = copies_of(Columns(batch(item, 3, "trailing"), ((4, 3),)))
    np.testing.assert_array_equal(copies.pattern.todense(), [[1, 1]])


@given(patterns(square=True), st.integers(2, 4), st.sampled_from(["leading", "trailing"]))
def test_hessians_of_batches(pattern, count, axis):
    whole = batch(pattern, count, axis)
    colors, _, _ = asdex.color_symmetric(whole, budget=0.0)
    asdex.check_coloring_symmetric(whole, colors)
    asdex.check_coloring_acyclic(whole, asdex.color_acyclic(whole, budget=0.0)[0])
    bidirectional = asdex.color_bidirectional(whole, budget=0.0)
    asdex.check_coloring_bidirectional(whole, *bidirectional[:2])


def joined(*patterns):
    """The patterns as parts on the diagonal."""
    m, n = (sum(pattern.shape[axis] for pattern in patterns) for axis in (0, 1))
    dense, row, col = np.zeros((m, n), np.int8), 0, 0
    for pattern in patterns:
        dense[row : row + pattern.m, col : col + pattern.n] = pattern.todense()
        row, col = row + pattern.m, col + pattern.n
    return pattern_of(dense)


def test_one_of_each_kind_of_part_is_kept():
    mesh, chain, other = cross(3, 3), band(9, 1, 1), band(9, 2, 0)
    whole = joined(mesh, chain, mesh, other, mesh, chain, mesh, mesh)
    copies = copies_of(Columns(whole))
    assert copies.pattern.nnz == mesh.nnz + chain.nnz + other.nnz
    np.testing.assert_array_equal(copies.pattern.todense(), joined(mesh, chain, other).todense())
    starts = [0, 9, 0, 18, 0, 9, 0, 0]
    places = np.concatenate([start + np.arange(9) for start in starts])
    np.testing.assert_array_equal(copies.places, places)
    graph = copies_of(Star(joined(mesh, chain, mesh, mesh, chain, mesh)))
    np.testing.assert_array_equal(graph.pattern.todense(), joined(mesh, chain).todense())


def test_parts_of_equal_size_may_differ():
    lower, upper = band(5, 1, 0), band(5, 0, 1)
    assert lower.nnz == upper.nnz
    copies = copies_of(Columns(joined(lower, upper, lower, lower, upper, lower)))
    np.testing.assert_array_equal(copies.pattern.todense(), joined(lower, upper).todense())


@pytest.mark.parametrize(
    "pattern", [band(40, 1, 1), cross(6, 6), complete(5), joined(cross(3, 3), band(9, 1, 1))]
)
def test_patterns_without_equal_parts(pattern):
    for problem in (Columns(pattern), Star(pattern)):
        assert problem.reduction is None


def test_empty_rows_and_columns_are_in_no_part():
    dense = np.zeros((14, 17), np.int8)
    for k in range(4):
        dense[1 + 3 * k : 3 + 3 * k, 2 + 4 * k : 4 + 4 * k] = [[1, 1], [0, 1]]
    copies = copies_of(Columns(pattern_of(dense)))
    np.testing.assert_array_equal(copies.pattern.todense(), [[1, 1], [0, 1]])
    np.testing.assert_array_equal(copies.places[:8], [-1, -1, 0, 1, -1, -1, 0, 1])
    assert asdex.color_cols(pattern_of(dense))[1] == 2
    assert Columns(pattern_of(np.zeros((3, 3)))).reduction is None


def test_rows_of_one_item_and_columns_of_another():
    """Item 0 reads item 1 and the other way round: no parts of a graph, but of a matrix."""
    dense = np.kron(np.array([[0, 1], [1, 0]]), np.ones((2, 2), np.int8))
    interleaved = dense.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)
    for matrix in (dense, interleaved):
        pattern = pattern_of(matrix)
        asdex.check_coloring_symmetric(pattern, asdex.color_symmetric(pattern)[0])
        assert asdex.color_cols(pattern)[1] == 2


def step(x):
    return x[1:] * jnp.roll(x, 2)[1:] + x[0]


def pair(u, p):
    return jnp.outer(p, u[:2]) + p[:, None] ** 2


@pytest.mark.parametrize("axis", [0, 1])
def test_jacobians_of_batches(axis):
    """A coloring of the batch is found as that of one item is, wherever the batch axis stands."""
    x = jax.random.normal(jax.random.key(0), (6, 9) if axis == 0 else (9, 6))
    batched = jax.vmap(step, in_axes=axis, out_axes=axis)
    jac = asdex.jacobian(batched, x, output_format="dense")
    assert jac.coloring.num_colors == asdex.jacobian_coloring(step, x.take(0, axis)).num_colors
    np.testing.assert_allclose(jac(x), jax.jacobian(batched)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [0, -1])
def test_batches_of_several_arrays(axis):
    u, p = jnp.arange(30.0).reshape(10, 3), jnp.arange(40.0).reshape(10, 4)
    if axis == -1:
        u, p = u.T, p.T
    batched = jax.vmap(pair, in_axes=axis, out_axes=axis)
    coloring = asdex.jacobian_coloring(batched, u, p, argnums=(0, 1), mode="fwd")
    problem = Columns(coloring.sparsity, (u.shape, p.shape))
    assert copies_of(problem).pattern.nnz == coloring.sparsity.nnz // 10
    single = asdex.jacobian_coloring(pair, jnp.ones(3), jnp.ones(4), argnums=(0, 1), mode="fwd")
    assert coloring.num_colors == single.num_colors
    jac = asdex.jacobian_from_coloring(batched, coloring, "dense")(u, p)
    expected = jax.jacobian(batched, argnums=(0, 1))(u, p)
    for got, want in zip(jac, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_items_know_their_grid():
    whole = batch(cross(4, 5), 6)
    assert grid_of_item(Columns(whole, ((6, 4, 5),))) == ((4, 5),)
    assert grid_of_item(Columns(whole, ((2, 3, 4, 5),))) == ((4, 5),)
    assert grid_of_item(Columns(whole, ((120,),))) == ()
    interleaved = batch(cross(4, 5), 6, "trailing")
    assert grid_of_item(Columns(interleaved, ((4, 5, 6),))) == ((4, 5),)
    assert asdex.color_cols(interleaved)[1] == asdex.color_cols(whole)[1] == 5
