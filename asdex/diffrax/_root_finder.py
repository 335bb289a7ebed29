"""Root finders for the stages of implicit Runge-Kutta methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import diffrax
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx

from .._arrays import struct_of
from .._detect_and_color import jacobian_coloring
from ..coloring import ColoredPattern
from ..lineax import SparseLinearSolver


def sparse_root_finder(
    term: diffrax.AbstractTerm | Callable[..., Any],
    t: Any,
    y: Any,
    args: Any = None,
    *,
    coloring: ColoredPattern | None = None,
    linear_solver: lx.AbstractLinearSolver | None = None,
    root_finder: Callable[..., Any] = diffrax.VeryChord,
    **options: Any,
) -> optx.AbstractRootFinder:
    """A root finder for an implicit solver of diffrax, with the sparse Jacobian of the vector field:

        diffrax.Kvaerno5(root_finder=asdex.diffrax.sparse_root_finder(term, t0, y0, args))

    It takes its tolerances from the step size controller, as the default root finder does, unless `rtol` and
    `atol` are among the options: constant steps need them.

    **Arguments:**

    - `term`: the `diffrax.ODETerm`, or its vector field `f(t, y, args)`. For solvers that treat one term
        explicitly and one implicitly, pass the implicit one.
    - `t`, `y`, `args`: samples of the vector field's arguments. Only the shapes and dtypes of `t` and `y`
        matter.
    - `coloring`: the coloring of the Jacobian of the vector field with respect to `y`. By default it is
        `asdex.jacobian_coloring(f, t, y, args, argnums=1)`.
    - `linear_solver`: the `solver` of `asdex.lineax.SparseLinearSolver`.
    - `root_finder`: the class of the root finder: `diffrax.VeryChord`, `optimistix.Chord` or
        `optimistix.Newton`.
    - `options`: further arguments of `root_finder`, such as `kappa`, or `rtol`, `atol` and perhaps `norm`, by
        default `optimistix.max_norm`.

    **Returns:**

    The root finder.

    **Raises:**

    As `asdex.jacobian_coloring`.
    """
    if coloring is None:
        f = term.vf if isinstance(term, diffrax.AbstractTerm) else term
        time = jax.ShapeDtypeStruct(struct_of(t).shape, jnp.result_type(float))
        coloring = jacobian_coloring(f, time, y, args, argnums=1, mode="auto")
    sparse = SparseLinearSolver(coloring, linear_solver)
    if _TOLERANCES.isdisjoint(options):
        make = diffrax.with_stepsize_controller_tols(root_finder)  # pyright: ignore[reportArgumentType]
        return make(linear_solver=sparse, **options)
    return root_finder(linear_solver=sparse, **{"norm": optx.max_norm, **options})


_TOLERANCES: Final = {"rtol", "atol", "norm"}
