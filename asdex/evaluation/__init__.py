"""Evaluation: compressed AD passes, and the callables that give sparse Jacobians and Hessians."""

from ._check import (
    check_hessian_correctness as check_hessian_correctness,
    check_jacobian_correctness as check_jacobian_correctness,
)
from ._derivative import SparseDerivative as SparseDerivative
from ._hessian import (
    compressed_hessian as compressed_hessian,
    compressed_hessian_from_coloring as compressed_hessian_from_coloring,
    hessian as hessian,
    hessian_from_coloring as hessian_from_coloring,
    value_and_compressed_hessian as value_and_compressed_hessian,
    value_and_compressed_hessian_from_coloring as value_and_compressed_hessian_from_coloring,
    value_and_hessian as value_and_hessian,
    value_and_hessian_from_coloring as value_and_hessian_from_coloring,
    value_gradient_and_hessian as value_gradient_and_hessian,
    value_gradient_and_hessian_from_coloring as value_gradient_and_hessian_from_coloring,
)
from ._jacobian import (
    compressed_jacobian as compressed_jacobian,
    compressed_jacobian_from_coloring as compressed_jacobian_from_coloring,
    jacobian as jacobian,
    jacobian_from_coloring as jacobian_from_coloring,
    value_and_compressed_jacobian as value_and_compressed_jacobian,
    value_and_compressed_jacobian_from_coloring as value_and_compressed_jacobian_from_coloring,
    value_and_jacobian as value_and_jacobian,
    value_and_jacobian_from_coloring as value_and_jacobian_from_coloring,
)
from ._linear_map import materialize as materialize
from ._options import Constant as Constant, Triangle as Triangle
