"""Warm calls and compilation of sparse derivatives on an accelerator, where the machine has one."""

import dataclasses
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .evaluation import color, PROBLEMS, WORKER
from .runner import format_ratio, format_seconds, Library, table


SIZE = 1_000_000
REPEATS, PLAIN_REPEATS = 51, 11


def device(library: Library) -> tuple[str, str]:
    """Platform and name of the default device."""
    code = "import jax; device = jax.devices()[0]; print(device.platform, device.device_kind)"
    platform, _, name = library.run_code("-c", code).splitlines()[-1].partition(" ")
    return platform, name


def evaluate(library: Library, problem: str, file: str, pattern: str) -> dict[str, Any]:
    return library.measure(
        "evaluation",
        WORKER,
        problem=problem,
        n=SIZE,
        file=file,
        pattern_file=pattern,
        foreign=False,
        repeats=REPEATS,
        plain_repeats=PLAIN_REPEATS,
    )


def row(problem: str, own: dict[str, Any], peer: dict[str, Any]) -> list[str]:
    return [
        problem,
        f"{own['colors']} / {peer['colors']}",
        *(format_seconds(own[key]) for key in ("values", "bare", "copy")),
        format_ratio(peer["jit"] / own["jit"]),
        f"{own['plain'] / own['values']:.2f}",
        format_ratio(peer["plain"] / own["plain"]),
        format_seconds(own["first plain"]),
        format_ratio(peer["program"] / own["first plain"]),
    ]


_HEADER = [
    *("", "colors, asdex / peer", "values under jit", "bare products", "copy"),
    *("peer's / own, jit", "plain / jit", "peer's / own, plain"),
    *("first plain call", "peer's compilation / this call"),
]


def run(ours: Library, peer: Library) -> str:
    on_device = [dataclasses.replace(library, platform=None) for library in (ours, peer)]
    platform, name = device(on_device[0])
    if platform == "cpu":
        raise SystemExit("Expected a machine with an accelerator that JAX can use, got only a CPU.")
    intro = (
        f"On {name}, with {ours.versions()}; about {SIZE:,} inputs, in single precision. Each library runs "
        "each problem in a process of its own. The columns are those of the section on evaluation."
    )
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as executor:
        folders = [Path(folder, str(i)) for i in range(len(PROBLEMS))]
        for one in folders:
            one.mkdir()

        def colored(problem: str, one: Path) -> dict[str, str]:
            return color(ours, peer, problem, SIZE, str(one))

        all_files = list(executor.map(colored, PROBLEMS, folders))
        rows = []
        for problem, files in zip(PROBLEMS, all_files, strict=True):
            results = [
                evaluate(library, problem, files[library.name], files["pattern"])
                for library in on_device
            ]
            rows.append(row(problem, *results))
    return "\n\n".join(["## Evaluation on an accelerator", intro, table(_HEADER, rows)])
