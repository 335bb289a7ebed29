"""Colors and time of colorings, cold (the first call of a process) and warm, beside the peer."""

import json
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from .graphs import coordinates, FAMILIES
from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("coloring_worker.py")
SIZES = (10_000, 100_000, 1_000_000)
SCALED = (
    *("tridiagonal", "2-D 5-point", "3-D 7-point", "Brusselator"),
    *("random, 5 a row", "Delaunay mesh", "blocks of 20"),
)
MESHES = (
    *("helmholtz_2D", "unit_square", "airfoil", "local_disc_galerkin_diffusion"),
    *("unit_cube", "bar", "knot", "recirc_flow"),
)


class Case(NamedTuple):
    """A pattern, what to color, and whether the peer can do it in reasonable time."""

    name: str
    matrix: Any
    kind: str
    with_peer: bool = True


SMALL = {
    **{"Brusselator": 2_048, "tridiagonal": 1_000, "2-D 5-point": 2_500, "Delaunay mesh": 2_000},
    **{"arrowhead": 3_000, "random, 5 a row": 1_000, "finite elements": 2_000},
    **{"diagonal": 200_000, "empty": 200_000},
}


def cases() -> Iterator[tuple[str, list[Case]]]:
    """Titles of tables, and their rows."""
    for title, kind in (("Small patterns", "auto"), ("Small patterns, Hessians", "star")):
        yield (
            title,
            [
                Case(f"{name}, n = {size:,}", FAMILIES[name](size), kind)
                for name, size in SMALL.items()
                if kind == "auto" or not name.startswith("random")
            ],
        )
    for size in SIZES:
        matrices = {name: FAMILIES[name](size) for name in SCALED}
        yield (
            f"Columns, n about {size:,}",
            [Case(name, matrix, "columns") for name, matrix in matrices.items()],
        )
        if size <= 100_000:
            symmetric = ("2-D 5-point", "3-D 7-point", "Brusselator", "Delaunay mesh")
            yield (
                f"Hessians, n about {size:,}",
                [
                    *(Case(name, matrices[name], "star") for name in symmetric),
                    Case(
                        "band with 5 hubs", FAMILIES["band with 5 hubs"](size), "star", size < 10**5
                    ),
                ],
            )
    yield (
        "Hessians with hubs",
        [
            Case(f"{name}, n = {size:,}", FAMILIES[name](size), "star")
            for name, size in [
                *(("band with 5 hubs", 5_000), ("mesh with 8 hubs", 2_000)),
                *(("sparse with 20 hubs", 2_000), ("arrowhead", 5_000)),
            ]
        ],
    )
    yield (
        'Dense rows and columns, `mode="auto"`',
        [
            *(
                Case(f"arrowhead, n = {n:,}", FAMILIES["arrowhead"](n), "auto", n < 10**5)
                for n in SIZES[:2]
            ),
            Case("nearly dense, n = 2,600", FAMILIES["nearly dense"](2_600), "auto"),
        ],
    )
    meshes = {name: mesh(name) for name in MESHES}
    yield (
        "pyamg's example matrices, columns",
        [Case(name, matrix, "columns") for name, matrix in meshes.items()],
    )
    yield (
        "pyamg's example matrices, Hessians",
        [Case(name, matrix, "star") for name, matrix in meshes.items()],
    )


def mesh(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyamg.gallery import load_example  # pyright: ignore[reportMissingImports]

        return sp.csr_array(load_example(name)["A"])


def measure(library: Library, kind: str, path: Path, rounds: int, repeats: int) -> dict[str, Any]:
    parameters = json.dumps({"path": str(path), "repeats": repeats})
    results = [
        json.loads(library.run_code(str(WORKER), kind, parameters).splitlines()[-1])
        for _ in range(rounds)
    ]
    times = {name: median(result[name] for result in results) for name in ("cold", "warm")}
    return results[0] | times


def measure_peer(peer: Library, kind: str, path: Path, rounds: int, repeats: int) -> dict[str, Any]:
    """As `measure`; cold is the first call ever, and "cached" that of a process which finds numba's cache."""
    result = measure(peer, kind, path, rounds, repeats)
    parameters = json.dumps({"path": str(path), "repeats": 0})
    with tempfile.TemporaryDirectory() as cache:
        output = peer.run_code(str(WORKER), kind, parameters, NUMBA_CACHE_DIR=cache)
    first = json.loads(output.splitlines()[-1])
    return result | {"cold": first["cold"], "cached": result["cold"]}


def run(ours: Library, peer: Library) -> str:
    parts = [
        "## Coloring",
        "",
        "Numbers of colors, and times from a pattern to a checked coloring. Cold is the first call of a "
        "process, including compilation; warm is a later call. Cached is the first call of a process of the "
        "peer that finds numba's cache from an earlier process; asdex keeps nothing on disk. The bound is a "
        "proven lower bound on the number of colors. A star marks colorings that meet it.",
    ]
    warm: dict[str, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, rows in cases():
            print(f"  {title} ...", file=sys.stderr, flush=True)
            lines = []
            for case in rows:
                path = Path(folder) / "pattern.npz"
                indices = coordinates(case.matrix)
                np.savez(path, rows=indices[0], cols=indices[1], shape=indices[2])
                effort = (3, 3) if case.matrix.nnz < 2_000_000 else (1, 2)
                mine = measure(ours, case.kind, path, *effort)
                theirs = measure_peer(peer, case.kind, path, *effort) if case.with_peer else None
                lines.append(_row(case.name, mine, theirs))
                if title.startswith("Columns"):
                    warm.setdefault(case.name, {})[mine["n"]] = mine["warm"]
            parts += ["", f"### {title}", "", table(_HEADER, lines)]
    parts += [
        "",
        "Slope of log time (warm) over log columns, from the first size to the third, and from the second: "
        + ", ".join(
            f"{name} {_slope(times, 0):.2f} and {_slope(times, 1):.2f}"
            for name, times in warm.items()
        )
        + ".",
    ]
    return "\n".join(parts)


_HEADER = [
    *("case", "nonzeros", "bound", "colors", "peer colors"),
    *("cold", "warm", "peer cold", "peer cached", "peer warm"),
    *("cold ratio", "cached ratio", "warm ratio"),
]


def _row(name: str, mine: dict[str, Any], theirs: dict[str, Any] | None) -> list[str]:
    star = "*" if mine["colors"] == mine["bound"] else ""
    row = [name, f"{mine['nnz']:,}", str(mine["bound"]), f"{mine['colors']}{star}"]
    times = [format_seconds(mine["cold"]), format_seconds(mine["warm"])]
    if theirs is None:
        return [*row, "", *times, *[""] * 6]
    return [
        *row,
        str(theirs["colors"]),
        *times,
        *(format_seconds(theirs[key]) for key in ("cold", "cached", "warm")),
        format_ratio(theirs["cold"] / mine["cold"]),
        format_ratio(theirs["cached"] / mine["cold"]),
        format_ratio(theirs["warm"] / mine["warm"]),
    ]


def _slope(times: dict[int, float], first: int) -> float:
    ordered = sorted(times.items())
    (n, fast), (more, slow) = ordered[first], ordered[-1]
    return math.log(slow / fast) / math.log(more / n)
