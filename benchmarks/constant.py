"""Derivatives with constant entries: what `constant="reuse"` saves, and what elements save."""

import json

from .runner import format_ratio, format_seconds, Library, table
from .ways import measure_ways


SIDE, VARIABLES, CONSTRAINTS = 200, 40_000, 20_000
REPEATS = 21
WAYS = {
    "colored": {"elements": False},
    "reuse": {"constant": "reuse"},
    "elements": {"elements": True},
}


def run(ours: Library, peer: Library) -> str:
    del peer
    measured = json.loads(ours.run_code("-m", __name__).splitlines()[-1])
    rows = []
    for name, found in measured.items():
        calls = [found[way]["call"] for way in WAYS]
        passes, setups = ([found[way][key] for way in WAYS] for key in ("passes", "setup"))
        ratios = [format_ratio(calls[0] / call) for call in calls[1:]]
        times = (map(format_seconds, one) for one in (calls, setups))
        rows.append([name, *map(str, passes), *next(times), *ratios, *next(times)])
    first, *others = WAYS
    header = [
        *("", "passes", *(f"passes, {way}" for way in others)),
        *(f"call, {first}", *others, *(f"ratio, {way}" for way in others)),
        *("setup and first call", *(f"the same, {way}" for way in others)),
    ]
    return (
        "## Constant entries\n\n"
        'Derivatives by a coloring of all entries; with `constant="reuse"`, whose setup finds the entries '
        "that cannot change and computes them; with `elements=True`, where linear parts take no pass either. "
        "Times are medians of calls under `jax.jit` that return only the values "
        f'(`output_format="data"`); the ways take turns.\n\n{table(header, rows)}'
    )


def problems():
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


if __name__ == "__main__":
    found = {name: measure_ways(make, f, x, WAYS, REPEATS) for name, make, f, x in problems()}
    print(json.dumps(found))
