"""What the evaluator of changes carries for each variable."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._arrays import is_key
from ._known import Known
from ._masks import everywhere, Mask, union


class Variation(NamedTuple):
    """How a variable varies from call to call.

    - `varies`: which elements may change; `None` if none does.
    - `support`: which elements may be nonzero in any call; `None` if nothing is known of that.
    - `known`: the value, if it depends on constants alone.
    """

    varies: Mask | None
    support: Mask | None = None
    known: Known | None = None

    @staticmethod
    def unknown(aval: Any) -> Variation:
        """Anything may change."""
        return Variation(everywhere(_shape(aval)))

    def nonzero(self, aval: Any) -> Mask | None:
        """The support, from the value if need be."""
        if self.support is not None or self.known is None or is_key(aval):
            return self.support
        value = self.known.get_if_available()
        return None if value is None else value != 0

    def anywhere(self, aval: Any) -> Variation:
        """As an operand of which any slice along the leading axis may be read."""

        def collapsed(mask: Mask | None) -> Mask | None:
            return None if mask is None else np.asarray(np.any(mask, axis=0))

        return Variation(collapsed(self.varies), collapsed(self.nonzero(aval)))

    def repeated(self, length: int, aval: Any) -> Variation:
        """As any of `length` slices along a new leading axis."""

        def stacked(mask: Mask | None) -> Mask | None:
            return None if mask is None else np.broadcast_to(mask, (length, *mask.shape))

        return Variation(stacked(self.varies), stacked(self.nonzero(aval)))

    def join(self, other: Variation, aval: Any) -> Variation:
        """As one of both, which one does not change from call to call."""
        if self.known is not None and self.known is other.known:
            return self
        varies = union((self.varies, other.varies), _shape(aval))
        a, b = self.nonzero(aval), other.nonzero(aval)
        return Variation(varies, None if a is None or b is None else union((a, b), _shape(aval)))

    def same(self, other: Variation) -> bool:
        """Whether both say the same."""
        return self.known is other.known and all(
            a is b or (a is not None and b is not None and np.array_equal(a, b))
            for a, b in zip(self[:2], other[:2], strict=True)
        )


def _shape(aval: Any) -> tuple[int, ...]:
    return tuple(getattr(aval, "shape", ()))
