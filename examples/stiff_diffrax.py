"""A stiff reaction-diffusion system in diffrax, with a sparse Jacobian in its implicit solver.

Run it with `python examples/stiff_diffrax.py` where asdex[examples] is installed; `--plot FILE` draws
the solution and the times.
"""

import argparse
import time
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import asdex
import asdex.diffrax


jax.config.update("jax_enable_x64", True)

DIFFUSION = 0.02


def brusselator(t, y, args):
    """The Brusselator on a line (Hairer and Wanner, Solving Ordinary Differential Equations II, IV.10)."""
    u, v = y["u"], y["v"]
    du = 1 + u**2 * v - 4 * u + DIFFUSION * second_difference(u, 1.0)
    dv = 3 * u - u**2 * v + DIFFUSION * second_difference(v, 3.0)
    return {"u": du, "v": dv}


def second_difference(w, boundary):
    padded = jnp.pad(w, 1, constant_values=boundary)
    return (padded[:-2] - 2 * w + padded[2:]) * (w.size + 1) ** 2


def start(points: int) -> dict[str, jax.Array]:
    x = jnp.arange(1, points + 1) / (points + 1)
    return {"u": 1 + jnp.sin(2 * jnp.pi * x), "v": jnp.full(points, 3.0)}


def integrate(y0: Any, root_finder: Any, until: float) -> diffrax.Solution:
    solver = (
        diffrax.Kvaerno5() if root_finder is None else diffrax.Kvaerno5(root_finder=root_finder)
    )
    return diffrax.diffeqsolve(
        diffrax.ODETerm(brusselator),
        solver,
        t0=0.0,
        t1=until,
        dt0=None,
        y0=y0,
        saveat=diffrax.SaveAt(ts=jnp.linspace(0.0, until, 201)),
        stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-6),
    )


def timed(y0: Any, root_finder: Any, until: float) -> tuple[diffrax.Solution, float]:
    """A solution, and the seconds that it takes once everything is compiled."""
    jax.block_until_ready(integrate(y0, root_finder, until).ys)
    begin = time.perf_counter()
    solution = integrate(y0, root_finder, until)
    jax.block_until_ready(solution.ys)
    return solution, time.perf_counter() - begin


def compare(y0: Any, root_finder: Any, until: float) -> dict[str, float]:
    """Seconds with the sparse root finder and with the default of diffrax, over the same steps."""
    seconds, ends = {}, {}
    for name, one in (("sparse", root_finder), ("dense", None)):
        solution, seconds[name] = timed(y0, one, until)
        assert solution.ys is not None
        ends[name] = solution.ys
        steps = int(solution.stats["num_steps"])
        print(f"{name:>6}: {steps} steps to t = {until:g} in {seconds[name]:.3f} s")
    differences = jax.tree.map(lambda a, b: jnp.max(jnp.abs(a - b)), ends["sparse"], ends["dense"])
    print(f"largest difference: {max(map(float, jax.tree.leaves(differences))):.1e}")
    print(f"speed-up: {seconds['dense'] / seconds['sparse']:.0f}x")
    return seconds


def draw(path: str, field: np.ndarray, until: float, seconds: dict[str, float]) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7, 3), width_ratios=[2, 1], layout="constrained"
    )
    image = left.imshow(field, origin="lower", aspect="auto", extent=(0, 1, 0, until))
    figure.colorbar(image, ax=left)
    left.set(xlabel="x", ylabel="t", title="u")
    right.bar(list(seconds), list(seconds.values()))
    right.set(yscale="log", ylabel="seconds", title="the same steps")
    figure.savefig(path)
    plt.close(figure)
    print(f"drawn in {path}")


def main(
    points: int = 1024, short: float = 0.05, until: float = 10.0, plot: str | None = None
) -> None:
    y0 = start(points)

    # Without a coloring `sparse_root_finder` makes it, so that one line is enough.
    coloring = asdex.jacobian_coloring(brusselator, 0.0, y0, None, argnums=1)
    root_finder = asdex.diffrax.sparse_root_finder(brusselator, 0.0, y0, coloring=coloring)
    print(f"{coloring!r}: {coloring.num_colors} passes and a band LU, or a dense LU")
    seconds = compare(y0, root_finder, short)

    begin = time.perf_counter()
    solution = integrate(y0, root_finder, until)
    jax.block_until_ready(solution.ys)
    steps = int(solution.stats["num_steps"])
    print(f"sparse: {steps} steps to t = {until:g} in {time.perf_counter() - begin:.3f} s")
    assert solution.ys is not None
    print(f"u in the middle at the end: {solution.ys['u'][-1, points // 2]:.4f}")
    if plot is not None:
        draw(plot, np.asarray(solution.ys["u"]), until, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE", help="draw the solution and the times")
    main(plot=parser.parse_args().plot)
