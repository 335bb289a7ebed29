"""Compiles and calls the derivatives of the optimisation problems of sif2jax, sparse and dense.

    python long_programs_worker.py RESULTS [NAME ...]

Writes one line of JSON for each derivative to the file `RESULTS`.
"""

import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import asdex


# Only `make bench` installs it.
sif2jax: Any = importlib.import_module("sif2jax")

FEWEST, MOST = 50, 1000
SECONDS, REPEATS = 1.0, 101


def derivatives(problem):
    """The objective's Hessian and the constraints' Jacobian: kind, function, point."""
    start, unravel = ravel_pytree(problem.y0)
    x, args = jnp.asarray(start, float), problem.args

    def objective(x):
        return problem.objective(unravel(x), args)

    def constraint(x):
        return ravel_pytree(problem.constraint(unravel(x)))[0]

    yield "Hessian", objective, x
    if hasattr(problem, "constraint"):
        yield "Jacobian", constraint, x


def compiled(function, x):
    """The compiled function, and the seconds of tracing and compilation."""
    start = time.perf_counter()
    # A function of its own, for jax remembers the traces of functions.
    program = jax.jit(lambda x: function(x)).lower(x).compile()
    return program, time.perf_counter() - start


def take_turns(programs, x):
    """Median seconds of each program's calls."""
    walls = {name: [] for name in programs}
    end = time.perf_counter() + SECONDS
    for _ in range(REPEATS):
        for name, program in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(x))
            walls[name].append(time.perf_counter() - start)
        if time.perf_counter() > end and len(walls[name]) > 3:
            break
    return {name: median(times[1:]) for name, times in walls.items()}


def equations(jaxpr):
    """All equations, those of nested jaxprs too."""
    inner = [
        leaf
        for eqn in jaxpr.eqns
        for value in eqn.params.values()
        for leaf in (value if isinstance(value, tuple | list) else (value,))
        if hasattr(leaf, "eqns")
    ]
    return len(jaxpr.eqns) + sum(map(equations, inner))


def measure(kind, f, x):
    hessian = kind == "Hessian"
    start = time.perf_counter()
    coloring = (asdex.hessian_coloring if hessian else asdex.jacobian_coloring)(f, x)
    seconds = time.perf_counter() - start
    make = asdex.hessian_from_coloring if hessian else asdex.jacobian_from_coloring
    sparse = make(f, coloring, output_format="data")
    m, n = coloring.sparsity.shape
    dense = jax.hessian(f) if hessian else jax.jacfwd(f) if m >= n else jax.jacrev(f)
    dense_program, dense_compilation = compiled(dense, x)
    program, compilation = compiled(sparse, x)
    warm = take_turns({"sparse": program, "dense": dense_program}, x)
    values, matrix = np.asarray(program(x)), np.asarray(dense_program(x))
    expected = matrix[coloring.sparsity.rows, coloring.sparsity.cols]
    error = np.abs(values - expected)[np.isfinite(expected)].max(initial=0)
    missed = matrix.copy()
    missed[coloring.sparsity.rows, coloring.sparsity.cols] = 0
    return {
        "equations": equations(jax.make_jaxpr(f)(x).jaxpr),
        "shape": (m, n),
        "nnz": int(coloring.sparsity.nnz),
        "colors": int(coloring.num_colors),
        "coloring": seconds,
        "compilation": compilation,
        "dense_compilation": dense_compilation,
        "warm": warm["sparse"],
        "dense_warm": warm["dense"],
        "error": float(error / max(np.abs(expected).max(initial=0), 1e-300)),
        "missed": int(np.count_nonzero(np.nan_to_num(missed))),
    }


def main():
    warnings.simplefilter("ignore")
    file, *names = sys.argv[1:]
    with Path(file).open("w", encoding="utf-8") as results:
        for problem in sif2jax.problems:
            try:
                n = problem.num_variables()
            except Exception:  # some of the package's problems cannot be built
                continue
            if not FEWEST <= n <= MOST or (names and problem.name not in names):
                continue
            for kind, f, x in derivatives(problem):
                if kind == "Hessian" and jax.eval_shape(f, x).shape:
                    continue
                result = {"name": problem.name, "kind": kind, **measure(kind, f, x)}
                print(json.dumps(result), file=results, flush=True)
            jax.clear_caches()


if __name__ == "__main__":
    main()
