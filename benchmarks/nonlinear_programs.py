"""The derivatives of a trajectory optimization, beside JAX's dense ones."""

from pathlib import Path

from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("nonlinear_programs_worker.py")
# Intervals, and whether dense derivatives fit.
SIZES = ((200, True), (1000, True), (20000, False))


def run(ours: Library, peer: Library) -> str:
    rows = []
    for intervals, dense in SIZES:
        result = ours.measure("measure", WORKER, intervals=intervals, dense=dense)
        rows.append(
            [f"{result['n']:,} variables, {result['m']:,} constraints"]
            + [format_seconds(result["setup"])]
            + [_cell(result, what) for what in ("jacobian", "hessian")]
        )
    header = ["", "pattern and coloring", "Jacobian", "Hessian"]
    return (
        "## Nonlinear programs\n\n"
        "`asdex.nlp.NonlinearProgram` for `examples/trajectory_optimization.py`: the Jacobian of the "
        "constraints, and the lower triangle of the Hessian of the Lagrangian, from and to NumPy arrays. The "
        "brackets give the number of passes, and how many times longer jax.jacrev and jax.hessian take under "
        "jax.jit.\n\n"
        f"{table(header, rows)}"
    )


def _cell(result: dict, what: str) -> str:
    taken, passes = result[what], result[f"{what}_passes"]
    if f"dense_{what}" not in result:
        return f"{format_seconds(taken)} ({passes})"
    ratio = format_ratio(result[f"dense_{what}"] / taken)
    return f"{format_seconds(taken)} ({passes}; {ratio})"
