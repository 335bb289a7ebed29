"""Substitution: exact recovery along trees of all shapes, rounding, transformations."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st

import asdex
from asdex.coloring.greedy import ACYCLIC, adjacency
from asdex.coloring.recoverability import two_colored_edges
from asdex.decompression import SubstitutionDecompressor
from asdex.decompression._rooted_trees import root_at_centroids


def edges_from(parents):
    n = len(parents) + 1
    lower = sp.coo_array((np.ones(n - 1), (np.arange(1, n), parents)), shape=(n, n))
    return lower + lower.T + sp.eye(n)


def path(n):
    return edges_from(np.arange(n - 1))


def star_of(n):
    return edges_from(np.zeros(n - 1, int))


def spider(legs, length):
    parents = np.arange(legs * length)
    parents[::length] = 0
    return edges_from(parents)


def caterpillar(n):
    """A path whose vertices all have a leaf."""
    return edges_from(np.concatenate([np.arange(n - 1), np.arange(n)]))


def binary_tree(n):
    return edges_from((np.arange(1, n) - 1) // 2)


def recursive_tree(n, seed):
    return edges_from(np.random.default_rng(seed).integers(0, np.arange(1, n)))


def five_point(side):
    line = path(side)
    return sp.kronsum(line, line)


def random_graph(n, degree, seed):
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, n, (2, n * degree // 2))
    half = sp.coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(n, n))
    return half + half.T


GRAPHS = {
    "nothing": sp.coo_array((4, 4)),
    "diagonal": sp.eye(5),
    "one edge": path(2),
    "path of 3": path(3),
    "path of 4": path(4),
    "path": path(1001),
    "star": star_of(50),
    "spider": spider(30, 7),
    "two spiders": sp.block_diag([spider(5, 3), spider(3, 5)]),
    "caterpillar": caterpillar(100),
    "binary tree": binary_tree(255),
    "recursive tree": recursive_tree(400, 0),
    "5-point": five_point(20),
    "random": random_graph(80, 6, 0),
    "dense": sp.coo_array(np.ones((9, 9))),
}


def with_values(graph, draw):
    """A symmetric matrix with values `draw(nnz)`, its acyclic coloring, and its pattern."""
    upper = sp.triu(graph, format="coo")
    upper = sp.coo_array((draw(upper.nnz), (upper.row, upper.col)), shape=upper.shape)
    matrix = (upper + sp.triu(upper, 1).T).tocsr()
    matrix.sum_duplicates()
    rows, cols = sp.csr_array(graph).nonzero()
    pattern = asdex.SparsityPattern.from_coo(rows, cols, graph.shape)
    return matrix, pattern, asdex.color_acyclic(pattern, order="natural")[0]


def integer_case(graph, largest=99):
    rng = np.random.default_rng(0)
    matrix, pattern, colors = with_values(graph, lambda size: rng.integers(1, largest + 1, size))
    return compress(matrix, colors), values_of(matrix, pattern), pattern, colors


def compress(matrix, colors):
    n, k = len(colors), colors.max(initial=-1) + 1
    seeds = sp.csr_array((np.ones(n, matrix.dtype), (np.arange(n), colors)), shape=(n, k))
    return (matrix @ seeds).toarray().T


def values_of(matrix, pattern):
    keys = pattern.rows.astype(np.int64) * pattern.n + pattern.cols
    stored = matrix.tocoo()
    places = np.searchsorted(keys, stored.row.astype(np.int64) * pattern.n + stored.col)
    values = np.zeros(pattern.nnz, matrix.dtype)
    values[places] = stored.data
    return values


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_integer_matrices_are_recovered_exactly(graph):
    B, values, pattern, colors = integer_case(graph)
    decompressor = SubstitutionDecompressor(pattern, colors, len(B))
    np.testing.assert_array_equal(decompressor(jnp.asarray(B, jnp.float32)), values)


@pytest.mark.parametrize("dtype", [np.int32, np.complex64, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    B, values, pattern, colors = integer_case(spider(3, 4), largest=9)
    result = SubstitutionDecompressor(pattern, colors, len(B))(jnp.asarray(B, dtype))
    assert result.dtype == dtype
    np.testing.assert_array_equal(np.asarray(result, complex), values)


@given(st.integers(1, 25), st.sampled_from([1, 2, 4, 10]), st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_random_graphs_with_random_colorings_are_recovered_exactly(n, degree, seed):
    rng = np.random.default_rng(seed)
    matrix, pattern, _ = with_values(random_graph(n, degree, seed), lambda k: rng.integers(1, 9, k))
    colors = ACYCLIC(adjacency(pattern), rng.permutation(n))
    assert colors is not None
    B = compress(matrix, colors).astype(np.float32)
    result = SubstitutionDecompressor(pattern, colors, len(B))(jnp.asarray(B))
    np.testing.assert_array_equal(result, values_of(matrix, pattern))


def test_double_precision(enable_x64):
    B, values, pattern, colors = integer_case(GRAPHS["5-point"])
    with enable_x64(True):
        result = SubstitutionDecompressor(pattern, colors, len(B))(jnp.asarray(B, jnp.float64))
        assert result.dtype == jnp.float64
        np.testing.assert_array_equal(result, values)


@pytest.mark.parametrize("graph", [path(100_000), caterpillar(50_000), star_of(100_000)])
def test_deep_and_broad_trees(graph):
    B, values, pattern, colors = integer_case(graph)
    assert len(B) == 2
    decompressor = SubstitutionDecompressor(pattern, colors, len(B))
    assert len(decompressor.rounds) <= 1
    np.testing.assert_array_equal(decompressor(jnp.asarray(B, jnp.float32)), values)


def test_transformations():
    B, values, pattern, colors = integer_case(GRAPHS["random"])
    decompressor = SubstitutionDecompressor(pattern, colors, len(B))
    B = jnp.asarray(B, jnp.float32)
    np.testing.assert_array_equal(eqx.filter_jit(decompressor)(B), values)
    np.testing.assert_array_equal(jax.jit(lambda d, B: d(B))(decompressor, B), values)
    batch = jnp.stack([B, 2 * B, -3 * B])
    expected = np.outer([1, 2, -3], values)
    np.testing.assert_array_equal(jax.jit(jax.vmap(decompressor))(batch), expected)
    inside = jax.jit(lambda B: SubstitutionDecompressor(pattern, colors, len(B))(B))
    np.testing.assert_array_equal(inside(B), values)


def test_derivatives():
    """The map is linear: its derivative is itself, and its transpose has the same products."""
    B, values, pattern, colors = integer_case(GRAPHS["5-point"])
    decompressor = SubstitutionDecompressor(pattern, colors, len(B))
    B = jnp.asarray(B, jnp.float32)
    _, tangent = jax.jvp(decompressor, (jnp.zeros_like(B),), (B,))
    np.testing.assert_array_equal(tangent, values)
    weights = jnp.asarray(np.random.default_rng(1).integers(-5, 6, len(values)), jnp.float32)
    gradient = jax.jit(jax.grad(lambda B: decompressor(B) @ weights))(B)
    assert float(jnp.vdot(gradient, B)) == float(weights @ values)


def test_trees_do_not_touch_each_other():
    """Rounding, infinities and NaNs stay in their tree."""
    small, large = path(40), path(60)
    B, values, pattern, colors = integer_case(sp.block_diag([small, large, small]))
    decompressor = SubstitutionDecompressor(pattern, colors, len(B))
    middle = (pattern.rows >= 40) & (pattern.rows < 100)
    for disturb in (np.nan, np.inf, 1e30):
        disturbed = np.array(B, np.float32)
        disturbed[:, 40:100] *= np.float32(disturb)
        disturbed[:, 70] += np.float32(disturb)
        result = np.asarray(decompressor(jnp.asarray(disturbed)))
        np.testing.assert_array_equal(result[~middle], values[~middle])


def test_edges_at_leaves_are_read_without_rounding():
    rng = np.random.default_rng(0)
    graph = caterpillar(300)
    matrix, pattern, colors = with_values(graph, lambda k: rng.normal(size=k).astype(np.float32))
    B = compress(matrix, colors)
    result = SubstitutionDecompressor(pattern, colors, len(B))(jnp.asarray(B))
    at_leaf = (pattern.rows >= 300) | (pattern.cols >= 300)
    np.testing.assert_array_equal(result[at_leaf], values_of(matrix, pattern)[at_leaf])


@pytest.mark.parametrize(
    ("graph", "factor"),
    [(path(4096), 256), (spider(2000, 2), 4), (five_point(64), 64), (binary_tree(4095), 64)],
    ids=["path", "spider", "5-point", "binary tree"],
)
def test_rounding_errors_grow_as_the_root_of_the_tree(graph, factor):
    rng = np.random.default_rng(0)
    matrix, pattern, colors = with_values(graph, lambda k: rng.normal(size=k))
    B = compress(matrix, colors)
    result = SubstitutionDecompressor(pattern, colors, len(B))(jnp.asarray(B, jnp.float32))
    off_diagonal = pattern.rows != pattern.cols
    error = np.abs(np.asarray(result, np.float64) - values_of(matrix, pattern))[off_diagonal]
    edges = np.abs(values_of(matrix, pattern)).max()
    assert error.max() <= factor * np.finfo(np.float32).eps * edges


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS.keys())
def test_trees_are_rooted_and_cut_into_paths(graph):
    _, _, pattern, colors = integer_case(graph)
    edges = two_colored_edges(pattern, colors)
    trees = root_at_centroids(edges.adjacency())
    children, parents = trees.children.tolist(), trees.parents.tolist()
    assert len(set(children)) == len(children) == len(edges.v)
    ends = np.sort(edges.ends[:, trees.edges], axis=0)
    np.testing.assert_array_equal(ends, np.sort([children, parents], axis=0))

    size = [1] * trees.num_nodes
    grandchildren: list[list[int]] = [[] for _ in size]
    for child, parent in zip(children, parents, strict=True):
        size[parent] += size[child]  # complete only if descendants come first
        grandchildren[parent].append(child)
    place = {child: at for at, child in enumerate(children)}
    for child, parent in zip(children, parents, strict=True):
        at = place[child]
        heaviest = max(size[sibling] for sibling in grandchildren[parent])
        assert trees.is_leaf[at] == (not grandchildren[child])
        if parent not in place:
            assert trees.is_top[at] and not trees.hangs[at] and trees.level[at] == 0
            assert 2 * size[child] <= size[parent]
        elif trees.is_top[at]:
            assert trees.hangs[at] and trees.level[at] == trees.level[place[parent]] + 1
        else:
            assert place[parent] == at + 1 and size[child] == heaviest
            assert trees.level[at] == trees.level[at + 1] and not trees.hangs[at]


def test_wrong_arguments_are_refused():
    B, _, pattern, colors = integer_case(path(5))
    decompressor = SubstitutionDecompressor(pattern, colors, 2)
    with pytest.raises(ValueError, match=r"shape \(2, 5\), one row per color, got \(5, 2\)"):
        decompressor(jnp.asarray(B.T))
    ring = asdex.SparsityPattern.from_dense(np.eye(4)[[1, 2, 3, 0]] + np.eye(4)[[3, 0, 1, 2]])
    with pytest.raises(asdex.InvalidColoringError, match="two-colored cycle"):
        SubstitutionDecompressor(ring, np.array([0, 1, 0, 1]), 2)
