"""What rules hand to the dependency array is converted or refused, never misread."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp

from asdex import Dependence


X = Dependence.identity((3,))
MATRIX = Dependence.identity((2, 3))
LINKS = np.array([[0, 1, 1], [1, 0, 0]])


def dense(dependence, width):
    return dependence.to_csr(width).toarray().astype(int)


# --- through --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64, complex])
@pytest.mark.parametrize("name", ["csr", "csc", "coo", "bsr", "dok", "lil"])
def test_through_reads_every_format(kind, dtype, name):
    matrix = kind(LINKS.astype(dtype)).asformat(name)
    np.testing.assert_array_equal(dense(X.through(matrix), 3), LINKS)
    np.testing.assert_array_equal(dense(Dependence.from_csr(matrix, (2,)), 3), LINKS)


def test_through_reads_a_square_matrix_of_columns_by_rows():
    """Square, so that no shape tells the transposed pattern apart."""
    square = np.triu(np.ones((3, 3), int))
    for name in ("csc", "csr", "coo"):
        through = X.through(sp.csr_array(square).asformat(name))
        np.testing.assert_array_equal(dense(through, 3), square)


def test_through_takes_unsorted_and_repeated_entries_and_stored_zeros():
    data = np.array([1.0, -1.0, 1.0, 0.0])
    columns = np.array([2, 1, 2, 0])
    csr = sp.csr_array((data, columns, np.array([0, 3, 4])), shape=(2, 3))
    coo = sp.coo_array((data, (np.array([0, 0, 0, 1]), columns)), shape=(2, 3))
    cancelling = sp.coo_array(([1.0, -1.0], ([0, 0], [1, 1])), shape=(1, 3))
    for matrix in (csr, csr.tocsc(), coo):
        np.testing.assert_array_equal(dense(X.through(matrix), 3), LINKS)
    assert csr.indices.tolist() == [2, 1, 2, 0], "the caller's matrix is left alone"
    np.testing.assert_array_equal(dense(X.through(cancelling), 3), [[0, 1, 0]])


def test_a_stored_diagonal_is_full():
    """The format cannot tell a stored zero from padding, and SciPy's conversions drop both."""
    diagonals = sp.dia_array((np.array([[1.0, 0.0, 1.0]]), [0]), shape=(2, 3))
    np.testing.assert_array_equal(dense(X.through(diagonals), 3), np.eye(2, 3))


def test_through_reads_entries_up_to_the_last_row_pointer():
    matrix = sp.csr_array(LINKS)
    matrix.indices = np.append(matrix.indices, [0, 0]).astype(np.int32)
    np.testing.assert_array_equal(dense(X.through(matrix), 3), LINKS)


def test_through_shapes_its_results():
    matrix = sp.csc_array(np.eye(6))
    assert MATRIX.through(matrix).shape == (6,)
    assert MATRIX.through(matrix, (3, 2)).shape == (3, 2)


@pytest.mark.parametrize(
    ("matrix", "shape", "message"),
    [
        (sp.csr_array((2, 2)), None, r"shape \(any, 3\).* got shape \(2, 2\)"),
        (sp.csr_array((2, 4)), None, r"shape \(any, 3\).* got shape \(2, 4\)"),
        (sp.csr_array((2, 3)), (3,), r"shape \(3, 3\).* got shape \(2, 3\)"),
        (sp.csr_array(([True], [-1], [0, 1]), shape=(1, 3)), None, "indices from 0 to 2"),
    ],
)
def test_through_refuses_other_shapes(matrix, shape, message):
    for operand in (X, Dependence.none((3,))):
        with pytest.raises(ValueError, match=message):
            operand.through(matrix, shape)


@pytest.mark.parametrize("matrix", [LINKS, jnp.asarray(LINKS), None, [[0, 1, 2]]])
def test_through_refuses_what_is_no_sparse_matrix(matrix):
    with pytest.raises(TypeError, match="sparse matrix of SciPy"):
        X.through(matrix)


def test_from_csr_refuses_another_number_of_rows():
    with pytest.raises(ValueError, match=r"shape \(3, any\).* got shape \(2, 3\)"):
        Dependence.from_csr(sp.csr_array(LINKS), (3,))


# --- positions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("operand", [X, Dependence.none((3,))])
@pytest.mark.parametrize(("position", "wrong"), [(-2, -2), (3, 3), (-(2**40), -(2**40))])
def test_positions_outside_of_the_operand_are_refused(operand, position, wrong):
    positions = np.array([0, position, -1])
    for move in (operand.take, lambda p: operand.rearrange(lambda _: p)):
        with pytest.raises(ValueError, match=f"positions from 0 to 2 .* got {wrong}"):
            move(positions)


@pytest.mark.parametrize("positions", [np.zeros(2), np.zeros(2, bool), None, ["0"], "0"])
def test_positions_that_are_not_integers_are_refused(positions):
    with pytest.raises(TypeError, match="integer array of positions"):
        X.rearrange(lambda _: positions)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.uint64])
def test_positions_of_any_integer_type_are_taken(dtype):
    moved = X.rearrange(lambda p: p[::-1].astype(dtype))
    np.testing.assert_array_equal(dense(moved, 3), np.eye(3)[::-1])


def test_no_positions_at_all():
    assert X.rearrange(lambda p: np.zeros(0)).shape == (0,)
    assert Dependence.none((0,)).take(np.full((2,), -1)).shape == (2,)
    with pytest.raises(ValueError, match="got 0"):
        Dependence.none((0,)).take(np.zeros(1, int))


# --- axes and shapes ------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(2,), (-3,), (0, 5), 2])
@pytest.mark.parametrize("name", ["reduce", "mix"])
def test_axes_out_of_range_are_refused(name, axes):
    for operand in (MATRIX, Dependence.none((2, 3))):
        with pytest.raises(ValueError, match=r"rank 2 \(from -2 to 1\)"):
            getattr(operand, name)(axes)


@pytest.mark.parametrize("name", ["reduce", "mix"])
def test_axes_are_refused_if_repeated_or_not_integers(name):
    with pytest.raises(ValueError, match="each axis once"):
        getattr(MATRIX, name)((0, -2))
    for axes in (1.0, ("0",), None):
        with pytest.raises(TypeError, match="axes"):
            getattr(MATRIX, name)(axes)
    with pytest.raises(ValueError, match="scalar"):
        getattr(Dependence.none(()), name)((0,))


def test_negative_axes_and_single_axes():
    assert MATRIX.reduce(-1).same_sets(MATRIX.reduce([1]))
    assert MATRIX.mix(0).same_sets(MATRIX.mix((-2,)))
    assert MATRIX.accumulate(-1).same_sets(MATRIX.accumulate(1))
    halves = [MATRIX, MATRIX]
    joined = Dependence.concatenate(halves, axis=-1)
    assert joined.shape == (2, 6)
    assert joined.same_sets(Dependence.concatenate(halves, axis=1))


def test_a_single_axis_is_checked():
    with pytest.raises(ValueError, match="rank 2"):
        MATRIX.accumulate(2)
    with pytest.raises(TypeError, match="one axis"):
        MATRIX.accumulate((0,))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="rank 2"):
        Dependence.concatenate([MATRIX, MATRIX], axis=2)


def test_shapes_are_checked_also_where_nothing_depends_on_anything():
    for operand in (MATRIX, Dependence.none((2, 3))):
        assert operand.reshape((3, -1)).shape == (3, 2)
        for shape in [(5,), (4, -1), (-1, -1), (-6,)]:
            with pytest.raises(ValueError, match="6 elements"):
                operand.reshape(shape)
        with pytest.raises(ValueError, match="broadcast"):
            operand.broadcast_to((3, 3))
        with pytest.raises(ValueError, match="broadcast"):
            operand.broadcast_to((3,))


# --- choices, unions, seeds -----------------------------------------------------------------------


def test_choices_are_checked():
    pair = [X, Dependence.none((3,))]
    for choice in ([0, 1, 2], [0, -1, 0]):
        with pytest.raises(ValueError, match=r"got (2|-1)"):
            Dependence.select(np.array(choice), pair)
    with pytest.raises(TypeError, match="integer"):
        Dependence.select(np.zeros(3), pair)
    with pytest.raises(ValueError, match=r"operands of shape \(3,\)"):
        Dependence.select(np.zeros(3, int), [X, Dependence.none(())])


def test_a_mask_may_be_a_list():
    mask: Any = [True, False, True]
    np.testing.assert_array_equal(dense(X.keep(mask), 3), np.diag([1, 0, 1]))


def test_a_union_needs_a_dependence():
    others: list[Any] = [None, np.zeros(3), 0]
    for other in others:
        with pytest.raises(TypeError, match="unsupported operand"):
            _ = X | other


def test_an_identity_stays_within_its_inputs():
    for offset, width in [(-1, 5), (3, 5)]:
        with pytest.raises(ValueError, match="are not among 5 inputs"):
            Dependence.identity((3,), offset=offset, width=width)


def test_a_structure_needs_all_of_its_operand():
    with pytest.raises(ValueError, match="operand of 3 elements, got 2"):
        X.substitute(Dependence.identity((2,)))
