"""Runs examples in processes of their own, since some turn on float64; nothing may warn."""

import os
import subprocess
import sys
from pathlib import Path


REPOSITORY = Path(__file__).resolve().parents[2]


def started(*arguments):
    """A process of Python with these arguments, started in the repository."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed_by(*arguments):
    """What Python prints with these arguments."""
    process = started(*arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def run_example(name, call):
    """What the example prints while a function of it is called, such as `main(n=20)`."""
    code = f"import sys; sys.path.insert(0, 'examples'); import {name}; {name}.{call}"
    return printed_by("-c", code)
