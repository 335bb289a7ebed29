"""Direct solvers: factorizations of sparse matrices, their orderings, and the choice between them."""

from ._automatic import AutoSparseSolver as AutoSparseSolver
from ._banded_lu import BandedLU as BandedLU
from ._direct import AbstractFullRankSolver as AbstractFullRankSolver, DirectState as DirectState
from ._factors_on_host import HostFactors as HostFactors, Solve as Solve
from ._klu import KLU as KLU
from ._normal_equations import NormalEquations as NormalEquations
from ._superlu import SuperLU as SuperLU
