"""`BandedLU`: direct solves of sparse systems of all structures."""

import importlib
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sparse_problems import (
    brusselator,
    close,
    dense_jacobian,
    on_a_line,
    point,
    random_matrix,
    random_pattern,
    solved,
    SQUARE,
)

import asdex
from asdex.pattern import _graphs


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")

from asdex.lineax import _structure  # noqa: E402
from asdex.lineax.direct import _banded_lu, _block_tridiagonal, _ordering  # noqa: E402


Matrix = asdex_lineax.SparseMatrixLinearOperator
SOLVER = asdex_lineax.BandedLU()
N = 36


def pattern_of(f, n=N):
    return asdex.jacobian_sparsity(f, point(n))


@eqx.filter_jit
def solutions(operator, right):
    """What the solver finds for a matrix, its transpose and its conjugate, and for which factors."""
    state = SOLVER.init(operator, {})
    states = (state, SOLVER.transpose(state, {})[0], SOLVER.conj(state, {})[0])
    return state, [SOLVER.compute(one, right, {})[:2] for one in states]


def check(pattern, dtype, **options):
    """Solve with a random matrix, its transpose and its conjugate; return the kind of factors."""
    data, dense = random_matrix(pattern, dtype, **options)
    right = jnp.asarray(np.random.default_rng(1).standard_normal(pattern.n), dtype)
    state, found = solutions(Matrix(data, pattern), right)
    for (got, result), matrix in zip(found, (dense, dense.T, dense.conj()), strict=True):
        assert result == lx.RESULTS.successful
        assert close(got, solved(matrix, right), dtype)
    return type(state.factors.factors)


@pytest.mark.parametrize("name", sorted(SQUARE.keys() - {"with_a_zero_diagonal"}))
def test_structures(name, enable_x64):
    with enable_x64():
        check(pattern_of(SQUARE[name]), np.float64)


@pytest.mark.parametrize("name", ["pointwise", "shuffled_line", "brusselator"])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_dtypes(name, dtype, enable_x64):
    with enable_x64(dtype == np.complex128):
        check(pattern_of(SQUARE[name]), dtype)


@pytest.mark.parametrize(
    "name, factors",
    [
        ("pointwise", _banded_lu.DiagonalFactors),
        ("on_a_line", _banded_lu.TridiagonalFactors),
        ("shuffled_line", _banded_lu.TridiagonalFactors),
        ("brusselator", _block_tridiagonal.BlockFactors),
        ("in_blocks", _block_tridiagonal.BlockFactors),
    ],
)
def test_the_pattern_decides(name, factors):
    data, _ = random_matrix(pattern_of(SQUARE[name]), np.float32)
    operator = Matrix(data, pattern_of(SQUARE[name]))
    state = eqx.filter_eval_shape(SOLVER.init, operator, {})
    assert isinstance(state.factors.factors, factors)


def test_the_sizes_of_the_blocks():
    # Two species on a line, so a bandwidth of 3 at most, whatever the order of the unknowns.
    shuffle = np.random.default_rng(0).permutation(400)
    pattern = pattern_of(brusselator, 400)
    shuffled = asdex.SparsityPattern.from_coo(
        shuffle[pattern.rows], shuffle[pattern.cols], pattern.shape
    )
    for one in (pattern, shuffled):
        layout = _ordering.block_layout(_structure.Structure(one))
        assert layout.bandwidth <= 3
        assert (layout.lanes, layout.blocks, layout.width) == (1, 50, 8)
    # Blocks of three become a batch of dense matrices, without any slot left over.
    layout = _ordering.block_layout(_structure.Structure(pattern_of(SQUARE["in_blocks"], 300)))
    assert (layout.lanes, layout.blocks, layout.width) == (100, 1, 3)
    # One line of 100 and fifty of 2: the short ones share a lane.
    rows = np.concatenate([np.arange(200), np.arange(99), 100 + 2 * np.arange(50)])
    cols = np.concatenate([np.arange(200), np.arange(1, 100), 101 + 2 * np.arange(50)])
    uneven = asdex.SparsityPattern.from_coo(rows, cols, (200, 200))
    layout = _ordering.block_layout(_structure.Structure(uneven))
    assert layout.lanes == 2 and layout.size < 220


@pytest.mark.parametrize("seed", range(5))
def test_random_patterns(seed, enable_x64):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    pattern = _graphs.with_diagonal(random_pattern(n, n, int(rng.integers(0, 3 * n)), seed))
    with enable_x64():
        check(pattern, np.float64, seed=seed)


def test_refinement_makes_up_for_small_pivots(enable_x64):
    """A nearly singular block on the diagonal; refinement may stop a little above its goal of 16 eps."""
    n, width = 64, _ordering._LEAST_WIDTH
    pattern = asdex.SparsityPattern.from_dense(
        np.abs(np.subtract.outer(range(n), range(n))) <= width
    )
    with enable_x64():
        rng = np.random.default_rng(0)
        dense = np.asarray(pattern.todense()) * rng.standard_normal((n, n))
        u, s, vt = np.linalg.svd(dense[:width, :width])
        dense[:width, :width] = u @ np.diag([*s[:-1], 1e-10]) @ vt
        data = jnp.asarray(dense[pattern.rows, pattern.cols])
        right = jnp.asarray(rng.standard_normal(n))
        solution = lx.linear_solve(Matrix(data, pattern), right, SOLVER)
        residual = np.abs(dense @ np.asarray(solution.value) - right).max()
        norm = max(np.abs(dense).sum(axis).max() for axis in (0, 1))
        scale = norm * np.abs(solution.value).max() + np.abs(right).max()
        # One sum of products has the error of n + 1 roundings; the residual above is a second one.
        assert residual < 2 * (n + 1) * np.finfo(np.float64).eps * scale
        assert int(solution.stats["num_refinements"]) >= 1


def test_singular_matrices_are_reported():
    pattern = pattern_of(brusselator)
    data, _ = random_matrix(pattern, np.float32)
    for lost in (pattern.rows == 7, pattern.cols == 9):
        operator = Matrix(jnp.where(lost, 0, data), pattern)
        solution = lx.linear_solve(operator, point(N), SOLVER, throw=False)
        assert solution.result == lx.RESULTS.singular
    with pytest.raises(Exception, match="non-finite"):
        lx.linear_solve(operator, point(N), SOLVER)
    empty = asdex.SparsityPattern.from_coo([0, 1], [0, 0], (2, 2))
    solution = lx.linear_solve(Matrix(jnp.ones(2), empty), point(2), SOLVER, throw=False)
    assert solution.result == lx.RESULTS.singular


def test_zero_right_hand_sides_have_zero_solutions():
    data, _ = random_matrix(pattern_of(brusselator), np.float32)
    operator = Matrix(data, pattern_of(brusselator))
    solution = lx.linear_solve(operator, jnp.zeros(N), SOLVER)
    assert not np.any(solution.value)


def test_transformations(enable_x64):
    pattern = pattern_of(brusselator)
    with enable_x64():
        data, _ = random_matrix(pattern, np.float64)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(N))

        zeros = jnp.zeros(pattern.shape)

        def sparse(data, right):
            return lx.linear_solve(Matrix(data, pattern), right, SOLVER).value

        def dense(data, right):
            return jnp.linalg.solve(zeros.at[pattern.rows, pattern.cols].set(data), right)

        def loss(solve):
            return lambda data, right: jnp.sum(jnp.sin(solve(data, right)))

        for transform in (
            lambda f: jax.jit(jax.grad(loss(f), (0, 1)))(data, right),
            lambda f: jax.jit(partial(jax.jvp, f))((data, right), (data**2, 2 * right)),
            lambda f: jax.jit(jax.vmap(f))(jnp.stack([data, 2 * data]), jnp.stack([right, right])),
            lambda f: jax.jit(jax.hessian(lambda s: loss(f)(s * data, right)))(1.3),
        ):
            jax.tree.map(
                lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12),
                transform(sparse),
                transform(dense),
            )


def test_a_state_is_used_again():
    f, y = brusselator, point(N)
    operator = asdex_lineax.SparseJacobianLinearOperator(f, y)
    state = SOLVER.init(operator, {})
    for seed in range(3):
        b = point(N, seed=seed)
        got = lx.linear_solve(operator, b, SOLVER, state=state).value
        assert close(got, solved(dense_jacobian(f, y), b), np.float32)


def test_pytrees():
    def f(tree):
        return {"u": tree["u"] ** 2 + tree["v"].T, "v": tree["v"] ** 3 - 5 * tree["u"].T}

    tree = {"u": point(6).reshape(2, 3), "v": point(6, seed=1).reshape(3, 2)}
    operator = asdex_lineax.SparseJacobianLinearOperator(f, tree)
    solution = lx.linear_solve(operator, tree, SOLVER).value
    jax.tree.map(
        lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-5),
        operator.mv(solution),
        tree,
    )


def composed(operator):
    """Sums, multiples and products of operators with known patterns, and their dense matrices."""
    jacobian, dense = operator, np.asarray(operator.as_matrix())
    identity = lx.IdentityLinearOperator(jacobian.in_structure())
    values = point(N, seed=3)
    diagonal = lx.DiagonalLinearOperator(values)
    line = lx.TridiagonalLinearOperator(values + 3, values[1:], -values[:-1])
    eye = np.eye(N)
    return {
        "I - hJ": (identity - jacobian * jnp.float32(0.1), eye - 0.1 * dense),
        "-J / 2 + D": (-jacobian / 2.0 + diagonal, -dense / 2 + np.diag(values)),
        "J @ T": (jacobian @ line, dense @ np.asarray(line.as_matrix())),
        "T": (line, np.asarray(line.as_matrix())),
        "D": (diagonal, np.diag(values)),
        "tagged": (lx.TaggedLinearOperator(jacobian, lx.unit_diagonal_tag), dense),
        "JT J": (jacobian.T @ jacobian, dense.T @ dense),
    }


@pytest.mark.parametrize("which", ["I - hJ", "-J / 2 + D", "J @ T", "T", "D", "tagged", "JT J"])
def test_composed_operators(which):
    f = on_a_line
    operator, dense = composed(asdex_lineax.SparseJacobianLinearOperator(f, point(N)))[which]
    b = point(N, seed=1)
    got = lx.linear_solve(operator, b, SOLVER).value
    np.testing.assert_allclose(got, solved(dense, b).real, rtol=2e-3, atol=1e-4)


def test_errors():
    with pytest.raises(
        TypeError, match=r"pattern is known, got a MatrixLinearOperator.*SparseLinearSolver"
    ):
        lx.linear_solve(lx.MatrixLinearOperator(jnp.eye(2)), jnp.ones(2), SOLVER)
    tall = asdex.SparsityPattern.from_coo([0, 1, 2], [0, 1, 1], (3, 2))
    with pytest.raises(ValueError, match=r"square matrices, got shape \(3, 2\).*NormalEquations"):
        SOLVER.init(Matrix(jnp.ones(3), tall), {})
    with pytest.raises(ValueError, match=r"Expected data of shape \(3,\)"):
        Matrix(jnp.ones(2), tall)
    with pytest.raises(ValueError, match="Expected a structure with 2 elements"):
        Matrix(jnp.ones(3), tall, input_structure=jax.ShapeDtypeStruct((3,), jnp.float32))
    n = 40_000
    every = np.arange(n)
    arrow = asdex.SparsityPattern.from_coo(
        np.concatenate([every, every, 0 * every]), np.concatenate([every, 0 * every, every]), (n, n)
    )
    with pytest.raises(ValueError, match=r"would hold \d+ entries.*KLU"):
        eqx.filter_eval_shape(SOLVER.init, Matrix(jnp.ones(arrow.nnz), arrow), {})


def test_a_system_without_unknowns():
    pattern = asdex.SparsityPattern([], [], (0, 0))
    operator = Matrix(jnp.zeros(0), pattern)
    assert lx.linear_solve(operator, jnp.zeros(0), SOLVER).value.shape == (0,)
