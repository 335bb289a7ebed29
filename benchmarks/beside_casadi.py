"""The Jacobian of the Brusselator beside CasADi, which works with scalar expressions."""

from pathlib import Path
from statistics import median

from .evaluation_problems import num_inputs
from .runner import format_ratio, format_seconds, Library, table


WORKER = Path(__file__).with_name("beside_casadi_worker.py")
SIZES = {2_048: 1001, 20_000: 201, 100_352: 51}
"""Numbers of inputs, and of calls."""
ROUNDS = 3


def run(ours: Library, peer: Library) -> str:
    rows = []
    for n, repeats in SIZES.items():
        runs = [
            [
                library.measure("calls", WORKER, library=name, n=n, repeats=repeats)
                for library, name in ((ours, "asdex"), (peer, "casadi"))
            ]
            for _ in range(ROUNDS)
        ]
        assert runs[0][0]["nnz"] == runs[0][1]["nnz"]
        own, usual, buffered = (
            median(times)
            for times in zip(*(a["seconds"] + b["seconds"] for a, b in runs), strict=True)
        )
        setup, other = (median(pair[k]["setup"] for pair in runs) for k in range(2))
        row = [f"{num_inputs('Brusselator', n):,}", *map(format_seconds, (own, usual, buffered))]
        row += [format_ratio(usual / own), format_ratio(buffered / own)]
        rows.append([*row, format_seconds(setup), format_seconds(other)])
    header = [
        *("inputs", "asdex", "CasADi", "by buffers", "CasADi / asdex", "by buffers / asdex"),
        *("setup", "CasADi's setup"),
    ]
    return (
        "## Beside CasADi\n\n"
        "The values of the Jacobian of a two-dimensional Brusselator in double precision: under `jax.jit`, "
        "and by CasADi's virtual machine for scalar expressions (`SX`), called as usual and from and to "
        "buffers. Setup is all up to the end of the first call: tracing or building expressions, detection, "
        "coloring and compilation.\n\n"
        f"{table(header, rows)}"
    )
