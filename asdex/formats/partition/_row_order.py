"""Which nonzeros a device has whose rows are spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Int, Int32

from ._partition import Partition


class RowOrder(NamedTuple):
    """The nonzeros of a pattern in the order of the devices that have their rows.

    **Attributes:**

    - `partition`: that of the rows.
    - `order`: the nonzeros, device after device and row after row; `None` if that is their own order.
    - `starts`: where those of each device start.
    """

    partition: Partition
    order: Int[np.ndarray, " nnz"] | None
    starts: Int[np.ndarray, " devices+1"]

    @classmethod
    def of(cls, rows: Int32[np.ndarray, " nnz"], partition: Partition) -> RowOrder:
        """**Arguments:** `rows`: the row of each nonzero, ascending. `partition`: that of the rows."""
        places, order = partition.places, None
        first = partition.length * np.arange(partition.devices + 1)
        if np.all(places[1:] >= places[:-1]):
            ends = np.searchsorted(places, first)
            return cls(partition, None, np.searchsorted(rows, ends.astype(rows.dtype)))
        by_place = places[rows]
        order = np.argsort(by_place, kind="stable")
        return cls(partition, order, np.searchsorted(by_place, first, sorter=order))

    @property
    def length(self) -> int:
        """How many nonzeros a device has at most."""
        return int(np.max(np.diff(self.starts)))

    def of_device(self, device: int) -> slice | Int[np.ndarray, " k"]:
        """The nonzeros in the rows of a device."""
        chosen = slice(*self.starts[device : device + 2])
        return chosen if self.order is None else self.order[chosen]

    def put(self, values: Callable[[int], np.ndarray], fill: Any, *others: int) -> Array:
        """The values of the nonzeros of each device, on the devices that have them.

        **Arguments:** `values`: of the nonzeros of a device `(k, *others)`. `fill`: what stands behind them.

        **Returns:** `(devices * length, *others)`.
        """
        return self.partition.put(
            lambda device: self.filled(values(device), fill), (self.length, *others)
        )

    def filled(self, own: np.ndarray, fill: Any) -> np.ndarray:
        """The values of a device's nonzeros, then `fill`: `(length, ...)`."""
        result = np.empty((self.length, *own.shape[1:]), own.dtype)
        result[: len(own)], result[len(own) :] = own, fill
        return result
