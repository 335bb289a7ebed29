"""Linear maps that are given as functions become sparse matrices."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jax.experimental.sparse import BCOO

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")


def laplace(u):
    """The 5-point Laplacian of an array with two axes."""
    u = jnp.pad(u, 1)
    return u[1:-1, :-2] + u[1:-1, 2:] + u[:-2, 1:-1] + u[2:, 1:-1] - 4 * u[1:-1, 1:-1]


def second_difference(x):
    return jnp.diff(x, n=2)


X = jax.ShapeDtypeStruct((8,), jnp.float32)
MATRIX = np.diff(np.eye(8), n=2, axis=0)


def test_the_matrix_of_a_map_of_vectors():
    matrix = asdex.materialize(second_difference, X)
    assert isinstance(matrix, BCOO)
    assert (matrix.shape, matrix.nse, matrix.dtype) == ((6, 8), 18, jnp.float32)
    np.testing.assert_array_equal(matrix.todense(), MATRIX)


@pytest.mark.parametrize("mode", [None, "fwd", "rev", "bidirectional"])
def test_modes(mode):
    matrix = asdex.materialize(second_difference, X, mode=mode, output_format="dense")
    np.testing.assert_array_equal(matrix, MATRIX)


@pytest.mark.parametrize("output_format", ["scipy_csr", "scipy_bsr", "bcsr", "bsr"])
def test_formats(output_format):
    def f(u):
        return u @ jnp.array([[1.0, 2.0], [3.0, 4.0]])

    u = jnp.ones((5, 2))  # whose values do not matter
    matrix = asdex.materialize(f, u, output_format=output_format)
    dense = matrix.toarray() if sp.issparse(matrix) else matrix.todense()
    np.testing.assert_array_equal(dense, np.kron(np.eye(5), [[1, 3], [2, 4]]))
    if "bsr" in output_format:
        assert (matrix.blocksize if sp.issparse(matrix) else matrix.block_shape) == (2, 2)


def test_values_alone():
    np.testing.assert_array_equal(
        asdex.materialize(second_difference, X, output_format="data"), [1, -2, 1] * 6
    )


def test_arrays_with_several_axes():
    u = jax.random.normal(jax.random.key(0), (4, 5))
    matrix = asdex.materialize(laplace, u, symmetric=True)
    assert matrix.shape == (4, 5, 4, 5)
    dense = matrix.todense().reshape(20, 20)
    np.testing.assert_allclose(dense @ u.ravel(), laplace(u).ravel(), rtol=1e-5, atol=1e-5)


def test_trees_of_arrays():
    def stokes(x):
        u, p = x["u"], x["p"]
        return {"momentum": 2 * u - jnp.diff(p), "mass": jnp.pad(jnp.diff(u), 1)}

    x = {"u": jax.ShapeDtypeStruct((4,), jnp.float32), "p": jnp.zeros(5)}
    matrix = asdex.materialize(stokes, x, output_format="dense")
    assert {row: set(blocks) for row, blocks in matrix.items()} == {
        "momentum": {"u", "p"},
        "mass": {"u", "p"},
    }
    np.testing.assert_array_equal(matrix["momentum"]["u"], 2 * np.eye(4))
    np.testing.assert_array_equal(matrix["momentum"]["p"], -np.diff(np.eye(5), axis=0))
    np.testing.assert_array_equal(matrix["mass"]["p"], np.zeros((5, 5)))


def test_complex_maps():
    def f(z):
        return jnp.fft.fft(z.reshape(3, 4), axis=1).ravel() * 1j

    z = jax.ShapeDtypeStruct((12,), jnp.complex64)
    matrix = asdex.materialize(f, z)
    assert (matrix.nse, matrix.dtype) == (48, jnp.complex64)
    expected = np.kron(np.eye(3), 1j * np.fft.fft(np.eye(4)))
    np.testing.assert_allclose(matrix.todense(), expected, atol=1e-6)
    real = asdex.materialize(jnp.fft.rfft, X)
    np.testing.assert_allclose(real.todense(), np.fft.rfft(np.eye(8)).T, atol=1e-6)


def test_a_coloring_is_used_again():
    calls = []

    def scaled(a, x):
        calls.append(a)
        return a * second_difference(x)

    coloring = asdex.jacobian_coloring(functools.partial(scaled, 2.0), X)
    detections = len(calls)
    for a in (1.0, 3.0):
        matrix = asdex.materialize(functools.partial(scaled, a), X, coloring=coloring)
        np.testing.assert_array_equal(matrix.todense(), a * MATRIX)
    assert len(calls) - detections == 2  # once each: nothing is detected, one compilation


def test_the_derivative_of_a_function():
    def f(x):
        return jnp.sin(x[1:]) * x[:-1]

    x = jax.random.normal(jax.random.key(0), (7,))
    _, derivative = jax.linearize(f, x)
    matrix = asdex.materialize(derivative, x)
    assert matrix.nse == 12
    np.testing.assert_allclose(matrix.todense(), jax.jit(jax.jacobian(f))(x), rtol=1e-6)
    _, pull = jax.vjp(f, x)
    transposed = asdex.materialize(lambda y: pull(y)[0], x[1:])
    np.testing.assert_allclose(transposed.todense(), jax.jit(jax.jacobian(f))(x).T, rtol=1e-6)


def test_inside_transformations():
    coloring = asdex.jacobian_coloring(second_difference, X)

    @jax.jit
    def scaled(a):
        return asdex.materialize(lambda x: a * second_difference(x), X, coloring=coloring)

    np.testing.assert_array_equal(scaled(3.0).todense(), 3 * MATRIX)
    detected = jax.jit(lambda a: asdex.materialize(lambda x: a * second_difference(x), X).todense())
    np.testing.assert_array_equal(detected(3.0), 3 * MATRIX)


class Scaling(eqx.Module):
    weights: jax.Array

    def __call__(self, x):
        return self.weights * x


def test_models_have_the_pattern_of_all_their_weights():
    matrix = asdex.materialize(Scaling(jnp.array([0.0, 2.0])), jnp.ones(2))
    assert matrix.nse == 2
    np.testing.assert_array_equal(matrix.todense(), np.diag([0.0, 2.0]))


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_few_or_no_inputs(shape):
    matrix = asdex.materialize(lambda x: 2 * x, jnp.ones(shape), output_format="dense")
    np.testing.assert_array_equal(
        matrix, 2 * np.eye(max(int(np.prod(shape)), 0)).reshape(2 * shape)
    )


def test_low_precision():
    for dtype in (jnp.float16, jnp.bfloat16):
        matrix = asdex.materialize(lambda x: jnp.cumsum(x) / 3, jnp.ones(20, dtype))
        assert matrix.dtype == dtype
        expected = np.tril(np.ones((20, 20))) / 3
        np.testing.assert_allclose(matrix.todense().astype(float), expected, rtol=1e-2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x**2,
        jnp.sin,
        jnp.tanh,
        jax.nn.relu,
        jnp.abs,
        jnp.round,
        lambda x: jnp.clip(x, -10, 10),
        lambda x: x * jnp.sum(x),
        lambda x: jnp.sort(x) - x[::-1],
        lambda x: x.at[3].set(x[3] ** 3),
    ],
)
def test_nonlinear_functions_are_refused(f):
    with pytest.raises(ValueError, match=r"Expected a linear map, .* at a random argument"):
        asdex.materialize(f, X)
    assert asdex.materialize(f, X, check=False).shape == (8, 8)


@pytest.mark.parametrize("f", [lambda x: x + 1, jnp.cos, lambda x: x / x])
def test_affine_functions_are_refused(f):
    with pytest.raises(ValueError, match=r"whose output 0 is (1.0|nan) at zero"):
        asdex.materialize(f, X)


def test_conjugation_is_not_linear():
    z = jax.ShapeDtypeStruct((3,), jnp.complex64)
    with pytest.raises(ValueError, match="Expected a linear map"):
        asdex.materialize(jnp.conj, z)


def test_asymmetry_is_found():
    def f(x):
        return jnp.roll(x, 1) + 2 * jnp.roll(x, -1)

    with pytest.raises(ValueError, match="Expected a linear map"):
        asdex.materialize(f, X, symmetric=True)


def test_what_is_no_argument_of_a_linear_map():
    for x in (jnp.arange(3), {"a": jnp.ones(2), "b": jnp.ones(2, bool)}, 3):
        with pytest.raises(TypeError, match="of real, or else of complex, floating point"):
            asdex.materialize(lambda x: x, x)
    with pytest.raises(TypeError, match="complex64, float32"):
        asdex.materialize(lambda x: x, [jnp.ones(2), jnp.ones(2, jnp.complex64)])
    with pytest.raises(ValueError, match="Expected `output_format`"):
        asdex.materialize(second_difference, X, output_format="csr")  # pyright: ignore
    coloring = asdex.jacobian_coloring(second_difference, jnp.ones(7))
    with pytest.raises(ValueError, match=r"shape \(7,\), got shape \(8,\)"):
        asdex.materialize(second_difference, X, coloring=coloring)


def test_operators_of_lineax():
    lx = pytest.importorskip("lineax")
    operator = lx.FunctionLinearOperator(second_difference, X)
    matrix = asdex.materialize(operator.mv, operator.in_structure())
    np.testing.assert_array_equal(matrix.todense(), operator.as_matrix())


def test_each_block_has_a_dtype_of_its_own():
    def f(x):
        return 2 * x, (3 * x).astype(jnp.float16)

    blocks = asdex.materialize(f, X)
    expected = asdex.jacobian(f, X)(jnp.ones(8))
    assert [one.dtype for one in blocks] == [one.dtype for one in expected]
    for block, other in zip(blocks, expected, strict=True):
        np.testing.assert_array_equal(block.todense(), other.todense())


def test_formats_that_a_map_has_not():
    with pytest.raises(ValueError, match="output_format"):
        asdex.materialize(second_difference, X, output_format="row_blocks")


@pytest.mark.parametrize("n", [1, 3, 5, 6])
def test_a_map_that_is_linear_for_one_sign_alone_is_refused(n):
    with pytest.raises(ValueError, match="linear"):
        asdex.materialize(jnp.abs, jax.ShapeDtypeStruct((n,), jnp.float32))
