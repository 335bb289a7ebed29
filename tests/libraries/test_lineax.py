"""`lineax.linear_solve`: an unknown reads its connected component of the operator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, values

import asdex


lx = pytest.importorskip("lineax")

N = 4
BASE = jnp.asarray(4 * np.eye(N) + np.diag(np.arange(N)), jnp.float32)
# Two blocks of two, interleaved.
BLOCKS = jnp.asarray(np.kron([[4.0, 1], [1, 3]], np.eye(2)), jnp.float32)
M, B = values(N, N), values(N)
POSITIVE = lx.positive_semidefinite_tag

GENERAL = {
    "LU": lx.LU(),
    "QR": lx.QR(),
    "GMRES": lx.GMRES(1e-5, 1e-5),
    "Auto": lx.AutoLinearSolver(well_posed=True),
    "Auto, unsure": lx.AutoLinearSolver(well_posed=None),
}
SYMMETRIC = {"CG": lx.CG(1e-5, 1e-5), "Cholesky": lx.Cholesky()}


def regular(x):
    return BASE + 0.3 * jnp.tanh(x)


def solve(operator, vector, solver=GENERAL["Auto"], **options):
    return lx.linear_solve(operator, vector, solver, throw=False, **options).value


@pytest.mark.parametrize("name", GENERAL)
def test_general_solver(name: str):
    solver = GENERAL[name]
    dense = lambda a, b: solve(lx.MatrixLinearOperator(regular(a)), b, solver)  # noqa: E731
    assert_covers(dense, M, B, nnz=N * (N * N + N), points=2)
    blocks = lx.MatrixLinearOperator(BLOCKS)
    assert_exact(lambda b: solve(blocks, b, solver), B, nnz=2 * 4)


def test_general_solver_that_breaks_down():
    """BiCGStab divides zero by zero where it meets an exact solution: it stops before that here."""
    near_identity = np.eye(3) + 0.05 * np.array([[1, 2, -1], [3, -2, 1], [1, 1, 2]])
    blocks = lx.MatrixLinearOperator(jnp.asarray(np.kron(near_identity, np.eye(2)), jnp.float32))
    solver = lx.BiCGStab(1e-2, 1e-2)
    assert_exact(lambda b: solve(blocks, b, solver), values(6), nnz=2 * 9)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_solver(name: str):
    solver = SYMMETRIC[name]
    matrix = lambda a: lx.MatrixLinearOperator(BASE + 0.1 * jnp.tanh(a + a.T), POSITIVE)  # noqa: E731
    assert_covers(lambda a, b: solve(matrix(a), b, solver), M, B, nnz=N * (N * N + N), points=2)
    blocks = lx.MatrixLinearOperator(BLOCKS, POSITIVE)
    assert_exact(lambda b: solve(blocks, b, solver), B, nnz=2 * 4)


def test_diagonal():
    diagonal = lambda d, b: solve(lx.DiagonalLinearOperator(1 + d**2), b)  # noqa: E731
    assert_exact(diagonal, B, B, nnz=2 * N)
    tagged = lambda a, b: solve(lx.MatrixLinearOperator(regular(a), lx.diagonal_tag), b)  # noqa: E731
    # JAX differentiates the whole matrix, off its diagonal as well.
    report_columns = asdex.jacobian_sparsity(tagged, M, B, argnums=1).todense()
    np.testing.assert_array_equal(report_columns, np.eye(N))
    assert_exact(tagged, jnp.diag(B), B)


def test_tridiagonal_is_dense_within_its_system():
    def tridiagonal(d, lower, upper, b):
        return solve(lx.TridiagonalLinearOperator(4 + jnp.tanh(d), lower, upper), b)

    args = (B, B[1:], -B[1:], B)
    assert_exact(tridiagonal, *args, nnz=N * (4 * N - 2))
    assert_exact(
        jax.vmap(tridiagonal), *(jnp.stack([x, 0.5 * x]) for x in args), nnz=2 * N * (4 * N - 2)
    )


def test_triangular_solve_reads_one_side():
    def triangular(a, b):
        operator = lx.MatrixLinearOperator(jnp.tril(regular(a)), lx.lower_triangular_tag)
        return solve(operator, b, lx.Triangular())

    half = N * (N + 1) // 2
    assert_exact(triangular, M, B, nnz=half + sum(k * (k + 1) // 2 for k in range(N + 1)))


def test_batches_stay_blocks():
    matrices, vectors = values(3, 2, 2) + 3 * jnp.eye(2), values(3, 2)
    one = lambda a, b: solve(lx.MatrixLinearOperator(a), b, lx.LU())  # noqa: E731
    assert_exact(jax.vmap(one), matrices, vectors, nnz=3 * 2 * (4 + 2))
    assert_exact(jax.vmap(lambda b: one(matrices[0], b)), vectors, nnz=3 * 4)
    assert_exact(lambda b: jax.vmap(lambda a: one(a, b))(matrices), vectors[0], nnz=3 * 4)
    # All matrices with all vectors, with batch axes in other places.
    both = jax.vmap(jax.vmap(one, in_axes=(2, None)), in_axes=(None, 1))
    batched = jnp.moveaxis(matrices, 0, 2)
    assert_exact(both, batched, vectors.T, nnz=9 * 2 * (4 + 2))


def test_matrix_free_operators():
    structure = jax.eval_shape(lambda: B)

    def by_function(d, b):
        return solve(lx.FunctionLinearOperator(lambda x: (3 + d) * x, structure), b, lx.LU())

    def by_jacobian(y, b):
        return solve(lx.JacobianLinearOperator(lambda z, _: z**3 + z, y), b, lx.LU())

    def composed(d, b):
        operator = lx.DiagonalLinearOperator(1 + d**2)
        return solve(operator @ operator, b, lx.GMRES(1e-5, 1e-5))

    for fn in (by_function, by_jacobian, composed):
        assert_exact(fn, B, B, nnz=2 * N)
    assert_exact(lambda b: solve(lx.IdentityLinearOperator(structure), b), B, nnz=N)


@pytest.mark.parametrize("kind", ["function", "jacobian"])
def test_a_tie_within_an_operator_keeps_open_what_its_solution_decides(kind):
    def f(x):
        a, c, left, right = x

        def product(z):
            return jnp.where(a > c, 2.0, 4.0) * z

        b = jnp.ones(2)
        if kind == "function":
            operator = lx.FunctionLinearOperator(product, jax.eval_shape(lambda: b))
        else:
            operator = lx.JacobianLinearOperator(lambda z, _: product(z), b)
        return jnp.where(solve(operator, b, lx.LU()) > 0.3, left, right)

    found = asdex.jacobian_sparsity(f, jnp.ones(4), local=True)
    np.testing.assert_array_equal(found.todense()[:, 2:], 1)
    apart = asdex.jacobian_sparsity(f, jnp.asarray([2.0, 1.0, 1.0, 1.0]), local=True)
    np.testing.assert_array_equal(apart.todense()[:, 2:], [[1, 0]] * 2)


def test_pytrees():
    operator = lx.PyTreeLinearOperator(
        {"a": {"a": BASE[:2, :2], "b": BASE[:2, 2:]}, "b": {"a": BASE[2:, :2], "b": BASE[2:, 2:]}},
        jax.eval_shape(lambda: {"a": B[:2], "b": B[2:]}),
    )
    # The blocks are known, and diagonal.
    assert_exact(lambda b: solve(operator, b, lx.LU()), {"a": B[:2], "b": B[2:]}, nnz=N)


@pytest.mark.parametrize(("rows", "cols"), [(5, 3), (3, 5)])
def test_least_squares_and_minimum_norm(rows: int, cols: int):
    matrix, vector = values(rows, cols) + 2 * jnp.eye(rows, cols), values(rows)
    fn = lambda a, b: solve(lx.MatrixLinearOperator(a), b, lx.QR())  # noqa: E731
    assert_exact(fn, matrix, vector, nnz=cols * (rows * cols + rows))


def test_minimum_norm_keeps_components_apart():
    operator = lx.MatrixLinearOperator(jnp.kron(jnp.eye(2), jnp.array([[1.0, 2.0]])))
    assert_exact(lambda b: solve(operator, b, lx.QR()), B[:2], nnz=4)


def test_singular_value_decomposition_is_dense():
    fn = lambda a, b: solve(lx.MatrixLinearOperator(regular(a)), b, lx.SVD())  # noqa: E731
    assert_covers(fn, M, B, nnz=N * (N * N + N))


def test_a_preconditioner_may_couple_all_unknowns():
    """The iterates, and with them what the tolerance leaves of the error, mix components."""
    operator = lx.MatrixLinearOperator(BLOCKS, POSITIVE)
    options = {"preconditioner": lx.MatrixLinearOperator(jnp.eye(N), POSITIVE)}
    assert_covers(lambda b: solve(operator, b, SYMMETRIC["CG"], options=options), B, nnz=N * N)


def test_hessian():
    energy = lambda d: jnp.sum(solve(lx.DiagonalLinearOperator(1 + d**2), B))  # noqa: E731
    assert asdex.hessian_sparsity(energy, B).nnz == N
    blocks = lambda b: jnp.sum(solve(lx.MatrixLinearOperator(BLOCKS), b) ** 2)  # noqa: E731
    assert asdex.hessian_sparsity(blocks, B).nnz == 8


def test_jacobian_through_a_solve():
    fn = lambda b: solve(lx.MatrixLinearOperator(BLOCKS), b**2, lx.LU())  # noqa: E731
    np.testing.assert_allclose(
        asdex.jacobian(fn, B)(B).todense(), jax.jit(jax.jacfwd(fn))(B), rtol=1e-5
    )
