"""The first detection of small programs, whose user waits at a prompt, and of loops with many steps."""

from pathlib import Path

from .first_detection_worker import PROGRAMS
from .runner import format_ratio, format_seconds, Library, middle, table


WORKER = Path(__file__).with_name("first_detection_worker.py")
ROUNDS = 5
LARGE = 10_000
"""Inputs from which on the peer, which follows every step, is not measured."""


def run(ours: Library, peer: Library) -> str:
    rows = []
    for name, (size, _) in PROGRAMS.items():
        libraries = [ours] if size >= LARGE else [ours, peer]
        runs = [
            [library.measure("first detection", WORKER, program=name) for library in libraries]
            for _ in range(ROUNDS)
        ]
        mine, *others = ([round_[k] for round_ in runs] for k in range(len(libraries)))
        seconds = middle(mine, "seconds")
        row = [name, format_seconds(middle(mine, "tracing")), format_seconds(seconds)]
        row.append(f"{mine[0]['nnz']:,}")
        if others and others[0][0]["nnz"] is not None:
            theirs = middle(others[0], "seconds")
            row += [format_seconds(theirs), f"{others[0][0]['nnz']:,}"]
            row.append(format_ratio(theirs / seconds))
        else:
            row += ["", "", ""]
        rows.append(row)
    header = ["", "`make_jaxpr`", "asdex", "nonzeros", "peer", "nonzeros", "ratio"]
    return (
        "## First detection\n\n"
        "Seconds of the first detection in a fresh process, after `import asdex` and one `jax.make_jaxpr` of "
        "the same function. No entry of the peer: it does not know a primitive, or would follow too many "
        f"steps one by one.\n\n{table(header, rows)}"
    )
