"""Patterns of blocks are colored on the graph of their nodes, however the unknowns are numbered."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_families import band, complete, cross, cycle, pattern_of
from hypothesis import given, strategies as st

import asdex
from asdex import _sets
from asdex.coloring.problems import Columns, Star
from asdex.coloring.reductions import _blocks, Blocks


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def blown_up(nodes, size, numbering="node"):
    """The pattern in which every node has `size` unknowns, and every nonzero is a full block."""
    dense, block = nodes.todense(), np.ones((size, size), np.int8)
    return pattern_of(np.kron(dense, block) if numbering == "node" else np.kron(block, dense))


def shuffled(pattern, seed=0):
    order = np.random.default_rng(seed).permutation(pattern.n)
    return pattern_of(pattern.todense()[np.ix_(order, order)])


def blocks_of(problem):
    assert isinstance(problem.reduction, Blocks)
    return problem.reduction


def grid_of_nodes(problem):
    assert problem.reduced is not None
    return problem.reduced.grid


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("numbering", ["node", "component"])
def test_the_nodes_of_blocks_are_found(size, numbering):
    mesh = cross(4, 5)
    pattern = blown_up(mesh, size, numbering)
    for problem in (Columns(pattern), Star(pattern)):
        blocks = blocks_of(problem)
        assert blocks.size == size
        np.testing.assert_array_equal(blocks.pattern.todense(), mesh.todense())
        node, member = np.divmod(np.arange(pattern.n), size)
        if numbering == "component":
            member, node = np.divmod(np.arange(pattern.n), mesh.n)
        np.testing.assert_array_equal(blocks.nodes, node)
        np.testing.assert_array_equal(blocks.members, member)


@pytest.mark.parametrize(
    ("numbering", "shapes"),
    [
        ("node", [(4, 5, 6)]),
        ("node", [(4, 5, 2, 3)]),
        ("component", [(6, 4, 5)]),
        ("component", [(2, 3, 4, 5)]),
        ("component", [(4, 5)] * 6),
        ("component", [(3, 4, 5)] * 2),
    ],
)
def test_nodes_know_their_grid(numbering, shapes):
    pattern = blown_up(cross(4, 5), 6, numbering)
    assert grid_of_nodes(Columns(pattern, tuple(shapes))) == ((4, 5),)


@pytest.mark.parametrize("shapes", [(), ((120,),), ((5, 24),), ((20, 5), (20, 1)), ((6, 20),)])
def test_other_shapes_say_nothing_about_nodes(shapes):
    assert grid_of_nodes(Columns(blown_up(cross(4, 5), 6), shapes)) == ()


@pytest.mark.parametrize("numbering", ["node", "component", "shuffled"])
def test_blocks_take_as_many_colors_as_their_nodes(numbering):
    mesh = cross(12, 12)
    pattern = blown_up(mesh, 3, numbering)
    if numbering == "shuffled":
        pattern = shuffled(blown_up(mesh, 3))
    assert asdex.color_cols(pattern)[1] == 3 * asdex.color_cols(mesh)[1] == 15
    assert asdex.color_rows(pattern)[1] == 15
    assert asdex.color_symmetric(pattern)[1] <= 3 * asdex.color_symmetric(mesh)[1] == 15
    asdex.check_coloring_acyclic(pattern, asdex.color_acyclic(pattern)[0])
    if numbering != "shuffled":  # where no lattice is found
        assert asdex.color_acyclic(pattern)[1] <= 3 * asdex.color_acyclic(mesh)[1] == 9


@st.composite
def block_patterns(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes = rng.random((draw(st.integers(2, 12)),) * 2) < draw(st.sampled_from([0.05, 0.2, 0.5]))
    size = draw(st.integers(2, 4))
    pattern = blown_up(pattern_of(nodes | nodes.T | np.eye(len(nodes), dtype=bool)), size)
    dense = pattern.todense()
    for _ in range(draw(st.integers(0, 2))):  # entries that spoil a block
        i, j = rng.integers(0, pattern.n, 2)
        dense[i, j] = dense[j, i] = draw(st.integers(0, 1))
    return shuffled(pattern_of(dense), draw(st.integers(0, 99)))


@given(block_patterns())
def test_blocks_are_colored_validly(pattern):
    budget = 0.005
    colors, _ = asdex.color_cols(pattern, budget=budget)
    asdex.check_coloring_cols(pattern, colors)
    colors, _, _ = asdex.color_symmetric(pattern, budget=budget)
    asdex.check_coloring_symmetric(pattern, colors)
    asdex.check_coloring_acyclic(pattern, asdex.color_acyclic(pattern, budget=budget)[0])
    coloring = asdex.color_bidirectional(pattern, budget=budget)
    asdex.check_coloring_bidirectional(pattern, *coloring[:2])


def test_a_block_that_is_not_full_is_no_block():
    dense = blown_up(band(30, 1, 1), 2).todense()
    dense[np.arange(0, 58, 2), np.arange(3, 61, 2)] = 0
    assert Columns(pattern_of(dense)).reduction is None
    assert Columns(band(30, 1, 1)).reduction is None
    assert Columns(complete(30)).reduction is None
    assert Columns(pattern_of(np.zeros((4, 4)))).reduction is None
    assert Columns(pattern_of(np.zeros((0, 0)))).reduction is None


def test_a_few_columns_may_lie_in_no_block():
    dense = np.pad(blown_up(cross(5, 5), 3).todense(), (0, 1))
    dense[-1] = dense[:, -1] = 1  # a multiplier, coupled to everything
    dense[4, :] = dense[:, 4] = 0  # an unknown that is in no equation
    pattern = pattern_of(dense)
    assert blocks_of(Columns(pattern)).size == 3
    # The full row needs a color for each column; without it the multiplier needs one.
    assert asdex.color_cols(pattern)[1] == 75
    assert asdex.color_cols(pattern_of(dense[:-1]))[1] == 16
    assert asdex.color_symmetric(pattern)[1] <= 16


def test_nodes_of_twice_the_size_are_two_nodes():
    """The two nodes on each step of a ladder have the same neighbors."""
    ladder = blown_up(band(10, 1, 1), 2)
    blocks = blocks_of(Columns(blown_up(ladder, 3)))
    assert (blocks.size, blocks.pattern.n) == (6, 10)
    dense = blown_up(ladder, 3).todense()
    joined = np.zeros((90, 90), np.int8)
    joined[:60, :60], joined[60:, 60:] = dense, blown_up(band(10, 1, 1), 3).todense()
    blocks = blocks_of(Columns(pattern_of(joined)))
    assert (blocks.size, blocks.pattern.n) == (3, 30)
    assert asdex.color_cols(pattern_of(joined))[1] == 18


def test_unknowns_without_a_second_derivative_of_their_own_are_not_grouped():
    """The spokes of a wheel without couplings among them need one color, not one each."""
    hub = np.zeros((13, 13), np.int8)
    hub[0] = hub[:, 0] = 1
    pattern = pattern_of(hub)
    assert Star(pattern).reduction is None
    assert asdex.color_symmetric(pattern)[1] == 2


def test_equal_hashes_are_not_taken_for_equal_columns(monkeypatch):
    pattern = blown_up(cross(6, 6), 2)

    def collide(sets):
        return np.zeros(len(sets[0]) - 1, np.uint64)

    monkeypatch.setattr(_sets, "hashes", collide)
    monkeypatch.setattr(_blocks, "hashes", collide)
    asdex.check_coloring_cols(pattern, asdex.color_cols(pattern)[0])
    asdex.check_coloring_symmetric(pattern, asdex.color_symmetric(pattern)[0])
    sets = np.array([0, 2, 4, 6, 7]), np.array([0, 1, 0, 1, 0, 2, 0])
    np.testing.assert_array_equal(_sets.equal_sets(sets), [0, 0, 2, 3])


def test_one_greedy_coloring_keeps_to_its_order():
    pattern = shuffled(blown_up(cycle(9), 3))
    for order in ("natural", "largest_first"):
        colors, _ = asdex.color_cols(pattern, order=order)
        asdex.check_coloring_cols(pattern, colors)
    colors, _ = asdex.color_cols(pattern, order="natural")
    assert colors[0] == 0 and colors[1] == int(np.any(np.all(pattern.todense()[:, :2], axis=1)))


def elastic(u):
    """Forces on the nodes of a chain in space, `(nodes, 3)`, from the lengths of its members."""
    strain = jnp.diff(u, axis=0)
    force = strain * jnp.sum(strain**2, axis=1, keepdims=True)
    return jnp.pad(force, ((0, 1), (0, 0))) - jnp.pad(force, ((1, 0), (0, 0)))


@pytest.mark.parametrize("numbering", ["node", "component", "leaves"])
@pytest.mark.parametrize("mode", ["fwd", "rev", "auto"])
def test_jacobians_of_vector_unknowns(numbering, mode):
    u = jax.random.normal(jax.random.key(0), (7, 3))
    f, x = {
        "node": (elastic, u),
        "component": (lambda v: elastic(v.T).T, u.T),
        "leaves": (lambda v: elastic(jnp.stack(v, axis=1)), list(u.T)),
    }[numbering]
    jac = asdex.jacobian(f, x, mode=mode, output_format="dense")
    assert jac.coloring.num_colors == 9
    expected = jax.jacobian(f)(x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), jac(x), expected)


def test_hessians_of_vector_unknowns():
    def energy(u):
        return jnp.sum(jnp.sum(jnp.diff(u, axis=0) ** 2, axis=1) ** 2) + jnp.sum(u**4)

    u = jax.random.normal(jax.random.key(0), (8, 3))
    hess = asdex.hessian(energy, u, output_format="dense")
    assert hess.coloring.num_colors <= 9
    np.testing.assert_allclose(hess(u), jax.hessian(energy)(u), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_items_of_a_batch_share_their_colors(axis):
    """Along the leading axis each item is a block on the diagonal; along the last they interleave."""

    def f(x):
        return jnp.convolve(x, jnp.array([1.0, 2.0, 3.0]), "same") ** 2

    batched = jax.vmap(f, in_axes=axis, out_axes=axis)
    x = jax.random.normal(jax.random.key(0), (50, 20) if axis == 0 else (20, 50))
    single = asdex.jacobian_coloring(f, x[0] if axis == 0 else x[:, 0])
    jac = asdex.jacobian(batched, x, output_format="dense")
    assert jac.coloring.num_colors == single.num_colors == 3
    assert jac.coloring.sparsity.nnz == 50 * single.sparsity.nnz
    np.testing.assert_allclose(jac(x), jax.jacobian(batched)(x), rtol=1e-5)


def test_the_items_of_a_batch_of_dense_functions_share_their_colors():
    def f(x):
        return jnp.sin(jnp.sum(x) * x)

    x = jax.random.normal(jax.random.key(0), (40, 6))
    jac = asdex.jacobian(jax.vmap(f), x, output_format="dense")
    assert (jac.coloring.num_colors, jac.coloring.optimal) == (6, True)
    np.testing.assert_allclose(jac(x), jax.jacobian(jax.vmap(f))(x), rtol=1e-5, atol=1e-6)
    total = asdex.hessian(lambda x: jnp.sum(jnp.tanh(jnp.sum(x, 1))), x, output_format="dense")
    assert (total.coloring.num_colors, total.coloring.optimal) == (6, True)
