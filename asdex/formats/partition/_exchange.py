"""What devices read of each other: the entries of a spread vector, and nothing else."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

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


Located = tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]
"""For the entries that a device reads, the devices that have them, and the places in the parts of those."""


def plan_exchange(
    partition: Partition, locate: Callable[[int], Located], length: int
) -> tuple[Exchange, Callable[[int], Int32[np.ndarray, " k"]]]:
    """What devices send for each other to read, and where each device then finds what it reads.

    Only what is read of others is kept, and one device is looked at after the other: a process needs no more
    memory for the parts of the others.

    **Arguments:** `locate`: what a device reads. `length`: that of the parts of a vector.

    **Returns:** the exchange, and a function of a device: the places of what it reads, in its part with what
    it receives behind it.
    """
    devices = partition.devices

    def key(owner: np.ndarray, entry: np.ndarray) -> np.ndarray:
        return owner.astype(np.int64) * length + entry

    def wanted(device: int) -> np.ndarray:
        owner, entry = locate(device)
        return np.unique(key(owner, entry)[owner != device])

    keys = [wanted(device) for device in range(devices)]
    first = length * np.arange(devices + 1)
    starts = np.stack([np.searchsorted(one, first) for one in keys])
    distance, owner = np.indices((devices, devices))
    counts = np.diff(starts, axis=1)[(owner + distance) % devices, owner]
    most = np.max(counts, axis=1, initial=0)
    offsets = length + np.cumsum(most) - most

    def found(device: int) -> np.ndarray:
        owner, entry = locate(device)
        places = entry.astype(np.int32)
        (remote,) = np.nonzero(owner != device)
        owner, entry = owner[remote], entry[remote]
        number = np.searchsorted(keys[device], key(owner, entry)) - starts[device, owner]
        places[remote] = offsets[(device - owner) % devices] + number
        return places

    def sent(device: int, distance: int) -> np.ndarray:
        reader = (device + distance) % devices
        own = keys[reader][slice(*starts[reader, device : device + 2])] - device * length
        return np.pad(own, (0, most[distance] - len(own))).astype(np.int32)

    distances = [int(k) for k in np.flatnonzero(most)]
    arrays = [
        partition.put(functools.partial(sent, distance=k), (int(most[k]),)) for k in distances
    ]
    return Exchange(tuple(arrays), tuple(distances), partition.axes, devices), found
