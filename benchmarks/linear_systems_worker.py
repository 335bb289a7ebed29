"""Times direct solvers on one sparse system, and prints one line of JSON.

python -P linear_systems_worker.py KIND '{"side": 100, ...}'
"""

import json
import sys
import time
from functools import partial
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
import scipy.sparse as sp
from jax.experimental.sparse import BCOO
from scipy.integrate import solve_ivp
from scipy.sparse.linalg import splu, spsolve
from scipy.spatial import Delaunay

import asdex
import asdex.diffrax
from asdex.lineax import (
    AutoSparseSolver,
    BandedLU,
    KLU,
    SparseLinearSolver,
    SparseMatrixLinearOperator,
    SuperLU,
)


jax.config.update("jax_enable_x64", True)

ROUNDS = 9


def grid(side):
    line = sp.diags_array([np.ones(side - 1), np.ones(side - 1)], offsets=(-1, 1))  # pyright: ignore[reportArgumentType]
    eye = sp.eye_array(side)
    return sp.kron(line, eye) + sp.kron(eye, line)


def mesh(nodes):
    triangles = Delaunay(np.random.default_rng(0).uniform(size=(nodes, 2))).simplices
    rows, cols = np.repeat(triangles, 3, axis=1).ravel(), np.tile(triangles, 3).ravel()
    return sp.coo_array((np.ones(len(rows)), (rows, cols)), shape=(nodes, nodes))


def arrowhead(n):
    tips, hub = np.arange(1, n), np.zeros(n - 1, int)
    rows, cols = np.concatenate([tips, hub]), np.concatenate([hub, tips])
    return sp.coo_array((np.ones(len(rows)), (rows, cols)), shape=(n, n))


def band(n, width):
    offsets = range(-width, width + 1)
    return sp.diags_array([np.ones(n - abs(one)) for one in offsets], offsets=offsets)  # pyright: ignore[reportArgumentType]


def blocks(count, size):
    return sp.block_diag([np.ones((size, size))] * count)


def measure(structure):
    """Seconds by solver: the least of several rounds in which the solvers take turns."""
    n = structure.shape[0]
    matrix = sp.csr_array(structure + sp.eye_array(n))
    matrix.sort_indices()
    rows, cols = (one.astype(np.int32) for one in matrix.tocoo().coords)
    pattern = asdex.SparsityPattern(rows, cols, (n, n))
    right = jnp.asarray(np.random.default_rng(1).standard_normal(n))
    solvers = {"KLU": KLU(), "SuperLU": SuperLU()}
    operator = SparseMatrixLinearOperator(jnp.ones(pattern.nnz), pattern)
    choice = type(AutoSparseSolver().select_solver(operator)).__name__
    bandwidth = int(np.abs(rows - cols).max())
    if bandwidth <= 16 or choice == "BandedLU":
        solvers["BandedLU"] = BandedLU()
    compiled = {
        name: jax.jit(
            lambda data, one=one: (
                lx.linear_solve(SparseMatrixLinearOperator(data, pattern), right, one).value
            )
        )
        for name, one in solvers.items()
    }
    try:
        import splineax
    except ImportError:
        pass
    else:
        indices = jnp.stack([rows, cols], axis=1)
        options = {"shape": (n, n), "indices_sorted": True, "unique_indices": True}
        compiled["splineax"] = jax.jit(
            lambda data: (
                lx.linear_solve(
                    splineax.BCOOLinearOperator(BCOO((data, indices), **options)),
                    right,
                    splineax.KLU(),
                ).value
            )
        )
    seconds = {name: [] for name in (*compiled, "spsolve")}
    rng, on_diagonal = np.random.default_rng(2), rows == cols
    for _ in range(ROUNDS):
        # New values in each call: the cache of klujax would find the factors of old ones.
        values = rng.uniform(-1.5, -0.5, pattern.nnz)
        sums = np.bincount(rows, np.abs(values), n)
        values[on_diagonal] = 2 * sums
        host = sp.csc_array(sp.csr_array((values, matrix.indices, matrix.indptr), (n, n)))
        expected: Any = timed(
            lambda host=host: spsolve(host, np.asarray(right)), seconds["spsolve"]
        )
        for scale, (name, one) in enumerate(compiled.items(), 1):
            data = jax.block_until_ready(jnp.asarray(scale * values))
            got = timed(lambda one=one, data=data: jax.block_until_ready(one(data)), seconds[name])
            np.testing.assert_allclose(scale * got, expected, rtol=1e-8, atol=1e-10)
    # The first round compiles.
    return {"choice": choice, "seconds": {name: min(one[1:]) for name, one in seconds.items()}}


def timed(call, seconds) -> Any:
    begin = time.perf_counter()
    result = call()
    seconds.append(time.perf_counter() - begin)
    return result


def equilibrium(side):
    return jnp.concatenate([jnp.ones(side**2), jnp.full(side**2, 3.0)])


def brusselator(t, y, side):
    """The vector field of the Brusselator on a square."""

    def laplacian(w):
        padded = jnp.pad(w, 1, mode="edge")
        around = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2]
        return 0.002 * side**2 * (around - 4 * w)

    u, v = y.reshape(2, side, side)
    reaction = u**2 * v
    field = [1 + reaction - 4 * u + laplacian(u), 3 * u - reaction + laplacian(v)]
    return jnp.stack(field).ravel()


def implicit_step(side):
    """Seconds of a step of implicit Euler for the Brusselator on a square, with SciPy and compiled."""
    step, tolerance = 0.05, 1e-8

    def residual(y, before):
        return y - before - step * brusselator(0.0, y, side)

    y = equilibrium(side)
    coloring = asdex.jacobian_coloring(residual, y, y)
    newton = optx.Newton(tolerance, tolerance, linear_solver=SparseLinearSolver(coloring))
    compiled = jax.jit(lambda y: optx.root_find(residual, newton, y, y).value)
    jac = asdex.jacobian_from_coloring(residual, coloring, output_format="scipy_csr")
    f = jax.jit(residual)

    def by_scipy(before):
        y = before
        for _ in range(20):
            change = splu(sp.csc_array(jac(y, before))).solve(np.asarray(f(y, before)))
            y = y - change
            if np.abs(change).max() < tolerance:
                return y
        raise RuntimeError("Newton's method did not converge")

    seconds = {"scipy": [], "asdex": []}
    rng = np.random.default_rng(0)
    for _ in range(4):
        before = y * jnp.asarray(rng.uniform(0.9, 1.1, y.size))
        expected = timed(lambda before=before: by_scipy(before), seconds["scipy"])
        got = timed(lambda before=before: jax.block_until_ready(compiled(before)), seconds["asdex"])
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    return {name: min(one[1:]) for name, one in seconds.items()}


def integration(side, until, tolerance):
    """Seconds and steps of SciPy's BDF, which factorizes in some, and of diffrax's Kvaerno3, in each."""
    field = partial(brusselator, side=side)
    y = equilibrium(side)
    coloring = asdex.jacobian_coloring(field, 0.0, y, argnums=1)
    jac = asdex.jacobian_from_coloring(field, coloring, output_format="scipy_csc")
    term = diffrax.ODETerm(lambda t, y, args: field(t, y))
    root_finder = asdex.diffrax.sparse_root_finder(term, 0.0, y, coloring=coloring)
    solver = diffrax.Kvaerno3(root_finder=root_finder)
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance)
    compiled = jax.jit(
        lambda y: diffrax.diffeqsolve(
            term, solver, 0.0, until, None, y, stepsize_controller=control
        )
    )
    f = jax.jit(field)

    def by_scipy(before):
        return solve_ivp(
            lambda t, y: np.asarray(f(t, y)),
            (0.0, until),
            np.asarray(before),
            method="BDF",
            jac=jac,
            rtol=tolerance,
            atol=tolerance,
        )

    seconds = {"scipy": [], "asdex": []}
    for seed in range(2):  # the first round compiles
        before = y * jnp.asarray(np.random.default_rng(seed).uniform(0.9, 1.1, y.size))
        theirs = timed(lambda before=before: by_scipy(before), seconds["scipy"])
        ours = timed(
            lambda before=before: jax.block_until_ready(compiled(before)), seconds["asdex"]
        )
        np.testing.assert_allclose(ours.ys[-1], theirs.y[:, -1], atol=100 * tolerance)
    return {
        "seconds": {name: one[1] for name, one in seconds.items()},
        "steps": {"scipy": len(theirs.t) - 1, "asdex": int(ours.stats["num_steps"])},
        "factorizations": theirs.nlu,
    }


if __name__ == "__main__":
    kind, parameters = sys.argv[1], json.loads(sys.argv[2])
    steps = {one.__name__: one for one in (implicit_step, integration)}
    kinds = {one.__name__: one for one in (grid, mesh, arrowhead, band, blocks)}
    call = steps.get(kind) or (lambda **of: measure(kinds[kind](**of)))
    print(json.dumps(call(**parameters)))
