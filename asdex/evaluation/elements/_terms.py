"""What the nonzeros of a matrix are sums of: entries at the elements, times coefficients."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from ..._sets import ranges, transpose_order
from ...pattern import SparsityPattern
from ._cut import Copies


class Terms:
    """Terms of the nonzeros of a matrix, in the order of the entries at the elements.

    **Arguments:**

    - `whole`: the pattern of the matrix; `elements`: that at the elements.
    - `copies`: says which input each column of `elements` stands for, and in a Hessian each row.
    - `coefficients`: the pattern of the linear rest, of which the columns are the rows of `elements`; `None`
        for a Hessian.

    **Attributes:**

    - `target`: the nonzero that a term belongs to.
    - `entry`: the position of the term among the entries at the elements, to be multiplied by
    - `factor`: the position of a coefficient among those of the linear rest; `None` without coefficients.
    """

    target: Int[np.ndarray, " terms"]
    entry: Int[np.ndarray, " terms"]
    factor: Int[np.ndarray, " terms"] | None

    def __init__(
        self,
        whole: SparsityPattern,
        elements: SparsityPattern,
        copies: Copies,
        coefficients: SparsityPattern | None,
    ):
        sources = copies.all_sources
        cols = sources[elements.cols]
        if coefficients is None:
            kept, self.target = _targets(whole, sources[elements.rows], cols)
            self.entry, self.factor = kept, None
            return
        starts, by_result = transpose_order(coefficients.indptr, coefficients.indices, elements.m)
        counts = np.diff(starts)[elements.rows]
        factor = by_result[ranges(starts[:-1][elements.rows], counts)]
        entry = np.repeat(np.arange(elements.nnz, dtype=np.int32), counts)
        kept, self.target = _targets(whole, coefficients.rows[factor], cols[entry])
        self.entry, self.factor = entry[kept], factor[kept]


def _targets(
    whole: SparsityPattern, rows: Int[np.ndarray, " terms"], cols: Int[np.ndarray, " terms"]
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
    """Which terms belong to nonzeros of a matrix, and to which.

    Others are of no input, or always zero because the matrix has no nonzero there.
    """
    kept = np.flatnonzero((rows >= 0) & (cols >= 0)).astype(np.int32)
    keys, wanted = (
        np.asarray(r, np.int64) * whole.n + c
        for r, c in ((whole.rows, whole.cols), (rows[kept], cols[kept]))
    )
    target = np.searchsorted(keys, wanted).astype(np.int32)
    found = keys[target.clip(0, max(len(keys) - 1, 0))] == wanted if len(keys) else wanted < 0
    return kept[found], target[found]
