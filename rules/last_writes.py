"""Which write to a place was the last one before some time."""

from typing import Any

import numpy as np


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
