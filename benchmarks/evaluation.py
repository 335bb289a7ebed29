"""Warm calls, compilation and memory of sparse derivatives, beside the peer and their own parts alone."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .runner import format_ratio, format_seconds, Library, middle, table


WORKER = Path(__file__).with_name("evaluation_worker.py")
PROBLEMS = (
    *("1-D differences", "Brusselator", "3-D heat, padded", "3-D heat, sliced"),
    *("3x3 convolution", "10-step scan", "graph Laplacian"),
    *("finite elements", "Rosenbrock", "optimal control"),
)
SIZES = {10_000: (3, 101, 11), 200_000: (3, 31, 5), 1_000_000: (3, 7, 3)}
"""Numbers of inputs: how many processes measure the same, of which the median counts, for they differ by more
than calls in one, then the numbers of calls under `jax.jit` and of plain ones."""
LONG = 0.1
"""Seconds of a call of the peer from which on one process is enough."""


def color(ours: Library, peer: Library, problem: str, n: int, folder: str) -> dict[str, str]:
    """Files with the pattern and with the colors that each library finds."""
    files = {name: str(Path(folder, f"{name}.npz")) for name in ("pattern", ours.name, peer.name)}
    ours.measure("pattern", WORKER, problem=problem, n=n, file=files["pattern"])
    for library in (ours, peer):
        library.measure(
            "colors",
            WORKER,
            problem=problem,
            n=n,
            file=files["pattern"],
            output=files[library.name],
        )
    return files


def measure(
    ours: Library, peer: Library, problem: str, n: int, folder: str
) -> dict[str, list[dict[str, Any]]]:
    """Results of asdex with its own colors, of asdex with those of the peer, and of the peer."""
    files = color(ours, peer, problem, n, folder)
    pattern = files["pattern"]
    rounds, repeats, plain_repeats = SIZES[n]
    kinds = {
        "own": (ours, files[ours.name], False),
        "same": (ours, files[peer.name], True),
        "peer": (peer, files[peer.name], False),
    }
    results: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, (library, file, foreign) in kinds.items():
            derivative = {"problem": problem, "n": n, "file": file, "pattern_file": pattern}
            seconds = library.measure(
                "evaluation",
                WORKER,
                **derivative,
                foreign=foreign,
                repeats=repeats,
                plain_repeats=plain_repeats,
                apart=kind == "own",
            )
            if not results[kind]:
                seconds |= library.measure("memory", WORKER, **derivative, foreign=foreign)
            results[kind].append(seconds)
        if results["peer"][0]["jit"] > LONG:
            break
    return results


def _warm(problem: str, found: dict[str, list[dict[str, Any]]]) -> list[str]:
    own, same, peer = (found[kind] for kind in ("own", "same", "peer"))
    apart = middle(own, "passes") + middle(own, "reading")
    return [
        problem,
        f"{own[0]['colors']} / {peer[0]['colors']}",
        *(format_seconds(middle(own, key)) for key in ("values", "passes", "reading")),
        *(f"{middle(own, key) / apart:.2f}" for key in ("values", "plain")),
        format_ratio(middle(peer, "jit") / middle(own, "jit")),
        format_ratio(middle(peer, "jit") / middle(same, "jit")),
        format_ratio(middle(peer, "plain") / middle(own, "plain")),
    ]


def _cold(problem: str, found: dict[str, list[dict[str, Any]]]) -> list[str]:
    own, peer = found["own"], found["peer"]
    first, jit = (middle(own, key) for key in ("first plain", "program"))
    other = middle(peer, "program")
    return [
        problem,
        *(format_seconds(one) for one in (first, jit, other)),
        format_ratio(other / first),
        format_ratio(other / jit),
        f"{own[0]['peak'] / own[0]['needed']:.2f}",
        f"{peer[0]['peak'] / peer[0]['needed']:.2f}",
    ]


_WARM = [
    *("", "colors, asdex / peer", "values under jit", "passes", "reading"),
    *("jit / both", "plain / both", "peer's / own, jit", "the same, peer's colors"),
    "peer's / own, plain",
]
_COLD = [
    *("", "plain call", "`jax.jit`", "peer, `jax.jit`", "peer's / plain", "peer's / jit"),
    *("memory", "peer's memory"),
]


def compare(
    ours: Library, peer: Library, n: int, problems: Sequence[str] = PROBLEMS
) -> tuple[str, str]:
    """The tables of warm calls, and of first calls and memory."""
    warm, cold = [], []
    for problem in problems:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(ours, peer, problem, n, folder)
        warm.append(_warm(problem, found))
        cold.append(_cold(problem, found))
    return table(_WARM, warm), table(_COLD, cold)


def both(ours: Library, peer: Library, n: int, problems: Sequence[str] = PROBLEMS) -> str:
    """Both tables with their titles."""
    warm, cold = compare(ours, peer, n, problems)
    return (
        f"### About {n:,} inputs\n\nWarm calls:\n\n{warm}\n\n"
        f"Tracing and compilation, and peak memory:\n\n{cold}"
    )


def run(ours: Library, peer: Library) -> str:
    intro = (
        "Both libraries get the pattern that asdex detects, and color it themselves. In the column of the "
        "peer's colors, asdex evaluates with the peer's coloring. Passes and reading are each a program of "
        "its own: `compressed_jacobian`, or `compressed_hessian`, and `decompress_data`; both are their sum. "
        "No side of a grid shares a factor with 2, 3, 5 or 7. "
        "The columns of `jit` compare functions under `jax.jit` that return a BCOO; the values under "
        "jit are only the data of that BCOO. A plain call is not wrapped in `jax.jit`; the first plain call "
        "is timed after the program of `jax.jit`. Memory counts all arrays that exist when a plain call has "
        "returned a BCOO, and the memory that XLA allocates during the call. It is given in multiples of the "
        "memory for the inputs, the compressed matrix, the values and their indices together. It includes "
        "the results that asdex computes once for all calls, but not the constants in the programs of the "
        "peer."
    )
    return "\n\n".join(["## Evaluation", intro, *(both(ours, peer, n) for n in SIZES)])
