"""Sparse Jacobians as linear operators of lineax, and solvers for them."""

from importlib.util import find_spec as _find_spec


if _find_spec("lineax") is None:
    raise ImportError(
        'asdex.lineax needs the package lineax. Install it with `pip install "asdex[solvers]"`, which '
        "brings optimistix and diffrax too."
    )

from . import _registrations as _registrations
from ._jacobian import SparseJacobianLinearOperator as SparseJacobianLinearOperator
from ._matrix import SparseMatrixLinearOperator as SparseMatrixLinearOperator
from ._preconditioners import (
    block_jacobi as block_jacobi,
    ilu as ilu,
    InverseLinearOperator as InverseLinearOperator,
    jacobi as jacobi,
    multigrid as multigrid,
    Preconditioned as Preconditioned,
)
from ._solver import SparseLinearSolver as SparseLinearSolver
from .direct import (
    AutoSparseSolver as AutoSparseSolver,
    BandedLU as BandedLU,
    KLU as KLU,
    NormalEquations as NormalEquations,
    SuperLU as SuperLU,
)


SparseJacobianOperator = SparseJacobianLinearOperator
"""The same class, by a shorter name."""
