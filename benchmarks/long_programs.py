"""Optimisation problems as modelling code gives them: programs of up to many thousand equations."""

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from .runner import format_seconds, Library, table


WORKER = Path(__file__).with_name("long_programs_worker.py")
SHOWN = 8
_HEADER = [
    *("", "matrix", "equations", "colors", "compilation", "dense", "ratio"),
    *("warm call", "dense", "ratio"),
]


def _compilation(one: dict[str, Any]) -> float:
    return one["compilation"] / one["dense_compilation"]


def _warm(one: dict[str, Any]) -> float:
    return one["warm"] / one["dense_warm"]


def _row(one: dict[str, Any]) -> list[str]:
    m, n = one["shape"]
    return [
        f"{one['name']}, {one['kind']}",
        f"{m}×{n}",
        str(one["equations"]),
        str(one["colors"]),
        *(format_seconds(one[key]) for key in ("compilation", "dense_compilation")),
        f"{_compilation(one):.2f}",
        *(format_seconds(one[key]) for key in ("warm", "dense_warm")),
        f"{_warm(one):.2f}",
    ]


def _shown(results: list[dict[str, Any]], key) -> str:
    return table(_HEADER, [_row(one) for one in sorted(results, key=key, reverse=True)[:SHOWN]])


def run(ours: Library, peer: Library) -> str:
    del peer
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results.jsonl")
        ours.run_code(str(WORKER), str(file))
        results = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    compilation, warm = map(_compilation, results), sorted(map(_warm, results))
    compilation = sorted(compilation)
    return "\n\n".join(
        [
            "## Long programs",
            "The objectives' Hessians and the constraints' Jacobians of all problems of "
            "[sif2jax](https://github.com/johannahaffner/sif2jax), a translation of CUTEst, with 50 to 1,000 "
            "variables, in float64: `jax.jit` of the values of asdex, compared with `jax.jit` of "
            "`jax.hessian`, `jax.jacfwd` or `jax.jacrev`. Ratios are times of asdex divided by times of the "
            "dense derivative, so smaller is better. Compilation includes tracing, but not detection and "
            "coloring, which come before.",
            f"{len(results)} derivatives; entries outside of the patterns: "
            f"{sum(one['missed'] for one in results)}; largest relative difference "
            f"{max(one['error'] for one in results):.1e}. "
            f"Compilation: median ratio {median(compilation):.2f}, above 2 for "
            f"{sum(ratio > 2 for ratio in compilation)}. Warm calls: median ratio {median(warm):.2f}, above "
            f"1 for {sum(ratio > 1 for ratio in warm)}, above 1.05 for "
            f"{sum(ratio > 1.05 for ratio in warm)}.",
            "The longest programs:",
            _shown(results, lambda one: one["equations"]),
            "The largest ratios of compilation:",
            _shown(results, _compilation),
            "The largest ratios of warm calls:",
            _shown(results, _warm),
        ]
    )
