"""The KKT matrix against dense derivatives, and steps of an interior-point method with it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex
import asdex.nlp


N = 6
X = jnp.linspace(0.3, 1.4, N)


def objective(x, scale):
    return scale * jnp.sum(x[1:] ** 2 * x[:-1])


def constraints(x, scale):
    return {"pairs": jnp.sin(x[2:]) * x[:-2], "total": scale * jnp.sum(x)}


MULTIPLIERS = {"pairs": jnp.linspace(-1.0, 1.0, N - 2), "total": jnp.array(3.0)}


def flat(x, scale):
    return jnp.concatenate([jnp.ravel(one) for one in jax.tree.leaves(constraints(x, scale))])


def dense(x, multipliers, factor, scale, primal, dual):
    vector = jnp.concatenate([jnp.ravel(one) for one in jax.tree.leaves(multipliers)])
    lagrangian = lambda x: factor * objective(x, scale) + vector @ flat(x, scale)  # noqa: E731
    hess, jac = jax.hessian(lagrangian)(x), jax.jacobian(flat)(x, scale)
    m = len(jac)
    upper = hess + jnp.diag(jnp.broadcast_to(primal, (N,)))
    return jnp.block([[upper, jac.T], [jac, -jnp.diag(jnp.broadcast_to(dual, (m,)))]])


@pytest.mark.parametrize("primal, dual", [(0.0, 0.0), (np.arange(1.0, N + 1), 0.5)])
def test_values(primal, dual):
    kkt = asdex.nlp.kkt_matrix(objective, constraints, X, 2.0)
    got = jax.jit(lambda *at: kkt(*at, primal=primal, dual=dual))(X, MULTIPLIERS, 1.5, 2.0)
    expected = jax.jit(dense)(X, MULTIPLIERS, 1.5, 2.0, primal, dual)
    np.testing.assert_allclose(got.todense(), expected, rtol=1e-5, atol=1e-6)


def test_the_pattern_is_that_of_both_and_a_full_diagonal():
    kkt = asdex.nlp.kkt_matrix(objective, constraints, X, 2.0)
    pattern = kkt.sparsity.todense()
    jac = kkt.jacobian.sparsity.todense()
    hess = kkt.hessian.sparsity.todense()
    assert np.array_equal(pattern[:N, :N], hess | np.eye(N, dtype=bool))
    assert np.array_equal(pattern[N:, :N], jac) and np.array_equal(pattern[:N, N:], jac.T)
    assert np.array_equal(pattern[N:, N:], np.eye(len(jac), dtype=bool))


def test_options_that_it_does_not_have():
    """The Jacobian of the constraints is not symmetric, though the matrix is."""
    for name in ("symmetric", "mode", "verify", "output_format", "local"):
        with pytest.raises(TypeError, match=f"Expected no `{name}` for asdex.kkt_matrix"):
            options: dict[str, Any] = {name: True}
            asdex.nlp.kkt_matrix(objective, constraints, X, 2.0, **options)
    with pytest.raises(TypeError, match="Did you mean the option `budget`"):
        asdex.nlp.kkt_matrix(objective, constraints, X, 2.0, buget=1.0)
    with pytest.raises(TypeError, match="Expected constraints, got None"):
        asdex.nlp.kkt_matrix(objective, None, X, 2.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name, shape", [("primal", (N,)), ("dual", (N - 1,))])
def test_diagonals_of_other_shapes(name, shape):
    kkt = asdex.nlp.kkt_matrix(objective, constraints, X, 2.0)
    message = rf"Expected {name} of shape \({shape[0]},\) or a number, got shape \(3,\)"
    with pytest.raises(ValueError, match=message):
        kkt.values(X, MULTIPLIERS, 1.0, 2.0, **{name: np.ones(3)})


def test_newton_on_the_conditions_finds_the_minimum(enable_x64):
    """The zeros that the constraints leave on the diagonal are no obstacle to a direct solver."""
    lx = pytest.importorskip("lineax")
    from asdex.lineax import AutoSparseSolver, SparseMatrixLinearOperator

    with enable_x64():
        size = 30

        def energy(x):
            return jnp.sum((x - 1) ** 2) + jnp.sum((x[1:] - x[:-1]) ** 4)

        def ends(x):
            return jnp.stack([x[0] + x[-1], x[size // 2] ** 2 - 1])

        kkt = asdex.nlp.kkt_matrix(energy, ends, jnp.zeros(size))

        @jax.jit
        def step(x, multipliers):
            matrix = SparseMatrixLinearOperator(kkt.values(x, multipliers), kkt.sparsity)
            gradient = jax.grad(lambda x: energy(x) + multipliers @ ends(x))(x)
            right = -jnp.concatenate([gradient, ends(x)])
            change = lx.linear_solve(matrix, right, AutoSparseSolver()).value
            return x + change[:size], multipliers + change[size:], jnp.max(jnp.abs(right))

        x, multipliers = jnp.linspace(0.1, 0.9, size), jnp.zeros(2)
        for _ in range(25):
            x, multipliers, error = step(x, multipliers)
        assert error < 1e-10
        np.testing.assert_allclose(ends(x), 0, atol=1e-10)
