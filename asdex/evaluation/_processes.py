"""One coloring for all processes that compute together."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Shaped


_T = TypeVar("_T")


def agreed(coloring: _T, mesh: Mesh | None) -> _T:
    """The coloring, or what goes with one, that the process of the mesh's first device has.

    Each process searches for a coloring until its time is up, and may find another one. Passes with
    different colors would be read as if they belonged together.

    **Raises:**

    `TypeError` if it is traced: it cannot be sent then.
    """
    if mesh is None or len({device.process_index for device in mesh.devices.flat}) == 1:
        return coloring
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(coloring)):
        raise TypeError(
            "Expected a known coloring for a mesh of several processes, got one that is traced, because it "
            "was passed as an argument through `jit` or another transformation. Make the derivative outside, "
            "and pass that."
        )
    with ThreadPoolExecutor(1) as executor:  # where no trace and no mesh is under way
        return executor.submit(_broadcast, coloring, mesh).result()


def _broadcast(coloring: Any, mesh: Mesh) -> Any:
    data = np.frombuffer(pickle.dumps(coloring), np.uint8)
    (length,) = _of_first(np.array([data.size], np.int32), mesh)
    padded = np.zeros(length, np.uint8)
    padded[: data.size] = data[:length]
    return pickle.loads(_of_first(padded, mesh).tobytes())


def _of_first(row: Shaped[np.ndarray, " k"], mesh: Mesh) -> Shaped[np.ndarray, " k"]:
    """What the process of the mesh's first device passes."""
    devices = Mesh(mesh.devices.reshape(-1), ("device",))
    by_device = NamedSharding(devices, PartitionSpec("device"))
    shape = (mesh.devices.size, len(row))
    stacked = jax.make_array_from_callback(shape, by_device, lambda _: row[None])
    whole = NamedSharding(devices, PartitionSpec())
    return np.asarray(jax.jit(lambda rows: rows[0], out_shardings=whole)(stacked))
