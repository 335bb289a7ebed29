"""Derivatives for nonlinear programs: the Hessian of the Lagrangian, and the callbacks for IPOPT."""

from ._lagrangian import (
    lagrangian_hessian as lagrangian_hessian,
    LagrangianHessian as LagrangianHessian,
)
from ._program import NonlinearProgram as NonlinearProgram
