"""An obstacle problem by a semismooth Newton method: local patterns, a guard, new patterns at new contact.

Run it with `python examples/obstacle.py` where asdex is installed. A stock follows a random walk, and holding
too much or too little of it costs `f`. At any time it can be moved from `x` to `y` for `k + c |x - y|`. The
least cost `u` solves

    max(A u - f, u - M u) = 0,    (M u)(x) = min over y of u(y) + k + c |x - y|,

an obstacle problem whose obstacle depends on the solution (Bensoussan and Lions 1984). The semismooth Newton
method is Howard's algorithm. In the pattern for all values, each row reads all of `u`; at a point, it reads
its neighbors, or the one place to which the stock is moved. Contact changes in every step, and with it the
pattern. The passes are compiled once for each number of colors: `asdex.compressed_jacobian` depends on the
pattern in no other way, and NumPy reads what it returns. `verify="flag"` would guard each call, by a program
that depends on the number of nonzeros and is compiled anew. Here the same comparison is made by hand.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csc_array, diags
from scipy.sparse.linalg import splu

import asdex


def problem(n: int) -> tuple[Callable[[Any], Any], np.ndarray]:
    """The residual of `n` unknowns, and the cost if the stock is never moved."""
    x = np.linspace(-2, 2, n)
    h = x[1] - x[0]
    f = x**2 + 0.3 * x
    walk = np.full(n - 1, -0.05 / h**2)
    A = diags([walk, np.full(n, 0.1), walk], cast(Any, [-1, 0, 1]))
    A = A - diags([np.ravel(A.sum(axis=1)) - 0.1], cast(Any, [0]))  # no flux at the ends
    price = 0.5 + 0.3 * np.abs(x[:, None] - x)

    @jax.jit
    def residual(u):
        flux = 0.05 / h**2 * jnp.diff(u)
        walked = 0.1 * u - jnp.pad(flux, (0, 1)) + jnp.pad(flux, (1, 0))
        obstacle = jnp.min(u + price, axis=1)
        return jnp.maximum(walked - f, u - obstacle)

    return residual, splu(A.tocsc()).solve(f)


def solve(n: int, *, local: bool) -> dict[str, Any]:
    """Newton's method on the pattern for all values, or on local patterns."""
    residual, u = problem(n)
    report: dict[str, Any] = {"steps": 0, "detections": 0, "passes": 0, "colors": 0, "nnz": 0}
    report |= {"preparing": 0.0, "evaluating": 0.0}  # seconds
    direction = np.random.default_rng(0).standard_normal(n)
    push = jax.jit(lambda u: jax.jvp(residual, [u], [jnp.asarray(direction)])[1])

    def detect(u):
        start = time.perf_counter()
        with warnings.catch_warnings():  # for all values it is dense
            warnings.simplefilter("ignore", asdex.DenseColoringWarning)
            coloring = asdex.jacobian_coloring(residual, u, local=local, mode="fwd")
        report["detections"] += 1
        report["colors"] = max(report["colors"], coloring.num_colors)
        report["nnz"] = max(report["nnz"], coloring.sparsity.nnz)
        compressed = asdex.compressed_jacobian_from_coloring(residual, coloring)
        compressed(u)  # compiles, the first time that there are so many colors
        report["preparing"] += time.perf_counter() - start
        return compressed, coloring

    def evaluate(compressed, coloring, u):
        """The matrix, and whether it is right along a random direction."""
        start = time.perf_counter()
        rows, cols = np.asarray(coloring.sparsity.rows), np.asarray(coloring.sparsity.cols)
        values = np.asarray(compressed(u))[np.asarray(coloring.colors)[cols], rows]
        matrix = csc_array((values, (rows, cols)), shape=(n, n))
        agrees = np.allclose(matrix @ direction, push(u))
        report["evaluating"] += time.perf_counter() - start
        report["passes"] += coloring.num_colors + 1
        return matrix, agrees

    found = detect(u)
    while (size := float(np.abs(value := np.asarray(residual(u))).max())) > 1e-9:
        matrix, agrees = evaluate(*found, u)
        if not agrees:
            found = detect(u)
            matrix, agrees = evaluate(*found, u)
            assert agrees
        u = u - splu(matrix).solve(value)
        report["steps"] += 1
        assert report["steps"] < 100
    return report | {"residual": size, "u": u}


def main(n: int = 1000) -> None:
    jax.config.update("jax_enable_x64", True)
    print(f"An obstacle problem with {n} unknowns")
    columns = ("steps", "detections", "passes", "colors", "nnz", "residual")
    columns = (*columns, "preparing", "evaluating")
    print(f"{'pattern':>14}" + "".join(f"{name:>12}" for name in columns))
    solutions, times = [], []
    for local in (True, False):
        report = solve(n, local=local)
        solutions.append(report["u"])
        times.append(report["preparing"] + report["evaluating"])
        cells = [report[name] for name in columns]
        texts = [f"{one:>12.2g}" if isinstance(one, float) else f"{one:>12,}" for one in cells]
        print(f"{'at the point' if local else 'for all values':>14}" + "".join(texts))
    print(f"local patterns take {times[0] / times[1]:.2f} of the time")
    print(f"difference of the solutions: {np.abs(solutions[0] - solutions[1]).max():.1e}")


if __name__ == "__main__":
    main()
