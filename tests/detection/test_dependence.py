"""The dependency array against a naive model: an object array of Python sets."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
from dependence_model import leaves, matrix_of, naive, programs, STEPS, WIDTH
from hypothesis import given, settings, strategies as st

from asdex import Dependence
from asdex.detection.dependence import _dependence, _joined_terms, _terms


def assert_same(dependence, model, width=WIDTH):
    assert dependence.shape == model.shape
    assert dependence.size == model.size
    assert dependence.ndim == model.ndim
    csr = dependence.to_csr(width)
    assert csr.dtype == bool
    np.testing.assert_array_equal(csr.toarray(), matrix_of(model, width))
    for start, stop in itertools.pairwise(csr.indptr):
        assert np.all(np.diff(csr.indices[start:stop]) > 0), "rows are sorted, without duplicates"
    assert dependence.nnz == sum(map(len, model.reshape(-1)))
    assert not (dependence.is_none and dependence.nnz)


def snapshot(dependence):
    return [
        (t.rows.copy(), *(None if a is None else a.copy() for a in (t.pool.indptr, t.pool.indices)))
        for t in dependence.terms
    ]


# --- every operation ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=60)
@given(data=st.data())
def test_operation_agrees_with_the_model_and_leaves_its_operand_alone(name, data):
    """Whenever terms are merged, and whether or not equal rows are looked for."""
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans(), label="merge terms eagerly"):
            patch.setattr(_dependence, "MAX_TERMS", 1)
            patch.setattr(_joined_terms, "MAX_TERMS", 1)
            patch.setattr(_terms, "_SHARING_PAYS", 0)
        dependence, model = data.draw(programs())
        before, shape = snapshot(dependence), dependence.shape
        assert_same(*STEPS[name](data.draw, dependence, model))
    assert dependence.shape == shape
    for old, term in zip(before, dependence.terms, strict=True):
        for kept, now in zip(old, (term.rows, term.pool.indptr, term.pool.indices), strict=True):
            np.testing.assert_array_equal(kept, now)


@settings(max_examples=60)
@given(programs(), st.integers(0, WIDTH), st.integers(0, WIDTH))
def test_restrict_keeps_a_window_of_inputs_and_renumbers_it(pair, start, length):
    dependence, model = pair
    stop = min(start + length, WIDTH)
    sets = [{i - start for i in one if start <= i < stop} for one in model.reshape(-1)]
    assert_same(dependence.restrict(start, stop), naive(sets, model.shape), stop - start)


@settings(max_examples=60)
@given(programs(), st.data())
def test_same_sets_compares_sets_and_not_how_they_are_stored(pair, data):
    dependence, model = pair
    stored_anew = Dependence.from_csr(dependence.to_csr(WIDTH), dependence.shape)
    assert dependence.same_sets(stored_anew)
    other, other_model = data.draw(leaves(model.shape))
    equal = bool((matrix_of(model) == matrix_of(other_model)).all())
    assert dependence.same_sets(other) is equal
    assert not dependence.same_sets(dependence.reshape((*dependence.shape, 1)))


@given(programs())
def test_operators_with_itself_and_with_nothing_change_no_set(pair):
    dependence, model = pair
    assert_same(dependence | dependence, model)
    assert_same(dependence | Dependence.none(dependence.shape), model)
    assert_same(Dependence.none(dependence.shape) | dependence, model)


# --- corners --------------------------------------------------------------------------------------


def test_identity_starts_at_its_offset():
    assert Dependence.identity((2, 2), offset=3, width=9).to_csr(9).indices.tolist() == [3, 4, 5, 6]
    assert Dependence.identity((4,)).to_csr().shape == (4, 4)
    assert Dependence.identity((0, 3)).is_none


def test_from_csr_accepts_any_csr_matrix():
    """Unsorted rows, duplicates and stored zeros are legal in SciPy's format."""
    data = np.array([True, True, True, False])
    matrix = sp.csr_array((data, np.array([2, 0, 2, 1]), np.array([0, 3, 4])), shape=(2, 3))
    assert_same(Dependence.from_csr(matrix, (2,)), naive([{0, 2}, ()], (2,)), 3)
    assert matrix.indices.tolist() == [2, 0, 2, 1], "the caller's matrix is left alone"


def test_join_of_nothing_is_empty():
    assert Dependence.join([]).shape == (0,)


def test_incompatible_shapes_do_not_unite():
    with pytest.raises(ValueError):
        _ = Dependence.identity((2,)) | Dependence.identity((3,))


@pytest.mark.parametrize("count", [255, 256, 257, 300, 512])
def test_many_equal_contributions_keep_their_entry(count):
    """Sums of 8-bit ones would wrap to zero at 256."""
    dense = Dependence.from_csr(sp.csr_array(np.array([[True, False, True]])), ())
    expected = naive([{0, 2}], ())
    assert_same(dense.broadcast_to((count,)).reduce([0]), expected, 3)
    copies = [Dependence.from_csr(dense.to_csr(3), (1,)) for _ in range(count)]
    assert_same(Dependence.concatenate(copies).reduce([0]), expected, 3)
    row = sp.csr_array(np.ones((1, count), bool))
    assert_same(Dependence.concatenate(copies).through(row, ()), expected, 3)
    one_by_one = copies[0]
    for copy in copies[1:]:
        one_by_one = one_by_one | copy
    assert_same(one_by_one.reshape(()), expected, 3)


@pytest.mark.parametrize("count", [256, 512])
def test_many_equal_contributions_through_a_sparse_product(count):
    """As above, where the sets are too sparse for a dense product."""
    width = 1000
    entries = (np.ones(count, bool), (np.arange(count), np.full(count, 7)))
    one_each = Dependence.from_csr(sp.csr_array(entries, shape=(count, width)), (count,))
    both = one_each | Dependence.identity((count,), offset=width - count, width=width)
    expected = {7, *range(width - count, width)}
    assert_same(one_each.reduce([0]), naive([{7}], ()), width)
    assert_same(both.reduce([0]), naive([expected], ()), width)
    assert_same(both.mix([0]).reduce([0]), naive([expected], ()), width)


@pytest.mark.parametrize("start", range(5))
@pytest.mark.parametrize("stop", range(5))
def test_restrict_of_an_identity(start, stop):
    dependence = Dependence.identity((2, 2)).restrict(start, max(start, stop))
    sets = [{k - start} if start <= k < stop else () for k in range(4)]
    assert_same(dependence, naive(sets, (2, 2)), max(stop - start, 0))


def test_equal_unions_of_many_rows_share_a_row():
    """Column `k` of the array joins the rows of column `k % 3`."""
    pool = sp.csr_array(np.arange(50)[:, None] % 9 == np.arange(9))
    columns = np.arange(60).reshape(20, 3) % 50
    repeated = np.tile(columns, 30)
    joined = Dependence.from_csr(pool, (50,)).take(repeated).reduce([0])
    sets = [{int(p) % 9 for p in columns[:, k % 3]} for k in range(90)]
    assert_same(joined, naive(sets, (90,)), 9)
    ((rows, shared),) = joined.terms
    assert shared.count == 3 and np.array_equal(rows, np.tile(rows[:3], 30))


def test_long_prefix_unions_are_triangular():
    n = 100
    csr = Dependence.identity((n,)).accumulate(0).to_csr(n)
    np.testing.assert_array_equal(csr.toarray(), np.tri(n, dtype=bool))
    csr = Dependence.identity((n,)).accumulate(-1, reverse=True).to_csr(n)
    np.testing.assert_array_equal(csr.toarray(), np.tri(n, dtype=bool).T)


# --- memory ---------------------------------------------------------------------------------------


def stored(dependence):
    """Numbers held by the pools and the row maps; a broadcast axis holds nothing."""
    pools = {id(t.pool): t.pool for t in dependence.terms}.values()
    sets = sum(p.indices.size + p.indptr.size for p in pools if p.indices is not None)
    maps = sum(
        math.prod(n for n, step in zip(t.rows.shape, t.rows.strides, strict=True) if step)
        for t in dependence.terms
    )
    return sets + maps


def test_a_dense_set_broadcast_to_many_rows_is_stored_once():
    """A naive store would hold 1e10 pairs."""
    n = 100_000
    x = Dependence.identity((n,))
    total = x.reduce([0])
    assert stored(total) <= 2 * n
    spread = total.broadcast_to((n,))
    assert stored(spread) <= 2 * n
    both = (spread | x).rearrange(np.flip)
    assert stored(both) <= 5 * n
    again = both.mix([0])
    assert stored(again) <= 6 * n
    assert again.take(np.array([n // 2])).nnz == n


def test_compaction_keeps_equal_rows_together():
    """More terms than the limit, all of them broadcast dense sets: still one set per distinct row."""
    n, count = 1000, 40
    dense = [
        Dependence.from_csr(sp.csr_array(np.arange(n)[None] % count != k), ()) for k in range(count)
    ]
    union_of_all = dense[0].broadcast_to((n, n))
    for one in dense[1:]:
        union_of_all = union_of_all | one.broadcast_to((n, n))
    assert stored(union_of_all) <= 20 * n
    assert union_of_all.take(np.array([0, n * n - 1])).nnz == 2 * n


def test_compaction_keeps_a_shared_dense_set_shared():
    size = 2000
    x = Dependence.identity((size,))
    total = x.reduce([0])
    result = total.broadcast_to((size,)) | x
    for shift in range(1, 20):
        result = result | x.rearrange(lambda p, shift=shift: np.roll(p, shift))
    stored = sum(0 if pool.indices is None else pool.indices.size for _, pool in result.terms)
    assert stored <= 30 * size
    assert result.nnz == size * size
