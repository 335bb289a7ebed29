"""Measures everything and writes `benchmarks/RESULTS.md`."""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path

from . import (
    accelerator,
    beside_casadi,
    blocks,
    coloring,
    constant,
    coverage,
    detection,
    device_rounding,
    elements,
    evaluation,
    first_detection,
    first_jacobian,
    fuzzing,
    kept_memory,
    linear_systems,
    long_programs,
    nonlinear_programs,
    optimization_problems,
    passes,
    precision,
    solver_detection,
    solvers,
    time_steps,
    tutorial,
    versions,
)
from .runner import Library, REPOSITORY


SECTIONS = {
    "detection": detection,
    "first_detection": first_detection,
    "solver_detection": solver_detection,
    "optimization_problems": optimization_problems,
    "evaluation": evaluation,
    "kept_memory": kept_memory,
    "time_steps": time_steps,
    "beside_casadi": beside_casadi,
    "accelerator": accelerator,
    "device_rounding": device_rounding,
    "long_programs": long_programs,
    "coloring": coloring,
    "blocks": blocks,
    "passes": passes,
    "constant": constant,
    "elements": elements,
    "first_jacobian": first_jacobian,
    "tutorial": tutorial,
    "nonlinear_programs": nonlinear_programs,
    "linear_systems": linear_systems,
    "solvers": solvers,
    "precision": precision,
    "coverage": coverage,
    "fuzzing": fuzzing,
    "versions": versions,
}
ON_REQUEST = ("accelerator", "device_rounding")
"""Sections that not every machine can measure."""
RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
SECTION_RECORDS = REPOSITORY / "benchmarks" / "records" / "sections"


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def preamble(ours: Library, peer: Library) -> str:
    return "\n".join(
        [
            "# Results",
            "",
            "`make bench` measures everything and writes this file; `python -m benchmarks NAME --write`",
            "measures single sections again. A ratio above 1 means that asdex needs less. The peer is",
            "`asdex==0.5.1` from PyPI, an independent library of the same name. Times are medians over",
            "several runs, in which the libraries take turns.",
            "",
            f"- Machine: {processor()}, {os.cpu_count()} cores, {platform.system()}",
            f"- asdex: {ours.versions()}",
            f"- peer: {peer.versions()}",
        ]
    )


def dated(section: str) -> str:
    """The section with today's date under its title."""
    title, _, rest = section.partition("\n")
    return f"{title}\n\nMeasured on {datetime.date.today().isoformat()}.\n{rest}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"only these: {', '.join(SECTIONS)}")
    parser.add_argument(
        "--write", action="store_true", help="put the sections in place of the earlier ones"
    )
    parser.add_argument(
        "--peer",
        type=Path,
        default=REPOSITORY / ".venv-peers" / "bin" / "python",
        help="interpreter of the peer's environment (default: the one of `make bench-peers`)",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}; choose from {', '.join(SECTIONS)}")
    if not arguments.peer.exists():
        parser.error(f"there is no interpreter at {arguments.peer}; create it: make bench-peers")

    # `absolute` and not `resolve`: the link in a virtual environment is what makes it one.
    ours = Library("asdex", Path(sys.executable).absolute(), path=(REPOSITORY,))
    peer = Library("peer", arguments.peer.absolute())
    for name in arguments.sections or [one for one in SECTIONS if one not in ON_REQUEST]:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        section = dated(SECTIONS[name].run(ours, peer))
        print(section, end="\n\n", flush=True)
        if arguments.write:
            write(name, section, preamble(ours, peer))


def write(name: str, section: str, start: str) -> None:
    """Put a section into `RESULTS.md`, in place of its earlier version."""
    SECTION_RECORDS.mkdir(parents=True, exist_ok=True)
    (SECTION_RECORDS / f"{name}.md").write_text(section + "\n", encoding="utf-8")
    records = [SECTION_RECORDS / f"{one}.md" for one in SECTIONS]
    texts = [one.read_text(encoding="utf-8").strip() for one in records if one.exists()]
    RESULTS.write_text("\n\n".join([start, *texts]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
