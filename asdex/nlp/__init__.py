"""Derivatives for nonlinear programs: the Lagrangian's Hessian, the KKT matrix, and callbacks for IPOPT."""

from ._kkt import kkt_matrix as kkt_matrix, KKTMatrix as KKTMatrix
from ._lagrangian import (
    lagrangian_hessian as lagrangian_hessian,
    LagrangianHessian as LagrangianHessian,
)
from ._nonlinear_program import NonlinearProgram as NonlinearProgram
