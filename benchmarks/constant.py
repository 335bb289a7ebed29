"""Derivatives with constant entries: what `constant="reuse"` saves."""

import json
import sys
import time
from statistics import median

from .runner import format_ratio, format_seconds, Library, table


SIDE, VARIABLES, CONSTRAINTS = 200, 40_000, 20_000
REPEATS = 31


def run(ours: Library, peer: Library) -> str:
    del peer
    measured = json.loads(ours.run_code("-m", "benchmarks.constant").splitlines()[-1])
    rows = [
        [
            one["name"],
            f"{one['constant']:.0%}",
            *(str(one[kind]["passes"]) for kind in ("recompute", "reuse")),
            *(format_seconds(one[kind]["call"]) for kind in ("recompute", "reuse")),
            format_ratio(one["recompute"]["call"] / one["reuse"]["call"]),
            *(format_seconds(one[kind]["setup"]) for kind in ("recompute", "reuse")),
        ]
        for one in measured
    ]
    header = [
        *("", "constant entries", "passes", "passes, reuse", "call", "call, reuse", "ratio"),
        *("setup", "setup, reuse"),
    ]
    return (
        "## Constant entries\n\n"
        'Derivatives with `constant="recompute"` (the default) and with `constant="reuse"`. The setup of '
        "the latter finds the entries that cannot change, and computes them. Times are those of plain calls "
        'that return only the values (`output_format="data"`); the two take turns.\n\n'
        f"{table(header, rows)}"
    )


def problems():
    """Name, function of `asdex` that makes the derivative, function, and inputs."""
    import jax.numpy as jnp
    import numpy as np
    from jax.experimental import sparse

    import asdex

    rng = np.random.default_rng(0)

    def laplacian(u):
        v = jnp.pad(u, 1, mode="wrap")
        return v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * u

    def fisher(u):
        return 0.1 * laplacian(u) + u * (1 - u)

    def brusselator(uv):
        u, v = uv
        return jnp.stack(
            [0.1 * laplacian(u) + 1 + u**2 * v - 4.4 * u, 0.2 * laplacian(v) + 3.4 * u - u**2 * v]
        )

    def membrane(u):
        bent = laplacian(u)
        return jnp.sum(bent**2) / 2 + jnp.sum(jnp.cos(u))

    rows = np.repeat(np.arange(CONSTRAINTS), 8)
    places = np.stack([rows, rng.integers(0, VARIABLES, len(rows))], axis=1)
    weights = jnp.asarray(rng.normal(size=len(rows)), jnp.float32)
    budget = sparse.BCOO((weights, jnp.asarray(places)), shape=(CONSTRAINTS, VARIABLES))

    def constraints(x):
        return {"budgets": budget @ x, "dynamics": x[1:] - x[:-1] - 0.01 * jnp.sin(x[:-1])}

    u = jnp.asarray(rng.uniform(0.5, 1.5, (SIDE, SIDE)), jnp.float32)
    x = jnp.asarray(rng.normal(size=VARIABLES), jnp.float32)
    return [
        (f"reaction and diffusion, {SIDE}×{SIDE}", asdex.jacobian, fisher, u),
        (f"Brusselator, 2×{SIDE}×{SIDE}", asdex.jacobian, brusselator, jnp.stack([u, u[::-1]])),
        (
            f"{CONSTRAINTS:,} linear constraints beside dynamics, {VARIABLES:,} variables",
            asdex.jacobian,
            constraints,
            x,
        ),
        ("linear constraints alone", asdex.jacobian, lambda x: budget @ x, x),
        (f"Hessian of a membrane in a potential, {SIDE}×{SIDE}", asdex.hessian, membrane, u),
    ]


def measure(name, make, f, x):
    import jax

    derivatives, result = {}, {"name": name}
    for kind in ("recompute", "reuse"):
        start = time.perf_counter()
        one = derivatives[kind] = make(f, x, constant=kind, output_format="data")
        result[kind] = {"setup": time.perf_counter() - start, "passes": one.options.num_colors}
        jax.block_until_ready(one(x))
    result["constant"] = (
        derivatives["reuse"].num_constant / derivatives["reuse"].coloring.sparsity.nnz
    )
    times = {kind: [] for kind in derivatives}
    for _ in range(REPEATS):
        for kind, derivative in derivatives.items():
            start = time.perf_counter()
            jax.block_until_ready(derivative(x))
            times[kind].append(time.perf_counter() - start)
    for kind, taken in times.items():
        result[kind]["call"] = median(taken)
    return result


if __name__ == "__main__":
    print("measuring", file=sys.stderr)
    print(json.dumps([measure(*problem) for problem in problems()]))
