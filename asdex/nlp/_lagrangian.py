"""The sparse Hessian of a Lagrangian, with the multipliers as inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int, Shaped

from .._arguments import struct_of
from .._pattern import SparsityPattern
from .._scalar import as_scalar
from ..coloring import ColoredPattern, HessianMode, OrderName, Recovery
from ..decompression import Decompressor, OutputFormat
from ..evaluation import hessian, SparseDerivative
from ..evaluation._layout import matrix_layout
from ._vectors import output_of


class Lagrangian(eqx.Module):
    """`objective_factor * f(x) + multipliers · g(x)`, as a function of all three and of the parameters."""

    objective: Callable[..., Any] | None
    constraints: Callable[..., Any] | None

    def __call__(
        self, x: Any, multipliers: Any, objective_factor: Any, *args: Any, **kwargs: Any
    ) -> Array:
        terms = []
        # The terms may differ in dtype, also where the user forbids implicit promotion.
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


class _Selection(Decompressor):
    """Some of the nonzeros that another decompressor reads."""

    decompressor: Decompressor
    positions: Int[Array, " k"]
    compressed_shape: Any = eqx.field(static=True)

    def __call__(self, B: Any) -> Shaped[Array, " k"]:
        return self.decompressor(B)[self.positions]


class LagrangianHessian(eqx.Module):
    """A function that evaluates the sparse Hessian of a Lagrangian.

    It is a pytree, lives inside `jax.jit` and other transformations, and compares and hashes by identity, as
    an `asdex.SparseDerivative` does.

    **Attributes:**

    - `sparsity`: the `(n, n)` pattern of the entries that are returned, sorted by row and then by column.
    - `coloring`: the `asdex.ColoredPattern` in use, of the whole Hessian.
    """

    derivative: SparseDerivative
    sparsity: SparsityPattern

    __hash__ = object.__hash__
    __eq__ = object.__eq__

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
        """Evaluate the Hessian of `objective_factor * f(x, *args) + multipliers · g(x, *args)` in `x`.

        **Arguments:**

        - `multipliers`: as the constraints in tree and shapes; `None` without constraints.
        - `objective_factor`: a number; without an objective it has no effect.
        - `args`, `kwargs`: the other arguments of the objective and the constraints.

        **Raises:**

        As an `asdex.SparseDerivative`, if an argument is unlike the sample.
        """
        # An integer would be a constant of the compiled function.
        factor = float(objective_factor) if isinstance(objective_factor, int) else objective_factor
        return self.derivative(x, multipliers, factor, *args, **kwargs)


def lagrangian_hessian(
    objective: Callable[..., Any] | None,
    constraints: Callable[..., Any] | None,
    x: Any,
    *args: Any,
    lower_triangle: bool = False,
    mode: HessianMode | None = None,
    symmetric: bool = True,
    recovery: Recovery = "direct",
    order: OrderName | None = None,
    budget: float | None = None,
    output_format: OutputFormat = "bcoo",
    chunk_size: int | None = None,
    mesh: Mesh | None = None,
    unknown: Literal["dense", "error"] = "dense",
    values: Literal["use", "ignore"] = "use",
    **kwargs: Any,
) -> LagrangianHessian:
    """The sparse Hessian of the Lagrangian `objective_factor * f(x) + multipliers · g(x)`.

    It is detected and colored once. The multipliers and the factor are inputs of the result, and unknown to
    detection: the pattern holds for all of their values.

    **Arguments:**

    - `objective`: a scalar function `f(x, *args, **kwargs)`, or `None` for the constraints' part alone.
    - `constraints`: a function `g(x, *args, **kwargs)` to an array or a pytree of arrays, or `None`.
    - `x`: a sample of the variables, an array or pytree of arrays or `jax.ShapeDtypeStruct`s.
    - `args`, `kwargs`: samples of further arguments of both functions, which are not differentiated.
    - `lower_triangle`: return only entries with row >= column, as one `(n, n)` matrix over the flattened
        variables, which is what IPOPT takes.
    - all others: as for `asdex.hessian`.

    **Returns:**

    An `asdex.nlp.LagrangianHessian`, to be called as `(x, multipliers, objective_factor=1.0, *args)`, where
    `multipliers` has the tree and shapes of the constraints. It returns the Hessian in the given
    `output_format`, with the shape that `asdex.hessian` gives it; `"data"` gives the values in the order of
    its `sparsity`.

    **Raises:**

    As `asdex.hessian`; `TypeError` if both functions are `None`, or for complex constraints.
    """
    check_any(objective, constraints)
    multipliers = None
    if constraints is not None:
        of_functions = {name: kwargs[name] for name in kwargs if mesh is None or name != "axis"}
        multipliers = jtu.tree_map(_multiplier, output_of(constraints, x, *args, **of_functions))
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
        chunk_size=chunk_size,
        mesh=mesh,
        unknown=unknown,
        values=values,
        **kwargs,
    )
    if lower_triangle:
        return _lower_triangle(derivative)
    return LagrangianHessian(derivative, derivative.coloring.sparsity)


def check_any(objective: Any, constraints: Any) -> None:
    """Refuse `None` for both.

    **Raises:** `TypeError`.
    """
    if objective is None and constraints is None:
        raise TypeError("Expected an objective, constraints or both, got None for both.")


def _multiplier(value: Any) -> jax.ShapeDtypeStruct:
    aval = struct_of(value)
    if jnp.issubdtype(aval.dtype, jnp.complexfloating):
        raise TypeError(
            f"Expected real constraints, got dtype {aval.dtype}. Return real and imaginary parts."
        )
    is_real = jnp.issubdtype(aval.dtype, jnp.floating)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype if is_real else jnp.result_type(float))


def _lower_triangle(derivative: SparseDerivative) -> LagrangianHessian:
    whole = derivative.coloring.sparsity
    inner = derivative.decompressor
    assert inner is not None
    (positions,) = np.nonzero(whole.rows >= whole.cols)
    lower = SparsityPattern(whole.rows[positions], whole.cols[positions], whole.shape)
    with jax.ensure_compile_time_eval():
        selected = jnp.asarray(positions.astype(np.int32))
    derivative = dataclasses.replace(
        derivative,
        decompressor=_Selection(
            decompressor=inner, positions=selected, compressed_shape=inner.compressed_shape
        ),
        layout=matrix_layout(lower),
    )
    return LagrangianHessian(derivative, lower)
