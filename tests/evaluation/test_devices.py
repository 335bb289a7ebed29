"""Colors spread over several devices, which must be set up before jax starts: in processes of their own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from workers import results, start, together

import asdex


X = jnp.linspace(0.5, 2.0, 6)


@pytest.fixture(scope="module")
def eight_devices():
    return results(start("derivatives_on_eight_devices.py", 8))


@pytest.fixture(scope="module")
def two_processes():
    return together("derivatives_in_two_processes.py", 2, 2)


def test_derivatives_are_those_of_one_device(eight_devices):
    differences = eight_devices["differences"]
    assert len(differences) > 90
    assert {name: one for name, one in differences.items() if not one < 1e-13} == {}


def test_each_device_does_its_share(eight_devices):
    work = eight_devices["work"]
    # The function itself, which all devices evaluate, and 24, 6 or 3 passes.
    assert work["one"] / work["eight"] > 5
    assert work["one"] / work["four"] > 3


def test_two_processes_compute_what_one_does(two_processes):
    for differences in two_processes:
        assert len(differences) == 27
        assert {name: one for name, one in differences.items() if not one < 1e-13} == {}


def f(x):
    return x[1:] ** 2 * x[:-1]


MESH = Mesh(np.array(jax.devices()[:1]), ("c",))


@pytest.mark.parametrize("axis", [None, "c", ("c",), ["c"]])
def test_a_single_device(axis):
    jacobian = asdex.jacobian(f, X, mesh=MESH, axis=axis)(X)
    np.testing.assert_allclose(jacobian.todense(), jax.jit(jax.jacobian(f))(X), rtol=1e-6)


def test_repeated_calls_compile_once():
    traces = []

    def counted(x):
        traces.append(x)
        return f(x)

    jac_fn = asdex.jacobian(counted, X, mesh=MESH)
    traces.clear()
    for scale in (1.0, 2.0):
        result = jac_fn(scale * X).data
    assert len(traces) == 1
    np.testing.assert_allclose(result, 4 * asdex.jacobian(f, X)(X).data, rtol=1e-6)


def test_axis_is_an_option_with_and_without_a_mesh():
    rows = jnp.arange(6.0).reshape(2, 3)
    with pytest.raises(ValueError, match=r"`axis` together with `mesh`.*functools\.partial"):
        asdex.jacobian(jnp.cumsum, rows, axis=1)  # pyright: ignore[reportArgumentType]
    jac_fn = asdex.jacobian(functools.partial(jnp.cumsum, axis=1), rows)
    expected = jax.jit(jax.jacobian(lambda x: jnp.cumsum(x, axis=1)))(rows)
    np.testing.assert_array_equal(jac_fn(rows).todense(), expected)


def test_options_that_do_not_fit():
    grid = Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    for make in (asdex.jacobian, asdex.value_and_compressed_jacobian):
        with pytest.raises(TypeError, match=r"jax\.sharding\.Mesh, got list"):
            make(f, X, mesh=jax.devices())  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match=r"which axis .* one of \('a', 'b'\)"):
            make(f, X, mesh=grid)
        for axis in ("c", ("a", "c"), ("a", "a"), ()):
            with pytest.raises(ValueError, match=r"out of \('a', 'b'\), got"):
                make(f, X, mesh=grid, axis=axis)
    coloring = asdex.jacobian_coloring(f, X)
    with pytest.raises(ValueError, match="together with `mesh`, got 'c' alone"):
        asdex.jacobian_from_coloring(f, coloring, axis="c")
    with pytest.raises(ValueError, match="together with `mesh`"):
        hessian = asdex.hessian_coloring(lambda x: jnp.sum(x**3), X)
        asdex.compressed_hessian_from_coloring(jnp.sum, hessian, axis="c")
