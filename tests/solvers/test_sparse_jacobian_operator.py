"""`SparseJacobianLinearOperator`: a lazy Jacobian that knows its pattern."""

import importlib

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import brusselator, close, dense_jacobian, on_a_grid, on_a_line, point, SQUARE

import asdex


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")
Operator = asdex_lineax.SparseJacobianLinearOperator

N = 36


@pytest.mark.parametrize("name", SQUARE)
def test_products_and_matrices_agree_with_jax(name):
    f, y, v = SQUARE[name], point(N), point(N, seed=1)
    operator, expected = Operator(f, y), dense_jacobian(f, y)
    transposed = operator.T
    assert close(operator.mv(v), expected @ v, jnp.float32)
    assert close(transposed.mv(v), expected.T @ v, jnp.float32)
    for whole, reference in ((operator, expected), (transposed, expected.T)):
        matrix = lx.linearise(whole)
        assert isinstance(matrix, asdex_lineax.SparseMatrixLinearOperator)
        assert close(whole.as_matrix(), reference, jnp.float32)
        assert close(matrix.as_matrix(), reference, jnp.float32)
        assert close(matrix.mv(v), reference @ v, jnp.float32)
        assert close(lx.materialise(whole).as_matrix(), reference, jnp.float32)
        assert close(lx.diagonal(whole), np.diag(reference), jnp.float32)
        three = [np.diag(reference, offset) for offset in (0, -1, 1)]
        for got, want in zip(lx.tridiagonal(whole), three, strict=True):
            assert close(got, want, jnp.float32)


@pytest.mark.parametrize("name", SQUARE)
def test_structure_is_told_from_the_pattern(name):
    f, y = SQUARE[name], point(N)
    operator, dense = Operator(f, y), dense_jacobian(f, y) != 0
    rows, cols = np.nonzero(dense)
    for whole, below, above in (
        (operator, rows >= cols, rows <= cols),
        (operator.T, rows <= cols, rows >= cols),
    ):
        assert lx.is_lower_triangular(whole) is bool(below.all())
        assert lx.is_upper_triangular(whole) is bool(above.all())
        assert lx.is_diagonal(whole) is bool((rows == cols).all())
        assert lx.is_symmetric(whole) is bool((rows == cols).all())
        assert lx.is_tridiagonal(whole) is bool((abs(rows - cols) <= 1).all())


def test_materialise_gives_the_operators_of_lineax():
    y = point(N)
    assert isinstance(lx.materialise(Operator(SQUARE["pointwise"], y)), lx.DiagonalLinearOperator)
    assert isinstance(lx.materialise(Operator(on_a_line, y)), lx.TridiagonalLinearOperator)
    # lineax's tridiagonal operator knows vectors alone.
    folded = Operator(lambda z: on_a_line(z.ravel()).reshape(z.shape), y.reshape(6, 6))
    assert lx.is_tridiagonal(folded)
    assert isinstance(lx.materialise(folded), asdex_lineax.SparseMatrixLinearOperator)


@pytest.mark.parametrize(
    "name, solver", [("pointwise", lx.Diagonal), ("on_a_line", lx.Tridiagonal)]
)
def test_lineax_selects_the_fast_solver(name, solver):
    f, y, b = SQUARE[name], point(N), point(N, seed=1)
    operator, auto = Operator(f, y), lx.AutoLinearSolver(well_posed=True)
    assert isinstance(auto.select_solver(operator), solver)
    solution = lx.linear_solve(operator, b, auto).value
    assert close(solution, np.linalg.solve(dense_jacobian(f, y), b), jnp.float32)


def shifted(y):
    return 5 * y + on_a_grid(0.1 * y)


@pytest.mark.parametrize(
    "solver",
    [lx.GMRES(1e-6, 1e-6), lx.BiCGStab(1e-6, 1e-6), lx.LU(), lx.QR(), lx.SVD()],
    ids=lambda solver: type(solver).__name__,
)
@pytest.mark.parametrize(
    "prepare", [lambda op: op, lx.linearise, lx.materialise, lambda op: op.T.T]
)
def test_solvers_of_lineax(solver, prepare):
    y, b = point(N), point(N, seed=1)
    solution = lx.linear_solve(prepare(Operator(shifted, y)), b, solver).value
    np.testing.assert_allclose(solution, np.linalg.solve(dense_jacobian(shifted, y), b), rtol=1e-4)


def test_conjugate_gradients_with_a_tag():
    def energy(y):
        return jnp.sum(y**4) + jnp.sum((y[1:] - y[:-1]) ** 2) + jnp.sum(y**2)

    y, b = point(N), point(N, seed=1)
    operator = Operator(jax.grad(energy), y, tags=lx.positive_semidefinite_tag)
    assert lx.is_positive_semidefinite(operator) and lx.is_symmetric(operator)
    assert lx.is_positive_semidefinite(lx.linearise(operator))
    assert operator.T is operator
    for solver in (lx.CG(1e-6, 1e-6), lx.Cholesky()):
        solution = lx.linear_solve(operator, b, solver).value
        np.testing.assert_allclose(
            solution, np.linalg.solve(jax.jit(jax.hessian(energy))(y), b), rtol=1e-4
        )


@pytest.mark.parametrize(
    "tag, transposed, check",
    [
        (lx.unit_diagonal_tag, lx.unit_diagonal_tag, lx.has_unit_diagonal),
        (lx.lower_triangular_tag, lx.upper_triangular_tag, lx.is_lower_triangular),
        (lx.upper_triangular_tag, lx.lower_triangular_tag, lx.is_upper_triangular),
        (lx.diagonal_tag, lx.diagonal_tag, lx.is_diagonal),
        (lx.tridiagonal_tag, lx.tridiagonal_tag, lx.is_tridiagonal),
        (lx.symmetric_tag, lx.symmetric_tag, lx.is_symmetric),
        (lx.negative_semidefinite_tag, lx.negative_semidefinite_tag, lx.is_negative_semidefinite),
    ],
)
def test_tags_are_kept(tag, transposed, check):
    operator = Operator(on_a_grid, point(N), tags=tag)
    for one in (operator, lx.linearise(operator), lx.conj(operator)):
        assert one.tags == {tag} and check(one)
        assert one.T.tags == {transposed}
    assert not check(Operator(on_a_grid, point(N)))


def test_a_symmetric_coloring_is_a_symmetric_operator():
    f = jax.grad(lambda y: jnp.sum(jnp.sin(y[1:] * y[:-1])))
    y = point(N)
    operator = Operator(f, y, coloring=asdex.jacobian_coloring(f, y, symmetric=True))
    assert lx.is_symmetric(operator) and operator.T is operator
    assert close(operator.as_matrix(), dense_jacobian(f, y), jnp.float32)


def test_functions_with_and_without_args():
    y, b = point(N), point(N, seed=1)
    scale = {"a": jnp.float32(3.0)}
    expected = 3 * dense_jacobian(brusselator, y) @ b
    two = Operator(lambda y, args: args["a"] * brusselator(y), y, scale)
    one = Operator(lambda y: 3 * brusselator(y), y)
    unused = Operator(lambda y, args: 3 * brusselator(y), y)
    for operator in (two, one, unused):
        assert close(operator.mv(b), expected, jnp.float32)
        assert close(lx.linearise(operator).mv(b), expected, jnp.float32)


def test_pytrees():
    def f(tree):
        a, b = tree["a"], tree["b"]
        return {"out": (a * b[:, None]) ** 2, "sum": jnp.sum(a, axis=1) + b}

    tree = {"a": point(6).reshape(3, 2), "b": point(3, seed=1)}
    vector = {"a": point(6, seed=2).reshape(3, 2), "b": point(3, seed=3)}
    operator, reference = Operator(f, tree), lx.JacobianLinearOperator(lambda x, _: f(x), tree)
    assert operator.in_structure() == reference.in_structure()
    assert operator.out_structure() == reference.out_structure()
    for got, want in ((operator, reference), (operator.T, reference.T)):
        v = vector if got is operator else reference.mv(vector)
        for one in (got, lx.linearise(got)):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), one.mv(v), want.mv(v)
            )
        np.testing.assert_allclose(got.as_matrix(), want.as_matrix(), rtol=1e-6)


def test_a_function_without_forward_mode():
    @jax.custom_vjp
    def f(y):
        return on_a_line(y)

    f.defvjp(lambda y: (on_a_line(y), y), lambda y, ct: jax.vjp(on_a_line, y)[1](ct))
    y, v = point(N), point(N, seed=1)
    operator, expected = Operator(f, y), dense_jacobian(on_a_line, y)
    for one in (operator, lx.linearise(operator)):
        assert close(one.mv(v), expected @ v, jnp.float32)
        assert close(one.T.mv(v), expected.T @ v, jnp.float32)


def test_complex_values(enable_x64):
    with enable_x64():
        y, v = point(N, jnp.complex128) * (1 + 0.5j), point(N, jnp.complex128, seed=1) * 1j
        dense = np.asarray(jax.jit(jax.jacobian(brusselator, holomorphic=True))(y))
        operator = Operator(brusselator, y, tags=lx.positive_semidefinite_tag)
        assert not lx.is_symmetric(operator)
        for one, want in ((operator, dense), (lx.conj(operator), dense.conj())):
            assert close(one.mv(v), want @ v, jnp.float64)
            assert close(one.T.mv(v), want.T @ v, jnp.float64)
            assert close(one.as_matrix(), want, jnp.float64)


class Network(eqx.Module):
    weights: jax.Array

    def __call__(self, y):
        return jnp.tanh(self.weights * y) + 0.1 * jnp.roll(y, 1)


def test_traced_weights_jit_grad_and_vmap():
    y, b = point(8), point(8, seed=1)
    coloring = asdex.jacobian_coloring(Network(point(8)), y)

    def loss(weights, make):
        solution = lx.linear_solve(make(Network(weights)), b, lx.LU())
        return jnp.sum(solution.value**2)

    def dense(model):
        return lx.MatrixLinearOperator(jax.jit(jax.jacobian(model))(y))

    def sparse(model):
        return lx.linearise(Operator(model, y, coloring=coloring))

    def detected(model):
        return Operator(model, y)

    weights = point(8, seed=2)
    expected = jax.grad(loss)(weights, dense)
    for make in (sparse, detected):
        gradient = eqx.filter_jit(jax.grad(loss))(weights, make)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)
    many = jnp.stack([weights, 2 * weights])
    losses = jax.vmap(lambda w: loss(w, sparse))(many)
    np.testing.assert_allclose(losses, [loss(w, dense) for w in many], rtol=1e-4)


def test_an_operator_crosses_jit():
    y, v = point(N), point(N, seed=1)
    operator = Operator(brusselator, y)
    got = eqx.filter_jit(lambda op, v: lx.linearise(op).mv(v))(operator, v)
    assert close(got, dense_jacobian(brusselator, y) @ v, jnp.float32)


def test_operators_from_one_coloring_compile_once():
    coloring = asdex.jacobian_coloring(brusselator, point(N))
    traced = []

    @eqx.filter_jit
    def product(y, v):
        traced.append(1)
        return lx.linearise(Operator(brusselator, y, coloring=coloring)).mv(v)

    for seed in range(3):
        y, v = point(N, seed=seed), point(N, seed=seed + 1)
        assert close(product(y, v), dense_jacobian(brusselator, y) @ v, jnp.float32)
    assert len(traced) == 1


def test_sums_and_products_with_lineax_operators():
    y, b = point(N), point(N, seed=1)
    dense = dense_jacobian(brusselator, y)
    jacobian = Operator(brusselator, y)
    identity = lx.IdentityLinearOperator(jacobian.in_structure())
    operator = identity - jacobian * jnp.float32(0.1)
    expected = np.eye(N) - 0.1 * dense
    np.testing.assert_allclose(operator.mv(b), expected @ b, rtol=1e-4)
    solution = lx.linear_solve(operator, b, lx.GMRES(1e-6, 1e-6)).value
    np.testing.assert_allclose(expected @ solution, b, rtol=1e-4)


def test_errors():
    y = point(N)
    coloring = asdex.jacobian_coloring(brusselator, y)
    with pytest.raises(ValueError, match="Expected args"):
        Operator(brusselator, point(N + 2), coloring=coloring)
    with pytest.raises(ValueError, match=f"Expected a function with {N} outputs"):
        Operator(lambda y: y[1:], y, coloring=coloring)
    with pytest.raises(ValueError, match="Expected a vector with the structure"):
        lx.linearise(Operator(brusselator, y)).mv(point(N + 1))
    with pytest.raises(TypeError, match="known coloring"):
        jax.jit(lambda c: Operator(brusselator, y, coloring=c).mv(y))(coloring)
