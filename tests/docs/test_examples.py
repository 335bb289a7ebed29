"""The examples run, and what they print is true."""

import re

import pytest
from example_processes import printed_by


@pytest.fixture(scope="module")
def printed():
    return printed_by("examples/getting_started.py")


def test_getting_started_agrees_with_jax(printed):
    differences = [float(text) for text in re.findall(r"difference.*?: (\S+)", printed)]
    differences += [float(text) for text in re.findall(r"relative difference (\S+)", printed)]
    assert len(differences) == 8
    assert max(differences) < 1e-5
    assert printed.count("check_jacobian_correctness: agrees") == 2
    assert "(200, 300), 600 values, all inside the blocks: True" in printed


def test_getting_started_finds_the_known_patterns(printed):
    assert "ColoredPattern(49×50, nnz=98, sparsity=96.0%, JVP, 2 colors)" in printed
    assert "sum(x**2): 20 values at 1 of 20 Hessian-vector products" in printed
    assert "Rosenbrock: 58 values at 3 of 20 Hessian-vector products" in printed
    # Each of 2 * 64**2 residuals reads five values of its species and one of the other.
    assert f"ColoredPattern(8192×8192, nnz={6 * 8192}, " in printed


def test_newton_converges_quadratically(printed):
    steps = re.findall(r"^ +\d+ +(\S+e[-+]\d+) +(\d\.\d\d)?", printed, re.MULTILINE)
    norms = [float(norm) for norm, _ in steps]
    orders = [float(order) for _, order in steps if order]
    assert norms[-1] < 1e-9
    assert len(norms) <= 6
    assert orders[-1] == pytest.approx(2.0, abs=0.15)
