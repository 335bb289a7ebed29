"""Direct solvers for sparse linear systems, and implicit integration with them."""

import sys
from pathlib import Path

from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("linear_systems_worker.py")
SYSTEMS = {
    "2-D grid, 100x100": ("grid", {"side": 100}),
    "2-D grid, 200x200": ("grid", {"side": 200}),
    "Delaunay mesh, 2,000 nodes": ("mesh", {"nodes": 2000}),
    "Delaunay mesh, 10,000 nodes": ("mesh", {"nodes": 10_000}),
    "arrowhead, n = 3,000": ("arrowhead", {"n": 3000}),
    "tridiagonal, n = 100,000": ("band", {"n": 100_000, "width": 1}),
    "2 species on a line, n = 20,480": ("band", {"n": 20_480, "width": 3}),
    "band of 16, n = 2,000": ("band", {"n": 2000, "width": 16}),
    "1,000 blocks of 3": ("blocks", {"count": 1000, "size": 3}),
}
SOLVERS = ("spsolve", "KLU", "SuperLU", "splineax", "BandedLU")


def run(ours: Library, peer: Library) -> str:
    rows = []
    for name, (kind, parameters) in SYSTEMS.items():
        print(f"  {name} ...", file=sys.stderr, flush=True)
        result = ours.measure(kind, WORKER, **parameters)
        seconds = result["seconds"]
        times = [format_seconds(seconds[one]) if one in seconds else "–" for one in SOLVERS]
        ratio = format_ratio(seconds["spsolve"] / seconds[result["choice"]])
        rows.append([name, *times, result["choice"], ratio])
    print("  implicit step ...", file=sys.stderr, flush=True)
    steps = ours.measure("implicit_step", WORKER, side=200)
    cells = [format_seconds(steps[one]) for one in ("scipy", "asdex")]
    print("  integration ...", file=sys.stderr, flush=True)
    whole = ours.measure("integration", WORKER, side=200, until=1.0, tolerance=1e-4)
    times = {name: format_seconds(one) for name, one in whole["seconds"].items()}
    count = whole["steps"]
    header = ["", "SciPy", *SOLVERS[1:], "`AutoSparseSolver`", "SciPy / choice"]
    return (
        "## Sparse linear systems\n\n"
        "One factorization and one solution in float64, with values that are new in each call: "
        "`scipy.sparse.linalg.spsolve`, and `lineax.linear_solve` inside `jit` with the solvers of "
        "`asdex.lineax` and with `splineax.KLU`, the least of eight times. Analysis, ordering and "
        "compilation are done before. "
        "`BandedLU` is measured up to a bandwidth of 16. `AutoSparseSolver` chooses by the pattern.\n\n"
        f"{table(header, rows)}\n\n"
        "One step of the implicit Euler method for the Brusselator on a 200x200 grid, n = 80,000, by "
        f"Newton's method to the same tolerance, with the Jacobian of asdex in both: {cells[0]} with "
        f"`scipy.sparse.linalg.splu`, {cells[1]} compiled, with `optimistix.Newton` and "
        "`asdex.lineax.SparseLinearSolver`.\n\n"
        "The same problem from t = 0 to 1 with a tolerance of 1e-4, and with the Jacobian of asdex in both: "
        f"`scipy.integrate.solve_ivp` by BDF takes {times['scipy']} for {count['scipy']} steps with "
        f"{whole['factorizations']} factorizations, and diffrax by Kvaerno3, compiled, with "
        f"`asdex.diffrax.sparse_root_finder`, takes {times['asdex']} for {count['asdex']} steps with a "
        "factorization in each."
    )
