"""The Hessian of the Lagrangian against jax.hessian: values, patterns, transformations and errors."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


N = 7
X = jnp.linspace(0.3, 1.4, N)


def objective(x):
    return jnp.sum(x[1:] ** 2 * x[:-1])


def constraints(x):
    """Couples x[i] and x[i + 2], which the objective does not; the last one is linear."""
    return {"pairs": jnp.sin(x[2:]) * x[:-2], "total": jnp.sum(x)}


MULTIPLIERS = {"pairs": jnp.linspace(-1.0, 1.0, N - 2), "total": jnp.array(3.0)}


def lagrangian(x, multipliers, factor, f=objective, g=constraints):
    products = jax.tree.map(lambda one, value: jnp.sum(one * value), multipliers, g(x))
    return factor * f(x) + sum(jax.tree.leaves(products))


def dense(multipliers=MULTIPLIERS, factor=1.0):
    return jax.jit(jax.hessian(lagrangian))(X, multipliers, factor)


# Neighbors and next neighbors.
EXPECTED = abs(np.subtract.outer(np.arange(N), np.arange(N))) <= 2


@pytest.mark.parametrize("factor", [0, 1, 0.0, 1.0, 2.5, jnp.array(-0.5), np.float32(3.0)])
def test_values(factor):
    hess_fn = asdex.lagrangian_hessian(objective, constraints, X)
    hess = hess_fn(X, MULTIPLIERS, factor)
    np.testing.assert_allclose(hess.todense(), dense(factor=factor), rtol=1e-5, atol=1e-6)


def test_the_factor_is_one_by_default():
    hess = asdex.lagrangian_hessian(objective, constraints, X)(X, MULTIPLIERS)
    np.testing.assert_allclose(hess.todense(), dense(), rtol=1e-5, atol=1e-6)


def test_the_pattern_knows_no_multiplier():
    """Sample constraints of value zero, a zero factor and zero multipliers drop no entry."""
    hess_fn = asdex.lagrangian_hessian(objective, constraints, jnp.zeros(N))
    # The diagonal's first entry is zero: both terms are linear in x[0].
    expected = EXPECTED.copy()
    expected[0, 0] = False
    np.testing.assert_array_equal(hess_fn.sparsity.todense(), expected)
    zeros = jax.tree.map(jnp.zeros_like, MULTIPLIERS)
    hess = hess_fn(X, zeros, 0.0)
    assert hess.nse == expected.sum()
    np.testing.assert_array_equal(hess.todense(), np.zeros((N, N)))
    hess = hess_fn(X, MULTIPLIERS, 0.0)
    np.testing.assert_allclose(hess.todense(), dense(factor=0.0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output_format", ["bcoo", "bcsr", "dense", "scipy_csr", "numpy_dense"])
@pytest.mark.parametrize("lower_triangle", [False, True])
def test_output_formats(output_format, lower_triangle):
    hess_fn = asdex.lagrangian_hessian(
        objective,
        constraints,
        X,
        output_format=output_format,
        triangle="lower" if lower_triangle else None,
    )
    hess = hess_fn(X, MULTIPLIERS, 2.0)
    hess = hess.todense() if hasattr(hess, "todense") else hess
    expected = np.tril(dense(factor=2.0)) if lower_triangle else dense(factor=2.0)
    np.testing.assert_allclose(hess, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("recovery", ["direct", "substitution"])
@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
def test_the_lower_triangle_in_order(recovery, mode):
    hess_fn = asdex.lagrangian_hessian(
        objective,
        constraints,
        X,
        triangle="lower",
        output_format="data",
        recovery=recovery,
        mode=mode,
    )
    rows, cols = hess_fn.sparsity.rows, hess_fn.sparsity.cols
    lower = np.tril(EXPECTED)
    lower[0, 0] = False
    np.testing.assert_array_equal((rows, cols), np.nonzero(lower))
    assert hess_fn.sparsity.shape == (N, N)
    data = hess_fn(X, MULTIPLIERS, 2.0)
    np.testing.assert_allclose(data, dense(factor=2.0)[rows, cols], rtol=1e-5, atol=1e-6)


def test_the_coloring_is_that_of_the_whole_matrix():
    whole, lower = (
        asdex.lagrangian_hessian(
            objective, constraints, X, triangle="lower" if lower_triangle else None
        )
        for lower_triangle in (False, True)
    )
    assert lower.coloring.sparsity.nnz == whole.sparsity.nnz == EXPECTED.sum() - 1
    assert lower.coloring.num_colors == whole.coloring.num_colors
    assert lower.sparsity.nnz == (EXPECTED.sum() - 1 + N - 1) // 2


def test_one_of_the_two_functions():
    hess = asdex.lagrangian_hessian(objective, None, X)(X, objective_factor=3.0)
    np.testing.assert_allclose(
        hess.todense(), 3 * jax.jit(jax.hessian(objective))(X), rtol=1e-5, atol=1e-6
    )
    hess_fn = asdex.lagrangian_hessian(None, constraints, X)
    hess = hess_fn(X, MULTIPLIERS)
    np.testing.assert_allclose(hess.todense(), dense(factor=0.0), rtol=1e-5, atol=1e-6)
    # Neighbors are coupled by the objective only, and x[0] and x[1] enter linearly.
    assert hess_fn.sparsity.nnz == 2 * (N - 2) + N - 2


def test_further_arguments():
    def f(x, scale, *, power):
        return scale * jnp.sum(x**power)

    def g(x, scale, *, power):
        return jnp.cos(scale * x[1:] * x[0]) + power

    multipliers = jnp.arange(1.0, N)
    hess_fn = asdex.lagrangian_hessian(f, g, X, 1.0, power=4)
    for scale in (0.5, 2.0):
        expected = jax.jit(
            jax.hessian(
                lambda x, scale=scale: 2 * f(x, scale, power=4) + multipliers @ g(x, scale, power=4)
            )
        )(X)
        hess = hess_fn(X, multipliers, 2.0, scale, power=4)
        np.testing.assert_allclose(hess.todense(), expected, rtol=1e-4, atol=1e-5)


def test_variables_in_a_pytree():
    def f(z):
        return jnp.sum(z["a"] * z["b"] ** 2)

    def g(z):
        return z["a"] ** 3, jnp.sum(z["b"])

    z = {"a": X, "b": X[::-1]}
    multipliers = (jnp.arange(1.0, N + 1), jnp.array(2.0))
    hess = asdex.lagrangian_hessian(f, g, z)(z, multipliers, 2.0)
    expected = jax.jit(jax.hessian(lambda z: 2 * f(z) + multipliers[0] @ g(z)[0]))(z)
    assert hess["b"]["b"].nse == N
    for key in ("a", "b"):
        for other in ("a", "b"):
            np.testing.assert_allclose(hess[key][other].todense(), expected[key][other], rtol=1e-5)

    # The lower triangle is that of one matrix over all variables.
    lower = asdex.lagrangian_hessian(f, g, z, triangle="lower", flatten=True)(z, multipliers, 2.0)
    whole = np.block([[expected[key][other] for other in "ab"] for key in "ab"])
    np.testing.assert_allclose(lower.todense(), np.tril(whole), rtol=1e-5)


def test_transformations():
    hess_fn = asdex.lagrangian_hessian(
        objective, constraints, X, triangle="lower", output_format="dense"
    )
    expected = np.tril(dense(factor=2.0))
    for compiled in (jax.jit(hess_fn), eqx.filter_jit(hess_fn)):
        np.testing.assert_allclose(compiled(X, MULTIPLIERS, 2.0), expected, rtol=1e-5, atol=1e-6)

    batch = jax.tree.map(lambda one: jnp.stack([one, 2 * one, 0 * one]), MULTIPLIERS)
    factors = jnp.array([1.0, 0.0, 2.0])
    batched = jax.vmap(hess_fn, in_axes=(None, 0, 0))(X, batch, factors)
    for k in range(3):
        one = jax.tree.map(lambda leaf, k=k: leaf[k], batch)
        np.testing.assert_allclose(
            batched[k], np.tril(dense(one, float(factors[k]))), rtol=1e-5, atol=1e-6
        )

    # The Hessian is linear in the multipliers.
    slope = jax.grad(lambda factor: hess_fn(X, MULTIPLIERS, factor)[1, 0])(2.0)
    np.testing.assert_allclose(slope, jax.jit(jax.hessian(objective))(X)[1, 0], rtol=1e-5)


def test_other_multipliers_compile_nothing():
    traces = []

    def g(x):
        traces.append(x)
        return x**2

    hess_fn = asdex.lagrangian_hessian(objective, g, X)
    hess_fn(X, jnp.ones(N), 1)
    before = len(traces)
    for factor in (0, 2, 0.5):
        hess_fn(X, factor * jnp.ones(N), factor)
    assert len(traces) == before


def test_a_mesh():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("colors",))
    hess_fn = asdex.lagrangian_hessian(
        objective, constraints, X, mesh=mesh, axis="colors", triangle="lower"
    )
    hess = hess_fn(X, MULTIPLIERS)
    np.testing.assert_allclose(hess.todense(), np.tril(dense()), rtol=1e-5, atol=1e-6)


class Weighted(eqx.Module):
    weights: jax.Array

    def __call__(self, x):
        return jnp.sum(self.weights * x**2)


def test_weights_of_a_model_are_unknown():
    hess_fn = asdex.lagrangian_hessian(Weighted(jnp.zeros(N)), lambda x: x[:1], X)
    assert hess_fn.sparsity.nnz == N
    trained = eqx.tree_at(
        lambda h: h.derivative.f.objective.weights, hess_fn, jnp.arange(1.0, N + 1)
    )
    hess = trained(X, jnp.ones(1))
    np.testing.assert_allclose(hess.todense(), np.diag(2 * np.arange(1.0, N + 1)))


def test_mixed_precision_under_strict_promotion():
    def g(x):
        return (x**2).astype(jnp.bfloat16), jnp.arange(2)

    with jax.numpy_dtype_promotion("strict"):
        hess_fn = asdex.lagrangian_hessian(objective, g, X)
        hess = hess_fn(X, (jnp.ones(N, jnp.bfloat16), jnp.ones(2)))
    expected = jax.jit(jax.hessian(objective))(X) + 2 * jnp.eye(N)
    np.testing.assert_allclose(hess.todense(), expected, rtol=1e-5, atol=1e-6)


def test_errors():
    with pytest.raises(TypeError, match="an objective, constraints or both"):
        asdex.lagrangian_hessian(None, None, X)
    with pytest.raises(TypeError, match="real constraints, got dtype complex64"):
        asdex.lagrangian_hessian(objective, lambda x: x + 1j, X)
    with pytest.raises(ValueError, match="single element"):
        asdex.lagrangian_hessian(lambda x: x, None, X)
    with pytest.raises(TypeError, match="return an array or a pytree of arrays, got None"):
        asdex.lagrangian_hessian(objective, lambda x: None, X)
    with pytest.raises(TypeError, match="Expected no `verify`"):
        asdex.lagrangian_hessian(objective, constraints, X, verify=True)
    with pytest.raises(TypeError, match="Did you mean the option `triangle`"):
        asdex.lagrangian_hessian(objective, constraints, X, triangel="lower")
    hess_fn = asdex.lagrangian_hessian(objective, constraints, X)
    with pytest.raises(ValueError, match=r"args\[1\] is None; the sample had an array"):
        hess_fn(X)
    wrong = {"pairs": jnp.ones(3), "total": jnp.array(1.0)}
    with pytest.raises(ValueError, match=r"args\[1\]\['pairs'\] of shape \(5,\), got shape \(3,\)"):
        hess_fn(X, wrong)
