"""The examples with optimistix and diffrax run, and sparse and dense solvers agree."""

import re

import pytest
from example_processes import run_example


pytest.importorskip("optimistix")
pytest.importorskip("diffrax")


def numbers(pattern, text):
    return [float(one) for one in re.findall(pattern, text)]


def test_optimistix(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "roots.png"
    text = run_example("sparse_newton_optimistix", f"main(side=8, points=60, plot={str(plot)!r})")
    assert "128×128, nnz=704" in text
    differences = numbers(r"largest difference: (\S+)", text)
    assert len(differences) == 2 and max(differences) < 1e-9
    (residual,) = numbers(r"residual: (\S+)", text)
    assert residual < 1e-9
    ((gradient, difference),) = re.findall(r"gradient (\S+), by differences (\S+),", text)
    assert float(gradient) == pytest.approx(float(difference), rel=1e-5)
    assert plot.stat().st_size > 0


def test_diffrax(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "waves.png"
    text = run_example(
        "stiff_diffrax", f"main(points=32, short=0.05, until=0.2, plot={str(plot)!r})"
    )
    assert "64×64, nnz=252" in text
    (largest,) = numbers(r"largest difference: (\S+)", text)
    assert largest < 1e-9
    sparse, dense = numbers(r"(?:sparse|dense): (\d+) steps to t = 0.05 ", text)
    assert sparse == dense
    assert plot.stat().st_size > 0
