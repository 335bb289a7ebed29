"""Matrices of dense blocks: which blocks a pattern has, and their values, in jax and in SciPy."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st

import asdex
from asdex.decompression import block_decompressor
from asdex.decompression._windows import WindowDecompressor


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


MESH = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])


def pattern_of(dense):
    rows, cols = np.nonzero(dense)
    return asdex.SparsityPattern.from_coo(rows, cols, dense.shape)


def values_of(pattern):
    """Different values for all nonzeros, and the matrix that they make."""
    values = np.arange(1, pattern.nnz + 1, dtype=np.int32)
    dense = np.zeros(pattern.shape, np.int32)
    dense[pattern.rows, pattern.cols] = values
    return values, dense


@st.composite
def nodes_and_blocks(draw):
    """A pattern of nodes without repeated rows or columns next to each other, and a block shape."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes = rng.random((draw(st.integers(1, 7)), draw(st.integers(1, 7)))) < 0.4
    return nodes, (draw(st.integers(1, 4)), draw(st.integers(1, 4)))


def numbered(nodes, shape, components):
    block = np.ones(shape)
    return pattern_of(np.kron(nodes, block) if components == "last" else np.kron(block, nodes))


def split(dense, shape, components):
    """The blocks of a dense matrix, `(block rows, block columns, b_r, b_c)`."""
    (m, n), (height, width) = dense.shape, shape
    if components == "last":
        return dense.reshape(m // height, height, n // width, width).transpose(0, 2, 1, 3)
    return dense.reshape(height, m // height, width, n // width).transpose(1, 3, 0, 2)


@given(nodes_and_blocks(), st.sampled_from(["last", "first"]))
def test_the_blocks_of_a_given_shape(case, components):
    nodes, shape = case
    pattern = numbered(nodes, shape, components)
    blocks = asdex.BlockPattern.from_sparsity(pattern, shape, components)
    assert blocks.num_blocks == nodes.sum()
    assert (blocks.block_shape, blocks.shape) == (shape, pattern.shape)
    expected = sp.csr_array(nodes)
    np.testing.assert_array_equal(blocks.indices, expected.indices)
    np.testing.assert_array_equal(blocks.indptr, expected.indptr)
    values, dense = values_of(pattern)
    parts = split(dense, shape, components)[np.nonzero(nodes)]
    np.testing.assert_array_equal(values[np.asarray(blocks.order)], parts)


@given(nodes_and_blocks())
def test_the_largest_blocks_are_found(case):
    nodes, shape = case
    pattern = pattern_of(np.kron(nodes, np.ones(shape)))
    blocks = asdex.BlockPattern.from_sparsity(pattern)
    if blocks.components == "last":
        assert (blocks.block_shape[0] % shape[0], blocks.block_shape[1] % shape[1]) == (0, 0)
    else:
        assert shape == (1, 1)
    values, dense = values_of(pattern)
    matrix = pattern.to_bsr(values)
    assert isinstance(matrix, sp.bsr_array)
    np.testing.assert_array_equal(matrix.toarray(), dense)


@pytest.mark.parametrize("components", ["last", "first"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 2)])
def test_products_and_dense_arrays(shape, components):
    pattern = numbered(MESH[:, :2], shape, components)
    values, dense = values_of(pattern)
    matrix = asdex.BlockPattern.from_sparsity(pattern, shape, components)(jnp.asarray(values))
    assert matrix.block_shape == shape
    np.testing.assert_array_equal(matrix.rows, [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(matrix.todense(), dense)
    x = jnp.arange(pattern.n)
    np.testing.assert_array_equal(matrix @ x, dense @ x)
    two = jnp.stack([x, x**2], axis=1)
    np.testing.assert_array_equal(matrix @ two, dense @ two)


@pytest.mark.parametrize(
    ("shape", "size"), [((6, 2), 2), ((3, 4), 4), ((2, 3, 2), 2), ((12,), 12), ((12, 1), 12)]
)
def test_the_shape_of_arrays_decides_between_blocks(shape, size):
    """A dense matrix has blocks of any size: those of the unknowns at a node are wanted."""
    avals = (jax.ShapeDtypeStruct(shape, jnp.float32),)
    rows, cols = np.nonzero(np.ones((12, 12)))
    for outputs in (avals, ()):
        pattern = asdex.SparsityPattern.from_coo(
            rows, cols, (12, 12), input_avals=avals, output_avals=outputs
        )
        blocks = asdex.BlockPattern.from_sparsity(pattern)
        assert (blocks.block_shape, blocks.components) == ((size, size), "last")
        assert asdex.BlockPattern.from_sparsity(pattern, 3).block_shape == (3, 3)


def test_other_numberings_are_found_in_the_pattern():
    for numbering in ("last", "first"):
        ones = np.ones((2, 3))
        pattern = pattern_of(np.kron(MESH, ones) if numbering == "last" else np.kron(ones, MESH))
        blocks = asdex.BlockPattern.from_sparsity(pattern)
        assert (blocks.block_shape, blocks.components) == ((2, 3), numbering)
    scattered = pattern_of(np.kron(MESH, np.ones((2, 2)))[[0, 2, 1, 3, 4, 5]])
    blocks = asdex.BlockPattern.from_sparsity(scattered)
    assert blocks.block_shape == (1, 2)
    blocks = asdex.BlockPattern.from_sparsity(pattern_of(np.triu(np.ones((4, 4)))))
    assert (blocks.block_shape, blocks.num_blocks) == ((1, 1), 10)


def test_patterns_without_nonzeros():
    for shape in [(0, 0), (0, 4), (4, 0), (4, 6)]:
        pattern = asdex.SparsityPattern.from_coo([], [], shape)
        matrix = asdex.BlockPattern.from_sparsity(pattern)(jnp.zeros(0))
        np.testing.assert_array_equal(matrix.todense(), np.zeros(shape))


def test_what_is_no_block_is_refused():
    pattern = pattern_of(np.kron(MESH, np.ones((2, 2))))
    broken = pattern_of(np.kron(MESH, np.ones((2, 2))) - np.eye(6, k=1))
    moved = np.kron(MESH, np.ones((2, 2)))
    moved[0, 3], moved[0, 4] = 0, 1  # as many nonzeros as full blocks have
    for other in (broken, pattern_of(moved)):
        with pytest.raises(ValueError, match=r"shape \(2, 2\) to be full or empty"):
            asdex.BlockPattern.from_sparsity(other, 2)
        with pytest.raises(ValueError, match="full or empty"):
            other.to_bsr(block_shape=2)
    with pytest.raises(ValueError, match="full or empty"):
        asdex.BlockPattern.from_sparsity(pattern, 3)
    wrong: list[Any] = [4, 0, (2,), (2, 4), (2.0, 2), (2, 2, 2)]
    for shape in wrong:
        with pytest.raises(ValueError, match="two positive integers that divide"):
            asdex.BlockPattern.from_sparsity(pattern, shape)
    with pytest.raises(ValueError, match=r"shape \(28,\)"):
        asdex.BlockPattern.from_sparsity(pattern)(jnp.zeros(27))
    with pytest.raises(ValueError, match=r"shape \(28,\)"):
        pattern.to_bsr(np.zeros(29))
    matrix = asdex.BlockPattern.from_sparsity(pattern)(jnp.zeros(28))
    with pytest.raises(ValueError, match="6 rows"):
        matrix.__matmul__(jnp.zeros(5))


def forces(u):
    """Forces on the nodes of a chain, `(nodes, 3)`, from the lengths of its members."""
    strain = jnp.diff(u, axis=0)
    force = strain * jnp.sum(strain**2, axis=1, keepdims=True)
    return jnp.pad(force, ((0, 1), (0, 0))) - jnp.pad(force, ((1, 0), (0, 0)))


U = jax.random.normal(jax.random.key(0), (7, 3))
NUMBERINGS = {
    "node by node": (forces, U),
    "flat": (lambda v: forces(v.reshape(7, 3)).ravel(), U.ravel()),
    "component by component": (lambda v: forces(v.T).T, U.T),
    "flat, component by component": (lambda v: forces(v.reshape(3, 7).T).T.ravel(), U.T.ravel()),
}


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
@pytest.mark.parametrize("numbering", NUMBERINGS)
def test_jacobians_block_by_block(numbering, mode):
    f, x = NUMBERINGS[numbering]
    expected = np.asarray(jax.jit(jax.jacobian(f))(x)).reshape(21, 21)
    jac = asdex.jacobian(f, x, mode=mode, output_format="bsr")
    matrix = jac(x)
    assert matrix.data.shape == (19, 3, 3)
    assert matrix.components == ("first" if "component" in numbering else "last")
    np.testing.assert_allclose(matrix.todense(), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(matrix @ x.ravel(), expected @ x.ravel(), rtol=1e-4, atol=1e-4)
    by_window = isinstance(jac.decompressor, WindowDecompressor)
    assert by_window == (mode != "bidirectional" and "component" not in numbering)
    if "component" not in numbering:
        scipy = asdex.jacobian(f, x, mode=mode, output_format="scipy_bsr")(x)
        assert (scipy.format, scipy.blocksize) == ("bsr", (3, 3))
        np.testing.assert_allclose(scipy.toarray(), expected, rtol=1e-5, atol=1e-5)


def energy(u):
    return jnp.sum(jnp.sum(jnp.diff(u, axis=0) ** 2, axis=1) ** 2) + jnp.sum(u**4)


@pytest.mark.parametrize("options", [{}, {"symmetric": False}, {"recovery": "substitution"}])
def test_hessians_block_by_block(options):
    hess = asdex.hessian(energy, U, output_format="bsr", **options)
    expected = np.asarray(jax.jit(jax.hessian(energy))(U)).reshape(21, 21)
    matrix = hess(U)
    assert matrix.block_shape == (3, 3)
    np.testing.assert_allclose(matrix.todense(), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(hess.decompressor, WindowDecompressor) == ("recovery" not in options)


def test_windows_of_a_star_coloring_are_partly_transposed():
    chain = pattern_of(np.kron(np.eye(9) + np.eye(9, k=1) + np.eye(9, k=-1), np.ones((2, 2))))
    coloring = asdex.hessian_coloring_from_sparsity(chain)
    blocks = asdex.BlockPattern.from_sparsity(chain)
    decompressor = block_decompressor(coloring, blocks)
    assert isinstance(decompressor, WindowDecompressor)
    assert decompressor.transposed is not None
    assert 0 < np.count_nonzero(decompressor.transposed) < blocks.num_blocks
    _, dense = values_of(chain)
    dense = dense + dense.T
    seeds = np.arange(coloring.num_colors)[:, None] == coloring.colors
    values = decompressor(jnp.asarray(seeds @ dense))
    np.testing.assert_array_equal(blocks.matrix(values).todense(), dense)
    with pytest.raises(ValueError, match="Expected a compressed matrix of shape"):
        decompressor(jnp.zeros((coloring.num_colors, 17)))


def test_colorings_that_are_not_by_node():
    """The values are the same if the colors of a node are in another order."""
    f, x = NUMBERINGS["flat"]
    coloring = asdex.jacobian_coloring(f, x, mode="fwd")
    colors = np.random.default_rng(0).permutation(coloring.num_colors)[coloring.colors]
    other = eqx.tree_at(lambda one: one.colors, coloring, colors.astype(np.int32))
    jac = asdex.jacobian_from_coloring(f, other, "bsr")
    assert not isinstance(jac.decompressor, WindowDecompressor)
    np.testing.assert_allclose(jac(x).todense(), jax.jit(jax.jacobian(f))(x), rtol=1e-5, atol=1e-5)


def test_several_arrays_make_a_tree_of_matrices():
    def f(x):
        u, p = x["u"], x["p"]
        return {"force": forces(u) + p[:, None] * u, "volume": p * jnp.sum(u**2, axis=1)}

    x = {"u": U, "p": jnp.arange(7.0)}
    jac = asdex.jacobian(f, x, output_format="bsr")(x)
    expected = jax.jit(jax.jacobian(f))(x)
    shapes = {
        ("force", "u"): (3, 3),
        ("force", "p"): (3, 1),
        ("volume", "u"): (1, 3),
        ("volume", "p"): (1, 1),
    }
    for (row, column), shape in shapes.items():
        matrix = jac[row][column]
        assert matrix.block_shape == shape
        np.testing.assert_allclose(
            matrix.todense(), expected[row][column].reshape(matrix.shape), rtol=1e-5, atol=1e-5
        )
    scipy = asdex.jacobian(f, x, output_format="scipy_bsr")(x)
    assert scipy["volume"]["u"].blocksize == (1, 3)


def test_blocks_pass_through_transformations():
    jac = asdex.jacobian(forces, U, output_format="bsr")
    expected = jac(U).data
    for compiled in (jax.jit(jac), lambda u: eqx.filter_jit(lambda j, u: j(u))(jac, u)):
        np.testing.assert_allclose(compiled(U).data, expected, rtol=1e-5)
    batch = jax.vmap(jac)(jnp.stack([U, 2 * U]))
    np.testing.assert_allclose(batch.data[1], jac(2 * U).data, rtol=1e-5)
    product = jax.vmap(lambda matrix: matrix @ U.ravel())(batch)
    np.testing.assert_allclose(product[0], jac(U).todense() @ U.ravel(), rtol=1e-4, atol=1e-4)

    def norm(u):
        return jnp.sum(jac(u).data ** 2)

    reference = jax.jit(jax.grad(lambda u: jnp.sum(jax.jacobian(forces)(u) ** 2)))(U)
    np.testing.assert_allclose(jax.grad(norm)(U), reference, rtol=1e-3, atol=1e-3)


def test_compressed_matrices_are_read_as_blocks():
    coloring = asdex.jacobian_coloring(forces, U)
    B = asdex.compressed_jacobian_from_coloring(forces, coloring)(U)
    expected = np.asarray(jax.jit(jax.jacobian(forces))(U)).reshape(21, 21)
    matrix = asdex.decompress(B, coloring, "bsr")
    np.testing.assert_allclose(matrix.todense(), expected, rtol=1e-5, atol=1e-5)
    scipy = asdex.decompress(B, coloring, "scipy_bsr")
    np.testing.assert_allclose(scipy.toarray(), expected, rtol=1e-5, atol=1e-5)
    blocks = asdex.BlockPattern.from_sparsity(coloring.sparsity, 3)
    values = asdex.jacobian_from_coloring(forces, coloring, "data")(U)
    np.testing.assert_array_equal(blocks(values).data, matrix.data)


def test_a_batch_is_converted_matrix_by_matrix():
    jac_fn = asdex.jacobian(lambda x: x**3, jnp.ones(4), output_format="bsr")
    points = jnp.arange(12.0).reshape(3, 4)
    batch = jax.vmap(jac_fn)(points)
    dense = jax.vmap(lambda matrix: matrix.todense())(batch)
    np.testing.assert_allclose(dense, [np.diag(3 * x**2) for x in np.asarray(points)])
    for convert in (asdex.BSR.todense, asdex.BSR.to_scipy, lambda matrix: matrix @ points[0]):
        with pytest.raises(ValueError, match=r"Expected one matrix.*jax\.vmap"):
            convert(batch)


def test_scipy_numbers_node_by_node():
    f, x = NUMBERINGS["component by component"]
    with pytest.raises(ValueError, match="numbered component by component"):
        asdex.jacobian(f, x, output_format="scipy_bsr")(x)
    matrix = asdex.jacobian(f, x, output_format="bsr")(x).to_scipy()
    expected = np.asarray(jax.jit(jax.jacobian(forces))(U)).reshape(21, 21)
    np.testing.assert_allclose(matrix.toarray(), expected, rtol=1e-5, atol=1e-5)


def test_scipy_is_refused_inside_transformations():
    jac = asdex.jacobian(forces, U, output_format="scipy_bsr")
    with pytest.raises(TypeError, match="lives outside JAX"):
        jax.jit(jac)(U)
    blocks = asdex.jacobian(forces, U, output_format="bsr")
    with pytest.raises(TypeError, match="outside of `jit`"):
        jax.jit(lambda u: blocks(u).to_scipy())(U)
    coloring = asdex.jacobian_coloring(forces, U)
    with pytest.raises(TypeError, match="a pattern with known `rows`"):
        eqx.filter_jit(asdex.BlockPattern.from_sparsity)(coloring.sparsity)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
def test_an_input_without_elements(shape):
    inputs = {"a": jnp.ones(3), "b": jnp.zeros(shape)}
    hess_fn = asdex.hessian(lambda p: jnp.sum(p["a"] ** 2), inputs, output_format="scipy_bsr")
    blocks = hess_fn(inputs)
    np.testing.assert_array_equal(blocks["a"]["a"].toarray(), 2 * np.eye(3))
    assert blocks["b"]["b"].shape == (0, 0) and blocks["a"]["b"].shape == (3, 0)
