"""Why an equation makes a pattern full: half a sentence for `asdex.explain`, where there is more to say than
that results read their operands.
"""

from math import prod

import numpy as np

from asdex import Equation
from asdex.detection import register_cause, unless_known


_NOT_CONSTANT = "is not constant but comes from"


@register_cause("gather")
@register_cause(
    "scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max"
)
def index(eqn: Equation) -> str:
    """An unknown index may point anywhere."""
    return unless_known(eqn, (1,), "the index")


@register_cause("dynamic_slice")
def start(eqn: Equation) -> str:
    """A window with an unknown start may lie anywhere."""
    return unless_known(eqn, range(1, len(eqn.in_avals)), "the index")


@register_cause("dynamic_update_slice")
def start_of_update(eqn: Equation) -> str:
    """An update with an unknown start may lie anywhere."""
    return unless_known(eqn, range(2, len(eqn.in_avals)), "the index")


@register_cause("cond", "select_n")
def predicate(eqn: Equation) -> str:
    """With an unknown predicate every branch counts."""
    return unless_known(eqn, (0,), "the predicate", "depends on")


@register_cause("scan", "while")
def loop(eqn: Equation) -> str:
    """A step reads results of the step before."""
    del eqn
    return "each step passes on what the steps before it have read"


@register_cause("dot_general")
def factor(eqn: Equation) -> str:
    """Zeros of a factor are those of a constant."""
    fixed = [k for k in (0, 1) if eqn.operands[k].dependence is None]
    if not fixed:
        return "neither factor is constant"
    value = eqn.known(fixed[0])
    kind = "matrix" if len(eqn.in_avals[fixed[0]].shape) > 1 else "vector"
    if value is None:
        return unless_known(eqn, tuple(fixed), f"the {kind}", _NOT_CONSTANT)
    return f"the constant {kind} has few zeros" if 2 * np.count_nonzero(value) > value.size else ""


@register_cause("conv_general_dilated")
def kernel(eqn: Equation) -> str:
    """Zeros of a kernel are those of a constant."""
    return unless_known(eqn, (1,), "the kernel", _NOT_CONSTANT)


@register_cause("triangular_solve")
def triangular_matrix(eqn: Equation) -> str:
    """The structure of a matrix is that of a constant."""
    return (
        unless_known(eqn, (0,), "the matrix", _NOT_CONSTANT)
        or "the constant matrix connects the unknowns"
    )


@register_cause("custom_linear_solve")
def matrix_of_a_solve(eqn: Equation) -> str:
    """The structure of a matrix is that of the constants in its `matvec`."""
    count = eqn.params["const_lengths"].matvec
    return (
        unless_known(eqn, range(count), "the matrix", _NOT_CONSTANT)
        or "the constant matrix connects the unknowns"
    )


@register_cause("cholesky", "lu", "qr", "householder_product", "ormqr", "tridiagonal_solve")
@register_cause("eigh", "eig", "svd", "schur", "hessenberg", "tridiagonal", "cholesky_update")
def factorization(eqn: Equation) -> str:
    """Factors read the whole matrix or its leading part."""
    return "it mixes the elements of each {}×{} matrix".format(*eqn.in_avals[0].shape[-2:])


@register_cause("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce")
def reduction(eqn: Equation) -> str:
    """Each result reads all that it combines."""
    axes = eqn.params["axes" if "axes" in eqn.params else "dimensions"]
    count = prod(eqn.in_avals[0].shape[axis] for axis in axes)
    return _combines(count)


@register_cause("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def accumulation(eqn: Equation) -> str:
    """Each result reads a prefix or a suffix."""
    return (
        f"each result combines all elements {'after' if eqn.params.get('reverse') else 'before'} it"
    )


@register_cause("sort")
def order(eqn: Equation) -> str:
    """An element moves to a place that depends on values."""
    return unless_known(eqn, range(eqn.params["num_keys"]), "the order", "depends on")


@register_cause("top_k", "approx_top_k")
def choice(eqn: Equation) -> str:
    """Any element may be among the chosen ones."""
    return unless_known(eqn, (0,), "which elements are chosen", "depends on")


@register_cause("fft")
def transform(eqn: Equation) -> str:
    """Each result reads all along the transformed axes."""
    return _combines(prod(eqn.params["fft_lengths"]))


def _combines(count: int) -> str:
    return f"each result combines {count:,} elements" if count > 1 else ""
