"""A check of each call: random products of the sparse matrix and of the derivative of the function."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.lax import stop_gradient
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from .._arguments import Inputs
from .._arrays import has_derivative, on_device, ravel, unravel
from .._versions import shard_map
from ..decompression import ConstantDecompressor, SubsetDecompressor
from ._options import EvaluationOptions


if TYPE_CHECKING:
    from ._derivative import SparseDerivative


_SEED, _PROBES = 20, 2
_OF_A_ROW, _OF_ALL = 4.0, 16.0
_MESSAGE = (
    "The sparse derivative differs from the derivative of the function along random directions: its pattern "
    "lacks entries at these arguments. Detect and color anew at them (local=True) or for all values "
    '(local=False); verify="flag" returns whether the two agree in place of this error.'
)


class Guard(eqx.Module):
    """Compares the values of a sparse matrix with two passes of the function, along random directions.

    These have independent normal elements, drawn when the derivative is made. For a row of the matrix that is
    wrong by a vector of length `e`, each product is wrong by a normal number of deviation `e`: within the
    tolerance `t` of that row with probability at most `0.8 t / e`. A miss takes two such products, and has
    a probability of at most `(0.8 t / e)**2`.

    **Attributes:**

    - `rows`, `cols`: int32 `(k,)`, where the values of the matrix stand.
    - `positions`: int32 `(k,)`, which of the values these are; `None` for all of them.
    - `probes`: the random directions: as long as the matrix is high in mode `"rev"`, else as it is wide.
    - `shape`: `(m, n)`.
    - `flags`: whether to return a flag in place of an error.
    """

    rows: Int[Array, " k"]
    cols: Int[Array, " k"]
    positions: Int[Array, " k"] | None
    probes: Float[Array, "count vertices"]
    shape: tuple[int, int] = eqx.field(static=True)
    flags: bool = eqx.field(static=True)

    def __call__(self, data: Array, call: Any, inputs: Inputs, mode: str) -> Bool[Array, ""]:
        """Whether the values of the matrix agree with the function.

        **Arguments:** `call`: the function, its gradient and its single element, as functions of those leaves
        of the `inputs` that have a derivative.
        """
        values = stop_gradient(jnp.ravel(data))
        kept = inputs.differentiable
        leaves = [stop_gradient(jnp.asarray(inputs.leaves[i])) for i in kept]
        if not leaves:
            return jnp.asarray(True)
        reverse = mode == "rev"
        if reverse:
            outputs, pull = jax.vjp(lambda *moved: call.leaves(*moved)[0], *leaves)

        def differentiable(array: Array) -> Array:
            return ravel([unravel(array, inputs.avals)[i] for i in kept])

        def agrees(probe: Array) -> Array:
            whole = _cut(probe, outputs if reverse else inputs.leaves)
            direction = whole if reverse else [whole[i] for i in kept]
            expected = ravel(pull(whole)) if reverse else _along(call, leaves, direction, mode)
            read, written = (self.rows, self.cols) if reverse else (self.cols, self.rows)
            sums = self._product(values, ravel(whole), read, written, self.shape[reverse])
            got, size = map(differentiable, sums) if reverse or "over" in mode else sums
            rounded = (*leaves, *direction, values, expected)
            unit = max(float(jnp.finfo(one.dtype).eps) for one in rounded)
            scale = jnp.max(jnp.where(jnp.isfinite(size), size, 0), initial=0)
            bound = _OF_A_ROW * np.sqrt(unit) * size + _OF_ALL * unit * scale
            return jnp.all((jnp.abs(got - expected) <= bound) | ~jnp.isfinite(expected))

        return jnp.all(jax.lax.map(agrees, self.probes))  # not batched, as not all functions can be

    def _product(
        self, values: Array, vector: Array, read: Array, written: Array, count: int
    ) -> tuple[Array, Array]:
        """The product of the matrix and a vector, and the sums of the absolute values of its terms."""
        if self.positions is not None:
            values = values[self.positions]
        with jax.numpy_dtype_promotion("standard"):  # narrow types would lose what they add up
            terms = values * vector[read] * jnp.float32(1)
        total, size = (
            jnp.zeros(count, one.dtype).at[written].add(one) for one in (terms, jnp.abs(terms))
        )
        return total, size


def _cut(probe: Array, leaves: Sequence[Any]) -> list[Array]:
    """A probe with the shapes and dtypes of arrays."""
    return [
        part.astype(jnp.result_type(leaf))
        for part, leaf in zip(unravel(probe, leaves), leaves, strict=True)
    ]


def confirmed(data: Any, agree: Array, mesh: Mesh | None) -> Any:
    """The arrays of a result, which raise an error unless the guard agrees, and so do their derivatives.

    They are multiplied by a one that raises it. On a mesh every device does: where one did for all, the
    others would wait for it.
    """

    def checked(agree: Any) -> Any:
        return eqx.error_if(np.ones((), np.float32), ~agree, _MESSAGE)

    if not isinstance(agree, Tracer):
        if not np.asarray(agree):
            checked(np.False_)
        return data
    whole = PartitionSpec()
    on_each = checked if mesh is None else shard_map(checked, mesh, whole, whole, check=False)
    one = on_each(agree)
    return jax.tree.map(lambda x: x * one.astype(x.dtype) if has_derivative(x) else x, data)


def _along(call: Any, leaves: Sequence[Array], direction: Sequence[Array], mode: str) -> Array:
    """The derivative of a function, or of its gradient, along a direction, in a mode that it allows."""
    at, along = tuple(leaves), tuple(direction)
    match mode:
        case "rev_over_fwd":

            def slope(*moved: Array) -> Array:
                return jax.jvp(lambda *one: call.scalar(*one)[0], moved, along)[1]

            pulled = jax.vjp(slope, *at)[1]
            return ravel(pulled(jnp.ones((), jax.eval_shape(slope, *at).dtype)))
        case "rev_over_rev":
            gradient, pull = jax.vjp(lambda *moved: call.gradient(*moved)[0], *at)
            return ravel(
                pull([one.astype(g.dtype) for one, g in zip(along, gradient, strict=True)])
            )
        case "fwd_over_rev":
            return ravel(jax.jvp(lambda *moved: call.gradient(*moved)[0], at, along)[1])
        case _:
            return ravel(jax.jvp(lambda *moved: call.leaves(*moved)[0], at, along)[1])


def guarded(derivative: SparseDerivative, options: EvaluationOptions) -> SparseDerivative:
    """The same derivative, each call of which is verified if the options say so."""
    if not options.verify:
        return derivative
    sparsity, reads = derivative.sparsity, derivative.decompressor
    rows, cols, positions = sparsity.rows, sparsity.cols, None
    blocks = None if derivative.layout is None else derivative.layout.dense_blocks
    part = isinstance(reads, SubsetDecompressor | ConstantDecompressor)
    if blocks is not None and not part:  # they hold the values in an order of their own
        order = np.ravel(blocks.order)
        rows, cols = np.asarray(rows)[order], np.asarray(cols)[order]
    elif isinstance(reads, SubsetDecompressor):  # a triangle stands for both
        mirrored = np.flatnonzero(rows != cols)
        positions = np.concatenate([np.arange(len(rows)), mirrored])
        rows, cols = np.concatenate([rows, cols[mirrored]]), np.concatenate([cols, rows[mirrored]])
    m, n = sparsity.shape
    length = m if derivative.options.mode == "rev" else n
    probes = np.random.default_rng(_SEED).standard_normal((_PROBES, length))
    guard = Guard(
        on_device(rows),
        on_device(cols),
        None if positions is None else on_device(positions, np.int32),
        on_device(probes, jnp.result_type(float)),
        (m, n),
        options.verify == "flag",
    )
    return dataclasses.replace(derivative, guard=guard)
