"""Cases for `rules/linear_algebra.py` and `rules/linear_solves.py`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.sparse.linalg import spsolve
from jax.lax import linalg
from jax.scipy.sparse.linalg import cg, gmres
from rule_case import Case, case


FLOAT, COMPLEX = np.float32, np.complex64


def matrix(*shape: int, dtype: Any = FLOAT, shift: float = 0.0):
    """Random entries, with `shift` added to the diagonal."""
    rng = np.random.default_rng(shape)
    values = rng.standard_normal(shape)
    if dtype == COMPLEX:
        values = values + 1j * rng.standard_normal(shape)
    if shift:
        values = values + shift * np.eye(shape[-2], shape[-1])
    return jax.device_put(values.astype(dtype))


def definite(*shape: int, dtype: Any = FLOAT):
    root = np.asarray(matrix(*shape, dtype=dtype))
    values = root @ np.swapaxes(root.conj(), -1, -2) + 3 * np.eye(shape[-1])
    return jax.device_put(values.astype(dtype))


def written(fn, *args, expected) -> list[Case]:
    """Primitives that JAX does not differentiate: the pattern is written down."""
    return [case(fn, *args, expected=expected)]


def cholesky(x):
    return linalg.cholesky(x, symmetrize_input=False)


def lu(x):
    return linalg.lu(x)[0]


def thin_qr(x):
    return linalg.qr(x, full_matrices=False)


def full_qr(x):
    return linalg.qr(x, full_matrices=True)


def pivoted_qr(x):
    return linalg.qr(x, full_matrices=False, pivoting=True)[:2]


def singular_values(x):
    return linalg.svd(x, compute_uv=False)


def thin_svd(x):
    return linalg.svd(x, full_matrices=False)


def eigh(x):
    return linalg.eigh(x, symmetrize_input=False)


def eigenvalues(x):
    return linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False)


BLOCKS = np.diag([4.0] * 6) + np.diag([1.0, 1, 0, 1, 1], 1) + np.diag([1.0, 1, 0, 1, 1], -1)
BLOCKS = BLOCKS.astype(np.float32)
"""Two tridiagonal blocks of size three."""

DIAGONALS = jnp.array([[0, 1, 2], [4, 5, 6], [1, 2, 0]], FLOAT)


def product_with_blocks(x):
    return BLOCKS @ x


def with_auxiliary(b):
    def solve(matvec, b):
        return jnp.linalg.solve(BLOCKS, b), jnp.sum(b)

    return lax.custom_linear_solve(product_with_blocks, b, solve, symmetric=True, has_aux=True)


def of_tree(d, u, v):
    def matvec(x):
        return {"u": (1 + d**2) * x["u"], "v": 3 * x["v"] + x["v"][::-1]}

    return cg(matvec, {"u": u, "v": v})[0]


def compressed_rows(data, b):
    # The rows of [[d0, d1, 0], [d2, d3, 0], [0, 0, d4]].
    return spsolve(data, jnp.array([0, 1, 0, 1, 2]), jnp.array([0, 2, 4, 5]), b)


CASES: dict[str, list[Case]] = {
    "cholesky": [
        case(jnp.linalg.cholesky, definite(4, 4)),
        case(jnp.linalg.cholesky, definite(2, 3, 3), label="stack"),
        case(jnp.linalg.cholesky, definite(1, 1), label="one by one"),
        case(jnp.linalg.cholesky, definite(0, 0), label="empty"),
        case(jnp.linalg.cholesky, definite(0, 2, 2), label="empty stack"),
        # Diagonal elements of a product of complex numbers may come out exactly real.
        case(lambda x: jnp.linalg.cholesky(x).real, definite(3, 3, dtype=COMPLEX), label="complex"),
        # Since jax 0.12 the upper triangle is not read.
        case(
            cholesky,
            definite(2, 2),
            label="not symmetrized",
            expected=[[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]],
        ),
    ],
    "lu": [
        case(lu, matrix(3, 3), label="square"),
        case(lu, matrix(4, 3), label="tall"),
        # Some of the entries that cancel in exact arithmetic cancel in floating point as well.
        case(lu, matrix(2, 4), label="wide", excess=True),
        case(lu, matrix(3, 3, dtype=COMPLEX), label="complex"),
        case(lu, matrix(2, 1, 1), label="stack of one by one"),
        case(lu, matrix(0, 3), label="empty"),
        case(lambda x: x[0] * linalg.lu(x)[1].astype(x.dtype), matrix(3, 3), label="pivots"),
    ],
    "lu_pivots_to_permutation": written(
        lambda x: linalg.lu_pivots_to_permutation((x * 0).astype(jnp.int32), 3).astype(FLOAT),
        matrix(3),
        expected=np.zeros((3, 3)),
    ),
    "qr": [
        case(thin_qr, matrix(3, 3), label="square"),
        case(thin_qr, matrix(4, 2), label="tall"),
        *(
            [
                case(full_qr, matrix(4, 2), label="tall full"),
                case(thin_qr, matrix(2, 4), label="wide"),
            ]
            if jax.__version_info__ >= (0, 10)  # older ones do not differentiate these
            else []
        ),
        case(thin_qr, matrix(2, 3, 2), label="stack"),
        case(thin_qr, matrix(3, 2, dtype=COMPLEX), label="complex"),
        case(thin_qr, matrix(3, 0), label="no columns"),
        case(pivoted_qr, matrix(3, 3), label="pivoted"),
    ],
    "svd": [
        *(
            case(thin_svd, matrix(*s), label=f"shape{s}")
            for s in ((3, 3), (4, 2), (2, 4), (2, 2, 2))
        ),
        case(singular_values, matrix(3, 2), label="values"),
        case(singular_values, matrix(0, 0), label="empty"),
        case(thin_svd, matrix(3, 2, dtype=COMPLEX), label="complex"),
    ],
    "eigh": [
        case(eigh, definite(2, 3, 3)),
        case(eigh, definite(3, 3, dtype=COMPLEX), label="complex"),
        case(lambda x: jnp.linalg.eigvalsh(x), definite(3, 3), label="values"),
    ],
    "eig": [
        case(eigenvalues, matrix(2, 3, 3)),
        case(eigenvalues, matrix(3, 3, dtype=COMPLEX), label="complex"),
    ],
    "schur": written(lambda x: linalg.schur(x), matrix(2, 2), expected=np.ones((8, 4))),
    "hessenberg": written(linalg.hessenberg, matrix(3, 3), expected=np.ones((11, 9))),
    "tridiagonal": written(
        lambda x: linalg.tridiagonal(x)[1],
        matrix(2, 2, 2),
        expected=np.kron(np.eye(2), np.ones((2, 4))),
    ),
    "cholesky_update": written(
        linalg.cholesky_update, definite(2, 2), matrix(2), expected=np.ones((4, 6))
    ),
    "householder_product": [
        # Columns 0 and 1 of the reflectors below the diagonal, then the factors.
        case(
            linalg.householder_product,
            *(matrix(3, 2), matrix(2)),
            expected=np.tile([[0, 0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 1, 1, 1]], (3, 1)),
        ),
        case(
            linalg.householder_product,
            *(matrix(2, 2), matrix(1)),
            label="fewer reflectors",
            expected=np.tile([0, 0, 1, 0, 1], (4, 1)),
        ),
    ],
    "ormqr": [
        case(
            lambda a, t, c: linalg.ormqr(a, t, c),
            *(matrix(2, 2), matrix(2), matrix(2, 2)),
            label="left",
            expected=np.hstack([np.ones((4, 6)), np.tile(np.eye(2), (2, 2))]),
        ),
        case(
            lambda a, t, c: linalg.ormqr(a, t, c, left=False),
            *(matrix(2, 2), matrix(2), matrix(2, 2)),
            label="right",
            expected=np.hstack([np.ones((4, 6)), np.kron(np.eye(2), np.ones((2, 2)))]),
        ),
    ],
    "symmetric_product": written(
        lambda a, c: linalg.symmetric_product(a, c),
        *(matrix(2, 1), matrix(2, 2)),
        expected=[
            [1, 0, 1, 0, 0, 0],
            [1, 1, 0, 1, 1, 0],
            [1, 1, 0, 1, 1, 0],
            [0, 1, 0, 0, 0, 1],
        ],
    ),
    "tridiagonal_solve": [
        case(linalg.tridiagonal_solve, *(matrix(2, 4),) * 3, matrix(2, 4, 2), label="stack"),
        case(linalg.tridiagonal_solve, *(matrix(4),) * 3, matrix(4, 1), label="single"),
        case(
            lambda b: linalg.tridiagonal_solve(DIAGONALS[0], DIAGONALS[1], DIAGONALS[2], b),
            matrix(3, 2),
            label="known matrix",
        ),
    ],
    "custom_linear_solve": [
        case(jnp.linalg.solve, matrix(3, 3, shift=3), matrix(3)),
        case(jax.vmap(jnp.linalg.solve), matrix(4, 3, 3, shift=3), matrix(4, 3), label="vmap"),
        case(jnp.linalg.solve, matrix(3, 2, 2, shift=3), matrix(3, 2, 2), label="stack"),
        case(lambda b: jnp.linalg.solve(BLOCKS, b), matrix(6), label="known blocks"),
        case(lambda b: jnp.linalg.solve(BLOCKS, b), matrix(6, 2), label="known blocks and columns"),
        case(lambda a: jnp.linalg.inv(a), matrix(2, 2, 2, shift=3), label="inverse"),
        case(lambda b: cg(product_with_blocks, b)[0], matrix(6), label="conjugate gradients"),
        case(lambda b: gmres(product_with_blocks, b)[0], matrix(6), label="gmres"),
        case(
            lambda d, b: cg(lambda x: BLOCKS @ x + d**2 * x, b)[0],
            *(matrix(6), matrix(6)),
            label="matrix that moves",
        ),
        case(of_tree, matrix(3), matrix(3), matrix(2), label="tree"),
        case(with_auxiliary, matrix(6), label="auxiliary result"),
        case(
            jax.grad(lambda b: jnp.sum(jnp.linalg.solve(BLOCKS, b) ** 2)),
            matrix(6),
            label="reversed",
        ),
    ],
    "spsolve": [
        # JAX has no batched derivative of it.
        case(
            compressed_rows,
            *(matrix(5, shift=0), matrix(3)),
            expected=[[1, 1, 1, 1, 0, 1, 1, 0]] * 2 + [[0, 0, 0, 0, 1, 0, 0, 1]],
        ),
        case(
            lambda d, b, i: spsolve(d, i, jnp.array([0, 1, 2]), b),
            *(matrix(2), matrix(2), jnp.array([0, 1])),
            label="unknown indices",
            expected=np.ones((2, 4)),
        ),
    ],
}
