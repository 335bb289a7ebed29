"""Sparse against dense solvers in optimistix and diffrax."""

import sys
from pathlib import Path

from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("solvers_worker.py")
# Names, tasks, and sizes for 2,048 unknowns, or 1,000.
CASES = (
    ("Newton, 2 species on a 32x32 grid, n = 2,048", "newton", {"side": 32}),
    ("Levenberg-Marquardt, spline, n = 1,000", "levenberg_marquardt", {"points": 1000}),
    ("Kvaerno5, 2 species on a line, n = 2,048", "kvaerno5", {"points": 1024, "until": 0.05}),
)


def run(ours: Library, peer: Library) -> str:
    rows = []
    for name, task, parameters in CASES:
        print(f"  {name} ...", file=sys.stderr, flush=True)
        result = ours.measure(task, WORKER, **parameters)
        times = [format_seconds(result[kind]) for kind in ("dense", "sparse")]
        ratio = format_ratio(result["dense"] / result["sparse"])
        rows.append([name, *times, ratio])
    header = ["", "dense", "sparse", "ratio"]
    return (
        "## Solvers\n\n"
        "The problems of `examples/sparse_newton_optimistix.py` and `examples/stiff_diffrax.py` in float64, "
        "compiled: with the default linear solver of the library, and with the linear solver of asdex. Both "
        "take the same steps.\n\n"
        f"{table(header, rows)}"
    )
