"""Runs one measurement in a fresh process, and prints its result as one line of JSON.

The two libraries share the name `asdex`, so each has an interpreter of its own; this file runs in
either, and imports nothing but the standard library, jax and whichever asdex it finds.

    python -P worker.py TASK '{"keyword": value, ...}'
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from statistics import median


def squared_differences(n):
    def f(x):
        return (x[1:] - x[:-1]) ** 2

    return f


def brusselator(n):
    """Two species on a periodic square grid, with about `n` inputs in all."""
    import jax.numpy as jnp

    side = round((n / 2) ** 0.5)

    def laplacian(w):
        return (
            jnp.roll(w, 1, 0) + jnp.roll(w, -1, 0) + jnp.roll(w, 1, 1) + jnp.roll(w, -1, 1) - 4 * w
        )

    def f(x):
        u, v = x.reshape(2, side, side)
        du = 1.0 + u**2 * v - 4.4 * u + 0.1 * laplacian(u)
        dv = 3.4 * u - u**2 * v + 0.1 * laplacian(v)
        return jnp.stack([du, dv]).ravel()

    return f


PROBLEMS = {"squared differences": squared_differences, "Brusselator": brusselator}


def num_inputs(problem, n):
    return n if problem == "squared differences" else 2 * round((n / 2) ** 0.5) ** 2


def peak_memory():
    """Peak resident set of this process so far, in bytes."""
    # On Linux ru_maxrss of a child starts at its parent's; the status file does not.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def clocks():
    return time.perf_counter(), time.process_time()


def timed(call, repeats):
    """Median wall and CPU seconds of `call()`."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = clocks()
        call()
        wall_end, cpu_end = clocks()
        walls.append(wall_end - wall)
        cpus.append(cpu_end - cpu)
    return {"wall": median(walls), "cpu": median(cpus)}


def detection(problem, n, repeats):
    """Time and memory of `jacobian_sparsity`, after one small detection that warms jax up."""
    import jax.numpy as jnp

    import asdex

    make = PROBLEMS[problem]
    asdex.jacobian_sparsity(make(50), jnp.ones(num_inputs(problem, 50)))
    x = jnp.ones(num_inputs(problem, n)).block_until_ready()
    before = peak_memory()
    nnz = []
    # A new function each time: jax remembers the traces of functions that it has seen.
    times = timed(lambda: nnz.append(asdex.jacobian_sparsity(make(n), x).nnz), repeats)
    peak = peak_memory()
    return {"n": x.size, "nnz": nnz[0], "peak": peak, "added": peak - before, **times}


def first_jacobian(n):
    """The moment at which the first Jacobian of this process is ready."""
    import jax
    import jax.numpy as jnp

    import asdex

    x = jnp.ones(n)
    jax.block_until_ready(asdex.jacobian(squared_differences(n), x)(x))
    return {"done": time.time(), "cpu": time.process_time()}


def smallest_array(modules):
    """The moment at which some modules are imported and JAX has made its first array."""
    import jax
    import jax.numpy as jnp

    for module in modules:
        importlib.import_module(module)
    jax.block_until_ready(jnp.arange(3.0))
    return {"done": time.time(), "cpu": time.process_time()}


def tutorial(n, repeats, dense_repeats):
    """Warm plain calls of a sparse Jacobian and of `jax.jacobian`, neither jitted by hand."""
    import jax
    import jax.numpy as jnp

    import asdex

    f = squared_differences(n)
    x = jnp.linspace(0.0, 1.0, n) ** 2
    results = {}
    functions = {
        "sparse": (asdex.jacobian(f, x), repeats),
        "dense": (jax.jacobian(f), dense_repeats),
    }
    for name, (function, count) in functions.items():

        def call(function=function):
            jax.block_until_ready(function(x))

        call()
        results[name] = timed(call, count)
    return results


TASKS = {task.__name__: task for task in (detection, first_jacobian, smallest_array, tutorial)}


if __name__ == "__main__":
    name, parameters = sys.argv[1:]
    print(json.dumps(TASKS[name](**json.loads(parameters))))
