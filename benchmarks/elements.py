"""Partially separable functions: what it saves to differentiate at their elements, beside the peer."""

import tempfile
from pathlib import Path

from .elements_problems import HESSIANS, JACOBIANS
from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("elements_worker.py")
REPEATS = 21


def run(ours: Library, peer: Library) -> str:
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measured(ours, peer, problem, folder) for problem in (*JACOBIANS, *HESSIANS)]
    header = [
        *("", "passes", "at the elements", "of the peer"),
        *("call, colored", "at the elements", "peer"),
        *("ratio to colored", "ratio to the peer"),
        *("setup and first call, colored", "by default"),
    ]
    return (
        "## Elements\n\n"
        "Derivatives by a coloring of the whole matrix (`elements=False`) and as chosen by default, at "
        "the elements, whose search comes on top in the setup. The peer gets the pattern that asdex "
        "detected, and colors it. Times are medians of calls under `jax.jit` that return only the values; "
        f"the ways of asdex take turns, the peer runs directly after.\n\n{table(header, rows)}"
    )


def _measured(ours: Library, peer: Library, problem: str, folder: str) -> list[str]:
    file = str(Path(folder, f"{problem}.npz"))
    parameters = {"problem": problem, "file": file, "repeats": REPEATS}
    found = ours.measure("ours", WORKER, **parameters)
    colored, elements = found["colored"], found["elements"]
    other = peer.measure("peer", WORKER, **parameters)
    kinds = colored, elements, other
    return [
        problem,
        *(str(kind["passes"]) for kind in kinds),
        *(format_seconds(kind["call"]) for kind in kinds),
        *(format_ratio(kind["call"] / elements["call"]) for kind in (colored, other)),
        *(format_seconds(kind["setup"]) for kind in (colored, elements)),
    ]
