"""`SparseLinearSolver`: sparsity for the solvers of optimistix, which know nothing of it."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import (
    brusselator,
    close,
    dense_jacobian,
    on_a_grid,
    on_a_line,
    point,
    solved,
    SQUARE,
)

import asdex


lx = pytest.importorskip("lineax")
optx = pytest.importorskip("optimistix")
asdex_lineax = importlib.import_module("asdex.lineax")
Sparse = asdex_lineax.SparseLinearSolver

N = 36


def residual(y, args):
    """An implicit Euler step of the Brusselator."""
    return y - args["start"] - args["step"] * brusselator(y)


ARGS = {"start": point(N), "step": jnp.float32(0.2)}


def lazy(f, y):
    return lx.linearise(lx.JacobianLinearOperator(lambda y, _: f(y), y))


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
@pytest.mark.parametrize("name", ["brusselator", "with_a_zero_diagonal", "pointwise"])
def test_any_operator_is_solved(name, mode):
    f, y, b = SQUARE[name], point(N), point(N, seed=1)
    solver = Sparse(asdex.jacobian_coloring(f, y, mode=mode))
    got = lx.linear_solve(lazy(f, y), b, solver).value
    np.testing.assert_allclose(got, solved(dense_jacobian(f, y), b).real, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_the_operators_of_implicit_methods_are_covered(mode):
    """The diagonal of I - h J counts although the pattern of J lacks it."""

    def rotate(y):
        return jnp.roll(y, 3) ** 2

    y, b = point(N), point(N, seed=1)
    solver = Sparse(asdex.jacobian_coloring(rotate, y, mode=mode))
    got = lx.linear_solve(lazy(lambda y: y - 0.3 * rotate(y), y), b, solver).value
    dense = np.eye(N) - 0.3 * dense_jacobian(rotate, y)
    np.testing.assert_allclose(got, solved(dense, b).real, rtol=1e-3)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("mode", ["fwd", "rev", "bidirectional"])
def test_damped_operators_are_recognised(mode, symmetric):
    if symmetric and mode == "bidirectional":
        pytest.skip("there is no such coloring")
    f = jax.grad(lambda y: jnp.sum(y[1:] * y[:-1] * y[1:]))
    y, b = point(N), point(N, seed=1)
    solver = Sparse(asdex.jacobian_coloring(f, y, mode=mode, symmetric=symmetric))
    got = lx.linear_solve(lazy(lambda y: (f(y), 0.5 * y), y), (b, 0 * y), solver).value
    dense = np.vstack([dense_jacobian(f, y), 0.5 * np.eye(N)])
    expected = np.linalg.lstsq(dense, np.concatenate([b, 0 * y]), rcond=None)[0]
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize(
    "solver", [None, lx.GMRES(1e-6, 1e-6), lx.LU()], ids=lambda solver: type(solver).__name__
)
@pytest.mark.parametrize("method", [optx.Newton, optx.Chord], ids=lambda one: one.__name__)
def test_root_finders(method, solver):
    sparse = Sparse(asdex.jacobian_coloring(residual, point(N), ARGS), solver)
    got, expected = (
        optx.root_find(residual, method(1e-5, 1e-5, linear_solver=one), point(N), ARGS)
        for one in (sparse, lx.AutoLinearSolver(well_posed=None))
    )
    assert int(got.stats["num_steps"]) == int(expected.stats["num_steps"])
    np.testing.assert_allclose(got.value, expected.value, rtol=1e-4)
    assert np.abs(residual(got.value, ARGS)).max() < 1e-4


def fit(y, target):
    """Each residual reads two neighbors; there are more of them than unknowns."""
    return jnp.concatenate([y[1:] * y[:-1] - target, 0.1 * (y[1:] - y[:-1])])


TARGET = point(N - 1, seed=3)
METHODS = [optx.GaussNewton, optx.LevenbergMarquardt, optx.IndirectLevenbergMarquardt, optx.Dogleg]


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.__name__)
def test_least_squares(method, enable_x64):
    with enable_x64():
        y, target = point(N, jnp.float64), TARGET.astype(jnp.float64)
        sparse = Sparse(asdex.jacobian_coloring(fit, y, target))
        got, expected = (
            optx.least_squares(fit, method(1e-5, 1e-5, linear_solver=one), y, target)
            for one in (sparse, lx.QR())
        )
        assert int(got.stats["num_steps"]) == int(expected.stats["num_steps"])
        np.testing.assert_allclose(got.value, expected.value, rtol=1e-9)


def test_gradients_of_a_root(enable_x64):
    with enable_x64():
        start = point(N, jnp.float64)
        sparse = Sparse(asdex.jacobian_coloring(residual, start, {"start": start, "step": 0.2}))
        auto = lx.AutoLinearSolver(well_posed=None)

        def loss(start, step, solver):
            root = optx.root_find(
                residual,
                optx.Newton(1e-10, 1e-10, linear_solver=solver),
                jnp.ones(N),
                {"start": start, "step": step},
                adjoint=optx.ImplicitAdjoint(linear_solver=solver),
            )
            return jnp.sum(root.value**2)

        got, expected = (
            jax.jit(lambda *at, one=one: jax.grad(loss, (0, 1))(*at, one))(start, 0.2)
            for one in (sparse, auto)
        )
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7)


def test_many_roots_at_once():
    solver = optx.Newton(
        1e-5, 1e-5, linear_solver=Sparse(asdex.jacobian_coloring(residual, point(N), ARGS))
    )

    def root(step):
        return optx.root_find(residual, solver, point(N), {**ARGS, "step": step}).value

    steps = jnp.array([0.05, 0.2])
    roots = jax.jit(jax.vmap(root))(steps)
    for step, one in zip(steps, roots, strict=True):
        assert np.abs(residual(one, {**ARGS, "step": step})).max() < 1e-4


def test_complex_operators(enable_x64):
    with enable_x64():
        y, b = point(N, jnp.complex128) * (1 + 1j), point(N, jnp.complex128, seed=1) * 1j
        solver = Sparse(asdex.jacobian_coloring(on_a_line, point(N, jnp.float64)))
        operator = lx.FunctionLinearOperator(
            lambda v: jax.jvp(on_a_line, (y,), (v,))[1], jax.eval_shape(lambda: y)
        )
        dense = np.asarray(jax.jit(jax.jacobian(on_a_line, holomorphic=True))(y))
        assert close(lx.linear_solve(operator, b, solver).value, solved(dense, b), jnp.float64)


def test_tags_reach_the_solver():
    def energy(y):
        return jnp.sum(y**4) + jnp.sum((y[1:] - y[:-1]) ** 2)

    f, y, b = jax.grad(energy), point(N), point(N, seed=1)
    solver = Sparse(asdex.jacobian_coloring(f, y), lx.CG(1e-6, 1e-6))
    operator = lx.JacobianLinearOperator(lambda y, _: f(y), y, tags=lx.positive_semidefinite_tag)
    got = lx.linear_solve(operator, b, solver).value
    np.testing.assert_allclose(got, solved(dense_jacobian(f, y), b).real, rtol=1e-4)


def test_errors():
    y = point(N)
    coloring = asdex.jacobian_coloring(on_a_grid, y)
    with pytest.raises(ValueError, match=rf"shape \({N}, {N}\).*damped.*got shape \(35, 36\)"):
        lx.linear_solve(lazy(lambda y: y[1:], y), y[1:], Sparse(coloring))
    # Twice as many rows are only those of a damped operator in the form that optimistix gives it.
    with pytest.raises(ValueError, match=r"got shape \(72, 36\)"):
        lx.linear_solve(lazy(lambda y: jnp.tile(y, 2), y), jnp.tile(y, 2), Sparse(coloring))
    with pytest.raises(TypeError, match=r"Expected an asdex\.ColoredPattern, got SparsityPattern"):
        Sparse(coloring.sparsity)
    with pytest.raises(TypeError, match="known coloring"):
        jax.jit(lambda one: Sparse(one).plain.kernel.colors)(coloring)
    hessian = asdex.hessian_coloring(lambda y: jnp.sum(y**2), y)
    with pytest.raises(ValueError, match=r"Use asdex\.jacobian_coloring"):
        Sparse(hessian)
