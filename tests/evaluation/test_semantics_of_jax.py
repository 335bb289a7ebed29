"""Arguments and outputs of all kinds: the blocks that jax gives, in shape, dtype and value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 4)
REFERENCE = {"fwd": jax.jacfwd, "rev": jax.jacrev, "bidirectional": jax.jacfwd}
HESSIAN_MODES = ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"]


def is_block(leaf):
    return isinstance(leaf, BCOO)


def assert_same_blocks(actual, expected, *, rtol=1e-5):
    """Compare trees of sparse blocks with trees of dense ones."""
    assert jax.tree.structure(actual, is_leaf=is_block) == jax.tree.structure(expected)
    blocks = jax.tree.leaves(actual, is_leaf=is_block)
    assert all(map(is_block, blocks))
    for block, want in zip(blocks, jax.tree.leaves(expected), strict=True):
        assert (block.shape, block.dtype) == (want.shape, want.dtype)
        got, want = (np.asarray(one, np.complex128) for one in (block.todense(), want))
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


def mixed():
    return {"half": X.astype(jnp.float16), "brain": X.astype(jnp.bfloat16), "single": X}


@pytest.mark.parametrize("mode", REFERENCE)
def test_each_block_has_a_dtype_of_its_own(mode):
    def f(p):
        product = p["half"] * p["single"].astype(jnp.float16)
        return {"half": product, "rest": (p["brain"].astype(jnp.float32) * p["single"], None)}

    jacobian = asdex.jacobian(f, mixed(), mode=mode)(mixed())
    assert_same_blocks(jacobian, REFERENCE[mode](f)(mixed()), rtol=2e-2)


@pytest.mark.parametrize("mode", HESSIAN_MODES)
def test_each_block_of_a_hessian_has_a_dtype_of_its_own(mode):
    def f(p):
        product = p["half"].astype(jnp.float32) * p["single"] ** 2
        return jnp.sum(product) + jnp.sum(p["brain"].astype(jnp.float32) ** 3)

    hessian = asdex.hessian(f, mixed(), mode=mode)(mixed())
    assert_same_blocks(hessian, jax.jit(jax.hessian(f))(mixed()), rtol=2e-2)


def test_double_and_single_precision(enable_x64):
    with enable_x64(True):
        x, y = jnp.linspace(0.5, 2.0, 4), X.astype(jnp.float32)

        def f(x, y):
            return x**2 * y[0], jnp.sin(y)

        jacobian = asdex.jacobian(f, x, y, argnums=(0, 1), mode="fwd")(x, y)
        expected = jax.jit(jax.jacfwd(f, (0, 1)))(x, y)
        assert {block.dtype for row in expected for block in row} == {
            np.dtype("f8"),
            np.dtype("f4"),
        }
        assert_same_blocks(jacobian, expected, rtol=1e-7)


def test_real_and_complex_outputs():
    def f(x):
        return {"wave": jnp.exp(1j * x), "square": x**2}

    assert_same_blocks(asdex.jacobian(f, X)(X), jax.jit(jax.jacfwd(f))(X))
    # The coloring says nothing about dtypes.
    coloring = asdex.jacobian_coloring(lambda x: {"wave": x, "square": x}, X, mode="fwd")
    assert_same_blocks(asdex.jacobian_from_coloring(f, coloring)(X), jax.jit(jax.jacfwd(f))(X))


@pytest.mark.parametrize("mode", REFERENCE)
def test_holomorphic_functions_of_trees(mode):
    z = X + 1j * X[::-1]

    def f(p):
        return {"product": p[0] * p[1], "power": p[1][1:] ** 3}

    jacobian = asdex.jacobian(f, (z, 2 * z), holomorphic=True, mode=mode)((z, 2 * z))
    assert_same_blocks(jacobian, REFERENCE[mode](f, holomorphic=True)((z, 2 * z)))


@pytest.mark.parametrize("mode", REFERENCE)
def test_empty_and_missing_leaves(mode):
    def f(p):
        return p["a"] ** 2, None, p["empty"] * 2, p["a"][:0]

    p = {"a": X, "none": None, "empty": jnp.zeros((0, 2))}
    assert_same_blocks(asdex.jacobian(f, p, mode=mode)(p), REFERENCE[mode](f)(p))


@pytest.mark.parametrize("mode", REFERENCE)
def test_numbers_and_scalars_in_and_out(mode):
    def f(t, x):
        return t * x, x[0], t**2

    jacobian = asdex.jacobian(f, 2.0, X, argnums=(0, 1), mode=mode)(3.0, X)
    assert_same_blocks(jacobian, REFERENCE[mode](f, (0, 1))(3.0, X))
    assert_same_blocks(
        asdex.hessian(lambda t: t**3, 2.0)(3.0), jax.jit(jax.hessian(lambda t: t**3))(3.0)
    )


def test_constants_in_the_output():
    def f(x):
        return x[0], 2.0

    assert_same_blocks(asdex.jacobian(f, X, mode="fwd")(X), jax.jit(jax.jacfwd(f))(X))


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_keys_are_arguments(make):
    def f(x, key):
        return x**2 * jax.random.normal(key, x.shape)

    jac_fn = asdex.jacobian(f, X, make(0))
    for seed in (0, 1):
        expected = jax.jit(jax.jacobian(f))(X, make(seed))
        assert_same_blocks(jac_fn(X, make(seed)), expected)
        assert_same_blocks(jax.jit(jac_fn)(X, make(seed)), expected)


def test_keywords_of_a_hessian():
    def f(x, *, scale, flag=True):
        return jnp.sum(scale["a"] * x**3) if flag else jnp.sum(x)

    hess_fn = asdex.hessian(f, X, scale={"a": X}, flag=True)
    expected = jax.jit(jax.hessian(f))(X, scale={"a": 2 * X})
    assert_same_blocks(hess_fn(X, scale={"a": 2 * X}, flag=True), expected)


def test_everything_at_once():
    def f(x, p, k, *, shift):
        aux = {"norm": jnp.sum(x**2), "name": "aux"}
        return {"u": x[1:] * p["a"][0] + k[1:], "v": (jnp.sum(p["b"]) * shift, p["b"] ** 2)}, aux

    args = (X, {"a": X[:2], "b": X.reshape(2, 2)}, jnp.arange(4))
    options = {"argnums": (1, -1, 0), "allow_int": True, "has_aux": True}
    jac_fn = asdex.value_and_jacobian(f, *args, mode="rev", **options, shift=1.5)
    for _ in range(2):  # compiled, and from the cache
        (value, aux), jacobian = jac_fn(*args, shift=2.5)
        expected_value, expected_aux = f(*args, shift=2.5)
        jax.tree.map(np.testing.assert_array_equal, value, expected_value)
        assert aux["name"] == "aux" and np.isclose(aux["norm"], expected_aux["norm"])
        expected, _ = jax.jacrev(f, **options)(*args, shift=2.5)
        got = jax.tree.map(lambda block: block.todense(), jacobian, is_leaf=is_block)
        for one, want in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            # Of integer inputs jax gives zeros of the type that stands for no derivative.
            want = np.zeros(want.shape) if want.dtype == jax.dtypes.float0 else want
            np.testing.assert_allclose(one, want, rtol=1e-5)
