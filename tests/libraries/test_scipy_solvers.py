"""SciPy's solvers take what asdex returns, and make use of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares, minimize, NonlinearConstraint, root
from scipy.sparse.linalg import LinearOperator, splu

import asdex


N = 15


@pytest.fixture(autouse=True)
def x64(enable_x64):
    with enable_x64(True):
        yield


def counted(calls, function):
    """The same function, which keeps what it returns in `calls`."""

    def call(*args):
        result = function(*args)
        calls.append(result)
        return result

    return call


@jax.jit
def boundary_value_problem(u):
    """-u'' = 3 exp(u), u = 0 at both ends."""
    padded = jnp.pad(u, 1)
    return padded[:-2] - 2 * u + padded[2:] + 3 / (N + 1) ** 2 * jnp.exp(u)


def solution():
    u = np.zeros(N)
    for _ in range(12):
        dense = jax.jit(jax.jacobian(boundary_value_problem))(u)
        u = u - np.linalg.solve(dense, np.asarray(boundary_value_problem(u)))
    return u


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_root(method):
    start, calls = np.zeros(N), []
    jac_fn = asdex.jacobian(boundary_value_problem, start, output_format="numpy_dense")
    options: Any = {"jac": counted(calls, jac_fn), "tol": 1e-12}
    result = root(boundary_value_problem, start, method=method, **options)
    assert result.success and calls
    np.testing.assert_allclose(result.x, solution(), rtol=1e-9)

    # Value and Jacobian from one call.
    both = asdex.value_and_jacobian(boundary_value_problem, start, output_format="numpy_dense")
    together = root(both, start, method=method, jac=True, tol=1e-12)
    np.testing.assert_allclose(together.x, result.x, rtol=1e-12)


def test_splu_for_newton_and_as_a_preconditioner():
    u = np.zeros(N)
    jac_fn = asdex.jacobian(boundary_value_problem, u, output_format="scipy_csc")
    assert sp.issparse(jac_fn(u)) and jac_fn(u).format == "csc"
    for _ in range(6):
        u = u - splu(jac_fn(u)).solve(np.asarray(boundary_value_problem(u)))
    np.testing.assert_allclose(u, solution(), rtol=1e-12)

    inverse = LinearOperator((N, N), splu(jac_fn(np.zeros(N))).solve)
    evaluations = []
    for inner in (inverse, None):
        calls = []
        result = root(
            counted(calls, boundary_value_problem),
            np.zeros(N),
            method="krylov",
            options={"jac_options": {"inner_M": inner}, "fatol": 1e-11},
        )
        assert result.success
        np.testing.assert_allclose(result.x, u, rtol=1e-7)
        evaluations.append(len(calls))
    assert evaluations[0] < evaluations[1]


def residuals(u):
    """More residuals than unknowns, and not zero at the minimum."""
    return jnp.concatenate([jnp.arctan(u - jnp.linspace(0, 2, N) ** 2), 2 * (u[1:] - u[:-1])])


@pytest.mark.parametrize("method", ["trf", "dogbox"])
def test_least_squares(method):
    start, calls = np.zeros(N), []
    jac_fn = asdex.jacobian(residuals, start, output_format="scipy_csr")
    dense_fn = jax.jit(jax.jacobian(residuals))
    pattern = asdex.jacobian_sparsity(residuals, start).to_scipy()
    variants: dict[str, Any] = {
        "sparse": {"jac": counted(calls, jac_fn)},
        "pattern": {"jac_sparsity": pattern},
        "dense": {"jac": lambda u: np.asarray(dense_fn(u))},
    }
    tolerances = {"ftol": 1e-15, "xtol": 1e-14, "gtol": 1e-12}
    results = {
        name: least_squares(jax.jit(residuals), start, method=method, **tolerances, **options)
        for name, options in variants.items()
    }
    assert all(sp.issparse(one) for one in calls) and len(calls) == results["sparse"].njev
    gradient = jax.grad(lambda u: jnp.sum(residuals(u) ** 2) / 2)(results["sparse"].x)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-7)
    for name in ("pattern", "dense"):
        np.testing.assert_allclose(results[name].x, results["sparse"].x, atol=1e-5)
    assert jac_fn.coloring.num_colors == 2


def test_trust_constr():
    """Points on ellipses near a target: both functions have a Hessian."""
    target = np.linspace(1.0, 3.0, 2 * N)
    start = np.ones(2 * N)

    def objective(x):
        return jnp.sum((x - target) ** 2) + jnp.sum((x[1:] * x[:-1]) ** 2)

    def circles(x):
        return x[:N] ** 2 + x[N:] ** 2 + 0.1 * x[:N] * x[N:]

    hessians, curvatures = [], []
    hess_fn = asdex.hessian(objective, start, output_format="scipy_csr")
    curvature_fn = asdex.lagrangian_hessian(None, circles, start, output_format="scipy_csr")
    options: Any = {
        "jac": asdex.jacobian(circles, start, output_format="scipy_csr"),
        "hess": counted(curvatures, curvature_fn),
    }
    result = minimize(
        jax.jit(jax.value_and_grad(objective)),
        start,
        jac=True,
        hess=counted(hessians, hess_fn),
        method="trust-constr",
        constraints=NonlinearConstraint(jax.jit(circles), 2.0, 2.0, **options),
        options={"gtol": 1e-10, "xtol": 1e-14},
    )
    assert result.constr_violation < 1e-10
    assert hessians and curvatures and all(map(sp.issparse, (*hessians, *curvatures)))
    x, multipliers = jnp.asarray(result.x), jnp.asarray(result.v[0])
    stationarity = jax.grad(lambda x: objective(x) + multipliers @ circles(x))(x)
    np.testing.assert_allclose(stationarity, 0.0, atol=1e-7)
    # What SciPy was handed is the dense Hessian of the constraints' part.
    np.testing.assert_allclose(
        curvature_fn(x, multipliers).toarray(),
        jax.jit(jax.hessian(lambda x: multipliers @ circles(x)))(x),
        atol=1e-12,
    )


def test_trust_constr_without_constraints():
    start = np.full(N, 0.5)

    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    hess_fn = asdex.hessian(rosenbrock, start, output_format="scipy_csr")
    result = minimize(
        jax.jit(rosenbrock),
        start,
        jac=jax.jit(jax.grad(rosenbrock)),
        hess=hess_fn,
        method="trust-constr",
        options={"gtol": 1e-10, "xtol": 1e-14},
    )
    np.testing.assert_allclose(result.x, 1.0, atol=1e-7)


@jax.jit
def brusselator(t, y):
    u, v = y[::2], y[1::2]

    def laplacian(w):
        padded = jnp.pad(w, 1, mode="edge")
        return padded[2:] + padded[:-2] - 2 * w

    forcing = 0.5 * jnp.sin(t)
    du = 1 + forcing + u**2 * v - 4 * u + 4 * laplacian(u)
    dv = 3 * u - u**2 * v + 4 * laplacian(v)
    return jnp.stack([du, dv], axis=1).ravel()


@pytest.mark.parametrize("method", ["BDF", "Radau"])
def test_solve_ivp(method):
    s = np.linspace(0, 1, N)
    y = np.stack([1 + np.sin(2 * np.pi * s), 3 + 0 * s], axis=1).ravel()
    jac_fn = asdex.jacobian(brusselator, 0.0, y, argnums=1, output_format="scipy_csc")
    pattern = asdex.jacobian_sparsity(brusselator, 0.0, y, argnums=1).to_scipy()
    calls = []
    variants: dict[str, Any] = {
        "jac": counted(calls, jac_fn),
        "jac_sparsity": pattern,
        "nothing": None,
    }
    finals = {}
    for name, value in variants.items():
        options: Any = {} if value is None else {name: value}
        result = solve_ivp(
            brusselator, (0.0, 2.0), y, method=method, rtol=1e-7, atol=1e-9, **options
        )
        assert result.success
        finals[name] = result.y[:, -1]
    assert calls and all(sp.issparse(one) for one in calls)
    np.testing.assert_allclose(
        calls[0].toarray(), jax.jit(jax.jacobian(brusselator, argnums=1))(0.0, y), rtol=1e-12
    )
    np.testing.assert_allclose(finals["jac"], finals["nothing"], rtol=1e-4)
    np.testing.assert_allclose(finals["jac_sparsity"], finals["nothing"], rtol=1e-4)


def test_differences_along_a_pattern():
    """A pattern that lacks an entry would spoil SciPy's differences: they agree with the Jacobian."""
    from scipy.optimize._numdiff import approx_derivative, group_columns

    y = np.random.default_rng(0).normal(size=2 * N)
    pattern = asdex.jacobian_sparsity(brusselator, 0.0, y, argnums=1).to_scipy()
    groups = group_columns(pattern)
    differences: Any = approx_derivative(
        lambda y: brusselator(0.0, y), y, sparsity=(pattern, groups)
    )
    exact = asdex.jacobian(brusselator, 0.0, y, argnums=1, output_format="scipy_csr")(0.0, y)
    np.testing.assert_allclose(differences.toarray(), exact.toarray(), atol=1e-5)
