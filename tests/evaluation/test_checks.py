"""`check_jacobian_correctness` and `check_hessian_correctness`: right colorings pass, wrong ones don't."""

import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)
METHODS = ["matvec", "dense"]


def f(x):
    return x[1:] ** 2 * x[:-1]


def energy(x):
    return jnp.sum(x[1:] ** 2 * x[:-1])


def without_entry(sparsity, k):
    """The pattern without its k-th nonzero."""
    return asdex.SparsityPattern.from_coo(
        np.delete(sparsity.rows, k),
        np.delete(sparsity.cols, k),
        sparsity.shape,
        input_avals=sparsity.input_avals,
        output_avals=sparsity.output_avals,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_right_jacobians_pass(mode, method):
    coloring = asdex.jacobian_coloring(f, X, mode=mode)
    asdex.check_jacobian_correctness(f, X, coloring, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("entry", [0, 5, 9])
def test_a_missing_entry_is_found(mode, method, entry):
    wrong = without_entry(asdex.jacobian_sparsity(f, X), entry)
    coloring = asdex.jacobian_coloring_from_sparsity(wrong, mode=mode)
    with pytest.raises(asdex.VerificationError, match=r"differs from jax's at .*expected .*got"):
        asdex.check_jacobian_correctness(f, X, coloring, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_colors_that_clash_are_found(method):
    sparsity = asdex.jacobian_sparsity(f, X)
    clash = asdex.ColoredPattern(sparsity, np.zeros(6, np.int32), 1, False, "fwd")
    with pytest.raises(asdex.VerificationError):
        asdex.check_jacobian_correctness(f, X, clash, method=method)


def test_the_place_of_the_difference_is_named():
    # Without entry (4, 5), which is 6.8, column 5 shares a color with column 4.
    wrong = without_entry(asdex.jacobian_sparsity(f, X), 9)
    coloring = asdex.jacobian_coloring_from_sparsity(wrong, mode="fwd")
    with pytest.raises(asdex.VerificationError, match=r"entry \(4, 4\): expected 4\.0, got 10\.8"):
        asdex.check_jacobian_correctness(f, X, coloring, method="dense")
    with pytest.raises(asdex.VerificationError, match=r"row 4 of its product with probe \d+"):
        asdex.check_jacobian_correctness(f, X, coloring)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["fwd_over_rev", "rev_over_fwd", "rev_over_rev"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_right_hessians_pass(mode, symmetric, method):
    coloring = asdex.hessian_coloring(energy, X, mode=mode, symmetric=symmetric)
    asdex.check_hessian_correctness(energy, X, coloring, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_wrong_hessians_are_found(symmetric, method):
    coloring = asdex.hessian_coloring_from_sparsity(np.eye(6), symmetric=symmetric)
    with pytest.raises(asdex.VerificationError, match="differs from jax's"):
        asdex.check_hessian_correctness(energy, X, coloring, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_pytrees(method):
    def g(params):
        return {"y": params["a"] ** 2 * params["b"][0], "z": jnp.sum(params["b"])}

    params = {"a": X, "b": X[:2]}
    asdex.check_jacobian_correctness(g, params, asdex.jacobian_coloring(g, params), method=method)
    coloring = asdex.hessian_coloring(lambda p: jnp.sum(g(p)["y"]), params)
    asdex.check_hessian_correctness(lambda p: jnp.sum(g(p)["y"]), params, coloring, method=method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_holomorphic_functions(mode, method):
    z = X + 1j
    coloring = asdex.jacobian_coloring(f, z, mode=mode)
    asdex.check_jacobian_correctness(f, z, coloring, method=method, holomorphic=True)
    wrong = asdex.jacobian_coloring_from_sparsity(without_entry(coloring.sparsity, 3), mode=mode)
    with pytest.raises(asdex.VerificationError):
        asdex.check_jacobian_correctness(f, z, wrong, method=method, holomorphic=True)
    hessian = asdex.hessian_coloring(energy, X)
    bare = asdex.hessian_coloring_from_sparsity(hessian.sparsity.todense())
    asdex.check_hessian_correctness(energy, z, bare, method=method, holomorphic=True)


@pytest.mark.parametrize("method", METHODS)
def test_real_functions_of_complex_inputs_and_the_reverse(method):
    def modulus(z):
        return jnp.abs(z) ** 2

    z = X + 1j
    asdex.check_jacobian_correctness(modulus, z, asdex.jacobian_coloring(modulus, z), method=method)

    def wave(x):
        return jnp.exp(1j * x)

    asdex.check_jacobian_correctness(wave, X, asdex.jacobian_coloring(wave, X), method=method)


@pytest.mark.parametrize("method", METHODS)
def test_half_precision(method):
    x = X.astype(jnp.bfloat16)
    asdex.check_jacobian_correctness(f, x, asdex.jacobian_coloring(f, x), method=method)


@pytest.mark.parametrize("method", METHODS)
def test_infinities_are_compared(method):
    x = X.at[0].set(0.0)

    def root(v):
        return jnp.sqrt(v)

    asdex.check_jacobian_correctness(root, x, asdex.jacobian_coloring(root, x), method=method)


@pytest.mark.parametrize("method", METHODS)
def test_tolerances(method):
    coloring = asdex.jacobian_coloring_from_sparsity(np.eye(6))

    def nearly_diagonal(x):
        return x + 1e-3 * jnp.roll(x, 1)

    with pytest.raises(asdex.VerificationError):
        asdex.check_jacobian_correctness(nearly_diagonal, X, coloring, method=method)
    asdex.check_jacobian_correctness(nearly_diagonal, X, coloring, method=method, rtol=0.1)
    asdex.check_jacobian_correctness(
        nearly_diagonal, X, coloring, method=method, rtol=0.0, atol=0.1
    )
    with pytest.raises(asdex.VerificationError):
        asdex.check_jacobian_correctness(
            nearly_diagonal, X, coloring, method=method, rtol=0.0, atol=1e-5
        )


def test_seeds_repeat():
    coloring = asdex.jacobian_coloring_from_sparsity(np.eye(6)[:5])

    def message(seed):
        with pytest.raises(asdex.VerificationError) as error:
            asdex.check_jacobian_correctness(f, X, coloring, seed=seed, num_probes=2)
        return str(error.value)

    assert message(1) == message(1)
    assert message(1) != message(2)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_compare(method):
    empty = jnp.zeros(0)
    coloring = asdex.jacobian_coloring(jnp.sin, empty)
    asdex.check_jacobian_correctness(jnp.sin, empty, coloring, method=method)
    asdex.check_jacobian_correctness(
        jnp.sign, X, asdex.jacobian_coloring(jnp.sign, X), method=method
    )


def test_unknown_methods_are_refused():
    coloring = asdex.jacobian_coloring(f, X)
    with pytest.raises(ValueError, match="`method` to be one of 'matvec', 'dense', got 'exact'"):
        asdex.check_jacobian_correctness(f, X, coloring, method="exact")  # pyright: ignore


def residual(x, p, *, scale=1.0):
    return scale * x[1:] ** 2 * x[:-1] * p["k"][0], {"norm": jnp.sum(x)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_check_takes_what_the_derivative_takes(mode, method):
    """Several arguments, `argnums`, a tree, keywords and auxiliary data."""
    p = {"k": jnp.array([2.0, 3.0]), "m": jnp.float32(1.0)}
    options = {"argnums": (1, 0), "has_aux": True, "mode": mode}
    coloring = asdex.jacobian_coloring(residual, X, p, scale=2.0, **options)
    check = {"has_aux": True, "method": method, "scale": 2.0}
    asdex.check_jacobian_correctness(residual, X, p, coloring, **check)
    asdex.check_jacobian_correctness(residual, X, p, coloring=coloring, **check)
    asdex.check_jacobian_correctness(residual, (X, p), coloring, **check)
    wrong = asdex.jacobian_coloring_from_sparsity(without_entry(coloring.sparsity, 1), mode=mode)
    object.__setattr__(wrong.sparsity, "argnums", (1, 0))
    with pytest.raises(asdex.VerificationError):
        asdex.check_jacobian_correctness(residual, X, p, wrong, **check)


@pytest.mark.parametrize("method", METHODS)
def test_a_check_of_a_hessian_takes_what_the_derivative_takes(method):
    def f(n, x, *, power):
        return jnp.sum(n * x**power) + x[0] * x[1], {"x": x}

    n, options = jnp.arange(1, 7), {"argnums": (0, 1), "has_aux": True, "allow_int": True}
    coloring = asdex.hessian_coloring(f, n, X, power=3, **options)
    check = {"has_aux": True, "allow_int": True, "method": method, "power": 3}
    asdex.check_hessian_correctness(f, n, X, coloring, **check)
    asdex.check_hessian_correctness(f, (n, X), coloring, **check)


def test_a_tuple_may_also_be_a_single_argument():
    def f(pair):
        return pair[0] * pair[1]

    coloring = asdex.jacobian_coloring(f, (X, X))
    asdex.check_jacobian_correctness(f, (X, X), coloring)
    coloring = asdex.jacobian_coloring(lambda x: x**2, X, argnums=(0,))
    asdex.check_jacobian_correctness(lambda x: x**2, (X,), coloring)
    asdex.check_jacobian_correctness(lambda x: x**2, X, coloring)


def test_a_check_needs_a_coloring():
    with pytest.raises(TypeError, match=r"coloring after the arguments of the function.*got none"):
        asdex.check_jacobian_correctness(f, X)
