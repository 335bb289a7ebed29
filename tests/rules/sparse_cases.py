"""Cases for `rules/sparse.py`."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse
from rule_case import Case, case, points


DENSE = np.diag([1.0, 2, 3]) + np.diag([4.0, 5], 1) + np.diag([-1.0], -2)
DENSE = DENSE.astype(np.float32)
PATTERN = (DENSE != 0).astype(int)
NNZ = int(PATTERN.sum())


@jax.jit  # one program, not some hundred: all workers import this file
def sparse_matrices(dense):
    kinds = sparse.BCOO, sparse.BCSR, sparse.COO, sparse.CSR
    batched = sparse.BCOO.fromdense(jnp.stack([dense, dense.T]), n_batch=1, nse=NNZ)
    blocked = sparse.BCOO.fromdense(dense, n_dense=1, nse=len(DENSE))
    return *(kind.fromdense(dense, nse=NNZ) for kind in kinds), batched, blocked


BCOO, BCSR, COO, CSR, BATCHED, BLOCKED = sparse_matrices(DENSE)
V, M = points((3,)), points((3, 2))


def bcoo(data):
    return sparse.BCOO((data, BCOO.indices), shape=(3, 3))


def bcsr(data):
    return sparse.BCSR((data, BCSR.indices, BCSR.indptr), shape=(3, 3))


def contracted(matrix, numbers):
    return lambda x: sparse.bcoo_dot_general(matrix, x, dimension_numbers=numbers)


def scatter(rows):
    """The pattern of a dense matrix by the data that are written to its elements."""
    return np.eye(9, dtype=int)[:, rows]


PLACES = np.flatnonzero(DENSE)
SCATTERED = scatter(PLACES)
BY_ROW = PATTERN, np.kron(PATTERN, np.eye(2, dtype=int))

CASES: dict[str, list[Case]] = {
    "bcoo_dot_general": [
        case(lambda v: BCOO @ v, V, label="vector"),
        case(lambda v: v @ BCOO, V, label="from the left"),
        case(lambda v: BCOO @ v, M, label="matrix"),
        case(lambda d, v: bcoo(d) @ v, BCOO.data, V, label="data too"),
        case(contracted(BATCHED, (((2,), (1,)), ((0,), (0,)))), points((2, 3)), label="batch"),
        case(contracted(BATCHED, (((2,), (0,)), ((), ()))), V, label="free batch"),
        case(
            contracted(BATCHED, (((0, 2), (0, 1)), ((), ()))),
            points((2, 3)),
            label="batch contracted",
        ),
        case(contracted(BLOCKED, (((0,), (0,)), ((), ()))), M, label="blocks"),
        case(contracted(BCOO, (((), ()), ((), ()))), V, label="outer"),
        case(contracted(BCOO, (((0, 1), (0, 1)), ((), ()))), points((3, 3)), label="inner"),
        case(
            lambda v, i: sparse.BCOO((BCOO.data, i), shape=(3, 3)) @ v,
            V,
            BCOO.indices,
            label="unknown indices",
            expected=np.ones((3, 3)),
        ),
    ],
    "bcsr_dot_general": [
        case(lambda v: BCSR @ v, V, label="vector"),
        case(lambda d, v: bcsr(d) @ v, BCSR.data, M, label="data too"),
    ],
    "bcoo_todense": [case(lambda d: bcoo(d).todense(), BCOO.data)],
    "todense": [case(lambda d: sparse.todense(bcoo(d)), BCOO.data)],
    "bcsr_todense": [case(lambda d: bcsr(d).todense(), BCSR.data)],
    "bcoo_transpose": [
        case(lambda d: sparse.bcoo_transpose(bcoo(d), permutation=(1, 0)).data, BCOO.data)
    ],
    "bcoo_extract": [case(lambda x: sparse.bcoo_extract(BCOO, x).data, points((3, 3)))],
    "bcsr_extract": [
        case(
            lambda x: sparse.bcsr_extract(BCSR.indices, BCSR.indptr, x),
            points((3, 3)),
        )
    ],
    "bcoo_sort_indices": [case(lambda d: bcoo(d[::-1]).sort_indices().data, BCOO.data)],
    "bcoo_sum_duplicates": [
        case(lambda d: _halved(d).sum_duplicates(nse=6, remove_zeros=False).todense(), BCOO.data)
    ],
    "bcoo_spdot_general": [case(lambda d: (bcoo(d) @ BCOO).todense(), BCOO.data)],
    "bcoo_dot_general_sampled": [
        case(
            lambda x, y: sparse.bcoo_dot_general_sampled(
                x, y, BCOO.indices, dimension_numbers=(((1,), (0,)), ((), ()))
            ),
            M,
            points((2, 3)),
        )
    ],
    # Which elements are stored depends on the values.
    "bcoo_fromdense": [case(lambda x: sparse.BCOO.fromdense(x, nse=2).data, M, excess=True)],
    "bcsr_fromdense": [case(lambda x: sparse.BCSR.fromdense(x, nse=2).data, M, excess=True)],
    "coo_fromdense": [
        case(lambda x: sparse.COO.fromdense(x, nse=2).data, M, expected=np.ones((2, 6)))
    ],
    "csr_fromdense": [
        case(lambda x: sparse.CSR.fromdense(x, nse=2).data, M, expected=np.ones((2, 6)))
    ],
    # JAX cannot batch these, and so not take all columns of a Jacobian at once.
    "coo_todense": [
        case(
            lambda d: sparse.COO((d, COO.row, COO.col), shape=(3, 3)).todense(),
            COO.data,
            expected=SCATTERED,
        )
    ],
    "csr_todense": [
        case(
            lambda d: sparse.CSR((d, CSR.indices, CSR.indptr), shape=(3, 3)).todense(),
            CSR.data,
            expected=SCATTERED,
        )
    ],
    "coo_matvec": [
        case(lambda v: COO @ v, V, label="plain", expected=BY_ROW[0]),
        case(lambda v: COO.T @ v, V, label="transposed", expected=BY_ROW[0].T),
    ],
    "csr_matvec": [
        case(lambda v: CSR @ v, V, label="plain", expected=BY_ROW[0]),
        case(lambda v: CSR.T @ v, V, label="transposed", expected=BY_ROW[0].T),
    ],
    "coo_matmat": [case(lambda v: COO @ v, M, expected=BY_ROW[1])],
    "csr_matmat": [case(lambda v: CSR @ v, M, expected=BY_ROW[1])],
}


def _halved(data):
    """Entries that coincide in pairs."""
    return sparse.BCOO((data, BCOO.indices // 2), shape=(3, 3))
