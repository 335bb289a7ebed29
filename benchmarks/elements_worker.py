"""Measures one partially separable function in a fresh process; prints its result as one line of JSON.

Runs in the environment of either library, like `worker.py`:

    python -P elements_worker.py TASK '{"keyword": value, ...}'
"""

import importlib
import json
import sys
from pathlib import Path

import jax
import numpy as np

import asdex


sys.path.append(str(Path(__file__).parent))
problems, timing = map(importlib.import_module, ("elements_problems", "ways"))

WAYS = {"colored": {"elements": False}, "elements": {}}


def ours(problem, file, repeats):
    """Calls, passes and setup of both ways, which take turns; the pattern goes to a file."""
    f, x, hessian = problems.make(problem)
    make = asdex.hessian if hessian else asdex.jacobian
    sparsity = (asdex.hessian_sparsity if hessian else asdex.jacobian_sparsity)(f, x)
    np.savez(file, rows=sparsity.rows, cols=sparsity.cols, shape=sparsity.shape)
    return timing.measure_ways(make, f, x, WAYS, repeats)


def peer(problem, file, repeats):
    """Calls and passes of the coloring that this library finds for the pattern in a file."""
    f, x, hessian = problems.make(problem)
    with np.load(file) as arrays:
        shape = tuple(arrays["shape"].tolist())
        sparsity = asdex.SparsityPattern.from_coo(arrays["rows"], arrays["cols"], shape)
    if hessian:
        coloring = asdex.hessian_coloring_from_sparsity(sparsity)
        derivative = asdex.hessian_from_coloring(f, coloring)
    else:
        coloring = asdex.jacobian_coloring_from_sparsity(sparsity)
        derivative = asdex.jacobian_from_coloring(f, coloring)
    call = jax.jit(lambda x: derivative(x).data)
    jax.block_until_ready(call(x))
    seconds = timing.take_turns({"call": lambda: call(x)}, repeats)
    return {"passes": int(coloring.num_colors), **seconds}


TASKS = {task.__name__: task for task in (ours, peer)}


if __name__ == "__main__":
    task, parameters = sys.argv[1:]
    print(json.dumps(TASKS[task](**json.loads(parameters))))
