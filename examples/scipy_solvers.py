"""SciPy's solvers with sparse derivatives: roots, least squares, optimization, stiff equations.

Run it with `python examples/scipy_solvers.py` where asdex is installed. No wrapper is needed: what
`asdex.jacobian` and `asdex.hessian` return is what SciPy calls.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares, minimize, NonlinearConstraint, root
from scipy.sparse.linalg import LinearOperator, splu

import asdex


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def roots(n: int) -> None:
    section(f"1. -Δu = 6 exp(u) on the unit square, {n}x{n} unknowns: root, splu")
    h = 1 / (n + 1)

    @jax.jit
    def bratu(u):
        grid = jnp.pad(u.reshape(n, n), 1)
        center = grid[1:-1, 1:-1]
        neighbors = grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:]
        return (neighbors - 4 * center + 6 * h**2 * jnp.exp(center)).ravel()

    start = np.zeros(n * n)
    coloring = asdex.jacobian_coloring(bratu, start)
    print(f"{coloring.num_colors} passes for a Jacobian with {coloring.sparsity.nnz} entries")

    # Newton's method takes a sparse factorization.
    jac_fn = asdex.jacobian_from_coloring(bratu, coloring, output_format="scipy_csc")
    u = start
    for step in range(20):
        residual = np.asarray(bratu(u))
        print(f"Newton step {step}: residual {abs(residual).max():.1e}")
        if abs(residual).max() < 1e-12:
            break
        u = u - splu(jac_fn(u)).solve(residual)

    # Of root's methods "hybr" and "lm" take a dense Jacobian, and "krylov" one factorization of a sparse
    # one, as a preconditioner.
    dense_fn = asdex.value_and_jacobian_from_coloring(bratu, coloring, output_format="numpy_dense")
    dense = root(dense_fn, start, jac=True, method="hybr")
    solve = LinearOperator((n * n, n * n), splu(jac_fn(start)).solve)
    options = {"jac_options": {"inner_M": solve}, "fatol": 1e-12}
    krylov = root(bratu, start, method="krylov", options=options)
    for name, result in (("hybr", dense), ("krylov", krylov)):
        difference = abs(result.x - u).max()
        print(f"root, {name}: success {result.success}, difference from Newton {difference:.1e}")


def smoothing(n: int) -> None:
    section(f"2. A robust spline through {n} noisy points: least_squares")
    noise = np.random.default_rng(0).normal(size=n)
    t = np.linspace(0, 1, n)
    data = np.sin(8 * t) + 0.05 * noise
    data[::17] += 2.0

    @jax.jit
    def residuals(u):
        bends = 0.1 * n * jnp.diff(u, 2)
        return jnp.concatenate([jnp.arctan(u - data), bends])

    start = np.zeros(n)
    jac_fn = asdex.jacobian(residuals, start, output_format="scipy_csr")
    sparsity = jac_fn.coloring.sparsity.to_scipy()
    exact = least_squares(residuals, start, jac=jac_fn, xtol=1e-12)  # pyright: ignore
    # SciPy colors the pattern itself, and takes differences.
    finite = least_squares(residuals, start, jac_sparsity=sparsity, xtol=1e-12)
    print(f"{jac_fn.coloring.num_colors} passes for {n} columns")
    for name, result in (("jac", exact), ("jac_sparsity", finite)):
        error = np.median(abs(result.x - np.sin(8 * t)))
        print(
            f"{name}: cost {result.cost:.6f}, {result.nfev} evaluations, median error {error:.3f}"
        )


def hanging_chain(links: int) -> None:
    section(f"3. A chain of {links} links at rest: minimize, trust-constr")
    length = 1.5 / links
    left, right = jnp.zeros(2), jnp.array([1.0, 0.0])

    def height(x):
        return jnp.mean(x.reshape(-1, 2)[:, 1])

    def stretch(x):
        joints = jnp.concatenate([left[None], x.reshape(-1, 2), right[None]])
        return jnp.sum(jnp.diff(joints, axis=0) ** 2, axis=1) / length**2 - 1

    t = np.linspace(0, 1, links + 1)[1:-1]
    start = np.stack([t, -t * (1 - t)], axis=1).ravel()
    # The height is linear: all curvature is in the constraints, weighted by the multipliers.
    hess_fn = asdex.lagrangian_hessian(None, stretch, start, output_format="scipy_csr")
    rest = NonlinearConstraint(
        jax.jit(stretch),
        0.0,
        0.0,
        jac=asdex.jacobian(stretch, start, output_format="scipy_csr"),  # pyright: ignore
        hess=hess_fn,
    )
    result = minimize(
        jax.jit(jax.value_and_grad(height)),
        start,
        jac=True,
        hess=asdex.hessian(height, start, output_format="scipy_csr"),
        method="trust-constr",
        constraints=[rest],
        options={"gtol": 1e-9, "xtol": 1e-12, "maxiter": 500},
    )
    print(f"{hess_fn.coloring.num_colors} Hessian-vector products for {start.size} columns")
    print(
        f"{result.nit} iterations, height {result.fun:.6f}, constraint violation "
        f"{result.constr_violation:.1e}, optimality {result.optimality:.1e}"
    )


def brusselator(n: int) -> None:
    section(f"4. A stiff reaction-diffusion system of {2 * n} equations: solve_ivp")
    diffusion = 0.02 * (n + 1) ** 2

    def laplacian(w):
        padded = jnp.pad(w, 1, mode="edge")
        return padded[2:] + padded[:-2] - 2 * w

    @jax.jit
    def rhs(t, y):
        u, v = y[::2], y[1::2]
        du = 1 + u**2 * v - 4 * u + diffusion * laplacian(u)
        dv = 3 * u - u**2 * v + diffusion * laplacian(v)
        return jnp.stack([du, dv], axis=1).ravel()

    s = np.linspace(0, 1, n)
    y = np.stack([1 + np.sin(2 * np.pi * s), 3 + 0 * s], axis=1).ravel()
    jac_fn = asdex.jacobian(rhs, 0.0, y, argnums=1, output_format="scipy_csc")
    sparsity = jac_fn.coloring.sparsity.to_scipy()
    print(f"{jac_fn.coloring.num_colors} passes for {2 * n} columns")
    finals = []
    for method in ("BDF", "Radau"):
        for name, value in (("jac", jac_fn), ("jac_sparsity", sparsity)):
            options: Any = {name: value, "rtol": 1e-7, "atol": 1e-9}
            result = solve_ivp(rhs, (0.0, 5.0), y, method=method, **options)
            finals.append(result.y[:, -1])
            print(
                f"{method}, {name}: success {result.success}, {result.nfev} evaluations, "
                f"{result.njev} Jacobians, {result.nlu} factorizations"
            )
    spread = max(abs(final - finals[0]).max() for final in finals)
    print(f"largest difference between the four final states: {spread:.1e}")


def main(grid: int = 32, points: int = 2000, links: int = 60, cells: int = 200) -> None:
    # SciPy computes in float64.
    jax.config.update("jax_enable_x64", True)
    roots(grid)
    smoothing(points)
    hanging_chain(links)
    brusselator(cells)


if __name__ == "__main__":
    main()
