"""Arrays that are part of a tree's structure, in place of its leaves."""

import zlib
from collections.abc import Sequence

import numpy as np


class KnownArrays:
    """NumPy arrays that compare and hash by content.

    A static field of them lets a module that was passed as an argument to `jit`, so that its leaves are
    traced, still say what they are.
    """

    __slots__ = ("_hash", "arrays")

    def __init__(self, arrays: Sequence[np.ndarray]):
        self.arrays = tuple(arrays)
        self._hash = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, KnownArrays) or hash(self) != hash(other):
            return False
        return len(self.arrays) == len(other.arrays) and all(
            a is b or np.array_equal(a, b) for a, b in zip(self.arrays, other.arrays, strict=True)
        )

    def __hash__(self) -> int:
        if self._hash is None:
            sums = (zlib.crc32(np.ascontiguousarray(array).data) for array in self.arrays)
            self._hash = hash(tuple(sums))
        return self._hash

    def __reduce__(self):
        return KnownArrays, (self.arrays,)

    def __repr__(self) -> str:
        return f"KnownArrays({', '.join(str(array.shape) for array in self.arrays)})"
