"""Ways to compute the same, which take turns. The workers of both libraries read it."""

import time
from statistics import median

import jax


def take_turns(calls, repeats):
    """Median wall seconds by the name of the call."""
    walls = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            walls[name].append(time.perf_counter() - start)
    return {name: median(times) for name, times in walls.items()}


def measure_ways(make, f, x, ways, repeats):
    """Seconds of setup with the first call and of a call, and passes, by the name of the way.

    **Arguments:** `make`: the function of `asdex` that makes the derivative. `ways`: options by name.
    """
    calls, found = {}, {}
    for way, options in ways.items():
        start = time.perf_counter()
        derivative = make(f, x, output_format="data", **options)
        compiled = jax.jit(derivative)
        calls[way] = lambda compiled=compiled: compiled(x)
        jax.block_until_ready(calls[way]())
        passes = int(derivative.options.num_colors)
        found[way] = {"setup": time.perf_counter() - start, "passes": passes}
    for way, seconds in take_turns(calls, repeats).items():
        found[way]["call"] = seconds
    return found
