"""A nonlinear program as the callbacks of IPOPT and similar solvers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from .._arrays import may_change
from ..coloring import ColoredPattern
from ..detection import Captured, Unknown
from ..evaluation import jacobian
from ..evaluation._signature import Signature
from ._lagrangian import check_any, lagrangian_hessian
from ._vectors import FlatConstraints, FlatObjective, output_of, Space


Structure = tuple[Int32[np.ndarray, " nnz"], Int32[np.ndarray, " nnz"]]


class NonlinearProgram:
    """The callbacks of a solver that minimizes `objective(x)` subject to bounds on `constraints(x)`.

    The methods are those that `cyipopt.Problem` calls on its `problem_obj`. They take and return float64
    NumPy arrays. Each is compiled once. Patterns and colors are found on construction.

    The functions may take and return pytrees. A solver works with one vector of all variables and one of
    all constraints, which are flattened in the order of their leaves. `ravel` and `unravel` convert between
    pytrees and vectors.

    **Attributes:**

    - `n`, `m`: the numbers of variables and constraints.
    - `jacobian_coloring`, `hessian_coloring`: the `asdex.ColoredPattern`s. One evaluation takes as many
        passes as there are colors.
    """

    n: int
    m: int
    jacobian_coloring: ColoredPattern
    hessian_coloring: ColoredPattern

    def __init__(
        self,
        objective: Callable[..., Any] | None,
        constraints: Callable[..., Any] | None,
        x: Any,
        *args: Any,
        budget: float | None = None,
        chunk_size: int | None = None,
        unknown: Unknown = "dense",
        captured: Captured = "constant",
    ):
        """**Arguments:**

        - `objective`: a scalar function `f(x, *args)`, or `None` for zero: any feasible point will do.
        - `constraints`: a function `g(x, *args)` that returns an array or a pytree of arrays, or `None`.
        - `x`: a sample of the variables, an array or a pytree. Only its shapes matter.
        - `args`: parameters of both functions. `with_args` replaces them.
        - `budget`, `chunk_size`, `unknown`, `captured`: as for `asdex.jacobian`.

        **Raises:**

        `RuntimeError` unless JAX computes in float64; `TypeError` for variables or constraints that are
        not real floating point, or if both functions are `None`.
        """
        check_any(objective, constraints)
        if jnp.result_type(float) != np.float64:
            raise RuntimeError(
                "Expected JAX to compute in float64, which solvers need, got float32. Call "
                "`jax.config.update('jax_enable_x64', True)` before any array is made."
            )
        self._variables = Space.of(x, "variables")
        point = jax.ShapeDtypeStruct((self._variables.size,), np.float64)
        self._signature = Signature.of((point, *args), {}, 0)
        self._parameters, fixed = eqx.partition(args, may_change)
        objective = _zero if objective is None else objective
        constraints = _unconstrained if constraints is None else constraints
        variables = self._variables.unravel(np.zeros(self._variables.size))
        self._constraints = Space.of(output_of(constraints, variables, *args), "constraints")

        f = FlatObjective(objective, self._variables)
        g = FlatConstraints(constraints, self._variables)
        options = {
            "budget": budget,
            "chunk_size": chunk_size,
            "unknown": unknown,
            "captured": captured,
            "output_format": "data",
        }
        jac = jacobian(g, point, *args, **options)
        hess = lagrangian_hessian(f, g, point, *args, triangle="lower", **options)
        self.n, self.m = self._variables.size, self._constraints.size
        self.jacobian_coloring, self.hessian_coloring = jac.coloring, hess.coloring
        self._jacobian_pattern, self._hessian_pattern = jac.coloring.sparsity, hess.sparsity

        self._f = _Compiled(f, fixed)
        self._gradient = _Compiled(eqx.filter_grad(f), fixed)
        self._g = _Compiled(g, fixed)
        self._jacobian = _Compiled(jac, fixed)
        self._hessian = _Compiled(hess, fixed)

    def with_args(self, *args: Any) -> NonlinearProgram:
        """The same program with other parameters. Nothing is compiled again.

        **Raises:**

        `TypeError` or `ValueError` if they differ from the sample in number, tree or shape.
        """
        self._signature.check((np.zeros(self.n), *args), {})
        other = copy.copy(self)
        other._parameters = eqx.filter(args, may_change)
        return other

    def objective(self, x: Float[np.ndarray, " n"]) -> float:
        """The value of the objective."""
        return float(self._f(x, parameters=self._parameters))

    def gradient(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The gradient of the objective."""
        return self._gradient(x, parameters=self._parameters)

    def constraints(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
        """The values of the constraints."""
        return self._g(x, parameters=self._parameters)

    def jacobianstructure(self) -> Structure:
        """Rows and columns of the entries of the constraints' Jacobian, sorted by row and then by column."""
        return self._jacobian_pattern.rows, self._jacobian_pattern.cols

    def jacobian(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " nnz"]:
        """The values of the entries of `jacobianstructure`, in its order."""
        return self._jacobian(x, parameters=self._parameters)

    def hessianstructure(self) -> Structure:
        """Rows and columns of the entries of the Lagrangian's Hessian with row >= column, sorted."""
        return self._hessian_pattern.rows, self._hessian_pattern.cols

    def hessian(
        self, x: Float[np.ndarray, " n"], lagrange: Float[np.ndarray, " m"], obj_factor: float
    ) -> Float[np.ndarray, " nnz"]:
        """The values of the entries of `hessianstructure`, in its order."""
        factor = float(obj_factor)
        return self._hessian(x, lagrange, factor, parameters=self._parameters)

    def ravel(self, x: Any) -> Float[np.ndarray, " n"]:
        """The vector of a pytree of variables, or of bounds on them.

        **Arguments:** `x`: a pytree like the sample. Leaves are broadcast, so one number may stand for an
        array or for a subtree.
        """
        return self._variables.ravel(x)

    def unravel(self, x: Float[np.ndarray, " n"]) -> Any:
        """The pytree of variables from a vector."""
        return self._variables.unravel(np.asarray(x))

    def ravel_constraints(self, values: Any) -> Float[np.ndarray, " m"]:
        """The vector of a pytree of the constraints' values, bounds or multipliers, like `ravel`."""
        return self._constraints.ravel(values)

    def unravel_constraints(self, values: Float[np.ndarray, " m"]) -> Any:
        """The pytree of the constraints' values or multipliers from a vector."""
        return self._constraints.unravel(np.asarray(values))


class _Compiled:
    """A module as a function of NumPy arrays, compiled once; its arrays are inputs, not constants."""

    def __init__(self, function: Callable[..., Any], fixed: Any):
        self._arrays, rest = eqx.partition(function, eqx.is_array)

        def call(arrays: Any, vectors: Any, parameters: Any) -> Any:
            return eqx.combine(arrays, rest)(*vectors, *eqx.combine(parameters, fixed))

        self._call = jax.jit(call)

    def __call__(self, *vectors: Any, parameters: Any) -> np.ndarray:
        vectors = tuple(np.asarray(one, np.float64) for one in vectors)
        return np.asarray(self._call(self._arrays, vectors, parameters))


def _zero(x: Any, *args: Any) -> float:
    return 0.0


def _unconstrained(x: Any, *args: Any) -> tuple[()]:
    return ()
