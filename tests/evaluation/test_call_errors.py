"""Errors of a call, and of a coloring that does not fit: expected, got, and what to do."""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)


def f(x):
    return x[1:] ** 2 * x[:-1]


def energy(x):
    return jnp.sum(x**3)


def on_tree(params):
    return params["w"] ** 2 + params["b"]


PARAMS = {"w": X, "b": X + 1}

JACOBIANS_FROM_COLORING: list[Any] = [
    asdex.jacobian_from_coloring,
    asdex.value_and_jacobian_from_coloring,
    asdex.compressed_jacobian_from_coloring,
    asdex.value_and_compressed_jacobian_from_coloring,
]
HESSIANS_FROM_COLORING: list[Any] = [
    asdex.hessian_from_coloring,
    asdex.value_and_hessian_from_coloring,
    asdex.compressed_hessian_from_coloring,
    asdex.value_and_compressed_hessian_from_coloring,
]


def raises(kind, *parts):
    """`pytest.raises` for a message that holds all `parts`, in this order."""
    return pytest.raises(kind, match=r"(?s)" + ".*".join(re.escape(part) for part in parts))


# Arguments that make a derivative.


@pytest.mark.parametrize("make", JACOBIANS_FROM_COLORING + HESSIANS_FROM_COLORING)
def test_a_parameter_that_does_not_exist(make):
    coloring = asdex.hessian_coloring(energy, X)
    with raises(
        TypeError, f"asdex.{make.__name__}() got an unexpected", "'mode'", "takes: f, color"
    ):
        make(energy, coloring, mode="fwd")
    with raises(TypeError, f"asdex.{make.__name__}() missing", "'coloring'"):
        make(energy)


# Arguments of a call.


@pytest.mark.parametrize("make", [asdex.jacobian, asdex.value_and_jacobian])
def test_shape_of_an_argument(make):
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (5,)", "new coloring"):
        make(f, X)(X[:5])
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (6, 1)"):
        make(f, X)(X[:, None])


def test_shape_with_a_coloring():
    coloring = asdex.jacobian_coloring(f, X)
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (2, 3)", "new coloring"):
        asdex.jacobian_from_coloring(f, coloring)(X.reshape(2, 3))
    coloring = asdex.hessian_coloring(energy, X)
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (7,)"):
        asdex.hessian_from_coloring(energy, coloring)(jnp.zeros(7))


def test_shape_inside_a_transformation():
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (5,)"):
        jax.jit(asdex.jacobian(f, X))(X[:5])
    with raises(ValueError, "Expected args[0] of shape (6,), got shape (3, 6)"):
        asdex.jacobian(f, X)(jnp.ones((3, 6)))


def test_paths_lead_to_the_leaf():
    jac_fn = asdex.jacobian(on_tree, PARAMS)
    with raises(ValueError, "Expected args[0]['w'] of shape (6,), got shape (5,)"):
        jac_fn({"w": X[:5], "b": X})
    with raises(TypeError, "Expected args[0]['b'] of dtype float32, got dtype float16"):
        jac_fn({"w": X, "b": X.astype(jnp.float16)})
    second = asdex.jacobian(lambda x, p: x * p["w"][0], X, PARAMS, argnums=(1, 0))
    with raises(ValueError, "Expected args[1]['w'][0] of shape (6,), got shape ()"):
        asdex.jacobian(lambda x, p: x * p["w"][0], X, {"w": [X]}, argnums=(1, 0))(X, {"w": [1.0]})
    with raises(TypeError, "Expected args[1]['b'] of dtype float32, got dtype int32"):
        second(X, {"w": X, "b": jnp.arange(6)})


def test_dtype_of_an_argument(enable_x64):
    with raises(TypeError, "Expected args[0] of dtype float32, got dtype bfloat16", "new coloring"):
        asdex.jacobian(f, X)(X.astype(jnp.bfloat16))
    with enable_x64(True), raises(TypeError, "of dtype float32, got dtype float64"):
        asdex.hessian(energy, X)(np.ones(6))


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"w": X, "v": X}, ["Expected args[0]['b'], got args[0]['v']", "new coloring"]),
        ({"w": X}, ["Expected args[0]['b'], got no array there"]),
        ({"w": X, "b": X, "c": X}, ["Expected no more arrays, got args[0]['c']"]),
        (X, ["Expected args[0]['b'], args[0]['w'], got args[0]"]),
    ],
)
def test_tree_of_an_argument(params, parts):
    with raises(ValueError, *parts):
        asdex.jacobian(on_tree, PARAMS)(params)


def test_tree_with_equal_paths():
    with raises(ValueError, "Expected arguments with the tree", "[*, *]", "got", "(*, *)"):
        asdex.jacobian(lambda p: p[0] * p[1], [X, X])((X, X))


def test_static_fields_are_part_of_the_tree():
    class Power(eqx.Module):
        base: jax.Array
        exponent: int = eqx.field(static=True)

    jac_fn = asdex.jacobian(lambda p: p.base**p.exponent, Power(X, 0))
    with raises(ValueError, "Expected arguments with the tree", "got"):
        jac_fn(Power(X, 2))


def test_leaves_with_a_coloring():
    coloring = asdex.jacobian_coloring(on_tree, PARAMS)
    jac_fn = asdex.jacobian_from_coloring(on_tree, coloring)
    with raises(
        ValueError,
        "Expected 2 array(s) in the differentiated arguments, of shapes (6,), (6,), got 1: args[0]['w'] (6,)",
    ):
        jac_fn({"w": X})


@pytest.mark.parametrize(("args", "count"), [((), 0), ((X, X), 2)])
def test_number_of_arguments(args, count):
    with raises(TypeError, f"Expected 1 positional argument(s) like the sample, got {count}"):
        asdex.jacobian(f, X)(*args)


def test_number_of_arguments_with_a_coloring():
    coloring = asdex.jacobian_coloring(lambda x, y: x * y, X, X, argnums=(0, 1))
    with raises(TypeError, "Expected at least 2 positional argument(s)", "got 1", "by position"):
        asdex.jacobian_from_coloring(lambda x, y: x * y, coloring)(X)


def test_keywords_are_those_of_the_sample():
    def scaled(x, scale=0.0):
        return x * scale

    with raises(TypeError, "Expected the keyword arguments [] like the sample, got ['scale']"):
        asdex.jacobian(scaled, X)(X, scale=2.0)
    with raises(TypeError, "Expected the keyword arguments ['scale'] like the sample, got []"):
        asdex.jacobian(scaled, X, scale=2.0)(X)
    with raises(ValueError, "Expected kwargs['scale'] of shape (6,), got shape (1,)"):
        asdex.jacobian(scaled, X, scale=X)(X, scale=X[:1])


@pytest.mark.parametrize(
    ("sample", "value"), [(1, 2), (1, 1.0), (1, True), ("left", "right"), (None, "left")]
)
def test_configuration_is_that_of_the_sample(sample, value):
    # The pattern of a roll depends on its shift: another one would give a wrong matrix.
    def rolled(x, how):
        return jnp.roll(x, {1: 1, 2: 2, "left": -1}.get(how, 0))

    jac_fn = asdex.jacobian(rolled, X, sample, output_format="dense")
    np.testing.assert_array_equal(jac_fn(X, sample), jax.jacobian(rolled)(X, sample))
    with pytest.raises(ValueError, match=r"args\[1\]"):
        jac_fn(X, value)


def test_the_message_for_other_configuration():
    jac_fn = asdex.jacobian(jnp.roll, X, 1)
    with raises(ValueError, "Expected args[1] to be 1 as in the sample", "got 2", "as an array"):
        jac_fn(X, 2)
    dynamic = asdex.jacobian(jnp.roll, X, jnp.asarray(1), output_format="dense")
    np.testing.assert_array_equal(dynamic(X, 2), jax.jacobian(jnp.roll)(X, 2))
    with raises(TypeError, "Expected args[1] to be an array or a number, got 'far'"):
        dynamic(X, "far")


def test_arguments_that_cannot_be_hashed():
    class Unhashable:
        __hash__ = None  # pyright: ignore

        def __call__(self, x):
            return x**2

    jac_fn = asdex.jacobian(Unhashable(), X, output_format="dense")
    with raises(
        TypeError, "Expected the function", "hashable", "'Unhashable'", "__hash__", "jax.jit"
    ):
        jac_fn(X)
    np.testing.assert_allclose(jax.jit(jac_fn)(X), np.diag(2 * X), rtol=1e-6)


def test_integer_inputs():
    k = jnp.arange(6)
    message = ("Expected args[1] of real or complex dtype, got int32", "allow_int=True")
    with raises(TypeError, *message):
        asdex.jacobian(lambda x, n: x * n, X, k, argnums=(0, 1))
    coloring = asdex.jacobian_coloring(lambda x, n: x * n, X, k, argnums=(0, 1), allow_int=True)
    with raises(TypeError, *message):
        asdex.jacobian_from_coloring(lambda x, n: x * n, coloring)(X, k)


@pytest.mark.parametrize("mode", ["fwd", "auto"])
def test_complex_inputs(mode):
    z = X + 1j
    with raises(TypeError, "Expected args[0] of real dtype, got complex64", "holomorphic=True"):
        asdex.jacobian(f, z, mode=mode)(z)
    with raises(TypeError, "Expected real outputs for reverse mode, got dtype complex64"):
        asdex.jacobian(f, z, mode="rev")(z)


def test_real_inputs_of_a_holomorphic_function():
    with raises(TypeError, "With holomorphic=True expected args[0] of complex dtype, got float32"):
        asdex.jacobian(f, X, holomorphic=True)(X)


@pytest.mark.parametrize("output_format", ["numpy_dense", "scipy_coo", "scipy_csr", "scipy_csc"])
@pytest.mark.parametrize("transform", [jax.jit, lambda g: lambda x: jax.vmap(g)(x[None])])
def test_host_formats_inside_transformations(output_format, transform):
    jac_fn = asdex.jacobian(f, X, output_format=output_format)
    with raises(TypeError, repr(output_format), "inside `jit`", "'bcoo'"):
        transform(jac_fn)(X)


# Colorings.


@pytest.mark.parametrize("entry", [*JACOBIANS_FROM_COLORING, *HESSIANS_FROM_COLORING])
def test_colorings_are_colored_patterns(entry):
    with raises(TypeError, "Expected an asdex.ColoredPattern, got SparsityPattern", "_coloring"):
        entry(f, asdex.jacobian_sparsity(f, X))
    with raises(TypeError, "Expected an asdex.ColoredPattern, got ndarray"):
        entry(f, np.eye(6))


@pytest.mark.parametrize("entry", HESSIANS_FROM_COLORING)
def test_hessians_refuse_colorings_of_jacobians(entry):
    coloring = asdex.jacobian_coloring(jnp.sin, X)
    with raises(ValueError, "for a Hessian", "got mode 'fwd'", "asdex.hessian_coloring"):
        entry(energy, coloring)


@pytest.mark.parametrize("entry", JACOBIANS_FROM_COLORING)
def test_jacobians_refuse_colorings_of_hessians(entry):
    coloring = asdex.hessian_coloring(energy, X)
    with raises(ValueError, "for a Jacobian", "got mode 'fwd_over_rev'", "asdex.jacobian_coloring"):
        entry(jnp.sin, coloring)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("entry", JACOBIANS_FROM_COLORING)
def test_functions_of_another_output_size(entry, mode):
    coloring = asdex.jacobian_coloring(f, X, mode=mode)
    with raises(
        ValueError, "5 outputs", "(5, 6)", "returned 6", "Make a coloring for this function"
    ):
        entry(jnp.sin, coloring)(X)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_functions_of_another_output_shape(mode):
    coloring = asdex.jacobian_coloring(f, X, mode=mode)
    with raises(ValueError, "outputs of shapes (5,), but this function returned (5, 1)"):
        asdex.jacobian_from_coloring(lambda x: f(x)[:, None], coloring)(X)
    with raises(ValueError, "outputs of shapes (5,), but this function returned (2,), (3,)"):
        asdex.jacobian_from_coloring(lambda x: (f(x)[:2], f(x)[2:]), coloring)(X)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_patterns_of_another_size(mode):
    coloring = asdex.jacobian_coloring_from_sparsity(np.eye(6)[:, :4], mode=mode)
    with raises(ValueError, "Expected 4 differentiated inputs, the columns of the pattern, got 6"):
        asdex.jacobian_from_coloring(jnp.sin, coloring)(X)
    coloring = asdex.jacobian_coloring_from_sparsity(np.eye(6)[:4], mode=mode)
    with raises(
        ValueError, "4 outputs (its pattern has shape (4, 6)), but this function returned 6"
    ):
        asdex.jacobian_from_coloring(jnp.sin, coloring)(X)
    coloring = asdex.hessian_coloring_from_sparsity(np.eye(4))
    with raises(ValueError, "Expected 4 differentiated inputs, the columns of the pattern, got 6"):
        asdex.hessian_from_coloring(energy, coloring)(X)


def test_hessian_patterns_are_square():
    with raises(ValueError, "square, got shape (4, 6)"):
        asdex.hessian_coloring_from_sparsity(np.eye(6)[:4])
