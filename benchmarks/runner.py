"""Starts workers, lets the libraries take turns, and writes tables."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


WORKER = Path(__file__).with_name("worker.py")
PATTERN_WORKER = Path(__file__).with_name("pattern_worker.py")
REPOSITORY = WORKER.parent.parent


@dataclass(frozen=True)
class Library:
    """A library that is measured.

    **Attributes:**

    - `python`, `path`: the interpreter that imports it, and what that one's path needs.
    - `platform`: that of JAX; that of the machine if `None`.
    - `environment`: further variables.
    """

    name: str
    python: Path
    path: tuple[Path, ...] = field(default=())
    platform: str | None = "cpu"
    environment: dict[str, str] = field(default_factory=dict)

    def run_code(self, *arguments: str, **variables: str) -> str:
        """Standard output of this library's interpreter, with further environment variables."""
        # Bytecode is kept, as it is for users.
        own = ("PYTHONPATH", "JAX_PLATFORMS", "PYTHONDONTWRITEBYTECODE")
        environment = {key: value for key, value in os.environ.items() if key not in own}
        environment |= self.environment | variables
        if self.platform is not None:
            environment["JAX_PLATFORMS"] = self.platform
        if self.path:
            environment["PYTHONPATH"] = os.pathsep.join(map(str, self.path))
        # Neither the repository nor the worker's folder may be on the path of the peer.
        command = [str(self.python), "-P", *arguments]
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run(
                command, cwd=elsewhere, env=environment, capture_output=True, text=True
            )
        if done.returncode != 0:
            raise RuntimeError(f"A worker of {self.name} failed:\n{done.stderr}")
        return done.stdout

    def measure(self, task: str, worker: Path = WORKER, /, **parameters: Any) -> dict[str, Any]:
        """One worker's result, and the wall-clock time at which it was started."""
        started = time.time()
        output = self.run_code(str(worker), task, json.dumps(parameters))
        return {"started": started, **json.loads(output.splitlines()[-1])}

    def versions(self) -> str:
        code = "import platform, jax; print(platform.python_version(), jax.__version__)"
        python, jax = self.run_code("-c", code).split()
        return f"Python {python}, jax {jax}"


def alternate(
    libraries: list[Library], task: str, rounds: int, **parameters: Any
) -> dict[str, list[dict[str, Any]]]:
    """Results by library; the libraries take turns, so that a slow minute meets both."""
    results: dict[str, list[dict[str, Any]]] = {library.name: [] for library in libraries}
    for _ in range(rounds):
        for library in libraries:
            results[library.name].append(library.measure(task, **parameters))
    return results


def middle(results: list[dict[str, Any]], key: str) -> float:
    return median(result[key] for result in results)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def format_seconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def format_ratio(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x"


def format_memory(size: float) -> str:
    return f"{size / 1e6:.0f} MB"
