"""Patterns, colorings and decompressors of each kind: modules, which pass through all that modules do."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


# A bordered band: each kind of coloring has more than one color, and stars have hubs.
MATRIX = np.diag(np.arange(1.0, 9.0)) + np.diag(np.arange(2.0, 9.0), 1)
MATRIX[0] = MATRIX[:, 0] = 1.5
MATRIX = np.triu(MATRIX) + np.triu(MATRIX, 1).T
ROWS, COLS = np.nonzero(MATRIX)

jacobian, hessian = asdex.jacobian_coloring_from_sparsity, asdex.hessian_coloring_from_sparsity
KINDS = {
    asdex.ColumnDecompressor: jacobian(MATRIX[1:], mode="fwd"),
    asdex.RowDecompressor: jacobian(MATRIX[:, 1:], mode="rev"),
    asdex.BidirectionalDecompressor: jacobian(MATRIX, mode="bidirectional"),
    asdex.StarDecompressor: hessian(MATRIX),
    asdex.SubstitutionDecompressor: hessian(MATRIX, recovery="substitution"),
}


def matrix_of(coloring):
    m, n = coloring.sparsity.shape
    return MATRIX[8 - m :, 8 - n :]


def compressed(coloring):
    """The compressed matrix, by the definition of its seeds."""
    matrix = matrix_of(coloring)
    numbers = np.arange(coloring.num_colors)[:, None]
    if coloring.mode == "bidirectional":
        return (
            jnp.asarray((numbers == coloring.column_colors) @ matrix.T)[: _column_colors(coloring)],
            jnp.asarray((numbers == coloring.row_colors) @ matrix)[: coloring.num_row_colors],
        )
    return jnp.asarray(
        (numbers == coloring.colors) @ (matrix if coloring.mode == "rev" else matrix.T)
    )


def _column_colors(coloring):
    return coloring.num_colors - coloring.num_row_colors


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def case(request):
    """A decompressor, its coloring, the compressed matrix and the values that are to be read from it."""
    coloring = KINDS[request.param]
    decompressor = asdex.decompressor_for(coloring)
    assert type(decompressor) is request.param
    matrix = matrix_of(coloring)
    return decompressor, coloring, compressed(coloring), matrix[matrix != 0]


def test_each_kind_has_several_colors():
    assert all(coloring.num_colors > 1 for coloring in KINDS.values())
    both = KINDS[asdex.BidirectionalDecompressor]
    assert 0 < both.num_row_colors < both.num_colors


def test_one_interface(case):
    decompressor, coloring, B, values = case
    assert isinstance(decompressor, asdex.Decompressor) and isinstance(decompressor, eqx.Module)
    shapes = tuple(one.shape for one in B) if isinstance(B, tuple) else B.shape
    assert decompressor.compressed_shape == shapes
    np.testing.assert_allclose(decompressor(B), values, rtol=1e-6)
    np.testing.assert_allclose(asdex.decompress_data(B, coloring), values, rtol=1e-6)


def test_flattening(case):
    decompressor, coloring, B, values = case
    for module in (decompressor, coloring, coloring.sparsity):
        leaves, tree = jax.tree.flatten(module)
        assert leaves and all(
            np.issubdtype(leaf.dtype, np.integer) or leaf.dtype == bool for leaf in leaves
        )
        rebuilt = jax.tree.unflatten(tree, leaves)
        assert jax.tree.structure(rebuilt) == tree and hash(jax.tree.structure(rebuilt)) == hash(
            tree
        )
        assert type(rebuilt) is type(module)
    rebuilt = jax.tree.map(lambda leaf: leaf, decompressor)
    np.testing.assert_allclose(rebuilt(B), values, rtol=1e-6)
    rebuilt = asdex.decompressor_for(jax.tree.map(lambda leaf: leaf, coloring))
    np.testing.assert_allclose(rebuilt(B), values, rtol=1e-6)


def test_files(case, tmp_path):
    decompressor, coloring, B, values = case
    for module in (decompressor, coloring):
        copies = [pickle.loads(pickle.dumps(module))]
        eqx.tree_serialise_leaves(tmp_path / "leaves.eqx", module)
        like = jax.tree.map(lambda leaf: leaf ^ leaf, module)
        copies.append(eqx.tree_deserialise_leaves(tmp_path / "leaves.eqx", like))
        for copy in copies:
            assert type(copy) is type(module)
            read = copy if module is decompressor else asdex.decompressor_for(copy)
            np.testing.assert_allclose(read(B), values, rtol=1e-6)


def test_partition_and_combine(case):
    decompressor, coloring, B, values = case
    for module in (decompressor, coloring):
        weights, others = eqx.partition(module, eqx.is_inexact_array)
        assert jax.tree.leaves(weights) == []
        arrays, static = eqx.partition(others, eqx.is_array_like)
        assert jax.tree.leaves(static) == []
        whole = eqx.combine(weights, eqx.combine(arrays, static))
        read = whole if module is decompressor else asdex.decompressor_for(whole)
        np.testing.assert_allclose(read(B), values, rtol=1e-6)


def test_as_arguments_of_compiled_functions(case):
    decompressor, coloring, B, values = case
    for transform in (jax.jit, eqx.filter_jit):
        data = transform(lambda decompressor, B: decompressor(B))(decompressor, B)
        np.testing.assert_allclose(data, values, rtol=1e-6)
        with_coloring = transform(lambda coloring, B: asdex.decompress(B, coloring, "dense"))
        if isinstance(decompressor, asdex.SubstitutionDecompressor):
            with pytest.raises(TypeError, match="needs a known coloring"):
                with_coloring(coloring, B)
        else:
            dense = with_coloring(coloring, B)
            np.testing.assert_allclose(dense, matrix_of(coloring), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(decompressor)(B), values, rtol=1e-6)


def test_batches_loops_and_derivatives(case):
    decompressor, _, B, values = case
    batch = jax.tree.map(lambda one: jnp.stack([one, 2 * one]), B)
    np.testing.assert_allclose(jax.vmap(decompressor)(batch), [values, 2 * values], rtol=1e-6)
    _, stacked = jax.lax.scan(lambda d, one: (d, d(one)), decompressor, batch)
    np.testing.assert_allclose(stacked, [values, 2 * values], rtol=1e-6)
    # The values are linear in B: the slope along B is the values themselves.
    weights = jnp.arange(1.0, len(values) + 1)
    slopes = jax.grad(lambda one: jax.checkpoint(decompressor)(one) @ weights)(B)
    along = sum(jnp.sum(a * b) for a, b in zip(*map(jax.tree.leaves, (slopes, B)), strict=True))
    np.testing.assert_allclose(along, values @ weights, rtol=1e-5)


def test_threads(case):
    decompressor, coloring, B, values = case

    def read(i):
        own = decompressor if i % 2 else asdex.decompressor_for(coloring)
        return own(jax.tree.map(lambda one: i * one, B))

    with ThreadPoolExecutor(8) as executor:
        for i, result in enumerate(executor.map(read, range(16))):
            np.testing.assert_allclose(result, i * values, rtol=1e-6)
