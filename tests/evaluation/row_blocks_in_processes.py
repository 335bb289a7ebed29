"""Run by `test_row_blocks.py` in several processes, each of which holds the rows of its devices alone.

Takes a port, the number of the process, that of processes, and the path of a file that the first one writes.
Prints a JSON object: the largest relative differences from one process, a digest of the coloring, and
which share of the values this process has.
"""

import hashlib
import json
import sys

import jax


if __name__ == "__main__":  # before anything asks for a device
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_x64", True)
    jax.distributed.initialize(
        coordinator_address=f"127.0.0.1:{sys.argv[1]}",
        num_processes=int(sys.argv[3]),
        process_id=int(sys.argv[2]),
        initialization_timeout=60,
    )

import jax.numpy as jnp
import jax.scipy.sparse.linalg as solvers
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import asdex


def diffusion(u):
    p = jnp.pad(u, 1)
    neighbors = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
    return u**3 * neighbors - 40 * u


def energy(u):
    return jnp.sum((u[1:] - u[:-1]) ** 4) + jnp.sum((u[:, 1:] * u[:, :-1]) ** 2)


def difference(actual, expected):
    whole = np.asarray(multihost_utils.process_allgather(actual, tiled=True)).reshape(-1)
    expected = np.asarray(expected).reshape(-1)
    return float(np.max(np.abs(whole - expected)) / np.max(np.abs(expected)))


def products(u, matrix, expected):
    yield "product", matrix.mv(u), expected @ U.reshape(-1)
    yield "transposed product", matrix.T.mv(u), expected.T @ U.reshape(-1)


U = np.random.default_rng(0).uniform(size=(16, 8))


def programs(mesh, coloring):
    u = jax.make_array_from_callback(U.shape, NamedSharding(mesh, P("x")), lambda index: U[index])
    expected = np.asarray(jax.jit(jax.jacobian(diffusion))(U)).reshape(U.size, U.size)
    options = {"mesh": mesh, "row_axis": "x", "output_format": "row_blocks"}
    matrix = asdex.jacobian_from_coloring(diffusion, coloring, **options)(u)
    yield from products(u, matrix, expected)
    solution, _ = jax.jit(lambda matrix, u: solvers.bicgstab(matrix.mv, u, tol=1e-13))(matrix, u)
    yield "Krylov solver", solution, np.linalg.solve(expected, U.reshape(-1))
    by_rows = asdex.jacobian(diffusion, u, mode="rev", output_format="row_blocks")
    yield from products(u, by_rows(u), expected)
    hessian = np.asarray(jax.jit(jax.hessian(energy))(U)).reshape(U.size, U.size)
    yield from products(u, asdex.hessian(energy, u, output_format="row_blocks")(u), hessian)


def main(path):
    mesh = Mesh(np.array(jax.devices()), ("x",))
    found = asdex.jacobian_coloring(diffusion, U)
    if jax.process_index() == 0:
        found.save(path)
    multihost_utils.sync_global_devices("saved")
    coloring = asdex.ColoredPattern.load(path)
    arrays = (found.colors, found.sparsity.rows, found.sparsity.cols)
    digest = hashlib.sha256(b"".join(map(np.ndarray.tobytes, arrays))).hexdigest()
    differences = {}
    for number, (name, actual, expected) in enumerate(programs(mesh, coloring)):
        differences[f"{name}, {number}"] = difference(actual, expected)
    data = asdex.jacobian_from_coloring(diffusion, coloring, "data", mesh=mesh, row_axis="x")(U)
    held = sum(shard.data.size for shard in data.addressable_shards)
    print(json.dumps({"differences": differences, "digest": digest, "share": held / data.size}))


if __name__ == "__main__":
    main(sys.argv[4])
