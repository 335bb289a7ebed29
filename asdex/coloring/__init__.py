from ._acyclic import check_coloring_acyclic as check_coloring_acyclic
from ._api import (
    color_acyclic as color_acyclic,
    color_bidirectional as color_bidirectional,
    color_cols as color_cols,
    color_rows as color_rows,
    color_symmetric as color_symmetric,
)
from ._check import (
    check_coloring_bidirectional as check_coloring_bidirectional,
    check_coloring_cols as check_coloring_cols,
    check_coloring_rows as check_coloring_rows,
    check_coloring_symmetric as check_coloring_symmetric,
)
from ._choose import cost_of as cost_of
from ._colored_pattern import ColoredPattern as ColoredPattern, groups_of as groups_of
from ._from_sparsity import (
    color_hessian as color_hessian,
    color_jacobian as color_jacobian,
    hessian_coloring_from_sparsity as hessian_coloring_from_sparsity,
    jacobian_coloring_from_sparsity as jacobian_coloring_from_sparsity,
)
from ._options import (
    ColoringMode as ColoringMode,
    HessianMode as HessianMode,
    HessianSearch as HessianSearch,
    JacobianMode as JacobianMode,
    JacobianSearch as JacobianSearch,
    Recovery as Recovery,
    SearchOptions as SearchOptions,
)
from ._orders import OrderName as OrderName
from ._partial import color_partially as color_partially, color_required as color_required
from ._star_set import StarSet as StarSet
