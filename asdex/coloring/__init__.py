from ._api import (
    color_cols as color_cols,
    color_jacobian as color_jacobian,
    color_rows as color_rows,
    color_symmetric as color_symmetric,
    hessian_coloring_from_sparsity as hessian_coloring_from_sparsity,
    jacobian_coloring_from_sparsity as jacobian_coloring_from_sparsity,
)
from ._check import (
    check_coloring_cols as check_coloring_cols,
    check_coloring_rows as check_coloring_rows,
    check_coloring_symmetric as check_coloring_symmetric,
)
from ._colored_pattern import (
    ColoredPattern as ColoredPattern,
    ColoringMode as ColoringMode,
    HessianMode as HessianMode,
    JacobianMode as JacobianMode,
)
from ._star_set import StarSet as StarSet
