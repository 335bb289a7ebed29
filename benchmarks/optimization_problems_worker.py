"""Detects and colors the derivatives of the optimisation problems of sif2jax, by the library imported."""

import importlib
import json
import sys
import time
import warnings
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

import asdex


# Only `make bench` installs it.
sif2jax: Any = importlib.import_module("sif2jax")

FEWEST, MOST = 2, 1000


def derivatives(problem):
    """The objective's Hessian and the constraints' Jacobian: kind, function, point."""
    start, unravel = ravel_pytree(problem.y0)
    x, args = jnp.asarray(start, float), problem.args
    yield "hessian", lambda x: problem.objective(unravel(x), args), x
    if hasattr(problem, "constraint"):
        yield "jacobian", lambda x: ravel_pytree(problem.constraint(unravel(x)))[0], x


def measure(kind, f, x):
    """CPU seconds, number of nonzeros and colors."""
    detect = getattr(asdex, f"{kind}_sparsity")
    color = getattr(asdex, f"{kind}_coloring_from_sparsity")
    start = time.process_time()
    jax.make_jaxpr(f)(x)
    traced = time.process_time()
    pattern = detect(f, x)
    detected = time.process_time()
    coloring = color(pattern)
    return {
        "tracing": traced - start,
        "detection": detected - traced,
        "coloring": time.process_time() - detected,
        "shape": tuple(map(int, pattern.shape)),
        "nnz": int(pattern.nnz),
        "colors": int(coloring.num_colors),
    }


def main() -> None:
    """Every `step`th problem, each library in a process of its own; one JSON list."""
    warnings.simplefilter("ignore")
    step, results = json.loads(sys.argv[2])["step"], []
    for problem in sif2jax.problems[::step]:
        try:
            fits = FEWEST <= problem.num_variables() <= MOST
        except Exception:  # some of the package's problems cannot be built
            continue
        for kind, f, x in derivatives(problem) if fits else ():
            try:
                results.append({"name": problem.name, "kind": kind, **measure(kind, f, x)})
            except Exception as error:
                results.append({"name": problem.name, "kind": kind, "error": repr(error)[:200]})
        jax.clear_caches()
    print(json.dumps({"results": results}))


if __name__ == "__main__":
    main()
