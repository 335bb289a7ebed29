"""Programs that run in processes of their own, where several devices are set up before jax starts."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


REPOSITORY = Path(__file__).resolve().parents[2]
RUN = "import quick_compiler, runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"


def start(worker, num_devices, *arguments):
    folders = [str(REPOSITORY), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH")]
    path = os.pathsep.join(filter(None, folders))
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={num_devices}"
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": path}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", RUN, Path(__file__).with_name(worker), *arguments],
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


def together(worker, num_processes, num_devices, *arguments):
    """The results of processes that take a port and their number first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with contextlib.ExitStack() as running:
        processes = [
            start(worker, num_devices, port, str(i), *arguments) for i in range(num_processes)
        ]
        for process in processes:
            running.callback(process.kill)
        return [results(process) for process in processes]
