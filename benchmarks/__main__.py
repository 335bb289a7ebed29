"""Measures everything and writes `benchmarks/RESULTS.md`."""

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path

from . import (
    blocks,
    coloring,
    constant,
    coverage,
    detection,
    evaluation,
    first_jacobian,
    fuzzing,
    nonlinear_programs,
    passes,
    precision,
    tutorial,
    versions,
)
from .runner import Library, REPOSITORY


SECTIONS = {
    "detection": detection,
    "evaluation": evaluation,
    "coloring": coloring,
    "blocks": blocks,
    "passes": passes,
    "constant": constant,
    "first_jacobian": first_jacobian,
    "tutorial": tutorial,
    "nonlinear_programs": nonlinear_programs,
    "precision": precision,
    "coverage": coverage,
    "fuzzing": fuzzing,
    "versions": versions,
}
RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"


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
            "Written by `make bench`, which reproduces it. Ratios above 1 mean that asdex needs",
            "less. The peer is `asdex==0.5.1` from PyPI, an independent library of the same name.",
            "Times are medians over several runs in which the libraries take turns.",
            "",
            f"- Date: {datetime.date.today().isoformat()}",
            f"- Machine: {processor()}, {os.cpu_count()} cores, {platform.system()}",
            f"- asdex: {ours.versions()}",
            f"- peer: {peer.versions()}",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", help=f"print only these, write nothing: {', '.join(SECTIONS)}"
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
    parts = [preamble(ours, peer)]
    for name in arguments.sections or SECTIONS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        parts.append(SECTIONS[name].run(ours, peer))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if not arguments.sections:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
