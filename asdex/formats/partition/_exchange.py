"""What devices read of each other: the entries of a spread vector, and nothing else."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int32

from ._partition import Partition


class Exchange(eqx.Module):
    """Sends the entries that other devices read, to those that are the same number of devices further on.

    There is one collective permutation for each distance, of as many entries as one device needs at most.

    **Attributes:**

    - `sent`: for each distance, the entries of its part that each device sends, int32 `(devices * count,)`.
    - `distances`: of the devices that read.
    - `axes`: the axes of the mesh along which they are numbered.
    """

    sent: tuple[Int32[Array, " devices*count"], ...]
    distances: tuple[int, ...] = eqx.field(static=True)
    axes: tuple[str, ...] = eqx.field(static=True)
    devices: int = eqx.field(static=True)

    def __call__(self, part: Array, sent: Sequence[Array]) -> Array:
        """What a device, which has a part of a vector, reads of others: within a `shard_map`.

        **Arguments:** `sent`: the device's parts of `self.sent`.
        """
        received = []
        for distance, entries in zip(self.distances, sent, strict=True):
            pairs = [(d, (d + distance) % self.devices) for d in range(self.devices)]
            own = part.at[entries].get(mode="promise_in_bounds")
            received.append(jax.lax.ppermute(own, self.axes, pairs))
        return jnp.concatenate([part[:0], *received])


def plan_exchange(
    partition: Partition,
    reader: Int[np.ndarray, " k"],
    owner: Int[np.ndarray, " k"],
    entry: Int[np.ndarray, " k"],
    length: int,
) -> tuple[Exchange, Int32[np.ndarray, " k"]]:
    """The exchange for reading entries, and where each is found in a part with what is received behind it.

    **Arguments:**

    - `reader`, `owner`: the device that reads each entry, and the one that has it.
    - `entry`: its place in the part of its owner. `length`: that of the parts.
    """
    devices = partition.devices
    found = entry.astype(np.int32)
    (remote,) = np.nonzero(reader != owner)
    distance = (reader[remote].astype(np.int64) - owner[remote]) % devices
    keys, which = np.unique(
        (distance * devices + owner[remote]) * length + entry[remote], return_inverse=True
    )
    group, places = np.divmod(keys, max(length, 1))  # one group for each distance and owner
    starts = np.searchsorted(group, np.arange(devices * devices + 1))
    counts = np.diff(starts).reshape(devices, devices)
    most = np.max(counts, axis=1, initial=0)
    distances = np.flatnonzero(most)
    offsets = length + np.cumsum(most) - most
    of_key = offsets[group // devices] + np.arange(len(keys)) - starts[group]
    found[remote] = of_key[which.reshape(-1)]

    def sent(device: int, distance: int) -> np.ndarray:
        start = starts[distance * devices + device]
        entries = np.zeros(most[distance], np.int32)
        count = counts[distance, device]
        entries[:count] = places[start : start + count]
        return entries

    arrays = [
        partition.put(functools.partial(sent, distance=int(k)), (int(most[k]),)) for k in distances
    ]
    exchange = Exchange(tuple(arrays), tuple(map(int, distances)), partition.axes, devices)
    return exchange, found
