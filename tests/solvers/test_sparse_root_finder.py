"""`asdex.diffrax.sparse_root_finder`: implicit Runge-Kutta methods with a sparse Jacobian."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import brusselator, point

import asdex


dfx = pytest.importorskip("diffrax")
lx = pytest.importorskip("lineax")
optx = pytest.importorskip("optimistix")
asdex_diffrax = importlib.import_module("asdex.diffrax")
sparse_root_finder = asdex_diffrax.sparse_root_finder

N = 20


def field(t, y, args):
    """Stiff, with a forcing in time."""
    return args * brusselator(y) + 0.1 * jnp.sin(t)


TERM, SCALE = dfx.ODETerm(field), jnp.asarray(3.0)


def integrate(root_finder, solver=dfx.Kvaerno5, y0=None, scale=SCALE, t1=0.3, **options):
    controller = dfx.PIDController(rtol=1e-4, atol=1e-4)
    y0 = point(N, jnp.result_type(float)) if y0 is None else y0
    solver = solver() if root_finder is None else solver(root_finder=root_finder)
    return dfx.diffeqsolve(
        TERM, solver, 0.0, t1, None, y0, scale, stepsize_controller=controller, **options
    )


@pytest.mark.parametrize("solver", [dfx.Kvaerno3, dfx.Kvaerno5, dfx.ImplicitEuler])
def test_the_dense_default_takes_the_same_steps(solver, enable_x64):
    with enable_x64():
        y0 = point(N, jnp.float64)
        solutions = [
            integrate(one, solver) for one in (sparse_root_finder(TERM, 0.0, y0, SCALE), None)
        ]
        sparse, dense = solutions
        assert int(sparse.stats["num_steps"]) == int(dense.stats["num_steps"])
        np.testing.assert_allclose(sparse.ys, dense.ys, rtol=1e-9)


def test_implicit_and_explicit_terms(enable_x64):
    with enable_x64():
        y0 = point(N, jnp.float64)
        drift = dfx.ODETerm(lambda t, y, args: -0.5 * y**2)
        terms = dfx.MultiTerm(drift, TERM)
        root_finder = sparse_root_finder(TERM, 0.0, y0, SCALE)
        controller = dfx.PIDController(rtol=1e-4, atol=1e-4)
        sparse, dense = (
            dfx.diffeqsolve(
                terms, solver, 0.0, 0.1, 0.01, y0, SCALE, stepsize_controller=controller
            )
            for solver in (dfx.KenCarp4(root_finder=root_finder), dfx.KenCarp4())
        )
        np.testing.assert_allclose(sparse.ys, dense.ys, rtol=1e-9)


def test_a_vector_field_a_coloring_and_options():
    y0 = point(N)
    coloring = asdex.jacobian_coloring(field, 0.0, y0, SCALE, argnums=1)
    finder = sparse_root_finder(field, 0.0, y0, SCALE, coloring=coloring, kappa=1e-3)
    assert isinstance(finder, dfx.VeryChord) and finder.kappa == 1e-3
    newton = sparse_root_finder(
        field, 0, y0, SCALE, root_finder=optx.Newton, linear_solver=lx.GMRES(1e-5, 1e-5)
    )
    assert isinstance(newton, optx.Newton)
    dense = integrate(None, dfx.Kvaerno3).ys
    for one in (finder, newton):
        np.testing.assert_allclose(integrate(one, dfx.Kvaerno3).ys, dense, rtol=1e-3)


def test_constant_steps_with_tolerances_of_their_own(enable_x64):
    with enable_x64():
        y0 = point(N, jnp.float64)
        sparse = sparse_root_finder(TERM, 0.0, y0, SCALE, rtol=1e-8, atol=1e-8)
        dense = dfx.VeryChord(rtol=1e-8, atol=1e-8, norm=optx.max_norm)
        ends = [
            dfx.diffeqsolve(TERM, dfx.Kvaerno3(root_finder=one), 0.0, 0.01, 1e-3, y0, SCALE).ys
            for one in (sparse, dense)
        ]
        np.testing.assert_allclose(*ends, rtol=1e-9)
    with pytest.raises(TypeError, match="atol"):
        sparse_root_finder(TERM, 0.0, point(N), SCALE, rtol=1e-8)


def test_pytrees_and_batches():
    def pair(t, y, args):
        u, v = y["u"], y["v"]
        return {"u": 1 + u**2 * v - 4 * u, "v": 3 * u - u**2 * v}

    y0 = {"u": point(N), "v": point(N, seed=1)}
    finder = sparse_root_finder(pair, 0.0, y0)

    def end(y0, solver):
        controller = dfx.PIDController(rtol=1e-4, atol=1e-4)
        term = dfx.ODETerm(pair)
        return dfx.diffeqsolve(term, solver, 0.0, 1.0, 0.1, y0, stepsize_controller=controller).ys

    many = jax.tree.map(lambda one: jnp.stack([one, 2 * one]), y0)
    sparse = jax.jit(jax.vmap(lambda y: end(y, dfx.ImplicitEuler(root_finder=finder))))(many)
    dense = jax.jit(jax.vmap(lambda y: end(y, dfx.ImplicitEuler())))(many)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), sparse, dense)


def test_gradients(enable_x64):
    with enable_x64():
        y0 = point(N, jnp.float64)

        def loss(y0, scale, root_finder):
            return jnp.sum(
                integrate(root_finder, dfx.ImplicitEuler, y0, scale, t1=0.01, max_steps=16).ys ** 2
            )

        finder = sparse_root_finder(TERM, 0.0, y0, SCALE)
        sparse, dense = (
            jax.jit(lambda *at, one=one: jax.grad(loss, (0, 1))(*at, one))(y0, SCALE)
            for one in (finder, None)
        )
        for got, want in zip(sparse, dense, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-7)


def test_shapes_alone_matter():
    y = jnp.ones(6)
    term = dfx.ODETerm(lambda t, y, args: -y)
    made = [sparse_root_finder(term, t, y) for t in (0.0, jax.ShapeDtypeStruct((), jnp.float64))]
    assert jax.tree.structure(made[0]) == jax.tree.structure(made[1])
