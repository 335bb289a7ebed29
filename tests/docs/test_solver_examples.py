"""The examples with solvers run, and their solutions are right."""

import importlib.util
import re

import pytest
from example_processes import run_example


@pytest.fixture(scope="module")
def scipy_solvers():
    return run_example("scipy_solvers", "main(grid=12, points=120, links=16, cells=20)")


def test_roots_agree(scipy_solvers):
    assert "5 passes for a Jacobian with 672 entries" in scipy_solvers
    residuals = re.findall(r"Newton step \d: residual (\S+)", scipy_solvers)
    assert len(residuals) <= 7
    assert float(residuals[-1]) < 1e-12
    for name in ("hybr", "krylov"):
        found = re.search(rf"root, {name}: success True, .*Newton (\S+)", scipy_solvers)
        assert found is not None
        assert float(found[1]) < 1e-9


def test_least_squares_agree(scipy_solvers):
    assert "3 passes for 120 columns" in scipy_solvers
    costs = [float(cost) for cost in re.findall(r": cost (\S+),", scipy_solvers)]
    assert len(costs) == 2
    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


def test_the_chain_comes_to_rest(scipy_solvers):
    found = re.search(r"constraint violation (\S+), optimality (\S+)", scipy_solvers)
    assert found is not None
    assert float(found[1]) < 1e-9
    assert float(found[2]) < 1e-7


def test_stiff_solvers_agree(scipy_solvers):
    assert "4 passes for 40 columns" in scipy_solvers
    assert len(re.findall(r"(?:BDF|Radau), \w+: success True", scipy_solvers)) == 4
    found = re.search(r"four final states: (\S+)", scipy_solvers)
    assert found is not None
    assert float(found[1]) < 1e-3


def test_the_twisted_block_converges_quadratically():
    printed = run_example("finite_elements", "main(cells=3, angle=0.4, loads=1)")
    assert "24 products at 27 elements, instead of 48 for the whole Hessian" in printed
    residuals = [float(one) for one in re.findall(r"residual (\S+)", printed)]
    assert residuals[-1] < 1e-12
    late = [one for one in residuals if 1e-7 < one < 1e-2]
    assert late
    for one in late:
        assert residuals[residuals.index(one) + 1] < 10 * one**2


def test_the_obstacle_is_found_with_local_patterns():
    printed = run_example("obstacle", "main(n=40)")
    found = {
        kind: [float(one.replace(",", "")) for one in re.findall(r"[\d.,e+-]+", line)]
        for kind, line in re.findall(r"(at the point|for all values)(.*)", printed)
    }
    local, everywhere = found["at the point"], found["for all values"]
    assert local[2] < everywhere[2]  # passes
    assert local[4] < 6 * 40 < everywhere[4] == 1600  # nonzeros
    assert max(local[5], everywhere[5]) < 1e-9
    difference = re.search(r"difference of the solutions: (\S+)", printed)
    assert difference is not None and float(difference[1]) < 1e-8


@pytest.fixture(scope="module")
def trajectory():
    return run_example("trajectory_optimization", "main(quiet=True)")


def test_the_trajectory_is_large_and_its_derivatives_are_cheap(trajectory):
    assert "1005 variables, 808 constraints" in trajectory
    passes = re.findall(r"(?:Jacobian|Hessian): (\d+) passes \(dense: (\d+)\)", trajectory)
    (jacobian, dense_jacobian), (hessian, dense_hessian) = (map(int, pair) for pair in passes)
    assert (dense_jacobian, dense_hessian) == (808, 1005)
    assert jacobian <= 6 and hessian <= 2


# The optimum for distance 1, which Newton's method and IPOPT agree on.
EFFORT = 58.8304


def test_newton_converges_to_the_optimum(trajectory):
    steps = re.findall(r"^ +\d+ +\S+ +(\S+) +(\S+) +\S+$", trajectory, re.MULTILINE)
    assert len(steps) <= 30
    assert max(map(float, steps[-1])) < 1e-9
    found = re.search(r"Newton: effort (\S+), violation (\S+),", trajectory)
    assert found is not None
    assert float(found[1]) == pytest.approx(EFFORT, abs=1e-3)
    assert float(found[2]) < 1e-9


@pytest.mark.skipif(importlib.util.find_spec("cyipopt") is None, reason="needs cyipopt")
def test_ipopt_converges_to_the_optimum(trajectory):
    assert trajectory.count("Algorithm terminated successfully at a locally optimal point") == 2
    found = re.findall(r"IPOPT for distance \S+: effort (\S+), violation (\S+),", trajectory)
    assert float(found[0][0]) == pytest.approx(EFFORT, abs=1e-3)
    assert all(float(violation) < 1e-9 for _, violation in found)
