"""`NormalEquations`: sparse least squares and minimum norms."""

import importlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import close, random_matrix

import asdex


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")
Matrix = asdex_lineax.SparseMatrixLinearOperator
SOLVER = asdex_lineax.NormalEquations()


def tall(m=40, n=15):
    """Each row holds three neighboring columns."""
    start = np.arange(m) * (n - 2) // m
    rows = np.repeat(np.arange(m), 3)
    return asdex.SparsityPattern.from_coo(rows, (start[:, None] + np.arange(3)).ravel(), (m, n))


@eqx.filter_jit
def solutions(operator, right, other):
    """For a matrix, its conjugate, and its transpose, for which `other` is a right-hand side."""
    state = SOLVER.init(operator, {})
    conjugated, _ = SOLVER.conj(state, {})
    transposed, _ = SOLVER.transpose(state, {})
    pairs = ((state, right), (conjugated, right), (transposed, other))
    return [SOLVER.compute(one, vector, {})[:2] for one, vector in pairs]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("pattern", [tall(), tall().T], ids=["tall", "wide"])
def test_pseudoinverses(pattern, dtype, enable_x64):
    with enable_x64(dtype != np.float32):
        data, dense = random_matrix(pattern, dtype)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(pattern.m), dtype)
        other = jnp.asarray(np.random.default_rng(2).standard_normal(pattern.n), dtype)
        found = solutions(Matrix(data, pattern), right, other)
        cases = ((dense, right), (dense.conj(), right), (dense.T, other))
        for (got, result), (matrix, vector) in zip(found, cases, strict=True):
            assert result == lx.RESULTS.successful
            assert close(got, np.linalg.pinv(matrix) @ vector, dtype)


def test_gradients_agree_with_the_dense_solver(enable_x64):
    pattern = tall()
    with enable_x64():
        data, _ = random_matrix(pattern, np.float64)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(pattern.m))
        zeros = jnp.zeros(pattern.shape)

        def loss(data, right, sparse):
            if sparse:
                operator, solver = Matrix(data, pattern), SOLVER
            else:
                dense = zeros.at[pattern.rows, pattern.cols].set(data)
                operator, solver = lx.MatrixLinearOperator(dense), lx.QR()
            return jnp.sum(jnp.sin(lx.linear_solve(operator, right, solver).value))

        sparse, dense = (jax.grad(loss, (0, 1))(data, right, one) for one in (True, False))
        for got, want in zip(sparse, dense, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-13)


def test_refinement_wins_back_digits(enable_x64):
    """The condition number of AᵀA is 1e12, so that the normal equations alone leave four digits."""
    pattern = tall()
    with enable_x64():
        data, dense = random_matrix(pattern, np.float64)
        scale = np.geomspace(1, 1e-5, pattern.n)
        data, dense = data * scale[pattern.cols], dense * scale
        right = dense @ np.ones(pattern.n)
        got = lx.linear_solve(Matrix(data, pattern), jnp.asarray(right), SOLVER).value
        np.testing.assert_allclose(got, 1, atol=1e-8)


def test_a_column_of_zeros_is_reported():
    pattern = tall()
    data, _ = random_matrix(pattern, np.float32)
    operator = Matrix(jnp.where(pattern.cols == 4, 0, data), pattern)
    solution = lx.linear_solve(operator, jnp.ones(pattern.m), SOLVER, throw=False)
    assert solution.result == lx.RESULTS.singular


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("dependent", ["twice another", "zero"])
@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (6, 6)])
def test_without_full_rank_the_result_is_a_failure_or_a_solution(shape, dependent, width):
    """Never a vector that is not a least-squares solution."""
    rng = np.random.default_rng(0)
    stored = np.abs(np.subtract.outer(*map(np.arange, shape))) <= width
    dense = np.where(stored, rng.normal(size=shape) + 8 * np.eye(*shape), 0).astype(np.float32)
    rows = dense if shape[0] <= shape[1] else dense.T
    rows[3] = 2 * rows[1] if dependent == "twice another" else 0
    pattern = asdex.SparsityPattern.from_dense(stored | (dense != 0))
    right = rng.normal(size=shape[0]).astype(np.float32)
    operator = Matrix(jnp.asarray(dense[pattern.rows, pattern.cols]), pattern)
    solution = lx.linear_solve(operator, jnp.asarray(right), SOLVER, throw=False)
    if solution.result == lx.RESULTS.successful:
        gradient = dense.T @ (dense @ np.asarray(solution.value) - right)
        assert np.max(np.abs(gradient)) < 0.02 * np.max(np.abs(dense.T) @ np.abs(right))
