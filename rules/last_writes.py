"""Which write to a place was the last one before some time, and what depends on what others have written."""

from typing import Any

import numpy as np

from asdex import Dependence
from asdex.detection import boolean_product, pairs_to_csr


class LastWrites:
    """Finds for a place the last write to it, before a step or within it.

    **Arguments:**

    - `targets`: the place that each step writes to, in each of its columns; -1 for none.
    - `numbers`: from 1 on, when a step writes its columns; 0 for those that are not counted.
    - `width`: the number of rows for each step.
    """

    def __init__(self, targets: np.ndarray, numbers: np.ndarray, width: int):
        self._depth, self._count = int(numbers.max(initial=0)) + 1, len(targets)
        step, column = np.nonzero((targets >= 0) & (numbers > 0))
        keys = self._times(targets[step, column], step, numbers[column])
        order = np.argsort(keys, kind="stable")
        self._keys, self._rows = keys[order], (step * width + column)[order]

    def _times(self, places: Any, steps: Any, numbers: Any) -> np.ndarray:
        """Whole numbers that order writes by their places, then by time."""
        return (places.astype(np.int64) * self._count + steps) * self._depth + numbers

    @property
    def are_unique(self) -> bool:
        """Whether no equation of a step writes twice to one place."""
        return bool((np.diff(self._keys) > 0).all())

    def last(self, places: np.ndarray, steps: Any, numbers: Any = 0) -> np.ndarray:
        """The row of the last write to each place, up to a number within a step; -1 if there is none.

        With the number 0 it is the last one before the step.
        """
        times = self._times(places, steps, numbers)
        found = np.searchsorted(self._keys, times, side="right") - 1
        if not self._keys.size:
            return found
        same = (found >= 0) & (self._keys[found] // (self._count * self._depth) == places)
        return np.where(same, self._rows[found], -1)


def with_what_they_read(
    own: Dependence, reader: np.ndarray, read: np.ndarray, needed: np.ndarray
) -> Dependence:
    """What the `needed` rows depend on, from what all rows do but for the rows that they read.

    A row that one other row alone reads counts as a part of that one, such as what a sum was before its last
    addend: the sets of all sums in between would hold the square of what the last one does.
    """
    size = own.size
    reader, read = pairs_to_csr(reader, read, (size, size)).nonzero()
    within = (np.bincount(read, minlength=size)[read] == 1) & ~needed[read]
    whole = np.arange(size)
    whole[read[within]] = reader[within]
    while not np.array_equal(whole, whole[whole]):
        whole = whole[whole]
    parts = np.flatnonzero(whole != np.arange(size))
    own = own | own.through(pairs_to_csr(whole[parts], parts, (size, size)))
    pairs = np.stack([whole[reader[~within]], read[~within]])
    linked, numbers = np.unique(pairs, return_inverse=True)
    first, second = numbers.reshape(pairs.shape)
    links = pairs_to_csr(first, second, (linked.size, linked.size))
    result = own.take(linked)
    while links.nnz:
        result = result | result.through(links)
        links = boolean_product(links, links)
    rows = np.arange(size)
    rows[linked] = size + np.arange(linked.size)
    return Dependence.join([own, result]).take(rows)
