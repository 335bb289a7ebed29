"""Dtypes: half and double precision, mixtures, complex numbers, integers, strict promotion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)
Z = X + 1j * X[::-1]


def f(x):
    return x[1:] ** 2 * x[:-1]


def energy(x):
    return jnp.sum(x[1:] ** 2 * x[:-1])


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_results_have_the_dtype_of_the_inputs(dtype, mode):
    x = X.astype(dtype)
    jacobian = asdex.jacobian(f, x, mode=mode, output_format="dense")(x)
    assert jacobian.dtype == dtype
    expected = jax.jit(jax.jacobian(f))(x)
    np.testing.assert_array_equal(jacobian, expected)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_hessians_of_half_precision(dtype, mode):
    x = X.astype(dtype)
    hessian = asdex.hessian(energy, x, mode=mode, output_format="dense")(x)
    assert hessian.dtype == dtype
    expected = jax.jit(jax.hessian(energy))(x).astype(jnp.float32)
    np.testing.assert_allclose(hessian.astype(jnp.float32), expected, atol=0.1)


def test_double_precision(enable_x64):
    with enable_x64(True):
        x = jnp.linspace(0.5, 2.0, 6)
        jacobian = asdex.jacobian(f, input_shape=6)(x)
        assert jacobian.dtype == jnp.float64
        assert jacobian.indices.dtype == jnp.int32
        np.testing.assert_allclose(jacobian.todense(), jax.jit(jax.jacobian(f))(x), rtol=1e-14)
        hessian = asdex.hessian(energy, x, output_format="scipy_csr")(x)
        assert hessian.dtype == np.float64
        np.testing.assert_allclose(hessian.toarray(), jax.jit(jax.hessian(energy))(x), rtol=1e-14)


def test_numpy_samples_have_the_dtype_that_jax_gives_them():
    x = np.linspace(0.5, 2.0, 6)
    jacobian = asdex.jacobian(f, x, output_format="numpy_dense")(x)
    assert jacobian.dtype == np.float32
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(f))(X), rtol=1e-6)


@pytest.mark.parametrize("promotion", ["standard", "strict"])
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_mixed_precision(mode, promotion):
    def mixed(params):
        return params["half"] ** 2, params["single"] ** 3

    params = {"half": X.astype(jnp.bfloat16), "single": X}
    with jax.numpy_dtype_promotion(promotion):
        jacobian = asdex.jacobian(mixed, params, mode=mode, output_format="dense")(params)
    expected = jax.jit(jax.jacobian(mixed))(params)
    np.testing.assert_allclose(
        jacobian[0]["half"].astype(jnp.float32), expected[0]["half"].astype(jnp.float32)
    )
    np.testing.assert_allclose(jacobian[1]["single"], expected[1]["single"], rtol=1e-6)
    assert not jacobian[0]["single"].any() and not jacobian[1]["half"].any()


@pytest.mark.parametrize("mode", ["fwd", "rev", "auto"])
def test_holomorphic_jacobian(mode):
    jac_fn = asdex.jacobian(f, Z, mode=mode, holomorphic=True, output_format="dense")
    jacobian = jac_fn(Z)
    assert jacobian.dtype == jnp.complex64
    np.testing.assert_allclose(jacobian, jax.jit(jax.jacobian(f, holomorphic=True))(Z), rtol=1e-6)


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_holomorphic_hessian_from_coloring(mode, symmetric):
    coloring = asdex.hessian_coloring(energy, X, mode=mode, symmetric=symmetric)
    coloring = asdex.hessian_coloring_from_sparsity(
        coloring.sparsity.todense(), mode=mode, symmetric=symmetric
    )
    hessian = asdex.hessian_from_coloring(energy, coloring, "dense", holomorphic=True)(Z)
    np.testing.assert_allclose(
        hessian, jax.jit(jax.hessian(energy, holomorphic=True))(Z), rtol=1e-6
    )


def test_holomorphic_hessian_from_samples():
    hessian = asdex.hessian(energy, Z, holomorphic=True, output_format="dense")(Z)
    np.testing.assert_allclose(
        hessian, jax.jit(jax.hessian(energy, holomorphic=True))(Z), rtol=1e-6
    )


def test_complex_outputs_of_real_inputs_take_forward_mode():
    def wave(x):  # two colors by rows, six by columns
        return jnp.concatenate([jnp.sum(jnp.exp(1j * x))[None], x[1:] * 1j])

    jac_fn = asdex.jacobian(wave, X, output_format="dense")
    assert jac_fn.coloring.mode == "fwd"
    np.testing.assert_allclose(jac_fn(X), jax.jit(jax.jacfwd(wave))(X), rtol=1e-6)


def test_real_outputs_of_complex_inputs_take_reverse_mode():
    def modulus(z):
        return jnp.abs(z) ** 2

    jac_fn = asdex.jacobian(modulus, Z, output_format="dense")
    assert jac_fn.coloring.mode == "rev"
    np.testing.assert_allclose(jac_fn(Z), jax.jit(jax.jacrev(modulus))(Z), rtol=1e-6)


@pytest.mark.parametrize("mode", ["fwd", "rev", "auto"])
def test_allow_int_gives_integer_inputs_zero_columns(mode):
    def scaled(x, k):
        return x[1:] * k[:-1] ** 2

    k = jnp.arange(6)
    jac_fn = asdex.jacobian(
        scaled, X, k, argnums=(1, 0), mode=mode, allow_int=True, output_format="dense"
    )
    by_k, by_x = jac_fn(X, k)
    assert by_k.shape == (5, 6) and not by_k.any()
    np.testing.assert_allclose(by_x, jax.jit(jax.jacobian(scaled))(X, k), rtol=1e-6)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_integer_inputs_alone_have_a_zero_jacobian(mode):
    k = jnp.arange(4)
    jac_fn = asdex.jacobian(lambda n: 2.0 * n, k, mode=mode, allow_int=True, has_aux=False)
    assert not jac_fn(k).todense().any()


@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
def test_integer_inputs_of_a_hessian(mode):
    def g(params):
        return jnp.sum(params["x"] ** 2 * params["k"])

    params = {"k": jnp.arange(3), "x": jnp.arange(1.0, 4.0)}
    coloring = asdex.hessian_coloring_from_sparsity(np.diag([0, 0, 0, 1, 1, 1]), mode=mode)
    hessian = asdex.hessian_from_coloring(g, coloring, "dense", allow_int=True)(params)
    np.testing.assert_allclose(hessian, np.diag([0.0, 0.0, 0.0, 0.0, 2.0, 4.0]))
    alone = asdex.hessian_coloring_from_sparsity(np.zeros((3, 3)), mode=mode)
    hess_fn = asdex.hessian_from_coloring(lambda k: jnp.sum(2.0 * k), alone, allow_int=True)
    assert not hess_fn(jnp.arange(3)).todense().any()


def test_integer_inputs_of_a_hessian_from_samples():
    k = jnp.arange(6)
    hess_fn = asdex.hessian(
        lambda x, n: energy(n * x), X, k, argnums=(0, 1), allow_int=True, output_format="dense"
    )
    (xx, xk), (kx, kk) = hess_fn(X, k)
    np.testing.assert_allclose(xx, jax.jit(jax.hessian(lambda x: energy(k * x)))(X), rtol=1e-6)
    assert not xk.any() and not kx.any() and not kk.any()


@pytest.mark.parametrize("promotion", ["standard", "strict"])
def test_promotion_may_be_strict(promotion):
    x = X.astype(jnp.bfloat16)
    with jax.numpy_dtype_promotion(promotion):
        jacobian = asdex.jacobian(f, x, chunk_size=1, output_format="dense")(x)
        hessian = asdex.hessian(energy, X, output_format="dense")(X)
    np.testing.assert_array_equal(jacobian, jax.jit(jax.jacobian(f))(x))
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(energy))(X), rtol=1e-6)


@pytest.mark.parametrize("output_format", ["dense", "numpy_dense", "bcoo", "scipy_csr"])
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_blocks_of_integer_inputs_have_the_dtype_that_jax_gives_them(mode, output_format):
    def f(x, n):
        return x**2 * n

    x, n = jnp.arange(1.0, 4.0), jnp.arange(1, 4)
    expected = jax.jit(jax.jacrev(f, argnums=(0, 1), allow_int=True))(x, n)
    options = {"argnums": (0, 1), "allow_int": True, "mode": mode}
    blocks = asdex.jacobian(f, x, n, output_format=output_format, **options)(x, n)
    assert [block.dtype for block in blocks] == [block.dtype for block in expected]
    only = asdex.jacobian(f, x, n, **{**options, "argnums": 1})(x, n)
    assert only.dtype == expected[1].dtype and only.nse == 0
