"""Sharded programs on eight devices, which must be set up before jax starts: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def counts() -> dict[str, tuple[int, int]]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"
    devices = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    # What old versions of jax say about a `pmap` under `jit`.
    warnings = ["-W", "error", "-W", "ignore:The jitted function:UserWarning"]
    done = subprocess.run(
        [sys.executable, *warnings, Path(__file__).with_name("sharded_programs.py")],
        env={**os.environ, **devices, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {name: (int(detected), int(true)) for name, detected, true in lines}


def test_all_patterns_are_exact(counts):
    over_full = {name: both for name, both in counts.items() if both[0] != both[1]}
    assert over_full == {}


@pytest.mark.parametrize(
    ("name", "nonzeros"),
    [
        # Sixteen numbers on four devices.
        ("local", 16),
        ("psum", 16),
        ("shift", 12),
        ("laplacian", 48),
        ("axis_index", 12),
        ("solve", 64),
    ],
)
def test_number_of_entries(counts, name, nonzeros):
    assert counts[name] == (nonzeros, nonzeros)
