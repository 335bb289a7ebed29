"""Random programs against automatic differentiation; `make fuzz` runs many more."""

import json
import sys
from pathlib import Path

import jax
import pytest
from hypothesis import given, HealthCheck, settings, strategies as st


sys.path.insert(0, str(Path(__file__).parent))

from comparison import compare_hessian, compare_jacobian
from programs import program
from run import add_to_record, compare_in_processes, program_of_seed, Tally
from small_limits import lower


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_entry_is_missing(data):
    function = program(lambda limit: data.draw(st.integers(0, limit - 1)))
    for compare in (compare_jacobian, compare_hessian):
        assert not any(len(one.missing) for one in compare(function, local=True))


@pytest.mark.parametrize("seed", range(25))
def test_the_first_programs_of_a_long_run(seed):
    assert not any(len(one.missing) for one in compare_jacobian(program_of_seed(seed)))


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_programs_that_count_as_large(seed, monkeypatch):
    lower(monkeypatch.setattr)
    assert not any(len(one.missing) for one in compare_jacobian(program_of_seed(seed)))


@pytest.mark.parametrize("seed", [2, 3, 5, 387])
@pytest.mark.parametrize("compare", [compare_jacobian, compare_hessian])
def test_local_patterns_of_programs(seed, compare):
    assert not any(len(one.missing) for one in compare(program_of_seed(seed), local=True))


def test_a_run_in_processes_adds_up():
    tally = compare_in_processes(range(4), hessians=2, jobs=1)
    jacobians = [compare_jacobian(program_of_seed(seed)) for seed in range(4)]
    assert (tally.programs, tally.failures) == (4, ())
    assert tally.jacobians == sum(bool(one) for one in jacobians)
    assert tally.detected == sum(one[0].detected for one in jacobians if one)
    assert tally.hessians <= 2
    assert tally.local == 2


def test_a_record_holds_each_range_of_programs_once(tmp_path):
    path = tmp_path / "records" / "fuzz.json"
    for first, failures in ((0, (3,)), (10, ()), (0, ())):
        add_to_record(path, first, Tally(programs=10, detected=7, failures=failures))
    runs = json.loads(path.read_text(encoding="utf-8"))
    assert [(run["first"], run["programs"], run["failures"]) for run in runs] == [
        (10, 10, []),
        (0, 10, []),
    ]
    assert all(run["jax"] == jax.__version__ and run["detected"] == 7 for run in runs)
