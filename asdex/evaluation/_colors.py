"""The colors that a call's passes are for."""

from __future__ import annotations

import equinox as eqx
from jax.core import Tracer
from jaxtyping import Array, Int

from .._arrays import on_device
from ..coloring import ColoredPattern
from ._assumed_constants import AssumedConstants
from ._spread_rows import Spread


class Colors(eqx.Module):
    """The device's copy of the colors of a coloring.

    **Attributes:**

    - `of_vertices`: those of the columns, or of the rows.
    - `of_rows`: those of the rows, where columns have colors too.
    - `constants`: the host's arrays, if each device has all colors and they are known.
    """

    of_vertices: Int[Array, " vertices"]
    of_rows: Int[Array, " m"] | None = None
    constants: AssumedConstants | None = eqx.field(static=True, default=None)

    @classmethod
    def of(cls, coloring: ColoredPattern, spread: Spread | None = None) -> Colors:
        by_column, by_row = coloring.column_colors, coloring.row_colors
        if spread is None:
            arrays = [one for one in (by_column, by_row) if one is not None]
            known = not any(isinstance(one, Tracer) for one in arrays)
            return cls(
                *map(on_device, arrays), constants=AssumedConstants.of(arrays) if known else None
            )
        of_rows = None if by_row is None else spread.rows.put_elements(by_row, -1)
        if by_column is None:
            assert of_rows is not None
            return cls(of_rows)
        return cls(spread.columns.put_elements(by_column, -1), of_rows)

    @property
    def arrays(self) -> list[Int[Array, " vertices"]]:
        return [one for one in (self.of_vertices, self.of_rows) if one is not None]

    def known(self) -> Colors:
        """The same without traced arrays, where the host has them.

        A derivative that is an argument of `jax.jit` is traced, and so are its colors; but then nothing that
        depends on them can be computed beforehand (3x3 convolution, 2e5 inputs: 46 ms in place of 1.4).
        """
        if self.constants is None or not isinstance(self.of_vertices, Tracer):
            return self
        return Colors(*map(on_device, self.constants.leaves), constants=self.constants)
