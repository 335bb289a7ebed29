"""Detection and coloring of many small optimisation problems, the first time each, in sum."""

from pathlib import Path
from typing import Any

from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("optimization_problems_worker.py")
STEP = 4
"""Every which problem is taken."""


def run(ours: Library, peer: Library) -> str:
    mine, theirs = (
        {
            (one["name"], one["kind"]): one
            for one in library.measure("set up", WORKER, step=STEP)["results"]
        }
        for library in (ours, peer)
    )
    both = [key for key in mine if "error" not in mine[key] and "error" not in theirs[key]]

    def sum_of(library: dict[Any, dict[str, Any]], what: str) -> float:
        return sum(library[key][what] for key in both)

    rows = []
    for what in ("tracing", "detection", "coloring"):
        one, other = sum_of(mine, what), sum_of(theirs, what)
        rows.append([what, format_seconds(one), format_seconds(other), format_ratio(other / one)])
    for what in ("nnz", "colors"):
        one, other = sum_of(mine, what), sum_of(theirs, what)
        rows.append([what, f"{one:,}", f"{other:,}", format_ratio(other / one)])
    errors = [sum("error" in one for one in library.values()) for library in (mine, theirs)]
    return (
        "## Optimisation problems\n\n"
        f"The objectives' Hessians and the constraints' Jacobians of every {STEP}th problem of "
        "[sif2jax](https://github.com/johannahaffner/sif2jax), a translation of CUTEst, with 2 to 1,000 "
        f"variables: sums over {len(both)} derivatives of CPU time, each detected and colored for the first "
        "time, all by one process. Tracing is one `jax.make_jaxpr` before. "
        f"{errors[0]} derivatives raised an error here, {errors[1]} with the peer.\n\n"
        f"{table(['', 'asdex', 'peer', 'ratio'], rows)}"
    )
