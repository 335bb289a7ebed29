"""The table of formats, and the arrays inside of results: their order, and what is compiled."""

import re
from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jax.experimental.sparse import BCOO

import asdex
from asdex.formats import Format, FORMATS


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)


def shuffled(x):
    """Rows and columns that no order of the program's equations puts in order."""
    return jnp.stack([x[3] * x[0], x[5] * x[2] * x[4], x[1] ** 2, x[0] * x[5]])


JACOBIAN = np.asarray(jax.jit(jax.jacobian(shuffled))(X))


def rising(indices, shape):
    """Whether the positions of the indices, row after row, rise: they are in order, and none is twice."""
    positions = np.ravel_multi_index(tuple(np.asarray(indices).T), shape)
    return bool(np.all(np.diff(positions) > 0))


def test_the_names_for_type_checkers_are_those_of_the_table():
    assert get_args(asdex.OutputFormat) == (*FORMATS, "row_blocks")


def test_the_documentation_lists_every_format():
    page = Path(asdex.__file__).parents[1] / "docs" / "how-to" / "jacobians.md"
    rows = re.findall(r"^\| (.*) \| .* \| (yes|no) \|$", page.read_text("utf-8"), re.MULTILINE)
    listed = {name: inside for names, inside in rows for name in re.findall(r'"(\w+)"', names)}
    assert listed == {name: "no" if one.on_host else "yes" for name, one in FORMATS.items()}


def test_a_format_is_one_entry(monkeypatch):
    """It is accepted and refused by name, made of whole matrices and of blocks, prepared once."""
    prepared = []

    def prepare(block):
        prepared.append(block.row_shape)
        return block.sparsity.rows

    entry = Format(lambda block: lambda values: [block.prepared, values], prepare, on_host=True)
    monkeypatch.setitem(FORMATS, "pairs", entry)
    jac_fn = asdex.jacobian(shuffled, X, output_format="pairs")  # pyright: ignore
    for _ in range(2):
        rows, values = jac_fn(X)
    np.testing.assert_array_equal(rows, jac_fn.coloring.sparsity.rows)
    np.testing.assert_allclose(values, JACOBIAN[JACOBIAN != 0], rtol=1e-6)
    assert prepared == [(4,)]
    tree = asdex.jacobian(lambda p: p["a"] * p["b"], {"a": X, "b": X}, output_format="pairs")  # pyright: ignore
    np.testing.assert_allclose(tree({"a": 3 * X, "b": X})["b"][1], 3 * X, rtol=1e-6)
    coloring = jac_fn.coloring
    B = asdex.compressed_jacobian_from_coloring(shuffled, coloring)(X)
    np.testing.assert_allclose(asdex.decompress(B, coloring, "pairs")[1], values)  # pyright: ignore
    with pytest.raises(TypeError, match="'pairs' lives outside JAX"):
        jax.jit(jac_fn)(X)
    with pytest.raises(ValueError, match="'scipy_bsr', 'pairs', got 'csr'"):
        asdex.decompress(B, coloring, "csr")  # pyright: ignore


def test_bcoo_is_in_order_and_without_repetition():
    jacobian = asdex.jacobian(shuffled, X)(X)
    assert jacobian.nse == 8 and jacobian.indices.dtype == np.int32
    assert rising(jacobian.indices, (4, 6))
    assert jacobian.indices_sorted and jacobian.unique_indices
    assert (jacobian.n_batch, jacobian.n_dense, jacobian.n_sparse) == (0, 0, 2)


def test_blocks_are_in_order_and_without_repetition():
    def f(p):
        return {"m": shuffled(p["u"])[:, None] * p["v"], "s": jnp.sum(p["v"])}

    p = {"u": X, "v": jnp.arange(1.0, 4.0)}
    jacobian = asdex.jacobian(f, p)(p)
    expected = jax.jit(jax.jacobian(f))(p)
    blocks = jax.tree.leaves(jacobian, is_leaf=lambda leaf: isinstance(leaf, BCOO))
    assert [block.shape for block in blocks] == [(4, 3, 6), (4, 3, 3), (6,), (3,)]
    for block, dense in zip(blocks, jax.tree.leaves(expected), strict=True):
        assert block.indices_sorted and block.unique_indices
        assert rising(block.indices, block.shape)
        assert block.nse == np.count_nonzero(dense)
        np.testing.assert_allclose(block.todense(), dense, rtol=1e-6)


def test_bcsr_is_in_order():
    jacobian = asdex.jacobian(shuffled, X, output_format="bcsr")(X)
    rows = np.repeat(np.arange(4), np.diff(jacobian.indptr))
    assert jacobian.indices_sorted and jacobian.unique_indices
    assert rising(np.stack([rows, jacobian.indices], axis=1), (4, 6))
    np.testing.assert_allclose(jacobian.todense(), JACOBIAN, rtol=1e-6)


@pytest.mark.parametrize("output_format", ["scipy_coo", "scipy_csr", "scipy_csc"])
def test_scipy_matrices_are_canonical(output_format):
    jacobian = asdex.jacobian(shuffled, X, output_format=output_format)(X)
    assert jacobian.has_canonical_format
    assert jacobian.nnz == 8 and jacobian.data.dtype == np.float32
    expected = sp.coo_array(JACOBIAN).asformat(output_format[-3:])
    for name in ("data", "row", "col", "indptr", "indices"):
        if hasattr(jacobian, name):
            np.testing.assert_allclose(getattr(jacobian, name), getattr(expected, name), rtol=1e-6)
    jacobian.data[:] = 0.0  # the matrix is the caller's


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("make", [asdex.jacobian, asdex.value_and_jacobian])
def test_every_format_is_compiled_once(output_format, make):
    traces = []

    def f(x):
        traces.append(x)
        return shuffled(x)

    jac_fn = make(f, X, output_format=output_format)
    traces.clear()
    results = [jac_fn(scale * X) for scale in (1.0, 2.0)]
    assert len(traces) == 1
    first, second = results if make is asdex.jacobian else [matrix for _, matrix in results]
    kind = np.ndarray if output_format == "numpy_dense" else jax.Array
    if output_format in ("dense", "numpy_dense"):
        assert isinstance(second, kind)
        np.testing.assert_allclose(first, JACOBIAN, rtol=1e-6)
    one, other = (
        matrix if isinstance(matrix, np.ndarray | jax.Array) else matrix.data
        for matrix in (first, second)
    )
    assert not np.allclose(one, other)


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_patterns_hold_plain_arrays(mode):
    pattern = asdex.jacobian(shuffled, X, mode=mode).coloring.sparsity
    expected = sp.csr_array(JACOBIAN)
    arrays = {name: getattr(pattern, name) for name in ("rows", "cols", "indptr", "indices")}
    assert all(type(one) is np.ndarray and one.dtype == np.int32 for one in arrays.values())
    np.testing.assert_array_equal(arrays["indptr"], expected.indptr)
    np.testing.assert_array_equal(arrays["indices"], expected.indices)
    np.testing.assert_array_equal(arrays["cols"], expected.indices)
    np.testing.assert_array_equal(arrays["rows"], np.repeat(np.arange(4), np.diff(expected.indptr)))


def test_values_follow_the_arrays_of_the_pattern():
    data_fn = asdex.jacobian(shuffled, X, output_format="data")
    pattern = data_fn.coloring.sparsity
    data = np.asarray(data_fn(X))
    by_rows = sp.csr_array((data, pattern.indices, pattern.indptr), shape=pattern.shape)
    np.testing.assert_allclose(by_rows.toarray(), JACOBIAN, rtol=1e-6)
    np.testing.assert_allclose(data, JACOBIAN[pattern.rows, pattern.cols], rtol=1e-6)
    np.testing.assert_allclose(pattern.to_bcoo(data).todense(), JACOBIAN, rtol=1e-6)


def test_a_scalar_by_a_scalar_as_a_numpy_array():
    made = asdex.jacobian(lambda s: s**2, jnp.array(1.0), output_format="numpy_dense")(
        jnp.array(2.0)
    )
    assert made.shape == () and made == 4
