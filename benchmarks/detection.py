"""How detection grows with the number of inputs, in time and in memory."""

import math
from collections.abc import Sequence

from .runner import (
    alternate,
    format_memory,
    format_ratio,
    format_seconds,
    Library,
    middle,
    table,
)
from .worker import PROBLEMS


SHARED_SIZES = (1_000, 10_000, 100_000)
LARGE_SIZES = (1_000_000, 2_000_000)


def slope(sizes: Sequence[int], times: Sequence[float]) -> float:
    """Least-squares slope of log time over log size."""
    x = [math.log(size) for size in sizes]
    y = [math.log(seconds) for seconds in times]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def compare(problem: str, ours: Library, peer: Library) -> str:
    rows, sizes, times = [], [], []
    for n in SHARED_SIZES + LARGE_SIZES:
        shared = n in SHARED_SIZES
        # The peer needs tens of seconds and gigabytes at the large sizes.
        libraries = [ours, peer] if shared else [ours]
        rounds = 2 if shared else 1
        results = alternate(libraries, "detection", rounds, problem=problem, n=n, repeats=3)
        mine = results[ours.name]
        size, nnz = mine[0]["n"], mine[0]["nnz"]
        wall, cpu, added = (middle(mine, key) for key in ("wall", "cpu", "added"))
        sizes.append(size)
        times.append(wall)
        row = [f"{size:,}", f"{nnz:,}", format_seconds(wall), format_seconds(cpu)]
        if shared:
            other = results[peer.name]
            other_wall, other_cpu, other_added = (
                middle(other, key) for key in ("wall", "cpu", "added")
            )
            row += [format_seconds(other_wall), format_ratio(other_wall / wall)]
            row += [format_ratio(other_cpu / cpu), format_memory(added)]
            row += [format_memory(other_added), format_ratio(other_added / max(added, 1e6))]
        else:
            row += ["", "", "", format_memory(added), "", ""]
        rows.append(row)
    header = [
        *("inputs", "nonzeros", "asdex wall", "asdex CPU", "peer wall", "wall ratio", "CPU ratio"),
        *("asdex memory", "peer memory", "memory ratio"),
    ]
    # Below 1e5 inputs the cost of tracing, which does not grow, flattens the slope.
    large = [(size, seconds) for size, seconds in zip(sizes, times, strict=True) if size > 90_000]
    growth = slope(*zip(*large, strict=True))
    return (
        f"### {problem}\n\n{table(header, rows)}\n\n"
        f"Slope of log time over log inputs, from {large[0][0]:,} to {large[-1][0]:,} inputs: "
        f"{growth:.2f} (1 is linear)."
    )


def run(ours: Library, peer: Library) -> str:
    intro = (
        "Time and memory of `asdex.jacobian_sparsity(f, x)` for a new function, after one small detection in "
        "the same process. Memory is the amount that detection adds to the peak resident set of a fresh "
        "process. The ratio of memory counts anything below 1 MB as 1 MB."
    )
    parts = [compare(problem, ours, peer) for problem in PROBLEMS]
    return "\n\n".join(["## Detection", intro, *parts])
