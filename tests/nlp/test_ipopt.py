"""IPOPT itself, through cyipopt: its own check of the derivatives, and published optima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from asdex.nlp import NonlinearProgram


cyipopt = pytest.importorskip("cyipopt")


@pytest.fixture(autouse=True)
def x64(enable_x64):
    with enable_x64(True):
        yield


def solve(program, start, log, lower=None, upper=None, cl=(), cu=()):
    """Solve and check all derivatives by differences; the report goes to `log`."""
    problem = cyipopt.Problem(
        n=program.n, m=program.m, problem_obj=program, lb=lower, ub=upper, cl=cl, cu=cu
    )
    problem.add_option("print_level", 0)
    problem.add_option("sb", "yes")
    problem.add_option("tol", 1e-10)
    problem.add_option("output_file", str(log))
    problem.add_option("file_print_level", 5)
    problem.add_option("derivative_test", "second-order")
    problem.add_option("derivative_test_tol", 1e-3)  # differences have few digits
    return problem.solve(start)


def check_log(log, program):
    text = log.read_text()
    assert "No errors detected by derivative checker." in text
    counts = [line.rsplit(":", 1)[1] for line in text.splitlines() if "Number of nonzeros" in line]
    equalities, inequalities, hessian = map(int, counts)
    assert equalities + inequalities == program.jacobianstructure()[0].size
    assert hessian == program.hessianstructure()[0].size


@pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")
def test_hock_schittkowski_71(tmp_path):
    """Problem 71 of Hock and Schittkowski (1981): bounds, an inequality and an equality."""

    def objective(x):
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    def constraints(x):
        return {"product": jnp.prod(x), "sum": jnp.sum(x**2)}

    start = np.array([1.0, 5.0, 5.0, 1.0])
    program = NonlinearProgram(objective, constraints, start)
    x, info = solve(
        program,
        start,
        tmp_path / "log",
        lower=np.ones(4),
        upper=np.full(4, 5.0),
        cl=program.ravel_constraints({"product": 25.0, "sum": 40.0}),
        cu=program.ravel_constraints({"product": np.inf, "sum": 40.0}),
    )
    assert info["status"] == 0
    np.testing.assert_allclose(x, [1.0, 4.7429994, 3.8211503, 1.3794082], atol=1e-6)
    assert info["obj_val"] == pytest.approx(17.0140173, abs=1e-6)
    check_log(tmp_path / "log", program)


def test_a_sparse_unconstrained_problem(tmp_path):
    def rosenbrock(x):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    program = NonlinearProgram(rosenbrock, None, np.zeros(10))
    assert program.hessianstructure()[0].size == 10 + 9
    x, info = solve(program, np.full(10, 0.9), tmp_path / "log")
    assert info["status"] == 0
    np.testing.assert_allclose(x, np.ones(10), atol=1e-8)
    check_log(tmp_path / "log", program)


def test_variables_in_a_pytree(tmp_path):
    """Two arrays of variables; the multipliers make the Lagrangian stationary."""

    def objective(z):
        return jnp.sum(z["x"] ** 2) + jnp.sum((z["y"] - 1) ** 4)

    def constraints(z):
        return {"sum": z["x"] + z["y"], "product": z["x"][1:] * z["y"][:-1]}

    random = np.random.default_rng(0)
    start = {"x": random.uniform(1, 2, 6), "y": random.uniform(1, 2, 6)}
    program = NonlinearProgram(objective, constraints, start)
    x, info = solve(
        program,
        program.ravel(start),
        tmp_path / "log",
        cl=program.ravel_constraints({"sum": 2.0, "product": -np.inf}),
        cu=program.ravel_constraints({"sum": 2.0, "product": 0.4}),
    )
    assert info["status"] == 0
    check_log(tmp_path / "log", program)
    z = program.unravel(x)
    np.testing.assert_allclose(z["x"] + z["y"], 2.0, atol=1e-8)
    assert np.all(z["x"][1:] * z["y"][:-1] < 0.4 + 1e-7)
    # The gradient of the Lagrangian vanishes.
    multipliers = program.unravel_constraints(info["mult_g"])

    def lagrangian(z):
        g = constraints(z)
        return objective(z) + sum(jnp.sum(multipliers[name] * g[name]) for name in g)

    slopes = jax.grad(lagrangian)(z)
    for slope in jax.tree.leaves(slopes):
        np.testing.assert_allclose(slope, 0.0, atol=1e-7)
