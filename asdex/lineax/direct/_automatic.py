"""The choice of a direct solver by the pattern, by the device, and by what is installed."""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import lineax as lx

from .._matrix import SparseMatrixLinearOperator
from .._sparsify import to_sparse
from ._banded_lu import BandedLU
from ._direct import AbstractDirectSolver, Factors
from ._klu import is_klu_installed, KLU
from ._ordering import block_layout
from ._superlu import ordering, SuperLU


# KLU works entry by entry, SuperLU on dense blocks, so that it wins where factors fill in (Davis and
# Palamadai Natarajan 2010, section 5). Measured with the order kept: KLU takes 0.4 to 0.75 of the time of
# SuperLU at 1 to 24 operations per entry, and 1.4 times as long at 50.
_MOST_WORK_FOR_KLU: Final = 30
# On a CPU, `BandedLU` takes 0.8 to 0.4 of the time of SuperLU for bands of 8 to 16, and 0.75 to 0.35 of the
# time of KLU for a batch of blocks of 3 to 16.
_WIDEST_ON_CPU: Final = 16
# Blocks of this size keep an accelerator busy, and a system of 100,000 fits into its memory.
_WIDEST_ON_ACCELERATOR: Final = 256


class AutoSparseSolver(AbstractDirectSolver):
    """The direct solver that suits a square sparse operator:

    | pattern | on a CPU | on an accelerator |
    | --- | --- | --- |
    | diagonal or tridiagonal in some order | `BandedLU` | `BandedLU` |
    | blocks up to 16, or 256, that are not connected | `BandedLU` | `BandedLU` |
    | whose factors take up to 30 operations per entry | `KLU` if it is installed | |
    | with a full diagonal and a band up to 16, or 256 | `BandedLU` without KLU | `BandedLU` |
    | other | `SuperLU` | `SuperLU` |

    `select_solver(operator)` returns the choice, and `explain(operator)` gives its reason.

    **Attributes:**

    - `platform`: `"cpu"`, `"gpu"` or `"tpu"`; by default the platform on which JAX computes by default.
    """

    platform: str | None = None

    def factorize(self, matrix: SparseMatrixLinearOperator) -> Factors:
        return self._choice(matrix)[0].factorize(matrix)

    def select_solver(self, operator: lx.AbstractLinearOperator) -> AbstractDirectSolver:
        """The solver for an operator whose pattern is known.

        **Raises:** `TypeError` if the pattern is not known.
        """
        return self._choice(to_sparse(operator))[0]

    def explain(self, operator: lx.AbstractLinearOperator) -> str:
        """The solver for an operator whose pattern is known, and the reason, as a line of text.

        **Raises:** `TypeError` if the pattern is not known.
        """
        solver, reason = self._choice(to_sparse(operator))
        return f"{type(solver).__name__}: {reason}"

    def _choice(self, matrix: SparseMatrixLinearOperator) -> tuple[AbstractDirectSolver, str]:
        platform = self.platform or jax.default_backend()
        structure = matrix.structure
        layout = block_layout(structure)
        bandwidth = layout.bandwidth
        if bandwidth == 0 or (bandwidth == 1 and not jnp.iscomplexobj(matrix.data)):
            kind = "diagonal" if bandwidth == 0 else "tridiagonal"
            return BandedLU(), f"{structure} is {kind} in some order"
        widest = _WIDEST_ON_CPU if platform == "cpu" else _WIDEST_ON_ACCELERATOR
        if layout.blocks == 1 and layout.width <= widest:
            return BandedLU(), f"{structure} consists of blocks of at most {layout.width}"
        if platform == "cpu" and is_klu_installed():
            work = ordering(structure).work
            reason = f"{structure} on a CPU takes {work:.0f} operations per entry of the factors"
            return KLU() if work <= _MOST_WORK_FOR_KLU else SuperLU(), reason
        where = f"{structure} on {platform} without KLU"
        if structure.has_full_diagonal and bandwidth <= widest:
            return BandedLU(), f"{where} has a bandwidth of {bandwidth}"
        lack = "" if structure.has_full_diagonal else ", and not all of its diagonal"
        return SuperLU(), f"{where} has a bandwidth of {bandwidth}{lack}"
