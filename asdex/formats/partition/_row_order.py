"""Which nonzeros a device has whose rows are spread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Int, Int32

from ._partition import Partition


class RowOrder(NamedTuple):
    """The nonzeros of a pattern in the order of the devices that have their rows.

    **Attributes:**

    - `partition`: that of the rows.
    - `reader`: the device that has each nonzero.
    - `order`: the nonzeros, device after device and row after row; `None` if that is their own order.
    - `starts`: where those of each device start.
    """

    partition: Partition
    reader: Int32[np.ndarray, " nnz"]
    order: Int[np.ndarray, " nnz"] | None
    starts: Int[np.ndarray, " devices+1"]

    @classmethod
    def of(cls, rows: Int32[np.ndarray, " nnz"], partition: Partition) -> RowOrder:
        """**Arguments:** `rows`: the row of each nonzero. `partition`: that of the rows."""
        places = partition.places[rows]
        sorted_already = bool(np.all(places[1:] >= places[:-1]))
        order = None if sorted_already else np.argsort(places, kind="stable")
        reader = places // np.int32(max(partition.length, 1))
        counts = np.bincount(reader, minlength=partition.devices)
        return cls(partition, reader, order, np.concatenate([[0], np.cumsum(counts)]))

    @property
    def length(self) -> int:
        """How many nonzeros a device has at most."""
        return int(np.max(np.diff(self.starts)))

    def put(self, values: np.ndarray, fill: Any) -> Array:
        """The values of nonzeros on the devices that have them, `(devices * length, ...)`."""
        shape = (self.length, *values.shape[1:])
        return self.partition.put(lambda device: self.filled(device, values, fill), shape)

    def filled(self, device: int, values: np.ndarray, fill: Any) -> np.ndarray:
        """The values of a device's nonzeros, then `fill`: `(length, ...)`."""
        own = self.of_device(device, values)
        result = np.empty((self.length, *values.shape[1:]), values.dtype)
        result[: len(own)], result[len(own) :] = own, fill
        return result

    def of_device(self, device: int, values: np.ndarray) -> np.ndarray:
        """The values of the nonzeros in the rows of a device."""
        chosen = slice(*self.starts[device : device + 2])
        return values[chosen if self.order is None else self.order[chosen]]
