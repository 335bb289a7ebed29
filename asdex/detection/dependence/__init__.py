"""The dependency array: for each element of an array, a set of inputs, a bit or bounds."""

from ._closure import transitive_closure as transitive_closure
from ._dependence import Dependence as Dependence, identities as identities
from ._index_sets import boolean_product as boolean_product, pairs_to_csr as pairs_to_csr
from ._limited_sets import limited as limited, TooManyEntries as TooManyEntries
from ._masks import (
    as_dependence as as_dependence,
    as_mask as as_mask,
    everywhere as everywhere,
    intersection as intersection,
    is_everywhere as is_everywhere,
    Mask as Mask,
    nowhere as nowhere,
    simplified as simplified,
    union as union,
)
from ._ranges import Range as Range
