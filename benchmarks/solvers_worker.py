"""Times a solver with its dense default and with a sparse one, and prints one line of JSON.

python -P solvers_worker.py TASK '{"side": 32, ...}'
"""

import contextlib
import importlib
import json
import sys

import asdex
import asdex.diffrax


def newton(side):
    return importlib.import_module("examples.sparse_newton_optimistix").roots(side)[1]


def levenberg_marquardt(points):
    return importlib.import_module("examples.sparse_newton_optimistix").smoothing(points)


def kvaerno5(points, until):
    example = importlib.import_module("examples.stiff_diffrax")
    y0 = example.start(points)
    root_finder = asdex.diffrax.sparse_root_finder(example.brusselator, 0.0, y0)
    return example.compare(y0, root_finder, until)


if __name__ == "__main__":
    task, parameters = sys.argv[1:]
    tasks = {"newton": newton, "levenberg_marquardt": levenberg_marquardt, "kvaerno5": kvaerno5}
    with contextlib.redirect_stdout(sys.stderr):  # what the examples print
        seconds = tasks[task](**json.loads(parameters))
    print(json.dumps(seconds))
