"""The first detection of differential equations and equations that are solved step by step."""

from pathlib import Path

from .runner import format_seconds, Library, middle, table
from .solver_detection_worker import PROGRAMS


WORKER = Path(__file__).with_name("solver_detection_worker.py")
ROUNDS = 3


def run(ours: Library, peer: Library) -> str:
    del peer
    rows = []
    for name in PROGRAMS:
        results = [
            ours.measure("detection", WORKER, program=name, hessian=hessian)
            for _ in range(ROUNDS)
            for hessian in (False, True)
        ]
        row = [name]
        for measured in (results[::2], results[1::2]):
            row += [format_seconds(middle(measured, key)) for key in ("tracing", "seconds")]
            row.append(f"{measured[0]['nnz']:,}")
        rows.append(row)
    header = ["", "`make_jaxpr`", "Jacobian", "nonzeros", "of the gradient", "Hessian", "nonzeros"]
    return (
        "## First detection of solvers\n\n"
        "The first detection in a fresh process, after one `jax.make_jaxpr` of the same function, or "
        "of its gradient, for 20 unknowns. The Hessian is that of the sum of squares.\n\n"
        f"{table(header, rows)}"
    )
