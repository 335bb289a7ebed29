"""Sparse derivatives of what the solvers of asdex solve, and of what the preconditioners multiply."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")

from asdex.lineax.direct import _klu  # noqa: E402


pytestmark = [
    pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning"),
    pytest.mark.filterwarnings("ignore::asdex.UnknownPrimitiveWarning"),
]

Matrix = asdex_lineax.SparseMatrixLinearOperator
N = 6
# Two systems of three unknowns, interleaved.
DENSE = np.kron([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]], np.eye(2))
PATTERN = asdex.SparsityPattern.from_dense(DENSE)
DATA = jnp.asarray(DENSE[PATTERN.rows, PATTERN.cols], jnp.float32)
B = jnp.linspace(0.5, 1.5, N)
COMPONENTS = np.kron(np.ones((3, 3)), np.eye(2))


def solvers():
    of_pattern = asdex.jacobian_coloring_from_sparsity(PATTERN)
    superlu = asdex_lineax.SuperLU()
    return {
        **{name: getattr(asdex_lineax, name)() for name in ("SuperLU", "BandedLU")},
        **({"KLU": asdex_lineax.KLU()} if _klu.is_klu_installed() else {}),
        "Auto": asdex_lineax.AutoSparseSolver(),
        "NormalEquations": asdex_lineax.NormalEquations(superlu),
        "SparseLinearSolver": asdex_lineax.SparseLinearSolver(of_pattern, superlu),
        "SparseLinearSolver by default": asdex_lineax.SparseLinearSolver(of_pattern),
    }


SOLVERS = solvers()


def solution(solver):
    return lambda data, b: lx.linear_solve(Matrix(data, PATTERN), b, solver).value


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("name", SOLVERS)
def test_solutions_read_their_component(name, mode):
    f = solution(SOLVERS[name])
    by_side = asdex.jacobian(f, DATA, B, argnums=1, mode=mode, output_format="dense")
    np.testing.assert_array_equal(by_side.coloring.sparsity.todense(), COMPONENTS)
    np.testing.assert_allclose(by_side(DATA, B), np.linalg.inv(DENSE), rtol=1e-4, atol=1e-5)
    by_matrix = asdex.jacobian(f, DATA, B, mode=mode, output_format="dense")
    assert by_matrix.coloring.sparsity.nnz == PATTERN.nnz * 3
    np.testing.assert_allclose(by_matrix(DATA, B), jax.jacfwd(f)(DATA, B), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SOLVERS)
def test_hessians_of_a_loss(name):
    f = solution(SOLVERS[name])
    loss = lambda b: jnp.sum(f(DATA, b) ** 3)  # noqa: E731
    hess = asdex.hessian(loss, B, output_format="dense")
    np.testing.assert_array_equal(hess.coloring.sparsity.todense(), COMPONENTS)
    np.testing.assert_allclose(hess(B), jax.hessian(loss)(B), rtol=1e-4, atol=1e-5)


def test_a_solver_with_a_preconditioner():
    solver = asdex_lineax.Preconditioned(lx.GMRES(1e-6, 1e-6), asdex_lineax.ilu)
    f = solution(solver)
    jac = asdex.jacobian(f, DATA, B, argnums=1, output_format="dense")(DATA, B)
    np.testing.assert_allclose(jac, np.linalg.inv(DENSE), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("by", [jax.jacfwd, jax.jacrev, None])
def test_products_with_a_preconditioner(by, transposed):
    inverse = asdex_lineax.ilu(Matrix(DATA, PATTERN))
    inverse = inverse.T if transposed else inverse

    def f(b):
        return inverse.mv(b)

    jac = by(f)(B) if by else asdex.jacobian(f, B, output_format="dense")(B)
    np.testing.assert_allclose(jac, inverse.as_matrix(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jac, np.linalg.inv(DENSE), rtol=1e-4, atol=1e-5)


class OfUser(lx.AbstractLinearSolver):
    """A solver of a user, of which lineax differentiates the solution and never the code."""

    by_host: bool = False

    def init(self, operator, options):
        del options
        return operator

    def compute(self, state, vector, options):
        del options
        solve = jnp.linalg.solve
        if self.by_host:
            return by_host(np.linalg.solve, state.as_matrix(), vector), lx.RESULTS.successful, {}
        solved = jax.lax.stop_gradient(solve(state.as_matrix(), vector))
        return solved, lx.RESULTS.successful, {}

    def transpose(self, state, options):
        return state.transpose(), options

    def conj(self, state, options):
        return state, options

    def assume_full_rank(self):
        return True


def by_host(function, *arrays):
    """Values that cross to the host, and back, as whole numbers."""
    shape = jax.ShapeDtypeStruct(arrays[-1].shape, jnp.int32)

    def call(*bits):
        floats = [np.asarray(one).view(np.float32) for one in bits]
        return np.asarray(function(*floats), np.float32).view(np.int32)

    bits = [jax.lax.bitcast_convert_type(one, jnp.int32) for one in arrays]
    result = jax.pure_callback(call, shape, *bits, vmap_method="sequential")
    return jax.lax.bitcast_convert_type(result, jnp.float32)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("is_by_host", [False, True])
def test_solvers_of_users(is_by_host, mode):
    def f(data, b):
        operator = lx.MatrixLinearOperator(jnp.diag(data) + jnp.asarray(DENSE, jnp.float32))
        return lx.linear_solve(operator, b, OfUser(is_by_host)).value

    for argnums in (0, 1):
        jac = asdex.jacobian(f, B, B, argnums=argnums, mode=mode, output_format="dense")(B, B)
        expected = jax.jacfwd(f, argnums)(B, B)
        np.testing.assert_allclose(jac, expected, rtol=1e-4, atol=1e-5)


def test_a_root_whose_tangents_are_solved_for_on_the_host():
    def root(x):
        def solve_tangent(g, y):
            matrix = jax.jacfwd(g)(y)
            return by_host(np.linalg.solve, matrix, y)

        step = lambda y: jnp.asarray(DENSE, jnp.float32) @ y + 0.1 * y**3 - x  # noqa: E731
        newton = lambda f, y: jax.lax.fori_loop(  # noqa: E731
            0, 20, lambda _, y: y - jnp.linalg.solve(jax.jacfwd(f)(y), f(y)), y
        )
        return jax.lax.custom_root(step, jnp.zeros_like(x), newton, solve_tangent)

    jac = asdex.jacobian(root, B, mode="fwd", output_format="dense")(B)
    np.testing.assert_allclose(jac, jax.jacfwd(root)(B), rtol=1e-4, atol=1e-5)


def test_tangents_that_cross_to_the_host():
    @jax.custom_jvp
    def f(x):
        return jnp.cumsum(x)

    f.defjvp(lambda x, t: (jnp.cumsum(x[0]), by_host(np.cumsum, t[0])))
    jac = asdex.jacobian(f, B, mode="fwd", output_format="dense")(B)
    np.testing.assert_allclose(jac, np.tri(N))


def test_tangents_as_whole_numbers():
    """Bits that are moved and combined, and numbers of which whole parts are taken."""

    @jax.custom_jvp
    def f(x):
        return x * 1.0

    def tangents(t):
        bits = jax.lax.bitcast_convert_type(t, jnp.int32)
        kept = jnp.concatenate([bits[3:], jnp.bitwise_or(bits[:3], bits[:3])])
        return jax.lax.bitcast_convert_type(kept, jnp.float32) + (2 * t).astype(int)

    f.defjvp(lambda x, t: (f(x[0]), tangents(t[0])))
    expected = np.roll(np.eye(N), 3, axis=1) + 2 * np.eye(N)
    jac_fn = asdex.jacobian(f, B, mode="fwd", output_format="dense")
    np.testing.assert_array_equal(jac_fn.coloring.sparsity.todense(), expected != 0)
    np.testing.assert_allclose(jac_fn(B), expected)


def test_bits_of_other_widths(enable_x64):
    with enable_x64():

        @jax.custom_jvp
        def f(x):
            return x * 1.0

        def tangents(t):
            words = jax.lax.bitcast_convert_type(t, jnp.uint32)
            return jax.lax.bitcast_convert_type(words[::-1], jnp.float64)

        f.defjvp(lambda x, t: (f(x[0]), tangents(t[0])))
        x = jnp.linspace(0.5, 1.5, N)
        jac_fn = asdex.jacobian(f, x, mode="fwd", output_format="dense")
        np.testing.assert_array_equal(jac_fn.coloring.sparsity.todense(), np.eye(N)[::-1])
        np.testing.assert_allclose(jac_fn(x), np.eye(N)[::-1])
