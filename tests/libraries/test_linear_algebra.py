"""`jax.numpy.linalg` and `jax.scipy.linalg`: dense within a matrix, apart across a batch."""

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import jax.scipy.sparse.linalg as jspl
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values


N = 3
TRIANGLE = N * (N + 1) // 2
BASE = jnp.asarray(3 * np.eye(N) + np.diag(np.arange(N)), jnp.float32)
M, B = values(N, N), values(N)


def regular(x):
    """A matrix far from singular, each element of which reads one input."""
    return BASE + 0.3 * jnp.tanh(x)


def positive(x):
    """A positive definite matrix, each element of which reads an input and its mirror image."""
    return BASE + 0.15 * jnp.tanh(x + x.T)


DENSE = {
    "det": lambda x: jnp.linalg.det(regular(x)),
    "slogdet": lambda x: jnp.linalg.slogdet(regular(x)),
    "inv": lambda x: jnp.linalg.inv(regular(x)),
    "pinv": lambda x: jnp.linalg.pinv(regular(x)),
    "eigh": lambda x: jnp.linalg.eigh(positive(x)),
    "eigvalsh": lambda x: jnp.linalg.eigvalsh(positive(x)),
    "svd": lambda x: jnp.linalg.svd(regular(x), full_matrices=False),
    "svdvals": lambda x: jnp.linalg.svdvals(regular(x)),
    "norm": jnp.linalg.norm,
    "nuclear norm": lambda x: jnp.linalg.norm(regular(x), "nuc"),
    "cond": lambda x: jnp.linalg.cond(regular(x)),
    "matrix_power": lambda x: jnp.linalg.matrix_power(x, 3),
    "expm": jsl.expm,
    "lstsq": lambda x: jnp.linalg.lstsq(regular(x), B)[0],
}


if jax.__version_info__ >= (0, 10):  # older versions differentiate no full matrices
    DENSE["full svd"] = lambda x: jnp.linalg.svd(regular(x))


@pytest.mark.parametrize("name", DENSE)
def test_dense_within_each_matrix(name: str):
    fn = DENSE[name]
    leaves = jax.tree.leaves(jax.eval_shape(fn, M))
    # The sign of `slogdet` is constant.
    outputs = sum(leaf.size for leaf in leaves[1 if name == "slogdet" else 0 :])
    assert_exact(fn, M, nnz=outputs * N * N)
    assert_exact(jax.vmap(fn), jnp.stack([M, 0.5 + M.T]), nnz=2 * outputs * N * N)


def test_eigenvalues():
    eigenvalues = lambda x: jnp.real(jnp.linalg.eigvals(positive(x)))  # noqa: E731
    assert_exact(eigenvalues, M, nnz=N**3)


def test_solve():
    solve = lambda a, b: jnp.linalg.solve(regular(a), b)  # noqa: E731
    assert_exact(solve, M, B, nnz=N * (N * N + N))
    batched = jnp.stack([M, M.T]), jnp.stack([B, -B])
    assert_exact(jax.vmap(solve), *batched, nnz=2 * N * (N * N + N))


def test_solve_keeps_right_hand_sides_apart():
    assert_exact(lambda b: jnp.linalg.solve(regular(M), b), values(N, 2), nnz=2 * N * N)


def test_cholesky_reads_the_leading_block():
    lower = lambda x: jnp.linalg.cholesky(jnp.tril(x) + jnp.tril(x, -1).T + 3 * BASE)  # noqa: E731
    assert_exact(lower, M)
    assert_exact(jax.vmap(lower), jnp.stack([M, M.T]))


@pytest.mark.parametrize("lower", [True, False])
def test_triangular_solve_reads_one_side(lower: bool):
    solve = lambda a, b: jsl.solve_triangular(regular(a), b, lower=lower)  # noqa: E731
    # An unknown reads the right-hand sides before it, and the rows of the matrix that lead to it.
    assert_exact(solve, M, B, nnz=TRIANGLE + sum(k * (k + 1) // 2 for k in range(1, N + 1)))


def test_factorised_solves():
    assert_exact(lambda b: jsl.cho_solve(jsl.cho_factor(positive(M)), b), B, nnz=N * N)
    assert_exact(lambda b: jsl.lu_solve(jsl.lu_factor(regular(M)), b), B, nnz=N * N)


def test_factorisations():
    # `L` and `R` are triangular; the column pivots of an LU can be any.
    assert_exact(lambda x: jnp.linalg.qr(regular(x)), M)
    assert_covers(lambda x: jsl.lu_factor(regular(x))[0], M, nnz=54)


def test_products():
    assert_exact(jnp.kron, M, M, nnz=2 * N**4)
    assert_exact(jnp.cross, B, B, nnz=12)
    assert_exact(jnp.trace, M, nnz=N)
    assert_exact(jsl.block_diag, M, M, nnz=2 * N * N)
    assert_exact(jsl.toeplitz, B, nnz=N * N)


@pytest.mark.parametrize("solver", [jspl.cg, jspl.gmres, jspl.bicgstab])
def test_iterative_solvers_keep_components_apart(solver):
    scale = jnp.array([1.0, 2, 3])
    assert_exact(lambda b: solver(lambda x: scale * x, b)[0], B, nnz=N)
