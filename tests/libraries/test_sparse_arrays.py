"""`jax.experimental.sparse` inside of a differentiated function."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse
from library_checks import assert_covers, assert_exact, values

import asdex


N = 6
LAPLACIAN = 2 * np.eye(N) - np.eye(N, k=1) - np.eye(N, k=-1)
MATRIX = sparse.BCOO.fromdense(jnp.asarray(LAPLACIAN, jnp.float32))
X = values(N)


def test_a_product_has_the_structure_of_the_matrix():
    assert_exact(lambda x: MATRIX @ x, X, nnz=3 * N - 2)
    assert_exact(lambda x: MATRIX @ jnp.sin(MATRIX @ x), X, nnz=5 * N - 6)
    assert_exact(jax.vmap(lambda x: MATRIX @ x), jnp.stack([X, -X]), nnz=2 * (3 * N - 2))
    assert_exact(sparse.sparsify(lambda x: MATRIX @ x + x), X, nnz=3 * N - 2)


def test_a_product_with_rows_in_another_format():
    rows = sparse.BCSR.from_bcoo(MATRIX.sort_indices())
    assert_exact(lambda x: rows @ x, X, nnz=3 * N - 2)


def test_hessian_of_a_quadratic_form():
    energy = lambda x: x @ (MATRIX @ x)  # noqa: E731
    assert asdex.hessian_sparsity(energy, X).nnz == 3 * N - 2


def test_a_matrix_that_is_an_argument_may_have_any_indices():
    assert_covers(lambda matrix, x: matrix @ x, MATRIX, X, nnz=N * N)


def test_a_sparse_jacobian_inside_of_a_function():
    """Its pattern is known, its values depend on the point."""
    jacobian = asdex.jacobian(lambda x: (x[1:] - x[:-1]) ** 2, X)
    assert_exact(lambda x: jacobian(x) @ x, X, nnz=2 * (N - 1))


def test_a_matrix_assembled_from_entries():
    rows, cols = np.nonzero(LAPLACIAN)
    indices = jnp.stack([rows, cols], axis=1)

    def apply(x):
        return sparse.BCOO((jnp.sin(x)[rows], indices), shape=(N, N)) @ x

    assert_exact(apply, X, nnz=3 * N - 2)
