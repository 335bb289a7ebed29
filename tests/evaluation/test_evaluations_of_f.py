"""How often the function is evaluated: once at most, and not at all where its derivative is zero."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


X = jnp.linspace(0.5, 2.0, 6)
JACOBIAN_MODES: list[asdex.JacobianMode] = ["fwd", "rev", "bidirectional"]
HESSIAN_MODES: list[asdex.HessianMode] = ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"]


class Counted:
    """A function that counts its evaluations, which are not those of its tracing."""

    def __init__(self, f: Callable[..., Any]):
        self.f, self.count = f, 0

    def __call__(self, *args: Any) -> Any:
        jax.debug.callback(self._add)
        return self.f(*args)

    def _add(self) -> None:
        self.count += 1

    def counted(self, function: Callable[..., Any], *args: Any) -> tuple[Any, int]:
        """The result of a call, and how often it evaluated this function."""
        jax.effects_barrier()
        before = self.count
        result = jax.block_until_ready(function(*args))
        jax.effects_barrier()
        return result, self.count - before


def signs(x):
    return {"signs": jnp.sign(x[1:]), "number": jnp.floor(x[0])}


def plane(x):
    return jnp.sum(3 * x) + 1


def energy(x):
    return jnp.sum(x[1:] ** 2 * x[:-1])


def with_aux(f):
    return lambda x: (f(x), {"square": x**2, "name": "square"})


@pytest.mark.parametrize("transform", [lambda f: f, lambda f: jax.jit(lambda x: f(x))])
@pytest.mark.parametrize("mode", JACOBIAN_MODES)
def test_zero_jacobians(mode, transform):
    f = Counted(signs)
    jacobian = asdex.jacobian(f, X, mode=mode, output_format="dense")
    assert jacobian.coloring.sparsity.nnz == 0
    result, count = f.counted(transform(jacobian), X)
    assert count == 0
    expected = jax.jit(jax.jacobian(signs))(X)
    jax.tree.map(np.testing.assert_array_equal, result, expected)
    assert jax.tree.map(lambda leaf: leaf.dtype, result) == {"signs": X.dtype, "number": X.dtype}

    both = asdex.value_and_jacobian(f, X, mode=mode, output_format="dense")
    (value, result), count = f.counted(transform(both), X)
    assert count == 1
    jax.tree.map(np.testing.assert_array_equal, (value, result), (signs(X), expected))


@pytest.mark.parametrize("mode", HESSIAN_MODES)
def test_zero_hessians(mode):
    f = Counted(plane)
    result, count = f.counted(asdex.hessian(f, X, mode=mode, output_format="dense"), X)
    assert count == 0
    np.testing.assert_array_equal(result, np.zeros((6, 6)))
    both = asdex.value_and_hessian(f, X, mode=mode)
    (value, hessian), count = f.counted(both, X)
    assert count == 1
    assert value == plane(X)
    assert hessian.nse == 0


@pytest.mark.parametrize("with_value", [False, True])
def test_zero_derivatives_with_auxiliary_data(with_value):
    f = Counted(with_aux(signs))
    make = asdex.value_and_jacobian if with_value else asdex.jacobian
    derivative = make(f, X, has_aux=True, output_format="data")
    result, count = f.counted(lambda x: derivative(x), X)
    assert count == 1
    aux = result[0][1] if with_value else result[1]
    np.testing.assert_array_equal(aux["square"], X**2)
    assert aux["name"] == "square"


def test_zero_derivatives_do_not_read_their_inputs():
    jaxpr = jax.make_jaxpr(asdex.jacobian(signs, X, output_format="data"))(X).jaxpr
    (x,) = jaxpr.invars
    assert not any(x is atom for eqn in jaxpr.eqns for atom in eqn.invars)


@pytest.mark.parametrize("mode", JACOBIAN_MODES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_zero_matrices_have_the_dtype_of_others(mode, dtype):
    x = X.astype(dtype)
    zero = asdex.jacobian(jnp.sign, x, mode=mode, output_format="data")(x)
    other = asdex.jacobian(jnp.sin, x, mode=mode, output_format="data")(x)
    assert zero.dtype == other.dtype == dtype
    compressed = asdex.compressed_jacobian(jnp.sign, x, mode=mode)(x)
    parts = compressed if mode == "bidirectional" else [compressed]
    assert [(part.shape, part.dtype) for part in parts] == [((0, 6), x.dtype)] * len(parts)


def test_zero_derivatives_under_transformations():
    jacobian = asdex.jacobian(jnp.sign, X, output_format="dense")
    stacked = jax.vmap(jacobian)(jnp.stack([X, 2 * X]))
    np.testing.assert_array_equal(stacked, np.zeros((2, 6, 6)))
    gradient = jax.grad(lambda x: jnp.sum(jacobian(x)) + jnp.sum(x))(X)
    np.testing.assert_array_equal(gradient, np.ones(6))


def test_zero_derivatives_check_the_output():
    coloring = asdex.jacobian_coloring(jnp.sign, X)
    with pytest.raises(ValueError, match="6 outputs"):
        asdex.jacobian_from_coloring(lambda x: jnp.sign(x[1:]), coloring)(X)


def test_reused_entries_alone_need_no_evaluation():
    f = Counted(lambda x: 2 * x[1:] + x[:-1])
    jacobian = asdex.jacobian(f, X, constant="reuse", output_format="dense")
    assert jacobian.num_constant == jacobian.coloring.sparsity.nnz
    result, count = f.counted(jacobian, X)
    assert count == 0
    np.testing.assert_array_equal(result, jax.jit(jax.jacobian(f.f))(X))


@pytest.mark.parametrize("make", [asdex.jacobian, asdex.value_and_jacobian])
@pytest.mark.parametrize("mode", JACOBIAN_MODES)
def test_jacobians_evaluate_once(mode, make):
    f = Counted(lambda x: (x[1:] * x[:-1], jnp.sin(x)))
    _, count = f.counted(make(f, X, mode=mode), X)
    assert count == 1


@pytest.mark.parametrize("make", [asdex.hessian, asdex.value_and_hessian])
@pytest.mark.parametrize("mode", HESSIAN_MODES)
def test_hessians_evaluate_once(mode, make):
    f = Counted(energy)
    derivative = make(f, X, mode=mode, output_format="dense")
    assert derivative.coloring.num_colors > 1
    result, count = f.counted(derivative, X)
    assert count == 1
    hessian = result[1] if make is asdex.value_and_hessian else result
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(energy))(X), rtol=1e-6)


@pytest.mark.parametrize("mode", HESSIAN_MODES)
def test_hessians_with_auxiliary_data_evaluate_once(mode):
    f = Counted(with_aux(energy))
    derivative = asdex.value_and_hessian(f, X, mode=mode, has_aux=True, output_format="dense")
    ((value, aux), hessian), count = f.counted(lambda x: derivative(x), X)
    assert count == 1
    np.testing.assert_allclose(value, energy(X), rtol=1e-6)
    np.testing.assert_array_equal(aux["square"], X**2)
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(energy))(X), rtol=1e-6)
