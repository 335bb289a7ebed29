"""Colors one pattern in a fresh process, and prints colors and times as one line of JSON.

Runs in the interpreter of either library, as `worker.py`.

    python -P coloring_worker.py KIND '{"path": "pattern.npz", "repeats": 3}'
"""

import json
import sys
import time
import warnings
from statistics import median

import numpy as np


def measure(kind, path, repeats):
    import asdex

    with np.load(path) as arrays:
        shape = tuple(arrays["shape"].tolist())
        pattern = asdex.SparsityPattern.from_coo(arrays["rows"], arrays["cols"], shape)
    color = {
        "columns": lambda: asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd"),
        "auto": lambda: asdex.jacobian_coloring_from_sparsity(pattern),
        "star": lambda: asdex.hessian_coloring_from_sparsity(pattern),
    }[kind]
    times = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            coloring = color()
        times.append(time.perf_counter() - start)
    return {
        "colors": coloring.num_colors,
        "bound": getattr(coloring, "lower_bound", 0),
        "nnz": pattern.nnz,
        "n": pattern.n,
        "cold": times[0],
        "warm": median(times[1:]) if repeats else times[0],
    }


if __name__ == "__main__":
    kind, parameters = sys.argv[1:]
    print(json.dumps(measure(kind, **json.loads(parameters))))
