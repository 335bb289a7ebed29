"""The matrix of the Karush-Kuhn-Tucker conditions, as interior-point methods solve with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from jax.sharding import Mesh
from jaxtyping import Array, Int32

from .._arguments import check_keywords
from .._arrays import on_device
from .._signatures import refusing
from ..coloring import Order, OrderName, Recovery
from ..detection import Captured, Unknown
from ..evaluation import jacobian, SparseDerivative
from ..pattern import SparsityPattern
from ._lagrangian import lagrangian_hessian, LagrangianHessian, NOT_OF_A_LAGRANGIAN


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


@refusing(
    (*NOT_OF_A_LAGRANGIAN, "mode", "symmetric", "triangle", "output_format", "flatten"),
    "the matrix is evaluated whole, from a symmetric Hessian and a Jacobian.",
)
def kkt_matrix(
    objective: Callable[..., Any] | None,
    constraints: Callable[..., Any],
    x: Any,
    *args: Any,
    recovery: Recovery = "direct",
    order: OrderName | Order | None = None,
    budget: float | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    elements: bool | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    **kwargs: Any,
) -> KKTMatrix:
    """The KKT matrix `[[H + P, Jᵀ], [J, -D]]` of a nonlinear program, with patterns found and colored once.

    **Arguments:**

    - `objective`, `constraints`, `x`, `args`, `kwargs`: as for `asdex.lagrangian_hessian`. There must be
        constraints.
    - `recovery`: of the Hessian, as for `asdex.hessian`.
    - all others: as for `asdex.jacobian`, for both derivatives.

    **Returns:**

    An `asdex.nlp.KKTMatrix`. Call it as `(x, multipliers, objective_factor=1.0, *args, primal=0, dual=0)`.

    **Raises:**

    The same as `asdex.lagrangian_hessian` and `asdex.jacobian`; `TypeError` without constraints.
    """
    if constraints is None:
        raise TypeError(
            "Expected constraints, got None: without them the matrix is the Hessian. Take `asdex.hessian`."
        )
    options = {
        "order": order,
        "budget": budget,
        "chunk_size": chunk_size,
        "mesh": mesh,
        "axis": axis,
        "elements": elements,
        "unknown": unknown,
        "captured": captured,
        "max_nnz": max_nnz,
        "output_format": "data",
    }
    check_keywords(kkt_matrix, constraints, kwargs)
    hess = lagrangian_hessian(
        objective, constraints, x, *args, recovery=recovery, **options, **kwargs
    )
    jac = jacobian(constraints, x, *args, **options, **kwargs)
    (m, n), h, j = jac.sparsity.shape, hess.sparsity, jac.sparsity
    size = n + m
    every = np.arange(size)
    rows = np.concatenate([h.rows, n + j.rows, j.cols, every])
    cols = np.concatenate([h.cols, j.cols, n + j.rows, every])
    pattern = SparsityPattern.from_coo(rows, cols, (size, size))
    return KKTMatrix(hess, jac, pattern, on_device(pattern.positions(rows, cols), np.int32))
