"""The sparse Hessian of a Lagrangian, with the multipliers as inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jax.sharding import Mesh
from jaxtyping import Array

from .._arguments import check_callable, check_keywords
from .._arrays import has_derivative, is_complex, struct_of
from .._function import as_scalar
from .._signatures import refusing
from ..coloring import ColoredPattern, HessianMode, Order, OrderName, Recovery
from ..detection import Captured, Unknown
from ..evaluation import hessian, SparseDerivative, Triangle
from ..formats import OutputFormat
from ..pattern import SparsityPattern
from ._vectors import output_of


class Lagrangian(eqx.Module):
    """`objective_factor * f(x) + multipliers · g(x)`, as a function of all three and of the parameters."""

    objective: Callable[..., Any] | None
    constraints: Callable[..., Any] | None

    def __call__(
        self, x: Any, multipliers: Any, objective_factor: Any, *args: Any, **kwargs: Any
    ) -> Array:
        terms = []
        # The terms may differ in dtype, also if the user forbids implicit promotion.
        if self.objective is not None:
            value = as_scalar(self.objective(x, *args, **kwargs))
            with jax.numpy_dtype_promotion("standard"):
                terms.append(objective_factor * value)
        if self.constraints is not None:
            values = self.constraints(x, *args, **kwargs)
            with jax.numpy_dtype_promotion("standard"):
                products = jtu.tree_map(lambda one, g: jnp.sum(one * g), multipliers, values)
            terms += jtu.tree_leaves(products)
        with jax.numpy_dtype_promotion("standard"):
            return sum(terms, jnp.zeros((), jnp.result_type(*terms) if terms else None))


class LagrangianHessian(eqx.Module):
    """A function that evaluates the sparse Hessian of a Lagrangian.

    It is a pytree, works inside `jax.jit` and other transformations, and compares and hashes by identity,
    like an `asdex.SparseDerivative`.

    **Attributes:**

    - `sparsity`: the `(n, n)` pattern of the entries that are returned, sorted by row and then by column.
    - `coloring`: the `asdex.ColoredPattern` of the whole Hessian.
    """

    derivative: SparseDerivative

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @property
    def sparsity(self) -> SparsityPattern:
        return self.derivative.sparsity

    @property
    def coloring(self) -> ColoredPattern:
        return self.derivative.coloring

    def __call__(
        self,
        x: Any,
        multipliers: Any = None,
        objective_factor: Any = 1.0,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Evaluate the Hessian of `objective_factor * f(x, *args) + multipliers · g(x, *args)` at `x`.

        **Arguments:**

        - `multipliers`: with the same tree and shapes as the constraints; `None` without constraints.
        - `objective_factor`: a number; without an objective it has no effect.
        - `args`, `kwargs`: the other arguments of the objective and the constraints.

        **Raises:**

        The same as an `asdex.SparseDerivative`, if an argument differs from the sample.
        """
        # An integer would be a constant of the compiled function.
        factor = float(objective_factor) if isinstance(objective_factor, int) else objective_factor
        return self.derivative(x, multipliers, factor, *args, **kwargs)


NOT_OF_A_LAGRANGIAN = (
    *("argnums", "has_aux", "allow_int", "holomorphic", "input_shape", "row_axis"),
    *("constant", "verify", "coloring", "local"),
)
_REASON = (
    "for it, take `asdex.hessian` of `lambda x, multipliers: f(x) + jnp.vdot(multipliers, g(x))`."
)


@refusing(NOT_OF_A_LAGRANGIAN, _REASON)
def lagrangian_hessian(
    objective: Callable[..., Any] | None,
    constraints: Callable[..., Any] | None,
    x: Any,
    *args: Any,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | Order | None = None,
    budget: float | None = None,
    output_format: OutputFormat = "bcoo",
    flatten: bool = False,
    triangle: Triangle | None = None,
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    elements: bool | None = None,
    unknown: Unknown = "dense",
    captured: Captured = "constant",
    max_nnz: int | None = None,
    **kwargs: Any,
) -> LagrangianHessian:
    """The sparse Hessian of the Lagrangian `objective_factor * f(x) + multipliers · g(x)`.

    The Hessian is detected and colored once. The multipliers and the factor are inputs of the result. They
    are unknown to detection, so the pattern holds for all their values.

    **Arguments:**

    - `objective`: a scalar function `f(x, *args, **kwargs)`, or `None` if there are only constraints.
    - `constraints`: a function `g(x, *args, **kwargs)` that returns an array or a pytree of arrays; or `None`
        if there are no constraints.
    - `x`: a sample of the variables, an array or pytree of arrays or `jax.ShapeDtypeStruct`s.
    - `args`, `kwargs`: samples of further arguments of both functions, which are not differentiated.
    - all others: as for `asdex.hessian`; IPOPT takes the values of `triangle="lower"`.

    **Returns:**

    An `asdex.nlp.LagrangianHessian`. Call it as `(x, multipliers, objective_factor=1.0, *args)`, where
    `multipliers` has the same tree and shapes as the constraints. It returns the Hessian in the given
    `output_format`, with the same shape as `asdex.hessian`. `"data"` gives the values in the order of its
    `sparsity`.

    **Raises:**

    The same as `asdex.hessian`; `TypeError` if both functions are `None`, or for complex constraints.
    """
    check_any(objective, constraints)
    for function in (objective, constraints):
        if function is not None:
            check_callable(function)
            check_keywords(lagrangian_hessian, function, kwargs)
    multipliers = None
    if constraints is not None:
        multipliers = jtu.tree_map(_multiplier, output_of(constraints, x, *args, **kwargs))
    derivative = hessian(
        Lagrangian(objective, constraints),
        x,
        multipliers,
        1.0,
        *args,
        mode=mode,
        symmetric=symmetric,
        recovery=recovery,
        order=order,
        budget=budget,
        output_format=output_format,
        flatten=flatten,
        triangle=triangle,
        chunk_size=chunk_size,
        mesh=mesh,
        axis=axis,
        elements=elements,
        unknown=unknown,
        captured=captured,
        max_nnz=max_nnz,
        **kwargs,
    )
    return LagrangianHessian(derivative)


def check_any(objective: Any, constraints: Any) -> None:
    """Refuse `None` for both.

    **Raises:** `TypeError`.
    """
    if objective is None and constraints is None:
        raise TypeError("Expected an objective, constraints or both, got None for both.")


def _multiplier(value: Any) -> jax.ShapeDtypeStruct:
    aval = struct_of(value)
    if is_complex(aval):
        raise TypeError(
            f"Expected real constraints, got dtype {aval.dtype}. Return real and imaginary parts."
        )
    dtype = aval.dtype if has_derivative(aval) else jnp.result_type(float)
    return jax.ShapeDtypeStruct(aval.shape, dtype)
