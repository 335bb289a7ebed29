"""A check of each call: a random product of the sparse matrix beside one of the function's own derivative."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TYPE_CHECKING, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.lax import stop_gradient
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from .._arguments import Inputs
from .._arrays import ravel, unravel
from .._versions import on_each_device
from ..decompression import SubsetDecompressor
from ._options import EvaluationOptions


if TYPE_CHECKING:
    from ._derivative import SparseDerivative

    _D = TypeVar("_D", bound=SparseDerivative)


_SEED = 20
_OF_A_ROW, _OF_ALL = 4.0, 16.0
_MESSAGE = (
    "The sparse derivative differs from the derivative of the function along a random direction: its pattern "
    "lacks entries at these arguments. Detect and color anew at them (local=True) or for all values "
    '(local=False); verify="flag" returns whether the two agree in place of this error.'
)


class Guard(eqx.Module):
    """Compares the values of a sparse matrix with one pass of the function, along a random direction.

    The direction has independent normal elements, drawn when the derivative is made. For a row of the matrix
    that is wrong by a vector of length `e`, the product is wrong by a normal number of deviation `e`: within
    the tolerance `t` of that row with probability at most `0.8 t / e`. So much is the probability of a miss.

    **Attributes:**

    - `rows`, `cols`: int32 `(k,)`, where the values of the matrix stand.
    - `positions`: int32 `(k,)`, which of the values these are; `None` for all of them.
    - `probe`: the random direction: as long as the matrix is high in mode `"rev"`, else as it is wide.
    - `shape`: `(m, n)`.
    - `flags`: whether to return a flag in place of an error.
    """

    rows: Int[Array, " k"]
    cols: Int[Array, " k"]
    positions: Int[Array, " k"] | None
    probe: Float[Array, " vertices"]
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
        if mode == "rev":
            outputs, pull = jax.vjp(lambda *moved: call.leaves(*moved)[0], *leaves)
            probe = self._cut(outputs)
            expected = ravel(pull(probe))
            pairs = self._product(values, ravel(probe), self.rows, self.cols, self.shape[1])
            pairs = [ravel([unravel(one, inputs.avals)[i] for i in kept]) for one in pairs]
        else:
            whole = self._cut(inputs.leaves)
            probe = [whole[i] for i in kept]
            expected = _along(call, leaves, probe, mode)
            pairs = self._product(values, ravel(whole), self.cols, self.rows, self.shape[0])
            if "over" in mode:
                pairs = [ravel([unravel(one, inputs.avals)[i] for i in kept]) for one in pairs]
        got, size = pairs
        unit = max(float(jnp.finfo(leaf.dtype).eps) for leaf in (*leaves, *probe, values, expected))
        scale = jnp.max(jnp.where(jnp.isfinite(size), size, 0), initial=0)
        bound = _OF_A_ROW * np.sqrt(unit) * size + _OF_ALL * unit * scale
        return jnp.all((jnp.abs(got - expected) <= bound) | ~jnp.isfinite(expected))

    def _cut(self, leaves: Sequence[Any]) -> list[Array]:
        """The probe with the shapes and dtypes of arrays."""
        parts = unravel(self.probe, leaves)
        return [
            part.astype(jnp.result_type(leaf)) for part, leaf in zip(parts, leaves, strict=True)
        ]

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


def confirmed(data: Any, agree: Array, mesh: Mesh | None) -> Any:
    """The arrays of a result, which raise an error unless the guard agrees.

    On a mesh every device raises it: where one did for all, the others would wait for it.
    """

    def raised(data: Any, agree: Any) -> Any:
        return eqx.error_if(data, ~agree, _MESSAGE)

    if not isinstance(agree, Tracer):
        raised(np.zeros(()), np.asarray(agree))
        return data
    return (raised if mesh is None else on_each_device(raised, mesh))(data, agree)


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


def guarded(derivative: _D, options: EvaluationOptions) -> _D:
    """The same derivative, each call of which is verified if the options say so."""
    if not options.verify:
        return derivative
    sparsity, reads = derivative.sparsity, derivative.decompressor
    rows, cols, positions = sparsity.rows, sparsity.cols, None
    blocks = None if derivative.layout is None else derivative.layout.dense_blocks
    if blocks is not None:  # they hold the values in an order of their own
        order = np.ravel(blocks.order)
        rows, cols = np.asarray(rows)[order], np.asarray(cols)[order]
    elif isinstance(reads, SubsetDecompressor):  # a triangle stands for both
        mirrored = np.flatnonzero(rows != cols)
        positions = np.concatenate([np.arange(len(rows)), mirrored])
        rows, cols = np.concatenate([rows, cols[mirrored]]), np.concatenate([cols, rows[mirrored]])
    m, n = sparsity.shape
    probe = np.random.default_rng(_SEED).standard_normal(
        m if derivative.options.mode == "rev" else n
    )
    with jax.ensure_compile_time_eval():
        guard = Guard(
            jnp.asarray(rows),
            jnp.asarray(cols),
            None if positions is None else jnp.asarray(positions.astype(np.int32)),
            jnp.asarray(probe, jnp.result_type(float)),
            (m, n),
            options.verify == "flag",
        )
    return dataclasses.replace(derivative, guard=guard)
