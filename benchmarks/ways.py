"""Derivatives that are evaluated in several ways, which take turns."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from .runner import format_ratio, format_seconds, Library, table


Problem = tuple[str, Callable[..., Any], Callable[..., Any], Any]
"""A name, the function of `asdex` that makes the derivative, the differentiated function, and its input."""
Ways = Mapping[str, Mapping[str, Any]]
"""Options by the name of the way; the others are compared with the first."""

REPEATS = 21


def section(ours: Library, module: str, title: str, text: str) -> str:
    """A table of what `print_measured` prints in a process of its own."""
    measured = json.loads(ours.run_code("-m", module).splitlines()[-1])
    first, *others = measured[0]["ways"]
    rows = []
    for one in measured:
        ways = one["ways"].values()
        calls = [way["call"] for way in ways]
        rows.append(
            [
                one["name"],
                *(str(way["passes"]) for way in ways),
                *map(format_seconds, calls),
                *(format_ratio(calls[0] / call) for call in calls[1:]),
                *(format_seconds(way["setup"]) for way in ways),
            ]
        )
    header = [
        *("", "passes", *(f"passes, {way}" for way in others)),
        *(f"call, {first}", *others, *(f"ratio, {way}" for way in others)),
        *("setup and first call", *(f"the same, {way}" for way in others)),
    ]
    return (
        f"## {title}\n\n{text} Times are medians of calls under `jax.jit` that return only the values "
        f'(`output_format="data"`); the ways take turns.\n\n{table(header, rows)}'
    )


def print_measured(problems: Sequence[Problem], ways: Ways) -> None:
    print(json.dumps([_measured(problem, ways) for problem in problems]))


def _measured(problem: Problem, ways: Ways) -> dict[str, Any]:
    import jax

    name, make, f, x = problem
    calls, found = {}, {}
    for way, options in ways.items():
        start = time.perf_counter()
        derivative = make(f, x, output_format="data", **options)
        calls[way] = jax.jit(derivative)
        jax.block_until_ready(calls[way](x))
        passes = derivative.options.num_colors
        found[way] = {"setup": time.perf_counter() - start, "passes": passes}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call(x))
            times[way].append(time.perf_counter() - start)
    for way, taken in times.items():
        found[way]["call"] = median(taken)
    return {"name": name, "ways": found}
