"""Newton, Levenberg-Marquardt and gradients in optimistix with sparse Jacobians.

Run it with `python examples/sparse_newton_optimistix.py` where asdex[examples] is installed; `--plot FILE`
draws the solution and the times.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx

import asdex
from asdex.lineax import SparseLinearSolver


jax.config.update("jax_enable_x64", True)

FEED, DECAY = 1.0, 3.0


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def neighbors(w, boundary):
    """The sum of the differences to the four neighbors on a grid."""
    padded = jnp.pad(w, 1, constant_values=boundary)
    rows = padded[:-2, 1:-1] + padded[2:, 1:-1]
    return rows + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * w


def steady_state(y, diffusion):
    """The Brusselator on a square, at rest: two species on a grid."""
    u, v = y
    scale = diffusion * (u.shape[0] + 1) ** 2
    reaction = u**2 * v
    du = FEED + reaction - (DECAY + 1) * u + scale * neighbors(u, 0.2)
    dv = DECAY * u - reaction + scale * neighbors(v, 2.0)
    return du, dv


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the seconds that it takes once everything is compiled."""
    jax.block_until_ready(call())
    begin = time.perf_counter()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - begin


def compare(solve: Callable[[Any], Any], sparse: Any, dense: Any) -> tuple[Any, dict[str, float]]:
    """The sparse result, and the seconds of both."""
    results, seconds = {}, {}
    for name, one in (("sparse", sparse), ("dense", dense)):
        compiled = jax.jit(lambda one=one: solve(one))
        results[name], seconds[name] = timed(compiled)
        print(f"{name:>6}: {seconds[name]:.3f} s")
    differences = jax.tree.map(
        lambda a, b: jnp.max(jnp.abs(a - b)), results["sparse"], results["dense"]
    )
    print(f"largest difference: {max(map(float, jax.tree.leaves(differences))):.1e}")
    print(f"speed-up: {seconds['dense'] / seconds['sparse']:.0f}x")
    return results["sparse"], seconds


def roots(side: int) -> tuple[Any, dict[str, float]]:
    section(f"1. A root of a reaction-diffusion system with {2 * side**2} unknowns: Newton")
    start = (jnp.ones((side, side)), jnp.full((side, side), 3.0))
    coloring = asdex.jacobian_coloring(steady_state, start, 0.05)
    print(repr(coloring))

    def solve(linear_solver):
        newton = optx.Newton(rtol=1e-10, atol=1e-10, linear_solver=linear_solver)
        return optx.root_find(steady_state, newton, start, args=0.05).value

    # What Newton's method solves with is all that changes.
    root, seconds = compare(
        solve, SparseLinearSolver(coloring), lx.AutoLinearSolver(well_posed=None)
    )
    residual = max(float(jnp.max(jnp.abs(one))) for one in steady_state(root, 0.05))
    print(f"residual: {residual:.1e}")
    return root, seconds


def gradients(side: int) -> None:
    section("2. Its gradient by the diffusion: the implicit function theorem")
    start = (jnp.ones((side, side)), jnp.full((side, side), 3.0))
    sparse = SparseLinearSolver(asdex.jacobian_coloring(steady_state, start, 0.05))
    newton = optx.Newton(rtol=1e-10, atol=1e-10, linear_solver=sparse)

    @jax.jit
    def total(diffusion):
        adjoint = optx.ImplicitAdjoint(linear_solver=sparse)
        root = optx.root_find(steady_state, newton, start, args=diffusion, adjoint=adjoint)
        return jnp.sum(root.value[0])

    gradient, taken = timed(lambda: jax.grad(total)(0.05))
    step = 1e-5
    difference = (total(0.05 + step) - total(0.05 - step)) / (2 * step)
    print(f"gradient {gradient:.6f}, by differences {difference:.6f}, in {taken:.3f} s")


def smoothing(points: int) -> dict[str, float]:
    section(f"3. A robust spline with {points} unknowns: Levenberg-Marquardt")
    t = np.linspace(0, 1, points)
    data = np.sin(8 * t) + 0.05 * np.random.default_rng(0).normal(size=points)
    data[::17] += 2.0

    def residuals(u, data):
        return jnp.arctan(u - data), 0.01 * points * jnp.diff(u, 2)

    start = jnp.zeros(points)
    sparse = SparseLinearSolver(asdex.jacobian_coloring(residuals, start, data))

    def solve(linear_solver):
        method = optx.LevenbergMarquardt(rtol=1e-6, atol=1e-6, linear_solver=linear_solver)
        return optx.least_squares(residuals, method, start, args=data, max_steps=100).value

    fitted, seconds = compare(solve, sparse, lx.QR())
    print(f"median error: {np.median(np.abs(fitted - np.sin(8 * t))):.3f}")
    return seconds


def draw(path: str, root: Any, seconds: dict[str, float]) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
    for ax, name, field in zip(axes[:2], "uv", root, strict=True):
        figure.colorbar(ax.imshow(np.asarray(field)), ax=ax)
        ax.set_title(name)
        ax.set_axis_off()
    axes[2].bar(list(seconds), list(seconds.values()))
    axes[2].set(yscale="log", ylabel="seconds", title="Newton's method")
    figure.savefig(path)
    plt.close(figure)
    print(f"drawn in {path}")


def main(side: int = 32, points: int = 1000, plot: str | None = None) -> None:
    root, seconds = roots(side)
    gradients(side)
    smoothing(points)
    if plot is not None:
        draw(plot, root, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE", help="draw the solution and the times")
    main(plot=parser.parse_args().plot)
