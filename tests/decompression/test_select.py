"""Large Jacobians with equally long rows and few colors are read without a gather."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


M = 50_000


def pattern(offsets, m=M):
    """Row i has nonzeros in the columns i + offsets."""
    rows = np.repeat(np.arange(m), len(offsets))
    cols = rows + np.tile(offsets, m)
    return asdex.SparsityPattern.from_coo(rows, cols, (m, m + max(offsets)))


def colored(sparsity, period):
    colors = (np.arange(sparsity.n) % period).astype(np.int32)
    return asdex.ColoredPattern(sparsity, colors, period, False, "fwd")


def compressed(shape, dtype):
    values = np.random.default_rng(0).normal(size=(*shape, 2)) @ [1, 1j]
    values = values if np.issubdtype(dtype, np.complexfloating) else values.real
    return jnp.asarray(values > 0 if dtype is bool else values * 10, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.int32, bool, jnp.bfloat16])
@pytest.mark.parametrize("offsets, period", [([0, 1], 2), ([0, 1], 3), ([0, 2], 3), ([0, 1, 3], 2)])
def test_it_reads_what_a_gather_reads(offsets, period, dtype):
    coloring = colored(pattern(offsets), period)
    decompressor = asdex.decompressor_for(coloring)
    assert isinstance(decompressor, asdex.SelectDecompressor)
    assert decompressor.choices.shape == (M, len(offsets))
    gather = asdex.ColumnDecompressor(coloring.sparsity, coloring.colors, period)
    B = compressed((period, M), dtype)
    got = jax.jit(decompressor)(B)
    assert got.dtype == B.dtype
    np.testing.assert_array_equal(got, gather(B))
    np.testing.assert_array_equal(asdex.decompress_data(B, coloring), gather(B))


def test_a_diagonal_is_the_compressed_matrix():
    coloring = colored(pattern([0], 2**16), 1)
    decompressor = asdex.decompressor_for(coloring)
    assert isinstance(decompressor, asdex.SelectDecompressor)
    B = compressed((1, 2**16), np.float32)
    np.testing.assert_array_equal(decompressor(B), B[0])


def test_other_patterns_are_gathered():
    uniform = pattern([0, 1])
    assert isinstance(asdex.decompressor_for(colored(uniform, 4)), asdex.ColumnDecompressor)
    small = colored(pattern([0, 1], 1000), 2)
    assert isinstance(asdex.decompressor_for(small), asdex.ColumnDecompressor)
    # As many nonzeros on average, but not in each row.
    rows, cols = np.array(uniform.rows), np.array(uniform.cols)
    rows[1], cols[1] = 1, 3
    uneven = asdex.SparsityPattern.from_coo(rows, cols, uniform.shape)
    assert uneven.nnz == uniform.nnz
    assert isinstance(asdex.decompressor_for(colored(uneven, 2)), asdex.ColumnDecompressor)
    by_row = asdex.ColoredPattern(uniform, np.arange(M) % 2, 2, False, "rev")
    assert isinstance(asdex.decompressor_for(by_row), asdex.RowDecompressor)


def test_entries_of_a_symmetric_matrix_whose_colors_repeat_in_their_row_are_read_across():
    """Rings of four unknowns: both neighbors of every other one have one color."""
    every = np.arange(M)
    ring = every // 4 * 4
    cols = np.concatenate([ring + (every + 1) % 4, ring + (every + 3) % 4])
    sparsity = asdex.SparsityPattern.from_coo(np.tile(every, 2), cols, (M, M))
    values = (sparsity.rows + sparsity.cols) % 97 + sparsity.rows * 1.0 * sparsity.cols % 89
    coloring = asdex.jacobian_coloring_from_sparsity(sparsity, mode="fwd", symmetric=True)
    assert coloring.num_colors == 3 and coloring.symmetric
    seeds = np.arange(3)[:, None] == coloring.colors
    B = (sparsity.to_scipy(values) @ seeds.T.astype(float)).T
    found = asdex.decompress_data(B.astype(np.float32), coloring)
    np.testing.assert_array_equal(found, values)


def test_another_shape_is_refused():
    decompressor = asdex.decompressor_for(colored(pattern([0, 1]), 2))
    with pytest.raises(ValueError, match="one row per color"):
        decompressor(jnp.zeros((3, M)))


def test_jacobian(tmp_path):
    x = jnp.linspace(0.5, 1.5, M + 1)
    jac_fn = asdex.jacobian(lambda x: jnp.sin(x[1:] - x[:-1]), x)
    assert isinstance(jac_fn.decompressor, asdex.SelectDecompressor)
    slopes = jnp.cos(x[1:] - x[:-1])
    expected = jnp.stack([-slopes, slopes], 1).ravel()
    batch = jax.vmap(lambda x: jac_fn(x).data)(jnp.stack([x, 2 * x]))
    for got in (jac_fn(x).data, jax.jit(jac_fn)(x).data, batch[0]):
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    eqx.tree_serialise_leaves(tmp_path / "derivative.eqx", jac_fn)
    restored = eqx.tree_deserialise_leaves(tmp_path / "derivative.eqx", jac_fn)
    np.testing.assert_array_equal(restored(x).data, jac_fn(x).data)
