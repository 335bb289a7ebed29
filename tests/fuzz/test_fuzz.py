"""Random programs against automatic differentiation; `make fuzz` runs many more."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, HealthCheck, settings, strategies as st


sys.path.insert(0, str(Path(__file__).parent))

from comparison import compare_hessian, compare_jacobian
from programs import program
from run import program_of_seed


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_entry_is_missing(data):
    function = program(lambda limit: data.draw(st.integers(0, limit - 1)))
    for comparison in (compare_jacobian(function), compare_hessian(function)):
        assert comparison is None or not len(comparison.missing)


@pytest.mark.parametrize("seed", range(25))
def test_the_first_programs_of_a_long_run(seed):
    comparison = compare_jacobian(program_of_seed(seed))
    assert comparison is None or not len(comparison.missing)
