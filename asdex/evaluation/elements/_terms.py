"""What the nonzeros of a matrix are sums of: entries at the elements, times coefficients."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from ..._pattern import SparsityPattern
from ..._sets import ranges, transpose_order
from ._cut import Copies


class Terms:
    """Terms of the nonzeros of a matrix, in the order of the nonzeros.

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
            self.target, self.entry = _sorted(whole, sources[elements.rows], cols)
            self.factor = None
            return
        counts = np.diff(elements.indptr)[coefficients.cols]
        entry = ranges(elements.indptr[:-1][coefficients.cols], counts)
        factor = np.repeat(np.arange(coefficients.nnz, dtype=np.int32), counts)
        self.target, order = _sorted(whole, coefficients.rows[factor], cols[entry])
        self.entry, self.factor = entry[order], factor[order]


def _sorted(
    whole: SparsityPattern, rows: Int[np.ndarray, " terms"], cols: Int[np.ndarray, " terms"]
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " kept"]]:
    """The nonzeros of a matrix that terms belong to, ascending, and the terms in this order.

    Terms of no input, and those that are always zero because the matrix has no nonzero there, are left out.
    """
    kept = np.flatnonzero((rows >= 0) & (cols >= 0)).astype(np.int32)
    rows, cols = rows[kept], cols[kept]
    each = np.arange(len(kept) + 1, dtype=np.int32)
    by_column = transpose_order(each, cols, whole.n)[1]
    order = by_column[transpose_order(each, rows[by_column], whole.m)[1]]
    keys, wanted = (
        np.asarray(r, np.int64) * whole.n + c
        for r, c in ((whole.rows, whole.cols), (rows[order], cols[order]))
    )
    target = np.searchsorted(keys, wanted).astype(np.int32)
    found = keys[target.clip(0, max(len(keys) - 1, 0))] == wanted if len(keys) else wanted < 0
    return target[found], kept[order][found]
