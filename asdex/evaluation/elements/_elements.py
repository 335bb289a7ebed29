"""What a derivative keeps of the elements at which it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import equinox as eqx
import numpy as np
import scipy.sparse as sp

from ...coloring import ColoredPattern
from ...pattern import connected_components
from ._part import Part


if TYPE_CHECKING:
    from .._kernel import Kernel


class Elements(eqx.Module):
    """How a derivative is computed at the elements of a partially separable function.

    **Attributes:**

    - `coloring`: that of the Jacobian or Hessian of the elements with respect to copies of the inputs.
    - `part`: what of the function is differentiated.
    - `rest`: computes the coefficients of the linear rest, where they differ from call to call.
    """

    coloring: ColoredPattern
    part: Part = eqx.field(static=True)
    rest: Kernel | None = None

    @property
    def count(self) -> int:
        """The number of elements: of parts of the copies that no result, or no entry of a Hessian, share."""
        sparsity = self.coloring.sparsity
        m, n = (0, sparsity.n) if "over" in self.coloring.mode else sparsity.shape
        edges = (sparsity.rows, np.asarray(sparsity.cols, np.int64) + m)
        graph = sp.coo_array((np.ones(sparsity.nnz, np.bool_), edges), shape=(m + n, m + n))
        _, labels = connected_components(sp.csr_array(graph))
        return len(np.unique(labels[edges[0]]))
