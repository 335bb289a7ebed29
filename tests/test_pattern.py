"""Sparsity patterns: construction, conversion, files, and life as a pytree."""

import dataclasses
import pickle
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, strategies as st
from jax.experimental.sparse import BCOO

import asdex


pytestmark = pytest.mark.quick


def assert_same(pattern, other):
    np.testing.assert_array_equal(pattern.rows, other.rows)
    np.testing.assert_array_equal(pattern.cols, other.cols)
    assert (pattern.shape, pattern.argnums) == (other.shape, other.argnums)
    assert pattern.input_avals == other.input_avals


@pytest.fixture
def pattern():
    return asdex.SparsityPattern.from_coo(
        [1, 0, 1],
        [0, 2, 2],
        (3, 4),
        argnums=(0, 2),
        input_avals=(
            jax.ShapeDtypeStruct((2,), jnp.float32),
            jax.ShapeDtypeStruct((1, 2), jnp.bfloat16),
        ),
    )


@st.composite
def coordinates(draw):
    m, n = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    pairs = draw(st.lists(st.tuples(st.integers(0, m - 1), st.integers(0, n - 1)), max_size=40))
    entries = np.array(pairs, np.int64).reshape(-1, 2)
    return entries[:, 0], entries[:, 1], (m, n)


CONSTRUCTORS = [asdex.SparsityPattern, asdex.SparsityPattern.from_coo]


@pytest.mark.parametrize("construct", CONSTRUCTORS)
@given(coordinates())
def test_coordinates_are_sorted_and_unique(construct, case):
    rows, cols, shape = case
    expected = np.zeros(shape, np.int8)
    expected[rows, cols] = 1
    pattern = construct(rows, cols, shape)
    assert pattern.rows.dtype == pattern.cols.dtype == np.int32
    assert pattern.nnz == expected.sum()
    assert pattern.density == expected.mean()
    dense = pattern.todense()
    assert dense.dtype == np.int8
    np.testing.assert_array_equal(dense, expected)
    np.testing.assert_array_equal((pattern.rows, pattern.cols), np.nonzero(expected))


@given(coordinates())
def test_other_constructors_agree_with_from_coo(case):
    rows, cols, shape = case
    pattern = asdex.SparsityPattern.from_coo(rows, cols, shape)
    assert_same(asdex.SparsityPattern.from_dense(pattern.todense()), pattern)
    assert_same(asdex.SparsityPattern.from_bcoo(pattern.to_bcoo()), pattern)
    assert_same(asdex.SparsityPattern.from_csr(pattern.indptr, pattern.indices, shape), pattern)
    for format in ("coo", "csr", "csc"):
        assert_same(asdex.SparsityPattern.from_scipy(pattern.to_scipy(format=format)), pattern)
    assert_same(asdex.SparsityPattern.from_coo(cols, rows, shape[::-1]), pattern.T)
    assert_same(pattern.T.transpose(), pattern)


@given(coordinates())
def test_indptr_matches_scipy(case):
    pattern = asdex.SparsityPattern.from_coo(*case)
    reference = sp.csr_matrix(pattern.todense())
    assert pattern.indptr.dtype == np.int32
    np.testing.assert_array_equal(pattern.indptr, reference.indptr)
    np.testing.assert_array_equal(pattern.indices, reference.indices)


def test_from_csr_sorts_what_is_unsorted():
    pattern = asdex.SparsityPattern.from_csr([0, 3, 3, 5], [2, 0, 2, 1, 1], (3, 3), argnums=1)
    np.testing.assert_array_equal(pattern.todense(), [[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert pattern.nnz == 3 and pattern.argnums == 1


def test_from_dense_counts_nan():
    pattern = asdex.SparsityPattern.from_dense(jnp.array([[0.0, jnp.nan], [0.0, 2.0]]))
    np.testing.assert_array_equal(pattern.todense(), [[0, 1], [0, 1]])


def test_from_bcoo_drops_padding_and_keeps_stored_zeros():
    indices = jnp.array([[1, 1], [2, 3], [0, 2], [2, 3]])
    bcoo = BCOO((jnp.array([0.0, 9.0, 5.0, 9.0]), indices), shape=(2, 3))
    np.testing.assert_array_equal(
        asdex.SparsityPattern.from_bcoo(bcoo).todense(), [[0, 0, 1], [0, 1, 0]]
    )


def test_to_bcoo_holds_the_data_in_order(pattern):
    bcoo = pattern.to_bcoo(jnp.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(bcoo.todense(), [[0, 0, 1, 0], [2, 0, 3, 0], [0, 0, 0, 0]])
    assert bcoo.indices_sorted and bcoo.unique_indices
    assert pattern.to_bcoo().dtype == jnp.int8
    with pytest.raises(ValueError, match=r"shape \(3,\), one value per nonzero, got \(2,\)"):
        pattern.to_bcoo(jnp.ones(2))


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_to_scipy_holds_the_data_in_order(pattern, format):
    matrix = pattern.to_scipy([1.0, 2.0, 3.0], format)
    assert matrix.format == format
    np.testing.assert_array_equal(matrix.toarray(), [[0, 0, 1, 0], [2, 0, 3, 0], [0, 0, 0, 0]])
    # What is done to the matrix is not done to the pattern.
    matrix.data[:] = 0
    matrix.eliminate_zeros()
    np.testing.assert_array_equal((pattern.rows, pattern.cols), [[0, 1, 1], [2, 0, 2]])
    ones = pattern.to_scipy(format=format)
    assert ones.dtype == np.int8
    np.testing.assert_array_equal(ones.toarray(), pattern.todense())
    with pytest.raises(ValueError, match=r"shape \(3,\), one value per nonzero, got \(2,\)"):
        pattern.to_scipy(np.ones(2))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (4, 0), (2, 2)])
def test_empty_patterns(shape):
    pattern = asdex.SparsityPattern.from_coo([], [], shape)
    assert pattern.nnz == 0 and pattern.density == 0.0
    assert pattern.T.shape == shape[::-1]
    assert pattern.todense().shape == pattern.to_scipy().shape == shape
    np.testing.assert_array_equal(pattern.indptr, np.zeros(shape[0] + 1))


@pytest.mark.parametrize(
    ("rows", "cols", "shape", "error", "message"),
    [
        ([0, 3], [0, 0], (3, 4), ValueError, r"`rows` must lie in \[0, 3\), got 3 at position 1"),
        ([0], [-1], (3, 4), ValueError, r"`cols` must lie in \[0, 4\), got -1"),
        ([0, 1], [0], (3, 4), ValueError, "same length, got 2 and 1"),
        ([0.5], [0], (3, 4), TypeError, "integers, got dtype float64"),
        ([[0]], [0], (3, 4), ValueError, "one-dimensional"),
        ([0], [0], (2**31, 1), ValueError, r"2147483647, the largest int32 index"),
        ([0], [0], (-1, 1), ValueError, "two sizes from 0"),
        ([0], [0], (2.5, 1), TypeError, r"two integers, \(rows, columns\), got \(2.5, 1\)"),
        ([0], [0], 3, TypeError, "two integers"),
        ([0], [0], (1, 2, 3), TypeError, "two integers"),
        ([True], [0], (3, 4), TypeError, "integers, got dtype bool"),
        ([2**32], [0], (3, 4), ValueError, "got 4294967296 at position 0"),
    ],
)
def test_wrong_coordinates_are_refused(rows, cols, shape, error, message):
    for construct in CONSTRUCTORS:
        with pytest.raises(error, match=message):
            construct(rows, cols, shape)


@pytest.mark.parametrize("indptr", [[0, 2], [1, 1, 2], [0, 1, 3], [0, 3, 2], [0.0, 1.5, 2.0]])
def test_from_csr_refuses_a_wrong_indptr(indptr):
    with pytest.raises(ValueError, match="`indptr` must rise from 0 to 2"):
        asdex.SparsityPattern.from_csr(indptr, [0, 1], (2, 2))


def test_from_scipy_keeps_stored_zeros_and_leaves_the_matrix_alone():
    matrix = sp.csr_array((np.array([0.0, 3.0]), np.array([2, 0]), np.array([0, 2, 2])), (2, 3))
    pattern = asdex.SparsityPattern.from_scipy(matrix)
    np.testing.assert_array_equal(pattern.todense(), [[1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(matrix.indices, [2, 0])
    with pytest.raises(TypeError, match="SciPy sparse array, got ndarray"):
        asdex.SparsityPattern.from_scipy(np.eye(2))


def test_from_dense_and_from_bcoo_refuse_other_ranks():
    with pytest.raises(ValueError, match=r"2-D array, got shape \(3,\)"):
        asdex.SparsityPattern.from_dense(np.ones(3))
    batched = BCOO.fromdense(jnp.ones((2, 3)), n_batch=1)
    with pytest.raises(ValueError, match="n_batch=1"):
        asdex.SparsityPattern.from_bcoo(batched)


@pytest.mark.parametrize("name", ["pattern.npz", "pattern"])
def test_save_and_load(pattern, tmp_path, name):
    pattern.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["pattern.npz"]
    assert_same(asdex.SparsityPattern.load(tmp_path / name), pattern)


def test_files_of_other_programs_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", rows=[0], cols=[0], colors=[0])
    with pytest.raises(ValueError, match=r"arrays named \['metadata', 'shape'\] among others"):
        asdex.SparsityPattern.load(tmp_path / "p.npz")
    with pytest.raises(ValueError, match=r"a file with a coloring.*\['colors', 'cols', 'rows'\]"):
        asdex.ColoredPattern.load(tmp_path / "p.npz")


@pytest.mark.parametrize("kind", [asdex.SparsityPattern, asdex.ColoredPattern])
@pytest.mark.parametrize("content", [b"no file of NumPy's", b"", b"PK\x03\x04 half a file"])
def test_files_that_hold_no_arrays_are_refused(kind, content, tmp_path):
    (tmp_path / "p.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"Expected a file that `save` of asdex wrote.*p\.npz"):
        kind.load(tmp_path / "p.npz")
    with pytest.raises(FileNotFoundError):
        kind.load(tmp_path / "missing.npz")


def test_load_keeps_an_integer_argnums(tmp_path):
    asdex.SparsityPattern.from_coo([0], [0], (1, 1), argnums=3).save(tmp_path / "p")
    assert asdex.SparsityPattern.load(tmp_path / "p").argnums == 3


def test_pickle_and_equinox_serialisation(pattern, tmp_path):
    assert_same(pickle.loads(pickle.dumps(pattern)), pattern)
    eqx.tree_serialise_leaves(tmp_path / "leaves.eqx", pattern)
    assert_same(eqx.tree_deserialise_leaves(tmp_path / "leaves.eqx", pattern), pattern)


def test_is_a_pytree_of_two_index_arrays(pattern):
    leaves, treedef = jax.tree.flatten(pattern)
    assert len(leaves) == 2
    assert_same(jax.tree.unflatten(treedef, leaves), pattern)
    jax.tree.unflatten(treedef, [None, object()])
    assert "rows=None" in repr(jax.tree.map(lambda _: None, pattern))


def test_passes_through_compiled_functions(pattern):
    def column_sums(p, data):
        assert p.nnz == 3 and repr(p).startswith("SparsityPattern(3×4, nnz=3")
        assert str(p) == repr(p)  # no picture of unknown indices
        return p, p.to_bcoo(data).todense().sum(0)

    for compiled in (jax.jit(column_sums), eqx.filter_jit(column_sums)):
        result, sums = compiled(pattern, jnp.array([1.0, 2.0, 3.0]))
        assert_same(result, pattern)
        np.testing.assert_array_equal(sums, [2, 0, 4, 0])


def test_unknown_indices_pass_through_the_initializer(pattern):
    @jax.jit
    def moved(rows, cols):
        one = asdex.SparsityPattern(rows, cols, (3, 4), argnums=[0, 2])
        return dataclasses.replace(one, shape=(3, 5))

    result = moved(pattern.rows, pattern.cols)
    assert isinstance(result.rows, jax.Array) and result.argnums == (0, 2) and result.n == 5
    np.testing.assert_array_equal(result.cols, pattern.cols)
    abstract: Any = jax.ShapeDtypeStruct((3,), jnp.int32)
    assert asdex.SparsityPattern(abstract, abstract, (3, 4)).rows is abstract
    assert jax.eval_shape(lambda p: p, pattern).nnz == 3
    with pytest.raises(ValueError, match="same length, got 3 and 2"):
        jax.jit(lambda rows: asdex.SparsityPattern(rows, rows[1:], (3, 4)))(pattern.rows)


def test_indices_cannot_be_written_to(pattern):
    rows = np.array([0, 1], np.int32)
    other = asdex.SparsityPattern(rows, rows, (2, 2))
    view = np.array([0, 1], np.int32)
    read_only = view[:]
    read_only.flags.writeable = False
    third = asdex.SparsityPattern(read_only, rows, (2, 2))
    rows[0] = view[0] = 1
    assert (1, 0) not in other and (0, 0) in other and (0, 0) in third
    for one in (pattern, other, pattern.T, other | third, pattern[:2, :]):
        for indices in (one.rows, one.cols):
            with pytest.raises(ValueError, match="read-only"):
                indices[0] = 0
    # What nobody can write to is shared.
    assert asdex.SparsityPattern(other.rows, other.cols, (2, 2)).rows is other.rows


def test_argnums_are_integers():
    assert asdex.SparsityPattern([0], [0], (1, 1), argnums=[0, 2]).argnums == (0, 2)
    for wrong in (0.5, "0", (0, 1.0), None):
        with pytest.raises(TypeError, match="`argnums` must be an integer or a sequence"):
            asdex.SparsityPattern([0], [0], (1, 1), argnums=wrong)  # pyright: ignore
