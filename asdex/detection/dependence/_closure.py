"""What the elements of a carry can reach in any number of steps."""

import numpy as np

from ...pattern import connected_components
from ._dependence import Dependence
from ._index_sets import boolean_product, pairs_to_csr


def transitive_closure(structure: Dependence) -> Dependence:
    """What each element of a carry can reach in any number of steps, itself included.

    The elements of a strongly connected component reach the same set. Between components the closure of the
    remaining acyclic graph is found by repeated squaring.

    **Arguments:**

    - `structure`: flat; element `k` reads in one step the elements in its set.
    """
    size = structure.size
    matrix = structure.to_csr(size)
    count, label = connected_components(matrix, connection="strong")
    everyone = np.arange(count)
    owners = np.concatenate([everyone, np.repeat(label, np.diff(matrix.indptr))])
    read = np.concatenate([everyone, label[matrix.indices]])
    reach = pairs_to_csr(owners, read, (count, count))
    while (longer := boolean_product(reach, reach)).nnz > reach.nnz:
        reach = longer
    members = pairs_to_csr(label, np.arange(size), (count, size))
    return Dependence.from_csr(boolean_product(reach, members), (count,)).take(label)
