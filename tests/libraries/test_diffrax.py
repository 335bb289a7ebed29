"""`diffrax.diffeqsolve`: what a time step couples, and no more."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_checks import assert_covers, assert_exact, needs_derivatives_of_batches, values

import asdex


dfx = pytest.importorskip("diffrax")

N = 16
Y = values(N)
ADJOINTS = {
    "RecursiveCheckpointAdjoint": dfx.RecursiveCheckpointAdjoint(),
    "DirectAdjoint": dfx.DirectAdjoint(),
    "ForwardMode": dfx.ForwardMode(),
}
CHORD = dfx.VeryChord(rtol=1e-4, atol=1e-4)
ADAPTIVE = dfx.PIDController(rtol=1e-3, atol=1e-3)


def decay(t, y, args):
    """Each component on its own."""
    return -(y**3)


def advection(t, y, args):
    """A periodic stencil of radius one to the left."""
    return jnp.roll(y, 1) * y - y**2


def integrate(y, rhs=decay, solver=None, t1=0.2, adjoint="RecursiveCheckpointAdjoint", **options):
    """The saved values of two steps of length 0.1."""
    solution = dfx.diffeqsolve(
        dfx.ODETerm(rhs),
        dfx.Euler() if solver is None else solver,
        0.0,
        t1,
        0.1,
        y,
        adjoint=ADJOINTS[adjoint],
        throw=False,
        **{"max_steps": 16, **options},
    )
    return solution.ys


@pytest.mark.parametrize("adjoint", ADJOINTS)
# The stages of a Runge-Kutta step widen the stencil, each by its radius.
@pytest.mark.parametrize(
    ("solver", "stages"), [(dfx.Euler(), 1), (dfx.Heun(), 2), (dfx.Tsit5(), 6)]
)
def test_explicit_steps_widen_the_stencil(adjoint: str, solver, stages: int):
    fn = lambda y: integrate(y, advection, solver, adjoint=adjoint)[-1]  # noqa: E731
    assert asdex.jacobian_sparsity(fn, Y).nnz == N * (1 + 2 * stages)
    if adjoint == "DirectAdjoint" and stages < 6:  # far entries of more stages are rounded to zero
        assert_exact(fn, Y, points=2)


def test_one_step_of_euler():
    fn = lambda y: integrate(y, advection, t1=0.1)  # noqa: E731
    assert_exact(fn, Y, nnz=2 * N)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize(
    "solver",
    [
        dfx.Euler(),
        dfx.Tsit5(),
        dfx.ImplicitEuler(root_finder=CHORD),
        dfx.Kvaerno3(root_finder=CHORD),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_independent_components_stay_apart(adjoint: str, solver):
    assert (
        asdex.jacobian_sparsity(lambda y: integrate(y, decay, solver, adjoint=adjoint), Y).nnz == N
    )


@needs_derivatives_of_batches
def test_implicit_step_is_dense_within_its_system():
    solver = dfx.ImplicitEuler(root_finder=CHORD)
    fn = lambda y: integrate(y, advection, solver)  # noqa: E731
    assert_covers(fn, Y[:4], nnz=16, points=2)
    assert_covers(jax.vmap(fn), Y[:6].reshape(2, 3), nnz=2 * 9, points=2)


@pytest.mark.parametrize(
    "solver", [dfx.Tsit5(), dfx.Dopri5(), dfx.Kvaerno5()], ids=lambda s: type(s).__name__
)
def test_adaptive_steps_are_not_differentiated(solver):
    """The controller takes the error estimate for a constant, so components stay apart."""
    fn = lambda y: integrate(y, decay, solver, stepsize_controller=ADAPTIVE, max_steps=64)  # noqa: E731
    assert_exact(fn, Y[:4], nnz=4, points=2)


def test_adaptive_steps_of_a_stencil_may_be_any_number():
    fn = lambda y: integrate(y, advection, dfx.Tsit5(), stepsize_controller=ADAPTIVE)  # noqa: E731
    assert_covers(fn, Y, nnz=N * N, points=2)


def test_an_adaptive_loop_with_the_default_number_of_steps():
    fn = lambda y: integrate(y, decay, dfx.Tsit5(), stepsize_controller=ADAPTIVE, max_steps=4096)  # noqa: E731
    assert_exact(fn, Y[:4], nnz=4, points=2)


SAVES = {
    "at a step": (dfx.SaveAt(ts=[0.1]), 1, 2 * N),
    "between steps": (dfx.SaveAt(ts=[0.05, 0.15]), 2, (2 + 3) * N),
    "initial and final": (dfx.SaveAt(t0=True, t1=True), 2, (1 + 3) * N),
    "a function": (dfx.SaveAt(ts=[0.1], fn=lambda t, y, args: jnp.sum(y)), 1, N),
}


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("name", SAVES)
def test_saved_values_are_those_of_their_time(name: str, adjoint: str):
    save, count, nnz = SAVES[name]
    fn = lambda y: integrate(y, advection, saveat=save, adjoint=adjoint)  # noqa: E731
    assert len(jax.eval_shape(fn, Y)) == count
    assert asdex.jacobian_sparsity(fn, Y).nnz == nnz
    if adjoint == "DirectAdjoint":
        assert_exact(fn, Y, points=2)


def test_saved_steps():
    fn = lambda y: integrate(y, advection, saveat=dfx.SaveAt(steps=True), max_steps=4)  # noqa: E731
    assert_exact(lambda y: fn(y)[:2], Y, nnz=(2 + 3) * N, points=2)


def test_dense_output():
    def fn(y):
        save = dfx.SaveAt(dense=True)
        term = dfx.ODETerm(advection)
        solution = dfx.diffeqsolve(term, dfx.Euler(), 0.0, 0.2, 0.1, y, saveat=save, max_steps=4)
        return solution.evaluate(0.15)

    report_covers = asdex.jacobian_sparsity(fn, Y).todense().astype(bool)
    assert not ((np.asarray(jax.jit(jax.jacrev(fn))(Y)) != 0) & ~report_covers).any()


def test_batches_of_trajectories_stay_apart():
    fn = jax.vmap(lambda y: integrate(y, advection, dfx.Heun()))
    assert_exact(fn, Y.reshape(2, 8), nnz=2 * 8 * 5, points=2)


def test_parameters():
    def fn(rate):
        return integrate(Y, lambda t, y, _: -rate * y)

    assert_exact(fn, values(N, low=0.5), nnz=N, points=2)


def test_steady_state_by_implicit_differentiation():
    """The equilibrium of each component on its own."""

    def fn(a):
        solution = dfx.diffeqsolve(
            dfx.ODETerm(lambda t, y, a: a - y - y**3),
            dfx.Tsit5(),
            0.0,
            jnp.inf,
            0.1,
            jnp.ones(4),
            args=a,
            event=dfx.Event(dfx.steady_state_event()),
            stepsize_controller=ADAPTIVE,
            adjoint=dfx.ImplicitAdjoint(),
            throw=False,
        )
        return solution.ys

    assert_exact(fn, Y[:4], nnz=4, points=2)


def test_gradient_through_a_solve():
    loss = lambda y: jnp.sum(integrate(y, advection, adjoint="DirectAdjoint") ** 2)  # noqa: E731
    detected = asdex.hessian_sparsity(loss, Y[:8]).todense().astype(bool)
    assert not ((np.asarray(jax.jit(jax.hessian(loss))(Y[:8])) != 0) & ~detected).any()


def test_jacobian_values():
    fn = lambda y: integrate(y, advection, t1=0.1)[-1]  # noqa: E731
    np.testing.assert_allclose(
        asdex.jacobian(fn, Y)(Y).todense(), jax.jit(jax.jacrev(fn))(Y), rtol=1e-5
    )
