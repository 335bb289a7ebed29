"""Colors a pattern of blocks, or reads its values, and prints one line of JSON.

python -P blocks_worker.py TASK '{"nodes": 1000, ...}'
"""

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np


sys.path.append(str(Path(__file__).parent))
coloring = importlib.import_module("coloring_worker")


def pattern_of(path):
    import asdex

    with np.load(path) as arrays:
        shape = tuple(arrays["shape"].tolist())
        return asdex.SparsityPattern.from_coo(arrays["rows"], arrays["cols"], shape)


def color(path, kind, by_vertex, repeats):
    """Colors and seconds; `by_vertex` hides the blocks, which the peer does not look for."""
    if by_vertex:
        from asdex.coloring.problems import _problem

        _problem.find_blocks = _problem.find_copies = lambda *_: None
    return coloring.measure(kind, path, repeats - 1)


def read(path, repeats):
    """Seconds from a compressed matrix to blocks: by windows, by single values, and through SciPy."""
    import jax
    import scipy.sparse as sp

    import asdex
    from asdex.decompression import block_decompressor

    pattern = pattern_of(path)
    coloring = asdex.jacobian_coloring_from_sparsity(pattern, mode="fwd")
    blocks = asdex.BlockPattern.from_sparsity(pattern)
    shape = (coloring.num_colors, pattern.m)
    B = jax.numpy.asarray(np.random.default_rng(0).random(shape, np.float32))
    windows = jax.jit(block_decompressor(coloring, blocks).__call__)
    nonzeros = asdex.decompressor_for(coloring)
    single = jax.jit(lambda B: blocks(nonzeros(B)).data)
    csr = jax.jit(nonzeros.__call__)
    compressed = np.array(pattern.cols), pattern.indptr

    def through_scipy(B):
        matrix = sp.csr_matrix((np.asarray(csr(B)), *compressed), shape=pattern.shape)
        return matrix.tobsr(blocks.block_shape).data

    def in_scipy(B):
        return blocks.matrix(windows(B)).to_scipy().data

    result = {"nnz": pattern.nnz, "n": pattern.n}
    expected = np.asarray(single(B))
    for name, function in [
        ("windows", windows),
        ("single", single),
        ("scipy", in_scipy),
        ("through_scipy", through_scipy),
    ]:
        np.testing.assert_array_equal(jax.block_until_ready(function(B)), expected)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            jax.block_until_ready(function(B))
            times.append(time.perf_counter() - start)
        result[name] = min(times)
    return result


if __name__ == "__main__":
    task, parameters = sys.argv[1:]
    print(json.dumps({"color": color, "read": read}[task](**json.loads(parameters))))
