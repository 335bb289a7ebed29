"""Time and memory of a Jacobian whose rows are spread over host devices: a five-point stencil on a grid.

    python -m benchmarks.row_blocks UNKNOWNS DEVICES

prints what the model in `docs/how-to/beyond-one-machine.md` is fitted to. Per unknown: microseconds of
detection, coloring and index arrays, and peak bytes on the host up to their ends; bytes of the index arrays
on all devices. Of one device: the bytes of the compiled programs of a call and of a product with a vector,
and those that they send.
"""

import json
import os
import re
import resource
import sys
import time
from typing import Any


def stencil(u):
    import jax.numpy as jnp

    p = jnp.pad(u, 1)
    return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * u + u**3


def measure(unknowns: int, devices: int) -> dict[str, Any]:
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    import asdex
    from asdex.evaluation._compiled import _PLANS

    side = int(unknowns**0.5) // devices * devices
    n = side**2
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    values = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    u = jax.device_put(values, NamedSharding(mesh, PartitionSpec("rows")))
    asdex.jacobian_coloring(stencil, values[:8, :8])  # compiles what small arrays need
    found: dict[str, Any] = {"unknowns": n, "devices": devices}
    start = _peak_bytes()

    def stage(name, function):
        began = time.perf_counter()
        result = function()
        found[f"{name}, us"] = (time.perf_counter() - began) / n * 1e6
        found[f"{name}, peak bytes"] = (_peak_bytes() - start) / n
        return result

    pattern = stage("detection", lambda: asdex.jacobian_sparsity(stencil, values))
    coloring = stage("coloring", lambda: asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd"))
    options: dict[str, Any] = {"mesh": mesh, "row_axis": "rows"}
    jac_fn = stage(
        "index arrays",
        lambda: asdex.jacobian_from_coloring(stencil, coloring, "row_blocks", **options),
    )
    arrays = jax.tree.leaves((jac_fn.decompressor, jac_fn.layout, jac_fn.colors))
    found["index arrays, bytes on devices"] = sum(array.nbytes for array in arrays) / n
    matrix = jac_fn(u)
    (plan,) = _PLANS[jac_fn].values()
    programs = {
        "call": plan.program.lower((plan.kernel, [u]), plan.seed_terms).compile(),
        "product": jax.jit(lambda matrix, u: matrix.mv(u)).lower(matrix, u).compile(),
    }
    calls = {"call": lambda: jac_fn(u).data, "product": lambda: matrix.mv(u)}
    for name, program in programs.items():
        memory = program.memory_analysis()
        size = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        found[f"{name}, bytes of a device"] = size + memory.output_size_in_bytes
        found[f"{name}, bytes that a device sends"] = _sent(program.as_text())
        found[f"{name}, ns"] = _best_time(calls[name]) / n * 1e9
    return found


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _sent(program: str) -> int:
    """The bytes of the results of all collective permutations of a program."""
    sizes = {"f32": 4, "s32": 4, "pred": 1}
    shapes = re.findall(r"= (\w+)\[([\d,]*)\]\S* collective-permute(?:-start)?\(", program)
    total = 0
    for kind, shape in shapes:
        size = sizes[kind]
        for length in filter(None, shape.split(",")):
            size *= int(length)
        total += size
    return total


def _best_time(function) -> float:
    import jax

    times = []
    for _ in range(6):
        began = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[2]}"
    print(json.dumps(measure(int(float(sys.argv[1])), int(sys.argv[2])), indent=1))
