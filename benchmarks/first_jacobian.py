"""From the start of a process to its first Jacobian."""

from statistics import median
from typing import Any

from .runner import format_ratio, format_seconds, Library, middle, table


SIZE = 1000
ROUNDS = 7
IMPORTED = {
    "jax alone": [],
    "with equinox": ["equinox"],
    "with `jax.experimental.sparse`, too": ["equinox", "jax.experimental.sparse"],
    "with asdex": ["asdex"],
}
"""What processes import that make the array `jnp.arange(3.0)` and nothing else."""


def run(ours: Library, peer: Library) -> str:
    results: dict[str, list[dict[str, Any]]] = {}
    # One uncounted round fills the caches on disk: bytecode, and what a library compiles.
    for counted in [False] + ROUNDS * [True]:
        found = {
            library.name: library.measure("first_jacobian", n=SIZE) for library in (ours, peer)
        }
        for name, modules in IMPORTED.items():
            found[name] = ours.measure("smallest_array", modules=modules)
        for name, result in found.items() if counted else ():
            results.setdefault(name, []).append(result)
    wall = {
        name: median(one["done"] - one["started"] for one in runs) for name, runs in results.items()
    }
    cpu = {name: middle(runs, "cpu") for name, runs in results.items()}
    rows = [
        [
            name,
            format_seconds(wall[name]),
            format_seconds(cpu[name]),
            format_ratio(wall[name] / wall["jax alone"]),
        ]
        for name in results
    ]
    return (
        "## First Jacobian\n\n"
        "Time from the start of a process, including imports, to its first Jacobian: that of the squared "
        f"differences at n = {SIZE}. Below it, the time to `jnp.arange(3.0)` and no Jacobian, with some "
        "packages imported. The caches on disk are warm.\n\n"
        f"{table(['', 'wall', 'CPU', 'wall / jax alone'], rows)}"
    )
