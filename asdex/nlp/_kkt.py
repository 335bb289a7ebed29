"""The matrix of the Karush-Kuhn-Tucker conditions, as interior-point methods solve with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from jaxtyping import Array, Int32

from .._arrays import on_device
from ..evaluation import jacobian, SparseDerivative
from ..pattern import SparsityPattern
from ._lagrangian import lagrangian_hessian, LagrangianHessian


class KKTMatrix(eqx.Module):
    """A function that evaluates the symmetric matrix `[[H + P, Jᵀ], [J, -D]]` with a fixed pattern.

    `H` is the Hessian of the Lagrangian, `(n, n)`, and `J` the Jacobian of the constraints, `(m, n)`. `P` and
    `D` are diagonal matrices, such as the barrier terms and the regularization of an interior-point method.
    All of the diagonal is in the pattern, so that the analysis of a direct solver serves all values of both.

    It is a pytree, and works inside `jax.jit` and other transformations.

    **Attributes:**

    - `sparsity`: the `(n + m, n + m)` pattern.
    - `hessian`, `jacobian`: the functions that evaluate `H` and `J`.
    """

    hessian: LagrangianHessian
    jacobian: SparseDerivative
    sparsity: SparsityPattern
    places: Int32[Array, " terms"]

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def values(
        self,
        x: Any,
        multipliers: Any,
        objective_factor: Any = 1.0,
        *args: Any,
        primal: Any = 0.0,
        dual: Any = 0.0,
    ) -> Array:
        """The `(nnz,)` values of the matrix, in the order of `sparsity`.

        **Arguments:**

        - `x`, `multipliers`, `objective_factor`, `args`: as for `asdex.nlp.LagrangianHessian`.
        - `primal`, `dual`: the diagonals of `P`, `(n,)`, and of `D`, `(m,)`; or one number for all of it.

        **Raises:** the same as an `asdex.SparseDerivative`, if an argument differs from the sample;
        `ValueError` for diagonals of other shapes.
        """
        hess = self.hessian(x, multipliers, objective_factor, *args)
        jac = self.jacobian(x, *args)
        m, n = self.jacobian.sparsity.shape
        dtype = jnp.promote_types(hess.dtype, jac.dtype)
        for name, given, count in (("primal", primal, n), ("dual", dual, m)):
            if jnp.shape(given) not in ((), (count,)):
                raise ValueError(
                    f"Expected {name} of shape ({count},) or a number, got shape {jnp.shape(given)}."
                )
        diagonals = (jnp.broadcast_to(primal, (n,)), -jnp.broadcast_to(dual, (m,)))
        terms = [jnp.asarray(one).astype(dtype) for one in (hess, jac, jac, *diagonals)]
        return jnp.zeros(self.sparsity.nnz, dtype).at[self.places].add(jnp.concatenate(terms))

    def __call__(self, *args: Any, **kwargs: Any) -> BCOO:
        """The matrix; the arguments are those of `values`."""
        return self.sparsity.to_bcoo(self.values(*args, **kwargs))


def kkt_matrix(
    objective: Callable[..., Any] | None,
    constraints: Callable[..., Any],
    x: Any,
    *args: Any,
    **options: Any,
) -> KKTMatrix:
    """The KKT matrix `[[H + P, Jᵀ], [J, -D]]` of a nonlinear program, with patterns found and colored once.

    **Arguments:**

    - `objective`, `constraints`, `x`, `args`: as for `asdex.lagrangian_hessian`. There must be constraints.
    - `options`: options that `asdex.jacobian` and `asdex.hessian` share, such as `budget`.

    **Returns:**

    An `asdex.nlp.KKTMatrix`. Call it as `(x, multipliers, objective_factor=1.0, *args, primal=0, dual=0)`.

    **Raises:**

    The same as `asdex.lagrangian_hessian` and `asdex.jacobian`.
    """
    options = {**options, "output_format": "data"}
    hess = lagrangian_hessian(objective, constraints, x, *args, **options)
    jac = jacobian(constraints, x, *args, **options)
    (m, n), h, j = jac.sparsity.shape, hess.sparsity, jac.sparsity
    size = n + m
    every = np.arange(size)
    rows = np.concatenate([h.rows, n + j.rows, j.cols, every])
    cols = np.concatenate([h.cols, j.cols, n + j.rows, every])
    pattern = SparsityPattern.from_coo(rows, cols, (size, size))
    return KKTMatrix(hess, jac, pattern, on_device(pattern.positions(rows, cols), np.int32))
