"""The tutorial's comparison with `jax.jacobian`, as a user types it: no `jax.jit` by hand."""

from statistics import median

from .runner import alternate, format_ratio, format_seconds, Library, table


SIZE = 5000


def run(ours: Library, peer: Library) -> str:
    results = alternate([ours, peer], "tutorial", rounds=3, n=SIZE, repeats=101, dense_repeats=5)
    rows = []
    for name, runs in results.items():
        row = [name]
        for clock in ("wall", "cpu"):
            sparse, dense = (
                median(result[kind][clock] for result in runs) for kind in ("sparse", "dense")
            )
            row += [format_seconds(sparse), format_seconds(dense), format_ratio(dense / sparse)]
        rows.append(row)
    header = [
        *("", "wall, sparse", "wall, `jax.jacobian`", "wall ratio"),
        *("CPU, sparse", "CPU, `jax.jacobian`", "CPU ratio"),
    ]
    return (
        "## Tutorial\n\n"
        "Warm plain calls of `asdex.jacobian(f, x)` and of `jax.jacobian(f)` for the squared differences at "
        f"n = {SIZE}. Neither is wrapped in `jax.jit`. Each row was measured in one interpreter.\n\n"
        f"{table(header, rows)}"
    )
