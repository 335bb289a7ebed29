"""Random programs, evaluated in every way as large ones are."""

import sys
from pathlib import Path

import pytest


sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from evaluated_programs import compare


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_jacobians(seed):
    compare(seed)


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_hessians(seed):
    compare(seed, hessian=True)


@pytest.mark.parametrize(("seed", "hessian"), [(1, False), (3, False), (3, True)])
def test_terms_of_seeds_are_kept_in_some(seed, hessian):
    assert compare(seed, hessian=hessian)
