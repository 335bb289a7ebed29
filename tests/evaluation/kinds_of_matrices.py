"""The kinds of matrices that derivatives return, and what they hold."""

import jax
import numpy as np
import scipy.sparse as sp
from jax.experimental.sparse import BCOO, BCSR


KINDS = {
    "bcoo": BCOO,
    "bcsr": BCSR,
    "dense": jax.Array,
    "numpy_dense": np.ndarray,
    "scipy_coo": sp.coo_array,
    "scipy_csr": sp.csr_array,
    "scipy_csc": sp.csc_array,
}


def dense(matrix):
    if isinstance(matrix, BCOO | BCSR):
        return np.asarray(matrix.todense())
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)
