"""Patterns in which nothing conflicts get one color, or none, without a search or a check."""

import numpy as np
import pytest

import asdex
from asdex.coloring.problems import Bidirectional, Columns, GraphProblem


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
N = 3_000


def pattern(rows, cols, shape=(N, N), **options):
    return asdex.SparsityPattern.from_coo(rows, cols, shape, **options)


EVERY = np.arange(N)
SQUARE = {"empty": pattern([], []), "diagonal": pattern(EVERY, EVERY), "one": pattern([7], [7])}
MODES = {
    **{mode: {"mode": mode} for mode in ("fwd", "rev", "bidirectional", "auto", None)},
    "symmetric": {"symmetric": True},
}


@pytest.fixture
def nothing_is_done(monkeypatch):
    """Fails a test that colors greedily, looks for a lattice or a reduction, or checks a coloring."""

    def refuse(*args, **options):
        raise AssertionError("there is nothing to search")

    for cls in (GraphProblem, *all_subclasses(GraphProblem)):
        for name in ("greedy", "lattice", "check", "incidence", "reduction", "bound"):
            if name in cls.__dict__:
                monkeypatch.setattr(cls, name, property(refuse))
    monkeypatch.setattr(Bidirectional, "splits", property(refuse))


def all_subclasses(cls):
    return [each for one in cls.__subclasses__() for each in (one, *all_subclasses(one))]


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("name", SQUARE)
def test_jacobians(name, options):
    coloring = asdex.jacobian_coloring_from_sparsity(SQUARE[name], **MODES[options])
    expected = min(SQUARE[name].nnz, 1)
    assert coloring.num_colors == coloring.lower_bound == expected
    assert coloring.optimal
    for colors, size in ((coloring.column_colors, N), (coloring.row_colors, N)):
        assert colors is None or (colors.shape == (size,) and colors.max() <= 0)


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize("options", [{}, {"recovery": "substitution"}, {"symmetric": False}])
@pytest.mark.parametrize("name", SQUARE)
def test_hessians(name, options):
    coloring = asdex.hessian_coloring_from_sparsity(SQUARE[name], **options)
    assert coloring.num_colors == coloring.lower_bound == min(SQUARE[name].nnz, 1)
    assert coloring.optimal and not np.any(coloring.colors)


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize("mode", ["fwd", None, "auto"])
def test_one_nonzero_in_each_row(mode):
    """Columns that many rows choose; the shape is given apart, since rows conflict."""
    chosen = pattern(EVERY[1:], EVERY[1:] // 10, (N, N // 5))
    coloring = asdex.jacobian_coloring_from_sparsity(chosen, mode=mode)
    assert coloring.mode == "fwd" and coloring.num_colors == coloring.lower_bound == 1


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize("mode", ["rev", None, "auto", "bidirectional"])
@pytest.mark.parametrize("cols", [EVERY, EVERY[::-1], EVERY[1::3]])
def test_one_nonzero_in_each_column(mode, cols):
    """The gradient of a scalar function, and sums over parts of the input in any order."""
    for rows, m in ((0 * cols, 1), (cols // 4, N)):
        one = pattern(rows, cols, (m, N))
        coloring = asdex.jacobian_coloring_from_sparsity(one, mode=mode)
        assert coloring.num_colors == coloring.lower_bound == 1
        assert coloring.row_colors is not None
        asdex.check_coloring_rows(one, np.maximum(coloring.row_colors, 0))


def test_modes_that_the_function_does_not_allow():
    only_reverse = pattern(EVERY, EVERY, modes=("rev",))
    coloring = asdex.jacobian_coloring_from_sparsity(only_reverse)
    assert (coloring.mode, coloring.num_colors) == ("rev", 1)
    assert coloring.reason == "reverse mode; the function allows no forward mode"


@pytest.mark.parametrize("recovery", ["direct", "substitution"])
@pytest.mark.parametrize("nnz", [0, 1])
def test_hessians_must_be_square_and_symmetric(recovery, nnz):
    wide = pattern([0] * nnz, [0] * nnz, (3, 4))
    with pytest.raises(ValueError, match="square"):
        asdex.color_symmetric(wide)
    with pytest.raises(ValueError, match="structurally symmetric"):
        asdex.hessian_coloring_from_sparsity(pattern([0], [1]), recovery=recovery)


@pytest.mark.parametrize("order", ["natural", "saturation", lambda graph: np.arange(N)[::-1]])
def test_an_order_is_followed(order):
    """An order takes the place of the search, and a wrong one is refused."""
    for name, sparsity in SQUARE.items():
        assert asdex.color_cols(sparsity, order=order)[1] == min(sparsity.nnz, 1), name
        with pytest.raises(ValueError, match="each once"):
            asdex.color_cols(sparsity, order=lambda graph: np.zeros(N, int))


def test_vertices_without_conflicts_beside_others():
    """One row of two nonzeros is enough to need two colors."""
    mixed = pattern([*EVERY, 0], [*EVERY, 1])
    problem = Columns(mixed)
    assert problem.has_conflicts and problem.longest == problem.lower_bound == 2
    assert asdex.color_cols(mixed)[1] == 2
