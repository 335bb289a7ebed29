"""Run twice by `test_devices.py`: two processes with two devices each compute derivatives together.

Takes a port and the number of the process. Prints a JSON object: for each program the largest relative
difference from what jax computes in one process.
"""

import json
import sys
import warnings

import jax


if __name__ == "__main__":  # before anything asks for a device
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_x64", True)
    jax.distributed.initialize(
        coordinator_address=f"127.0.0.1:{sys.argv[1]}",
        num_processes=2,
        process_id=int(sys.argv[2]),
        initialization_timeout=60,
    )

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P

import asdex


warnings.simplefilter("ignore", asdex.DenseColoringWarning)


def window(x):
    """Seven colors by columns, eighteen by rows."""
    return jnp.convolve(x, jnp.arange(1.0, 8.0), "valid") * x[:18] ** 2


def energy(x):
    return jnp.sum(jnp.sin(x[2:]) * x[:-2] ** 2 + x[1:-1] ** 3 * x[2:])


def difference(actual, expected):
    actual = np.asarray(actual.todense() if hasattr(actual, "todense") else actual)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    scale = np.max(np.abs(expected), initial=1.0)
    return float(np.max(np.abs(actual - expected), initial=0.0) / scale)


def programs():
    x = np.linspace(0.5, 1.5, 24)
    expected = np.asarray(jax.jit(jax.jacobian(window))(x))
    expected_hessian = np.asarray(jax.jit(jax.hessian(energy))(x))
    for name, mesh in {
        "a mesh": Mesh(np.array(jax.devices()), ("c",)),
        "a mesh of jax.make_mesh": jax.make_mesh((4,), ("c",)),
        "two axes": Mesh(np.array(jax.devices()).reshape(2, 2), ("d", "c")),
    }.items():
        options = {"mesh": mesh, "axis": "c"}
        jac_fn = asdex.jacobian(window, x, **options)
        yield f"numpy input, {name}", jac_fn(x), expected
        yield f"input of this process, {name}", jac_fn(jnp.asarray(x)), expected
        whole = NamedSharding(Mesh(mesh.devices, mesh.axis_names), P())
        placed = jax.make_array_from_process_local_data(whole, x, x.shape)
        yield f"input of both processes, {name}", jac_fn(placed), expected
        yield f"jit, {name}", jax.jit(jac_fn)(x), expected
        value, matrix = asdex.value_and_jacobian(window, x, output_format="scipy_csr", **options)(x)
        yield f"value, {name}", value, np.asarray(window(x))
        yield f"SciPy, {name}", matrix.toarray(), expected
        hessian = asdex.hessian(energy, x, output_format="dense", **options)(x)
        yield f"hessian, {name}", hessian, expected_hessian

        # Each process has searched for a coloring, and both have found the same.
        coloring = asdex.jacobian_coloring(window, x)
        jac_fn = asdex.jacobian_from_coloring(window, coloring, **options)
        yield f"colorings found apart, {name}", jac_fn(x), expected

        @jax.jit
        def traced(coloring, x, options=options):
            return asdex.jacobian_from_coloring(window, coloring, **options)(x)

        yield f"a traced coloring, {name}", traced(coloring, x), expected


if __name__ == "__main__":
    assert jax.device_count() == 4 and jax.local_device_count() == 2
    results = {name: difference(actual, expected) for name, actual, expected in programs()}
    print(json.dumps(results))
