"""The callbacks for solvers against JAX's dense derivatives, and their conventions."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from asdex.nlp import NonlinearProgram


STEPS = 6
SHAPES = {"force": (STEPS,), "state": (STEPS + 1, 2)}
N = STEPS + 2 * (STEPS + 1)
M = 2 * STEPS + 2


def objective(z, weight):
    return weight * jnp.sum(z["force"] ** 2 * (1 + z["state"][1:, 0] ** 2))


def constraints(z, weight):
    q, v = z["state"].T
    acceleration = z["force"] - jnp.sin(q[:-1])
    defects = jnp.stack([q[1:] - q[:-1] - v[1:], v[1:] - v[:-1] - weight * acceleration], axis=1)
    return {"defects": defects, "start": z["state"][0]}


@pytest.fixture
def x64(enable_x64):
    with enable_x64(True):
        yield


def point(seed=0):
    random = np.random.default_rng(seed)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


@functools.cache
def one_program():
    zeros = jax.tree.map(np.zeros_like, point())
    return NonlinearProgram(objective, constraints, zeros, 0.5)


@pytest.fixture
def program(x64):
    return one_program()


def flat(z):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(z)])


def dense_lagrangian(program, z, multipliers, factor, weight):
    def lagrangian(x):
        value = program.unravel(x) if isinstance(x, np.ndarray) else program._variables.unravel(x)
        g = jnp.concatenate(
            [jnp.ravel(leaf) for leaf in jax.tree.leaves(constraints(value, weight))]
        )
        return factor * objective(value, weight) + multipliers @ g

    return jax.jit(jax.hessian(lagrangian))(jnp.asarray(flat(z)))


def test_sizes(program):
    assert (program.n, program.m) == (N, M)


def test_values(program):
    z = point(1)
    x = program.ravel(z)
    np.testing.assert_array_equal(x, flat(z))
    value = program.objective(x)
    assert type(value) is float
    np.testing.assert_allclose(value, objective(z, 0.5), rtol=1e-14)
    np.testing.assert_allclose(program.constraints(x), flat(constraints(z, 0.5)), rtol=1e-14)
    np.testing.assert_allclose(program.gradient(x), flat(jax.grad(objective)(z, 0.5)), rtol=1e-14)


def test_jacobian(program):
    z = point(2)
    rows, cols = program.jacobianstructure()
    data = program.jacobian(program.ravel(z))
    blocks = jax.jit(jax.jacobian(constraints))(z, 0.5)
    dense = np.block(
        [
            [np.reshape(blocks[g][x], (-1, np.prod(SHAPES[x]))) for x in sorted(SHAPES)]
            for g in ("defects", "start")
        ]
    )
    assert dense.shape == (M, N)
    assembled = np.zeros((M, N))
    assembled[rows, cols] = data
    np.testing.assert_allclose(assembled, dense, rtol=1e-13)
    # Sorted by row and then by column, without duplicates.
    keys = rows.astype(int) * N + cols
    assert np.all(np.diff(keys) > 0)
    # A defect reads its step's two states, in position or velocity, and the force or the next velocity.
    assert rows.size == 3 * STEPS + 4 * STEPS + 2


@pytest.mark.parametrize("factor", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_hessian(program, factor, scale):
    z = point(3)
    multipliers = scale * np.linspace(-1.0, 2.0, M)
    rows, cols = program.hessianstructure()
    assert np.all(rows >= cols)
    assert np.all(np.diff(rows.astype(int) * N + cols) > 0)
    # For each step the force, its coupling to the next position, and all positions but the first twice.
    assert rows.size == STEPS + STEPS + STEPS + 1
    assembled = np.zeros((N, N))
    assembled[rows, cols] = program.hessian(program.ravel(z), multipliers, factor)
    dense = dense_lagrangian(program, z, multipliers, factor, 0.5)
    np.testing.assert_allclose(assembled, np.tril(dense), rtol=1e-12, atol=1e-14)


def test_everything_is_a_float64_array(program):
    x = program.ravel(point())
    results = [
        program.gradient(x),
        program.constraints(x),
        program.jacobian(x),
        program.hessian(x, np.zeros(M), 1.0),
    ]
    assert all(type(one) is np.ndarray and one.dtype == np.float64 for one in results)
    structures = [*program.jacobianstructure(), *program.hessianstructure()]
    assert all(type(one) is np.ndarray and one.dtype == np.int32 for one in structures)
    assert [one.size for one in results[2:]] == [structures[0].size, structures[2].size]


def test_colors(program):
    """As many passes however many steps there are."""
    assert program.jacobian_coloring.num_colors <= 4
    assert program.hessian_coloring.num_colors == 2


def test_parameters_change_without_compiling(x64):
    traces = []

    def counted(z, weight, power):
        traces.append(weight)
        return objective(z, weight) ** power

    program = NonlinearProgram(
        counted, lambda z, weight, power: constraints(z, weight), point(), 0.5, 1
    )
    x = program.ravel(point(4))
    before = program.objective(x), program.gradient(x), program.hessian(x, np.ones(M), 1.0)
    count = len(traces)
    other = program.with_args(1.5, 1)
    np.testing.assert_allclose(other.objective(x), 3 * before[0], rtol=1e-14)
    np.testing.assert_allclose(other.gradient(x), 3 * before[1], rtol=1e-14)
    rows, cols = other.hessianstructure()
    dense = dense_lagrangian(program, point(4), np.ones(M), 1.0, 1.5)
    np.testing.assert_allclose(other.hessian(x, np.ones(M), 1.0), dense[rows, cols], rtol=1e-12)
    assert len(traces) == count
    # The first program keeps its own.
    assert program.objective(x) == before[0]
    with pytest.raises(TypeError, match="3 positional argument"):
        program.with_args(1.5)
    with pytest.raises(ValueError, match=r"args\[1\] of shape \(\), got shape \(2,\)"):
        program.with_args(np.ones(2), 1)
    with pytest.raises(ValueError, match=r"args\[2\] to be 1 "):
        program.with_args(1.5, 2)


def test_ravel_broadcasts(program):
    lower = program.ravel({"force": -1.0, "state": np.array([0.0, -np.inf])})
    np.testing.assert_array_equal(lower[:STEPS], -1.0)
    np.testing.assert_array_equal(lower[STEPS:], np.tile([0.0, -np.inf], STEPS + 1))
    np.testing.assert_array_equal(program.ravel(3), np.full(N, 3.0))
    np.testing.assert_array_equal(program.ravel_constraints(0.0), np.zeros(M))
    with pytest.raises(ValueError):
        program.ravel({"force": np.zeros(STEPS + 1), "state": 0.0})


def test_unravel_inverts_ravel(program):
    z = point(5)
    jax.tree.map(np.testing.assert_array_equal, program.unravel(program.ravel(z)), z)
    g = program.unravel_constraints(np.arange(M))
    assert g["defects"].shape == (STEPS, 2)
    np.testing.assert_array_equal(g["start"], [M - 2, M - 1])
    np.testing.assert_array_equal(program.ravel_constraints(g), np.arange(M))


def test_without_constraints(x64):
    program = NonlinearProgram(lambda x: jnp.sum(x**4), None, np.zeros(3))
    x = np.arange(3.0)
    assert program.m == 0
    for empty in (program.constraints(x), program.jacobian(x), *program.jacobianstructure()):
        assert empty.shape == (0,)
    np.testing.assert_allclose(program.hessian(x, np.zeros(0), 1.0), 12 * x**2)


@pytest.mark.parametrize("sample", [np.zeros(3), {"a": np.zeros(()), "b": np.zeros(2)}])
def test_without_an_objective(x64, sample):
    def products(z, radius):
        x = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(z)])
        return jnp.stack([x[0] * x[2], x[1] ** 2 - radius])

    program = NonlinearProgram(None, products, sample, 1.0)
    x, multipliers = np.arange(1.0, 4.0), np.array([2.0, -1.0])
    assert program.objective(x) == 0.0
    assert type(program.objective(x)) is float
    np.testing.assert_array_equal(program.gradient(x), np.zeros(3))
    np.testing.assert_array_equal(program.constraints(x), [3.0, 3.0])
    np.testing.assert_array_equal(program.with_args(3.0).constraints(x), [3.0, 1.0])
    np.testing.assert_array_equal(program.jacobianstructure(), [[0, 0, 1], [0, 2, 1]])
    np.testing.assert_array_equal(program.jacobian(x), [3.0, 1.0, 4.0])
    np.testing.assert_array_equal(program.hessianstructure(), [[1, 2], [1, 0]])
    for factor in (0.0, 5.0):
        np.testing.assert_array_equal(program.hessian(x, multipliers, factor), [-2.0, 2.0])


class Stiffness(eqx.Module):
    weights: jax.Array

    def __call__(self, x):
        return jnp.sum(self.weights * x**2)


@pytest.mark.parametrize("dtype", [int, np.float32, list])
def test_vectors_of_other_types_are_converted(x64, dtype):
    program = NonlinearProgram(
        lambda x: jnp.sum(x**3) / 2, lambda x: x[1:] * x[:-1], np.linspace(1.0, 2.0, 4)
    )
    x = np.arange(1.0, 5.0)
    given: Any = x.tolist() if dtype is list else x.astype(dtype)
    assert program.objective(given) == np.sum(x**3) / 2
    for name, expected in (
        ("gradient", 1.5 * x**2),
        ("constraints", x[1:] * x[:-1]),
        ("jacobian", program.jacobian(x)),
    ):
        found = getattr(program, name)(given)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)
    multipliers: Any = [1, 2, 3]
    hess = program.hessian(given, multipliers, 1)
    np.testing.assert_array_equal(hess, program.hessian(x, np.arange(1.0, 4.0), 1.0))


def test_a_model_as_objective(x64):
    """Weights that happen to be zero do not empty the pattern."""
    program = NonlinearProgram(Stiffness(jnp.zeros(3)), lambda x: x[:1] ** 2, np.zeros(3))
    np.testing.assert_array_equal(program.hessianstructure(), [[0, 1, 2]] * 2)


def test_errors(enable_x64):
    with enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        NonlinearProgram(lambda x: jnp.sum(x), None, np.zeros(2))
    with enable_x64(True):
        with pytest.raises(TypeError, match="objective, constraints or both"):
            NonlinearProgram(None, None, np.zeros(2))
        with pytest.raises(TypeError, match="variables of real floating-point dtype, got int64"):
            NonlinearProgram(lambda x: jnp.sum(x), None, np.arange(2))
        with pytest.raises(TypeError, match="constraints of real floating-point dtype, got int64"):
            NonlinearProgram(lambda x: jnp.sum(x), lambda x: jnp.arange(2), np.zeros(2))
        with pytest.raises(TypeError, match="return an array or a pytree of arrays, got None"):
            NonlinearProgram(lambda x: jnp.sum(x), lambda x: None, np.zeros(2))


@pytest.mark.parametrize("method", ["objective", "gradient", "constraints", "unravel"])
def test_vectors_of_other_shapes(program, method):
    with pytest.raises(ValueError, match=rf"Expected a vector of shape \({N},\), got shape \(3,\)"):
        getattr(program, method)(np.zeros(3))
