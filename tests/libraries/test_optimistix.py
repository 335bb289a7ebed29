"""`optimistix`: solutions depend on parameters by the implicit function theorem, or through the iterates."""

import jax
import jax.numpy as jnp
import pytest
from library_checks import assert_covers, assert_exact, needs_derivatives_of_batches, values


optx = pytest.importorskip("optimistix")

X = values(6)
TOLERANCES = (1e-5, 1e-5)
ROOTS = {
    "Newton": optx.Newton(*TOLERANCES),
    "Chord": optx.Chord(*TOLERANCES),
    "Dogleg": optx.Dogleg(*TOLERANCES),
    "LevenbergMarquardt": optx.LevenbergMarquardt(*TOLERANCES),
}
LEAST_SQUARES = {
    "GaussNewton": optx.GaussNewton(*TOLERANCES),
    "LevenbergMarquardt": optx.LevenbergMarquardt(*TOLERANCES),
    "Dogleg": optx.Dogleg(*TOLERANCES),
}
MINIMISERS = {
    "BFGS": optx.BFGS(*TOLERANCES),
    "NonlinearCG": optx.NonlinearCG(*TOLERANCES),
    "NelderMead": optx.NelderMead(*TOLERANCES),
}
ITERATES = optx.RecursiveCheckpointAdjoint()


def cubic(y, a):
    """One equation for each unknown."""
    return y**3 + y - a


def root(a, solver=ROOTS["Newton"], fn=cubic, **options):
    return optx.root_find(
        fn, solver, jnp.ones_like(a), a, throw=False, max_steps=16, **options
    ).value


@pytest.mark.parametrize("name", ROOTS)
def test_root_of_independent_equations(name: str):
    assert_exact(lambda a: root(a, ROOTS[name]), X, nnz=6)


@pytest.mark.parametrize("name", ["Newton", "Chord"])
def test_root_through_the_iterates(name: str):
    assert_exact(lambda a: root(a, ROOTS[name], adjoint=ITERATES), X, nnz=6, points=2)


def test_iterates_of_a_trust_region_are_coupled():
    """One step length for all unknowns: it depends on each of them."""
    fn = lambda a: root(a, ROOTS["Dogleg"], adjoint=ITERATES)  # noqa: E731
    assert_covers(fn, X, nnz=36, points=2)


def test_a_root_does_not_depend_on_the_initial_guess():
    def fn(guess):
        return optx.root_find(cubic, ROOTS["Newton"], guess, X, throw=False).value

    assert_exact(fn, X, nnz=0)


@needs_derivatives_of_batches
def test_coupled_equations_are_dense_within_their_system():
    def coupled(y, a):
        return y**3 + 2 * y - a - 0.1 * jnp.roll(y, 1)

    assert_exact(lambda a: root(a, fn=coupled), X, nnz=36)
    assert_exact(jax.vmap(lambda a: root(a, fn=coupled)), X.reshape(3, 2), nnz=3 * 4)


def test_fixed_point():
    solver = optx.FixedPointIteration(*TOLERANCES)

    def fn(a):
        step = lambda y, a: 0.5 * jnp.cos(y) + a  # noqa: E731
        return optx.fixed_point(step, solver, jnp.ones(6), a, throw=False).value

    assert_exact(fn, X, nnz=6)


@needs_derivatives_of_batches
def test_bisection():
    solver = optx.Bisection(*TOLERANCES)
    options = {"lower": -5.0, "upper": 5.0}

    def fn(a):
        return optx.root_find(cubic, solver, jnp.array(1.0), a, options=options, throw=False).value

    assert_exact(jax.vmap(fn), X, nnz=6)


@pytest.mark.parametrize("name", LEAST_SQUARES)
def test_least_squares(name: str):
    solver = LEAST_SQUARES[name]
    fn = lambda a: optx.least_squares(cubic, solver, jnp.ones(6), a, throw=False).value  # noqa: E731
    assert_exact(fn, X, nnz=6, points=3)


@pytest.mark.parametrize("name", MINIMISERS)
def test_minimise(name: str):
    def objective(y, a):
        return jnp.sum((y - jnp.sin(a)) ** 2)

    def fn(a):
        return optx.minimise(objective, MINIMISERS[name], jnp.ones(6), a, throw=False).value

    assert_exact(fn, X, nnz=6, points=3)


def test_iterates_of_a_line_search_are_coupled():
    def objective(y, a):
        return jnp.sum((y - jnp.sin(a)) ** 4)

    def fn(a):
        solver, start = MINIMISERS["BFGS"], jnp.ones(6)
        return optx.minimise(
            objective, solver, start, a, throw=False, max_steps=4, adjoint=ITERATES
        ).value

    assert_covers(fn, X, nnz=36, points=2)
