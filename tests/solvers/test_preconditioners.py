"""Preconditioners from the matrix that is solved with, alone and inside Krylov solvers."""

import importlib
import importlib.metadata
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import on_a_grid, point, random_matrix, solved

import asdex


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")
Matrix = asdex_lineax.SparseMatrixLinearOperator
N = 36
PATTERN = asdex.jacobian_sparsity(on_a_grid, point(N))


def poisson(dtype: Any = np.float64):
    data = np.where(PATTERN.rows == PATTERN.cols, 4.0, -1.0).astype(dtype)
    dense = np.zeros(PATTERN.shape)
    dense[PATTERN.rows, PATTERN.cols] = data
    return Matrix(jnp.asarray(data), PATTERN, lx.positive_semidefinite_tag), dense


def multigrid(operator):
    pyamg = pytest.importorskip("pyamg")
    return asdex_lineax.multigrid(operator, partial(pyamg.ruge_stuben_solver, max_coarse=4))


VERSION = tuple(map(int, importlib.metadata.version("lineax").split(".")[:2]))
by_newer_solvers = pytest.mark.skipif(
    VERSION < (0, 1),
    reason="lineax 0.0 takes fewer preconditioners, and gives up at small tolerances",
)

KINDS = {
    "jacobi": asdex_lineax.jacobi,
    "block_jacobi": partial(asdex_lineax.block_jacobi, size=6),
    "ilu": partial(asdex_lineax.ilu, drop_tol=1e-2),
    "multigrid": multigrid,
}


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_the_inverse_of_a_part(dtype, enable_x64):
    with enable_x64():
        data, dense = random_matrix(PATTERN, dtype)
        operator = Matrix(data, PATTERN)
        blocks = np.subtract.outer(np.arange(N) // 5, np.arange(N) // 5) == 0
        for inverse, part in (
            (asdex_lineax.jacobi(operator), np.diag(np.diag(dense))),
            (asdex_lineax.block_jacobi(operator, 5), np.where(blocks, dense, 0)),
            (asdex_lineax.ilu(operator, drop_tol=0.0, fill_factor=100), dense),
        ):
            expected = np.linalg.inv(part)
            for got, want in (
                (inverse, expected),
                (inverse.T, expected.T),
                (lx.conj(inverse), expected.conj()),
            ):
                matrix = jax.jit(lambda one: one.as_matrix())(got)
                np.testing.assert_allclose(matrix, want, rtol=1e-9, atol=1e-12)


@by_newer_solvers
@pytest.mark.parametrize("kind", KINDS)
def test_krylov_solvers_take_fewer_steps(kind, enable_x64):
    with enable_x64():
        scale = 10.0 ** np.random.default_rng(0).integers(0, 3, N)
        operator, dense = poisson()
        if kind != "multigrid":  # rows and columns of different sizes
            operator = operator.with_data(operator.data * scale[PATTERN.rows] * scale[PATTERN.cols])
            dense = dense * np.outer(scale, scale)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(N))
        krylov = lx.GMRES(1e-12, 1e-12, restart=N) if kind == "ilu" else lx.CG(1e-12, 1e-12)
        solver = asdex_lineax.Preconditioned(krylov, KINDS[kind])
        plain, got = (
            eqx.filter_jit(lx.linear_solve)(operator, right, one, throw=False)
            for one in (krylov, solver)
        )
        np.testing.assert_allclose(got.value, solved(dense, right).real, rtol=1e-6)
        if kind != "ilu":  # GMRES counts its cycles
            assert int(got.stats["num_steps"]) < int(plain.stats["num_steps"])


@by_newer_solvers
def test_gradients_and_batches(enable_x64):
    with enable_x64():
        operator, dense = poisson()
        solver = asdex_lineax.Preconditioned(lx.GMRES(1e-12, 1e-12), asdex_lineax.ilu)
        right = jnp.asarray(np.random.default_rng(1).standard_normal((2, N)))

        def loss(scale, right):
            scaled = operator.with_data(scale * operator.data, ())
            return jnp.sum(lx.linear_solve(scaled, right, solver).value ** 2)

        gradient = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(2.0, right)
        squares = [np.sum(solved(dense, one).real ** 2) for one in right]
        np.testing.assert_allclose(gradient, [-2 * one / 2.0**3 for one in squares], rtol=1e-6)


@by_newer_solvers
def test_inside_of_optimistix():
    optx = pytest.importorskip("optimistix")

    def residual(y, args):
        return 4 * y + y**3 - jnp.roll(y, 1) - args

    y = point(N)
    solver = asdex_lineax.SparseLinearSolver(
        asdex.jacobian_coloring(residual, y, y),
        asdex_lineax.Preconditioned(lx.GMRES(1e-5, 1e-5), asdex_lineax.jacobi),
    )
    newton = optx.Newton(1e-5, 1e-5, linear_solver=solver)
    root = optx.root_find(residual, newton, y, y).value
    assert np.abs(residual(root, y)).max() < 1e-4


def test_errors():
    with pytest.raises(ValueError, match="at least one unknown, got size 0"):
        asdex_lineax.block_jacobi(poisson(np.float32)[0], 0)
    with pytest.raises(TypeError, match="pattern is known"):
        asdex_lineax.ilu(lx.MatrixLinearOperator(jnp.eye(2)))


def test_an_inverse_has_no_unit_diagonal():
    dense = jnp.array([[1.0, 2.0], [3.0, 1.0]])
    pattern = asdex.SparsityPattern.from_dense(np.ones((2, 2)))
    matrix = Matrix(dense.ravel(), pattern, lx.unit_diagonal_tag)
    assert lx.has_unit_diagonal(matrix)
    inverse = asdex_lineax.block_jacobi(matrix, 2)
    assert not lx.has_unit_diagonal(inverse)
    np.testing.assert_allclose(inverse.mv(jnp.array([1.0, 0.0])), [-0.2, 0.6], rtol=1e-6)
