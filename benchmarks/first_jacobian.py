"""From the start of a process to its first Jacobian."""

from statistics import median

from .runner import alternate, format_ratio, format_seconds, Library, middle, table


SIZE = 1000
ROUNDS = 7


def run(ours: Library, peer: Library) -> str:
    # One uncounted round fills the caches on disk: bytecode, and what a library compiles.
    alternate([ours, peer], "first_jacobian", rounds=1, n=SIZE)
    results = alternate([ours, peer], "first_jacobian", rounds=ROUNDS, n=SIZE)
    wall = {
        name: median(result["done"] - result["started"] for result in runs)
        for name, runs in results.items()
    }
    cpu = {name: middle(runs, "cpu") for name, runs in results.items()}
    rows = [[name, format_seconds(wall[name]), format_seconds(cpu[name])] for name in results]
    ratios = [values[peer.name] / values[ours.name] for values in (wall, cpu)]
    rows.append(["ratio peer / asdex", *map(format_ratio, ratios)])
    return (
        "## First Jacobian\n\n"
        "Time from the start of a process, including imports, to its first Jacobian: that of the squared "
        f"differences at n = {SIZE}. The caches on disk are warm.\n\n"
        f"{table(['', 'wall', 'CPU'], rows)}"
    )
