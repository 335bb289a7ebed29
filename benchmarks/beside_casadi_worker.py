"""The Jacobian of the Brusselator in double precision, by asdex or by CasADi."""

import importlib
import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np


sys.path.append(str(Path(__file__).parent))


def of_asdex(n):
    """Calls of the values, and the number of nonzeros."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    problems = importlib.import_module("evaluation_problems")
    asdex = importlib.import_module("asdex")
    f, x, _ = problems.make("Brusselator", n)
    x = jax.numpy.asarray(x, float)
    derivative = asdex.jacobian(f, x, output_format="data")
    program = jax.jit(lambda x: derivative(x)).lower(x).compile()
    return [lambda: program(x).block_until_ready()], derivative.coloring.sparsity.nnz


def of_casadi(n):
    """The same by CasADi's virtual machine for scalar expressions: called as usual, and by buffers."""
    casadi = importlib.import_module("casadi")
    problems = importlib.import_module("evaluation_problems")
    size = problems.num_inputs("Brusselator", n)
    side = round((size / 2) ** 0.5)
    x = casadi.SX.sym("x", size)
    forward, back = np.roll(np.arange(side), -1), np.roll(np.arange(side), 1)

    def laplacian(w):
        return w[forward, :] + w[back, :] + w[:, forward] + w[:, back] - 4 * w

    u = casadi.reshape(x[: side * side], side, side)
    v = casadi.reshape(x[side * side :], side, side)
    du = 1.0 + u**2 * v - 4.4 * u + 0.1 * laplacian(u)
    dv = 3.4 * u - u**2 * v + 0.1 * laplacian(v)
    jacobian = casadi.jacobian(casadi.vertcat(casadi.vec(du), casadi.vec(dv)), x)
    function = casadi.Function("jacobian", [x], [jacobian])
    buffer, evaluate = function.buffer()
    arrays = np.linspace(0.5, 1.5, size), np.zeros(jacobian.nnz())
    buffer.set_arg(0, memoryview(arrays[0].data))
    buffer.set_res(0, memoryview(arrays[1].data))

    def through_buffers(alive=(function, buffer, arrays)):  # which `evaluate` does not keep
        evaluate()

    return [lambda: function(arrays[0]), through_buffers], jacobian.nnz()


def main():
    parameters = json.loads(sys.argv[2])
    start = time.perf_counter()
    calls, nnz = (of_asdex if parameters["library"] == "asdex" else of_casadi)(parameters["n"])
    calls[0]()
    setup, seconds = time.perf_counter() - start, [[] for _ in calls]
    for _ in range(parameters["repeats"]):
        for call, times in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
    print(json.dumps({"setup": setup, "seconds": list(map(median, seconds)), "nnz": int(nnz)}))


if __name__ == "__main__":
    main()
