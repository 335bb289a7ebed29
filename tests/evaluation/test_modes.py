"""`mode="auto"` takes the cheapest mode that the function allows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import asdex


pytestmark = pytest.mark.filterwarnings("ignore::asdex.DenseColoringWarning")

X = jnp.linspace(0.5, 2.0, 6)


def dense_row(x):
    """Two colors by rows, six by columns."""
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:]])


def dense_column(x):
    """Two colors by columns, six by rows."""
    return x**2 + x[0]


def dynamic_loop(x):
    """`x`, doubled until its sum exceeds 100: a `while_loop` without reverse mode."""
    return jax.lax.while_loop(lambda y: jnp.sum(y) < 100, lambda y: 2 * y, x)


@jax.custom_vjp
def double(x):
    return 2 * x


double.defvjp(lambda x: (2 * x, None), lambda _, cotangent: (2 * cotangent,))


@pytest.mark.parametrize(("f", "mode"), [(dense_row, "rev"), (dense_column, "fwd")])
def test_fewest_colors_win(f, mode):
    coloring = asdex.jacobian_coloring(f, X)
    assert (coloring.mode, coloring.num_colors) == (mode, 2)


def test_ties_go_to_forward_mode():
    assert asdex.jacobian_coloring(jnp.sin, X).mode == "fwd"


@pytest.mark.parametrize(
    ("inner", "outer", "mode", "by_jax"),
    [(dynamic_loop, dense_row, "fwd", jax.jacfwd), (double, dense_column, "rev", jax.jacrev)],
)
def test_the_mode_that_the_function_allows_is_taken(inner, outer, mode, by_jax):
    """A dynamic `while_loop` has no reverse mode, a `custom_vjp` no forward mode."""

    def f(x):
        return outer(inner(x))

    jac_fn = asdex.jacobian(f, X, output_format="dense")
    assert jac_fn.coloring.mode == mode
    assert jac_fn.coloring.num_colors > 2
    np.testing.assert_allclose(jac_fn(X), jax.jit(by_jax(f))(X), rtol=1e-6)


def test_custom_vjp_takes_reverse_mode_with_symmetry():
    jac_fn = asdex.jacobian(double, X, symmetric=True, output_format="dense")
    assert jac_fn.coloring.mode == "rev"
    np.testing.assert_allclose(jac_fn(X), 2 * np.eye(6))


def test_a_mode_that_is_asked_for_is_kept():
    assert asdex.jacobian_coloring(dense_row, X, mode="fwd").mode == "fwd"
    with pytest.raises(TypeError, match="custom_vjp"):
        asdex.jacobian(double, X, mode="fwd")(X)


def test_hessians_of_custom_vjp():
    def f(x):
        return jnp.sum(double(x) ** 3)

    hessian = asdex.hessian(f, X, output_format="dense")(X)
    np.testing.assert_allclose(hessian, jax.jit(jax.hessian(f))(X), rtol=1e-6)


@jax.custom_vjp
def triple(x):
    return 3 * x


triple.defvjp(lambda x: (3 * x, None), lambda _, cotangent: (double(1.5 * cotangent),))


@pytest.mark.parametrize("mode", [None, "auto"])
def test_gradients_without_forward_mode_are_reversed_once_more(mode):
    """The backward rule calls a function that has a backward rule, but no forward mode."""

    def f(x):
        return jnp.sum(triple(x) ** 3 * jnp.roll(x, 1))

    hess_fn = asdex.hessian(f, X, mode=mode, output_format="dense")
    assert hess_fn.coloring.mode == "rev_over_rev"
    expected = jax.jit(jax.jacrev(jax.grad(f)))(X)
    np.testing.assert_allclose(hess_fn(X), expected, rtol=1e-5)
    value, gradient, dense = asdex.value_gradient_and_hessian(f, X, output_format="dense")(X)
    np.testing.assert_allclose(value, f(X), rtol=1e-6)
    np.testing.assert_allclose(gradient, jax.grad(f)(X), rtol=1e-6)
    np.testing.assert_allclose(dense, expected, rtol=1e-5)
    with pytest.raises(TypeError, match="custom_vjp"):
        asdex.hessian(f, X, mode="fwd_over_rev")(X)


def test_hessian_modes_are_named_in_the_coloring():
    def f(x):
        return jnp.sum(x**3)

    assert asdex.hessian_coloring(f, X).mode == "fwd_over_rev"
    assert asdex.hessian_coloring(f, X, mode="auto").mode == "fwd_over_rev"
    assert asdex.hessian_coloring(f, X, mode="rev_over_rev").mode == "rev_over_rev"


@pytest.mark.parametrize("local", [False, True])
def test_windows_with_gaps_have_no_reverse_mode(local):
    """In JAX. By the number of colors it would be taken."""

    def f(x):
        window = (2,), (1,), ((0, 0),), (1,), (2,)
        return jnp.sum(jax.lax.reduce_window(x, jnp.inf, jax.lax.min, *window))[None]

    x = jnp.arange(5.0)
    jac_fn = asdex.jacobian(f, x, local=local)
    assert jac_fn.coloring.mode == "fwd"
    np.testing.assert_allclose(jac_fn(x).todense(), jax.jit(jax.jacfwd(f))(x))
