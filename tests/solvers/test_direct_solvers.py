"""`KLU`, `SuperLU` and `AutoSparseSolver`: direct solves of any pattern."""

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
    in_blocks,
    on_a_grid,
    on_a_line,
    point,
    random_matrix,
    random_pattern,
    solved,
    SQUARE,
)

import asdex


lx = pytest.importorskip("lineax")
asdex_lineax = importlib.import_module("asdex.lineax")

from asdex.lineax.direct import _automatic, _klu, _superlu  # noqa: E402


Matrix, Auto = asdex_lineax.SparseMatrixLinearOperator, asdex_lineax.AutoSparseSolver
N = 36
needs_klu = pytest.mark.skipif(not _klu.is_klu_installed(), reason="splineax-klujax is missing")
SOLVERS = [pytest.param("KLU", marks=needs_klu), "SuperLU"]
every_solver = pytest.mark.parametrize("name", SOLVERS)


def solver_of(name):
    return getattr(asdex_lineax, name)()


def arrow(n):
    every = np.arange(n)
    rows, cols = (
        np.concatenate(one) for one in ([every, every, 0 * every], [every, 0 * every, every])
    )
    return asdex.SparsityPattern.from_coo(rows, cols, (n, n))


PATTERNS = {
    "on_a_grid": lambda: asdex.jacobian_sparsity(on_a_grid, point(N)),
    "with_a_zero_diagonal": lambda: asdex.jacobian_sparsity(
        SQUARE["with_a_zero_diagonal"], point(N)
    ),
    "arrow": lambda: arrow(N),
    "permuted": lambda: asdex.SparsityPattern.from_coo(
        np.arange(N), np.random.default_rng(0).permutation(N), (N, N)
    ),
}


@eqx.filter_jit
def solutions(solver, operator, right):
    """What a solver finds for a matrix, its transpose, its conjugate and its adjoint, by the same factors."""
    state = solver.init(operator, {})
    transposed, conjugated = solver.transpose(state, {})[0], solver.conj(state, {})[0]
    states = (state, transposed, conjugated, solver.conj(transposed, {})[0])
    return [solver.compute(one, right, {})[:2] for one in states]


@every_solver
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_and_dtypes(pattern, dtype, name, enable_x64):
    with enable_x64(np.finfo(dtype).bits == 64):
        pattern = PATTERNS[pattern]()
        data, dense = random_matrix(pattern, dtype)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(N), dtype)
        found = solutions(solver_of(name), Matrix(data, pattern), right)
        matrices = (dense, dense.T, dense.conj(), dense.conj().T)
        for (got, result), matrix in zip(found, matrices, strict=True):
            assert result == lx.RESULTS.successful and got.dtype == dtype
            assert close(got, solved(matrix, right), dtype)


@every_solver
def test_values_of_one_dtype_between_vectors_of_another(name, enable_x64):
    with enable_x64():
        pattern = arrow(5)
        data, dense = random_matrix(pattern, np.float32)
        spaces = dict.fromkeys(
            ("input_structure", "output_structure"), jax.ShapeDtypeStruct((5,), jnp.complex128)
        )
        right = jnp.arange(5) + 1j
        found = solutions(solver_of(name), Matrix(data, pattern, **spaces), right)
        assert close(found[0][0], solved(dense, right), np.complex128)


@every_solver
def test_pivots_that_are_small(name, enable_x64):
    """Without a search for pivots, elimination would lose all digits."""
    with enable_x64():
        pattern = asdex.SparsityPattern.from_dense(np.ones((2, 2)))
        data = jnp.array([1e-20, 1.0, 1.0, 1.0])
        got = lx.linear_solve(Matrix(data, pattern), jnp.array([1.0, 2.0]), solver_of(name)).value
        np.testing.assert_allclose(got, 1)


@every_solver
def test_singular_matrices_are_reported(name, enable_x64):
    solver = solver_of(name)
    with enable_x64():
        pattern = PATTERNS["on_a_grid"]()
        data, _ = random_matrix(pattern, np.float64)
        # No flux through the boundary: elimination ends with a pivot of rounding errors, not of zero.
        sums = np.bincount(pattern.rows, minlength=N)[pattern.rows] - 1.0
        neumann = jnp.where(pattern.rows == pattern.cols, -sums, 1.0) / 3
        values = [jnp.where(pattern.rows == 7, 0, data), 0 * data, data.at[3].set(jnp.nan), neumann]

        @jax.jit
        @jax.vmap
        def result(data):
            right = point(N, jnp.float64)
            solution = lx.linear_solve(Matrix(data, pattern), right, solver, throw=False)
            return solution.result == lx.RESULTS.singular

        assert np.array_equal(result(jnp.stack([*values, data])), [True] * 4 + [False])
        # Two columns share their only row.
        empty = asdex.SparsityPattern.from_coo([0, 0, 1, 2], [0, 1, 2, 2], (3, 3))
        solution = lx.linear_solve(Matrix(jnp.ones(4), empty), jnp.ones(3), solver, throw=False)
        assert solution.result == lx.RESULTS.singular


@pytest.mark.parametrize("name", [*SOLVERS, "BandedLU", "AutoSparseSolver"])
@pytest.mark.parametrize("step", [None, 0.1])
def test_solutions_that_grow_are_not_taken_for_null_vectors(step, name):
    """All steps of a recurrence, or of the trapezoidal rule, at once."""
    n = 60 if step is None else 200
    every = np.eye(n)
    dense = every - 2 * np.eye(n, k=-1)
    if step is not None:
        dense = (1 - step / 2) * every - (1 + step / 2) * np.eye(n, k=-1)
    pattern = asdex.SparsityPattern.from_dense(dense)
    data = jnp.asarray(dense[pattern.rows, pattern.cols], jnp.float32)
    right = jnp.zeros(n).at[0].set(1.0) if step is None else jnp.full(n, step)
    found = lx.linear_solve(Matrix(data, pattern), right, solver_of(name), throw=False)
    assert found.result == lx.RESULTS.successful
    np.testing.assert_allclose(found.value, np.linalg.solve(dense, right), rtol=1e-4)


@pytest.mark.parametrize("name", [*SOLVERS, "BandedLU"])
def test_matrices_with_dependent_rows_are_reported(name, enable_x64):
    """Rounding errors of the terms in these rows may cancel, as the rows do."""
    generator, n, found = np.random.default_rng(5), 30, []
    with enable_x64():
        for _ in range(8):
            dense = generator.standard_normal((n, n)) * (generator.random((n, n)) < 0.15)
            dense += np.eye(n)
            i, j, k = generator.choice(n, 3, replace=False)
            dense[i] = dense[j] + dense[k]
            pattern = asdex.SparsityPattern.from_dense(dense)
            data = jnp.asarray(dense[pattern.rows, pattern.cols])
            right = jnp.asarray(generator.standard_normal(n))
            solution = lx.linear_solve(Matrix(data, pattern), right, solver_of(name), throw=False)
            found.append(bool(solution.result == lx.RESULTS.singular))
    assert sum(found) >= 6


@every_solver
def test_badly_scaled_matrices_are_not_taken_for_singular(name, enable_x64):
    with enable_x64():
        pattern = asdex.SparsityPattern.from_coo([0, 0, 1, 2], [0, 1, 1, 2], (3, 3))
        data = jnp.array([1e12, -1e12, 1.0, 1e-12])
        solution = lx.linear_solve(
            Matrix(data, pattern), jnp.array([0.0, 2.0, 3e-12]), solver_of(name)
        )
        np.testing.assert_allclose(solution.value, [2, 2, 3])


@every_solver
def test_transformations(name, enable_x64):
    pattern, solver = PATTERNS["arrow"](), solver_of(name)
    with enable_x64():
        data, _ = random_matrix(pattern, np.float64)
        right = jnp.asarray(np.random.default_rng(1).standard_normal(N))
        zeros = jnp.zeros(pattern.shape)

        def sparse(data, right):
            return lx.linear_solve(Matrix(data, pattern), right, solver).value

        def dense(data, right):
            return jnp.linalg.solve(zeros.at[pattern.rows, pattern.cols].set(data), right)

        matrices = jnp.stack([data, 2 * data, 3 * data])
        vectors = jnp.stack([right, right + 1])
        for transform in (
            lambda f: jax.jit(
                jax.grad(lambda data, right: jnp.sum(jnp.sin(f(data, right))), (0, 1))
            )(data, right),
            lambda f: jax.jit(partial(jax.jvp, f))((data, right), (data**2, 2 * right)),
            # Batches within batches: of matrices, of right-hand sides, and of both.
            lambda f: jax.jit(jax.vmap(jax.vmap(f, (0, None)), (None, 0)))(matrices, vectors),
            lambda f: jax.jit(jax.vmap(jax.vmap(f, (None, 0)), (0, None)))(matrices, vectors),
        ):
            jax.tree.map(
                lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12),
                transform(sparse),
                transform(dense),
            )


@every_solver
def test_factors_that_were_dropped_are_made_again(name):
    """A batch of more matrices than the store has places for."""
    pattern, solver = arrow(4), solver_of(name)
    count = 20
    data, dense = random_matrix(pattern, np.float32)
    scales = jnp.arange(1.0, count + 1)
    states = jax.jit(jax.vmap(lambda scale: solver.init(Matrix(scale * data, pattern), {})))(scales)
    got = jax.jit(jax.vmap(lambda state: solver.compute(state, jnp.ones(4), {})[0]))(states)
    for scale, one in zip(scales, got, strict=True):
        assert close(one, solved(scale * dense, np.ones(4)), np.float32)


@every_solver
def test_each_matrix_is_factorized_once(name, monkeypatch):
    """For right-hand sides, the transpose and gradients."""
    pattern, solver, made = arrow(6), solver_of(name), []
    kind = type(solver)
    original = kind.factorize
    monkeypatch.setattr(kind, "factorize", lambda *args: made.append(1) or original(*args))
    data, _ = random_matrix(pattern, np.float32)

    def loss(data, right):
        operator = Matrix(data, pattern)
        state = solver.init(operator, {})
        first = lx.linear_solve(operator, right, solver, state=state).value
        return jnp.sum(lx.linear_solve(operator, first, solver, state=state).value)

    gradient = jax.jit(jax.grad(loss, (0, 1)))(data, jnp.ones(6))
    assert len(made) == 1 and all(np.all(np.isfinite(one)) for one in gradient)


def test_factors_on_the_host_are_made_once_and_where_they_are_needed(monkeypatch):
    pattern, solver, made = arrow(7), asdex_lineax.SuperLU(), []
    method = _superlu._Method
    original = method.factorize
    monkeypatch.setattr(method, "factorize", lambda *args: made.append(1) or original(*args))
    data, dense = random_matrix(pattern, np.float32, seed=11)

    jax.jit(lambda data: solver.init(Matrix(data, pattern), {}))(data)
    assert len(made) == 0

    def loss(data, right):
        operator = Matrix(data, pattern)
        first = lx.linear_solve(operator, right, solver).value
        return jnp.sum(lx.linear_solve(operator, first, solver).value)

    jax.jit(jax.grad(loss, (0, 1)))(data, jnp.ones(7))
    assert len(made) == 1

    def every(data, rights):
        state = solver.init(Matrix(data, pattern), {})
        return jax.vmap(lambda right: solver.compute(state, right, {})[0])(rights)

    rights = jnp.asarray(np.random.default_rng(0).standard_normal((4, 7)), jnp.float32)
    scales = jnp.arange(2.0, 5.0)
    got = jax.jit(jax.vmap(every, (0, None)))(scales[:, None] * data, rights)
    assert len(made) == 4
    for scale, one in zip(scales, got, strict=True):
        assert close(one, solved(scale * dense, rights.T).T, np.float32)


def test_the_pattern_and_the_device_decide(monkeypatch):
    line, grid = (asdex.jacobian_sparsity(f, point(400)) for f in (on_a_line, brusselator))
    wide = asdex.jacobian_sparsity(on_a_grid, point(400))
    zero = asdex.SparsityPattern.from_coo(
        *np.divmod(
            np.flatnonzero(np.isin(np.subtract.outer(range(400), range(400)), [1, 3, -1])), 400
        ),
        (400, 400),
    )

    large = asdex.jacobian_sparsity(on_a_grid, point(10_000))
    blocks = asdex.jacobian_sparsity(in_blocks, point(60))
    wide_blocks = asdex.SparsityPattern.from_dense(np.kron(np.eye(3), np.ones((20, 20))))

    def choice(pattern, platform, dtype=jnp.float32):
        operator = Matrix(jnp.ones(pattern.nnz, dtype), pattern)
        solver = Auto(platform)
        name = type(solver.select_solver(operator)).__name__
        assert solver.explain(operator).startswith(
            f"{name}: Structure({pattern.m}×{pattern.n}, nnz="
        )
        return name

    for installed in (True, False):
        monkeypatch.setattr(_klu, "is_klu_installed", lambda installed=installed: installed)
        monkeypatch.setattr(_automatic, "is_klu_installed", lambda installed=installed: installed)
        general = "KLU" if installed else None
        assert choice(line, "cpu") == choice(line, "gpu") == "BandedLU"
        assert choice(line, "cpu", jnp.complex64) == (general or "BandedLU")
        assert choice(grid, "cpu") == (general or "BandedLU")
        assert choice(wide, "cpu") == (general or "SuperLU")
        assert choice(wide, "gpu") == "BandedLU"
        assert choice(zero, "cpu") == (general or "SuperLU")
        assert choice(zero, "gpu") == "SuperLU"
        assert choice(blocks, "cpu", jnp.complex64) == choice(blocks, "gpu") == "BandedLU"
        assert choice(wide_blocks, "cpu") == (general or "SuperLU")
        assert choice(wide_blocks, "gpu") == "BandedLU"
        # A large grid fills its factors.
        assert choice(large, "cpu") == "SuperLU"
    with pytest.raises(ImportError, match=r"needs the package splineax-klujax"):
        asdex_lineax.KLU()


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_solves_random_patterns(seed, enable_x64):
    n = 30
    extra = random_pattern(n, n, 40, seed)
    shift = 5 * seed
    rows = np.concatenate([np.arange(n), extra.rows])
    cols = np.concatenate([(np.arange(n) + shift) % n, extra.cols])
    pattern = asdex.SparsityPattern.from_coo(rows, cols, (n, n))
    with enable_x64():
        data, dense = random_matrix(pattern, np.float64, seed=seed)
        heavy = 10.0 * ((pattern.rows + shift) % n == pattern.cols)
        data, dense = data + heavy, dense.copy()
        dense[pattern.rows, pattern.cols] = data
        right = jnp.asarray(np.random.default_rng(seed).standard_normal(n))
        got, result = solutions(Auto(), Matrix(data, pattern), right)[0]
        assert result == lx.RESULTS.successful
        assert close(got, solved(dense, right), np.float64)
