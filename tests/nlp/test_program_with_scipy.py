"""A solver that is driven by nothing but the callbacks of a program: SciPy's trust-constr."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize, NonlinearConstraint

from asdex.nlp import NonlinearProgram


LINKS = 12


def height(joints):
    return jnp.mean(joints[:, 1])


def stretch(joints, length):
    """Zero where each link of a chain between two fixed points has the given length."""
    ends = jnp.zeros((1, 2)), jnp.array([[1.0, 0.0]])
    whole = jnp.concatenate([ends[0], joints, ends[1]])
    return jnp.sum(jnp.diff(whole, axis=0) ** 2, axis=1) / length**2 - 1


@pytest.fixture
def chain(enable_x64):
    t = np.linspace(0, 1, LINKS + 1)[1:-1]
    start = np.stack([t, -t * (1 - t)], axis=1)
    with enable_x64(True):
        program = NonlinearProgram(
            lambda joints, length: height(joints), stretch, start, 1.5 / LINKS
        )
        yield program, program.ravel(start)


def solve(program, start):
    n, m = program.n, program.m
    rows, cols = program.hessianstructure()
    off = rows != cols
    whole = np.r_[rows, cols[off]], np.r_[cols, rows[off]]

    def jacobian(x):
        return sp.csr_matrix((program.jacobian(x), program.jacobianstructure()), shape=(m, n))

    def hessian(x, multipliers, factor):
        lower = program.hessian(x, multipliers, factor)
        return sp.csr_matrix((np.r_[lower, lower[off]], whole), shape=(n, n))

    return minimize(
        program.objective,
        start,
        jac=program.gradient,
        hess=lambda x: hessian(x, np.zeros(m), 1.0),
        method="trust-constr",
        constraints=NonlinearConstraint(
            program.constraints,
            0.0,
            0.0,
            jac=jacobian,  # pyright: ignore
            hess=lambda x, v: hessian(x, v, 0.0),
        ),
        options={"gtol": 1e-9, "xtol": 1e-13, "maxiter": 400},
    )


def test_the_chain_hangs_at_rest(chain):
    program, start = chain
    result = solve(program, start)
    assert result.success
    assert result.constr_violation < 1e-9
    assert result.optimality < 1e-8
    joints = program.unravel(result.x)
    # It hangs symmetrically and below its ends, and is convex.
    np.testing.assert_allclose(joints[:, 1], joints[::-1, 1], atol=1e-5)
    assert np.all(np.diff(joints[:, 1], 2) > 0)
    # The forces in a chain have the same horizontal part everywhere.
    links = np.diff(np.concatenate([[[0.0, 0.0]], joints, [[1.0, 0.0]]]), axis=0)
    horizontal = result.v[0] * links[:, 0]
    np.testing.assert_allclose(horizontal, horizontal[0], rtol=1e-6)


def test_only_constraints_have_curvature(chain):
    program, start = chain
    rows, cols = program.hessianstructure()
    # x and y do not mix; each joint and each pair of neighbors has an entry for both.
    joints = LINKS - 1
    assert rows.size == 2 * (joints + joints - 1)
    np.testing.assert_array_equal((rows - cols) % 2, 0)
    zeros = program.hessian(start, np.zeros(LINKS), 1.0)
    np.testing.assert_array_equal(zeros, 0.0)
