"""Programs that run in processes of their own, where several devices are set up before jax starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[2]


def start(worker, num_devices, *arguments):
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={num_devices}"
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": path}
    return subprocess.Popen(
        [sys.executable, "-W", "error", Path(__file__).with_name(worker), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(process):
    """What the worker printed last, from JSON; a failure if it has not ended well in time."""
    try:
        out, err = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"The worker did not end.\n{out}\n{err}")
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])
