"""Measures the derivatives of a trajectory optimization in a process of its own; prints a JSON object."""

import importlib
import json
import sys
import time
from statistics import median

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from asdex.nlp import NonlinearProgram


jax.config.update("jax_enable_x64", True)
problem = importlib.import_module("examples.trajectory_optimization")


def seconds(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


def measure(intervals, dense):
    guess = problem.straight_line(intervals, 1.0)
    start = time.perf_counter()
    program = NonlinearProgram(problem.effort, problem.conditions, guess, 1.0)
    result = {"setup": time.perf_counter() - start, "n": program.n, "m": program.m}
    x, multipliers = program.ravel(guess), np.ones(program.m)
    result["jacobian"] = seconds(lambda: program.jacobian(x), 31)
    result["hessian"] = seconds(lambda: program.hessian(x, multipliers, 1.0), 31)
    result["jacobian_passes"] = program.jacobian_coloring.num_colors
    result["hessian_passes"] = program.hessian_coloring.num_colors
    if dense:
        _, unravel = ravel_pytree(guess)

        def constraints(x):
            return ravel_pytree(problem.conditions(unravel(x), 1.0))[0]

        def lagrangian(x, multipliers):
            return problem.effort(unravel(x), 1.0) + multipliers @ constraints(x)

        jacobian, hessian = jax.jit(jax.jacrev(constraints)), jax.jit(jax.hessian(lagrangian))
        result["dense_jacobian"] = seconds(lambda: np.asarray(jacobian(x)), 5)
        result["dense_hessian"] = seconds(lambda: np.asarray(hessian(x, multipliers)), 5)
    return result


if __name__ == "__main__":
    task, parameters = sys.argv[1:]
    print(json.dumps({"measure": measure}[task](**json.loads(parameters))))
