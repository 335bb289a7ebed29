"""Sparsity patterns: where a matrix can be nonzero, their algebra, their blocks and their files."""

from ._block_search import (
    BlockShape as BlockShape,
    Components as Components,
    find_blocks as find_blocks,
)
from ._graphs import (
    connected_components as connected_components,
    in_order as in_order,
    with_diagonal as with_diagonal,
)
from ._indices import check_known as check_known, frozen as frozen
from ._pattern import (
    as_pattern as as_pattern,
    chosen_nonzeros as chosen_nonzeros,
    column_order as column_order,
    PatternLike as PatternLike,
    SparsityPattern as SparsityPattern,
)
from ._storage import (
    npz_path as npz_path,
    pattern_fields as pattern_fields,
    pattern_to_arrays as pattern_to_arrays,
    saved_arrays as saved_arrays,
)
