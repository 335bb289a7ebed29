"""Colorings of patterns: `problems` says what is colored, `greedy`, `stencils` and `reductions` how.

`recoverability` says where the nonzeros can then be read.
"""

from ._cheapest_mode import cost_of as cost_of
from ._checks import (
    check_coloring_acyclic as check_coloring_acyclic,
    check_coloring_bidirectional as check_coloring_bidirectional,
    check_coloring_cols as check_coloring_cols,
    check_coloring_rows as check_coloring_rows,
    check_coloring_symmetric as check_coloring_symmetric,
)
from ._color_functions import (
    color_acyclic as color_acyclic,
    color_bidirectional as color_bidirectional,
    color_cols as color_cols,
    color_rows as color_rows,
    color_symmetric as color_symmetric,
)
from ._colored_pattern import ColoredPattern as ColoredPattern, groups_of as groups_of
from ._from_sparsity import (
    color_hessian as color_hessian,
    color_jacobian as color_jacobian,
    hessian_coloring_from_sparsity as hessian_coloring_from_sparsity,
    jacobian_coloring_from_sparsity as jacobian_coloring_from_sparsity,
)
from ._required_entries import color_partially as color_partially, color_required as color_required
from ._search_options import (
    ColoringMode as ColoringMode,
    HessianMode as HessianMode,
    HessianSearch as HessianSearch,
    JacobianMode as JacobianMode,
    JacobianSearch as JacobianSearch,
    Recovery as Recovery,
    SearchOptions as SearchOptions,
)
from ._star_set import StarSet as StarSet
from .greedy import Incidence as Incidence, Order as Order, OrderName as OrderName
