"""Runs one measurement of evaluation in a fresh process, and prints its result as one line of JSON.

Runs in the environment of either library, like `worker.py`:

    python -P evaluation_worker.py TASK '{"keyword": value, ...}'
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import asdex


sys.path.append(str(Path(__file__).parent))
problems, timing = map(importlib.import_module, ("evaluation_problems", "ways"))


def _read_pattern(file):
    with np.load(file) as arrays:
        m, n = arrays["shape"].tolist()
        return asdex.SparsityPattern.from_coo(arrays["rows"], arrays["cols"], (m, n))


def pattern(problem, n, file):
    """Detect once, for both libraries."""
    f, x, hessian = problems.make(problem, n)
    detect = asdex.hessian_sparsity if hessian else asdex.jacobian_sparsity
    start = time.perf_counter()
    found = detect(f, x)
    seconds = time.perf_counter() - start
    np.savez(file, rows=found.rows, cols=found.cols, shape=found.shape)
    return {"nnz": int(found.nnz), "seconds": seconds}


def colors(problem, n, file, output):
    """This library's coloring of a detected pattern."""
    _, _, hessian = problems.make(problem, n)
    sparsity = _read_pattern(file)
    start = time.perf_counter()
    if hessian:
        coloring = asdex.hessian_coloring_from_sparsity(sparsity)
    else:
        coloring = asdex.jacobian_coloring_from_sparsity(sparsity)
    seconds = time.perf_counter() - start
    coloring.save(output)
    np.savez(f"{output}.colors.npz", colors=np.asarray(coloring.colors), mode=coloring.mode)
    return {"colors": int(coloring.num_colors), "mode": str(coloring.mode), "seconds": seconds}


def _coloring(file, pattern_file, foreign):
    """A saved coloring; with `foreign`, the colors are those that the other library found."""
    if not foreign:
        return asdex.ColoredPattern.load(file)
    sparsity = _read_pattern(pattern_file)
    with np.load(f"{file}.colors.npz") as arrays:
        found, mode = arrays["colors"].astype(np.int32), str(arrays["mode"])
    return asdex.ColoredPattern(sparsity, found, int(found.max()) + 1, "over" in mode, mode)


def _apart(f, coloring, x, hessian):
    """Two programs: the passes alone, and the reading of what they give alone."""
    make = (
        asdex.compressed_hessian_from_coloring
        if hessian
        else asdex.compressed_jacobian_from_coloring
    )
    compressed = make(f, coloring)
    passes = jax.jit(lambda x: compressed(x)).lower(x).compile()
    b = passes(x)
    read = jax.jit(lambda b: asdex.decompress_data(b, coloring)).lower(b).compile()
    return {"passes": lambda: passes(x), "reading": lambda: read(b)}


def evaluation(problem, n, file, pattern_file, foreign, repeats, plain_repeats, apart=False):
    """Seconds of tracing and compilation and of warm calls of one derivative.

    `apart`: of its passes and of reading, too, each a program of its own.
    """
    f, x, hessian = problems.make(problem, n)
    coloring = _coloring(file, pattern_file, foreign)
    jax.block_until_ready(jax.jit(jnp.sin)(jnp.ones(3)))
    make = asdex.hessian_from_coloring if hessian else asdex.jacobian_from_coloring
    derivative = make(f, coloring)
    result: dict[str, Any] = {"colors": int(coloring.num_colors)}

    start = time.perf_counter()
    compiled = jax.jit(lambda x: derivative(x)).lower(x).compile()
    result["program"] = time.perf_counter() - start
    values = jax.jit(lambda x: derivative(x).data).lower(x).compile()
    start = time.perf_counter()
    jax.block_until_ready(derivative(x))
    result["first plain"] = time.perf_counter() - start

    calls = {
        "jit": lambda: compiled(x).data,
        "values": lambda: values(x),
        "plain": lambda: derivative(x).data,
    }
    if apart:
        calls |= _apart(f, coloring, x, hessian)
    slow = {"plain": calls.pop("plain")} if plain_repeats < repeats else {}
    timing.take_turns(calls, 2)
    return result | timing.take_turns(calls, repeats) | timing.take_turns(slow, plain_repeats)


def memory(problem, n, file, pattern_file, foreign):
    """Bytes at the peak of a plain call, and of what no call can do without."""
    f, x, hessian = problems.make(problem, n)
    coloring = _coloring(file, pattern_file, foreign)
    make = asdex.hessian_from_coloring if hessian else asdex.jacobian_from_coloring
    derivative = make(f, coloring)
    matrix = jax.block_until_ready(derivative(x))
    held = sum(array.nbytes for array in jax.live_arrays())
    compiled = jax.jit(lambda x: derivative(x)).lower(x).compile().memory_analysis()
    assert compiled is not None
    compressed = int(coloring.num_colors) * _row_length(f, x, hessian, str(coloring.mode))
    arrays = sum(_bytes((f, x, matrix.data))) + compressed * x.itemsize
    indices = 2 * np.dtype(np.int32).itemsize * matrix.nse
    return {"peak": held + compiled.temp_size_in_bytes, "needed": arrays + indices}


def _row_length(f, x, hessian, mode):
    return x.size if hessian or mode == "rev" else jax.eval_shape(f, x).size


def _bytes(tree):
    return [leaf.nbytes for leaf in jax.tree.leaves(tree) if hasattr(leaf, "nbytes")]


TASKS = {task.__name__: task for task in (pattern, colors, evaluation, memory)}


if __name__ == "__main__":
    task, parameters = sys.argv[1:]
    print(json.dumps(TASKS[task](**json.loads(parameters))))
