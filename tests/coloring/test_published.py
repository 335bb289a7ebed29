"""Matrices from applications that pyamg ships, whose numbers of colors other libraries publish.

The limits are the least that was reached by any library or order, and by longer searches.
"""

import functools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import asdex


pytest.importorskip("pyamg")

COLUMNS = {
    "helmholtz_2D": 32,
    "unit_square": 9,
    "airfoil": 10,
    "local_disc_galerkin_diffusion": 82,
    "unit_cube": 25,
    "bar": 81,
    "knot": 11,
    "recirc_flow": 9,
}
STARS = {
    "helmholtz_2D": 25,
    "unit_square": 8,
    "local_disc_galerkin_diffusion": 49,
    "unit_cube": 17,
    "bar": 71,
}


@functools.cache
def example(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pyamg's use of scipy
        from pyamg.gallery import load_example

        matrix = sp.coo_array(load_example(name)["A"])
    n = matrix.row.max() + 1
    return asdex.SparsityPattern.from_coo(matrix.row, matrix.col, (n, n))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name):
    pattern = example(name)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd")
    assert np.bincount(pattern.rows).max() <= coloring.lower_bound
    assert coloring.lower_bound <= coloring.num_colors <= COLUMNS[name]


@pytest.mark.parametrize("name", ["airfoil", "recirc_flow", "unit_cube", "unit_square"])
def test_columns_that_are_proven_optimal(name):
    assert asdex.jacobian_coloring_from_sparsity(example(name), mode="fwd").optimal


@pytest.mark.parametrize("name", STARS)
def test_stars(name):
    coloring = asdex.hessian_coloring_from_sparsity(example(name))
    assert coloring.lower_bound <= coloring.num_colors <= STARS[name]
    assert coloring.num_colors < COLUMNS[name]
