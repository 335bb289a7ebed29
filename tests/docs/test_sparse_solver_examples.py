"""The examples with optimistix and diffrax run, and sparse and dense solvers agree."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


pytest.importorskip("optimistix")
pytest.importorskip("diffrax")

REPOSITORY = Path(__file__).resolve().parents[2]


def printed(name, call):
    """What an example prints: in a process of its own, as it turns on float64, and nothing may warn."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    code = f"import sys; sys.path.insert(0, 'examples'); import {name}; {name}.{call}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(pattern, text):
    return [float(one) for one in re.findall(pattern, text)]


def test_optimistix(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "roots.png"
    text = printed("sparse_newton_optimistix", f"main(side=8, points=60, plot={str(plot)!r})")
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
    text = printed("stiff_diffrax", f"main(points=32, short=0.05, until=0.2, plot={str(plot)!r})")
    assert "64×64, nnz=252" in text
    (largest,) = numbers(r"largest difference: (\S+)", text)
    assert largest < 1e-9
    sparse, dense = numbers(r"(?:sparse|dense): (\d+) steps to t = 0.05 ", text)
    assert sparse == dense
    assert plot.stat().st_size > 0
