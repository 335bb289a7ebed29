"""Functions whose sparsity is declared: a primitive that calls one, and says on what its results depend.

The primitive differentiates, transposes and batches the function within, and knows the pattern of each of
these: result `i` and its tangent read the inputs in row `i` of the pattern, and the cotangent of input `j`
reads the cotangents in column `j`, and the inputs that the rows of these read.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import scipy.sparse as sp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from .._arrays import has_derivative
from .._jaxprs import evaluated, primitive_names
from ..pattern import SparsityPattern


declared_p = Primitive("declared_sparsity")
"""Calls `function`, of whose operands the last `num_linear` are linear; `pattern` is that of one batch entry.

The leading `batch_ndim` axes of all operands and results are batch axes; `results` are types of the latter.
"""
declared_p.multiple_results = True


@dataclasses.dataclass(frozen=True)
class Function:
    """The function of an open jaxpr, of its constants and inputs."""

    jaxpr: Any

    def __call__(self, *operands: Any) -> Sequence[Any]:
        count = len(self.jaxpr.constvars)
        return evaluated(self.jaxpr, operands[:count], operands[count:])

    @property
    def unsupported_modes(self) -> list[str]:
        """The modes in which it may have no derivative."""
        names = primitive_names(self.jaxpr)
        without = {"fwd": "custom_vjp_call", "rev": "while"}
        return [
            mode for mode, name in without.items() if any(one.startswith(name) for one in names)
        ]


@dataclasses.dataclass(frozen=True)
class _Derived:
    """A derivative of a function of the operands in `active`, of those results that are in `kept`."""

    function: Any
    active: tuple[int, ...]
    kept: tuple[int, ...]

    def of_moving(self, primals: Sequence[Any]) -> tuple[Callable[..., list[Any]], list[Any]]:
        """The function of the active operands alone, and where these are."""

        def call(*moved: Any) -> list[Any]:
            operands = list(primals)
            for place, operand in zip(self.active, moved, strict=True):
                operands[place] = operand
            results = self.function(*operands)
            return [results[k] for k in self.kept]

        return call, [primals[i] for i in self.active]


class _Tangent(_Derived):
    """Operands, then tangents of the active ones: the tangents of the results."""

    def __call__(self, *operands: Any) -> Sequence[Any]:
        split = len(operands) - len(self.active)
        function, at = self.of_moving(operands[:split])
        tangents = list(operands[split:])
        try:
            return jax.jvp(function, at, tangents)[1]
        except TypeError as error:
            if "custom_vjp" not in str(error):
                raise
            # Where a gradient is differentiated, JAX asks for this tangent, and then makes nothing of it.
            results, pull = jax.vjp(function, *at)
            (pushed,) = jax.linear_transpose(pull, results)(tuple(tangents))
            return pushed

    def transposed(self, linear: Sequence[int], live: Sequence[int]) -> _Derived:
        """Takes cotangents of the results in `live` back to the linear operands numbered in `linear`."""
        return _Cotangent(self.function, _pick(self.active, linear), _pick(self.kept, live))


class _Cotangent(_Derived):
    """Operands, then cotangents of the kept results: the cotangents of the active operands."""

    def __call__(self, *operands: Any) -> Sequence[Any]:
        split = len(operands) - len(self.kept)
        function, at = self.of_moving(operands[:split])
        return jax.vjp(function, *at)[1](list(operands[split:]))

    def transposed(self, linear: Sequence[int], live: Sequence[int]) -> _Derived:
        return _Tangent(self.function, _pick(self.active, live), _pick(self.kept, linear))


@dataclasses.dataclass(frozen=True)
class _Batched:
    """A function mapped over the leading axis of all operands."""

    function: Any

    def __call__(self, *operands: Any) -> Sequence[Any]:
        return jax.vmap(self.function)(*operands)

    def transposed(self, linear: Sequence[int], live: Sequence[int]) -> _Batched:
        return _Batched(self.function.transposed(linear, live))


def _pick(items: Sequence[int], places: Sequence[int]) -> tuple[int, ...]:
    return tuple(items[k] for k in places)


def _call(*operands: Any, function: Any, **params: Any) -> Sequence[Any]:
    del params
    return function(*operands)


@declared_p.def_abstract_eval
def _abstract(*operands: Any, results: Sequence[ShapedArray], **params: Any) -> Sequence[Any]:
    del operands, params
    return results


declared_p.def_impl(_call)
mlir.register_lowering(declared_p, mlir.lower_fun(_call, multiple_results=True))


def _blocks(
    pattern: SparsityPattern, operands: Sequence[Any], results: Sequence[Any], batch_ndim: int
) -> Callable[..., sp.csr_array]:
    """A function of the numbers of some results and operands, ascending: their part of a pattern."""
    matrix = sp.csr_array(pattern.to_scipy().astype(np.bool_))
    rows, columns = (
        np.repeat(np.arange(len(arrays)), [math.prod(np.shape(one)[batch_ndim:]) for one in arrays])
        for arrays in (results, operands)
    )
    return lambda some, others: sp.csr_array(
        matrix[np.isin(rows, some)][:, np.isin(columns, others)]
    )


def abstract(arrays: Sequence[Any]) -> tuple[ShapedArray, ...]:
    """Shapes and dtypes of arrays, or of what stands for them."""
    return tuple(ShapedArray(one.shape, one.dtype) for one in arrays)


def _side_by_side(*matrices: sp.csr_array) -> SparsityPattern:
    return SparsityPattern.from_scipy(sp.hstack(matrices, format="csr"))


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, function: Any, **params: Any
) -> tuple[list[Any], list[Any]]:
    results = declared_p.bind(*primals, function=function, **params)
    active = [k for k, one in enumerate(tangents) if not isinstance(one, ad.Zero)]
    kept = [k for k, one in enumerate(results) if has_derivative(one)]
    pattern, batch_ndim = params["pattern"], params["batch_ndim"]
    part = _blocks(pattern, primals, results, batch_ndim)
    pushed = declared_p.bind(
        *primals,
        *(tangents[k] for k in active),
        function=_Tangent(function, tuple(active), tuple(kept)),
        pattern=_side_by_side(part(kept, range(len(primals))), part(kept, active)),
        results=abstract([results[k] for k in kept]),
        batch_ndim=batch_ndim,
        num_linear=len(active),
    )
    found = dict(zip(kept, pushed, strict=True))
    none = [ad.Zero(ShapedArray(one.shape, jax.dtypes.float0)) for one in results]
    return results, [found.get(k, zero) for k, zero in enumerate(none)]


def _transpose(
    cotangents: Sequence[Any], *operands: Any, function: Any, num_linear: int, **params: Any
) -> list[Any]:
    split, batch_ndim = len(operands) - num_linear, params["batch_ndim"]
    wanted = [k for k, one in enumerate(operands) if ad.is_undefined_primal(one)]
    live = [k for k, one in enumerate(cotangents) if not isinstance(one, ad.Zero)]
    avals = [one.aval if ad.is_undefined_primal(one) else one for one in operands]
    part = _blocks(params["pattern"], avals, params["results"], batch_ndim)
    back = sp.csr_array(part(live, wanted).T)
    pulled = declared_p.bind(
        *operands[:split],
        *(cotangents[k] for k in live),
        function=function.transposed([k - split for k in wanted], live),
        pattern=_side_by_side(sp.csr_array(back @ part(live, range(split))), back),
        results=abstract([avals[k] for k in wanted]),
        batch_ndim=batch_ndim,
        num_linear=len(live),
    )
    found = dict(zip(wanted, pulled, strict=True))
    return [found.get(k) for k in range(len(operands))]


def _batch(
    operands: Sequence[Any],
    axes: Sequence[Any],
    *,
    function: Any,
    batch_ndim: int,
    results: Sequence[ShapedArray],
    **params: Any,
) -> tuple[list[Any], list[int]]:
    pairs = list(zip(operands, axes, strict=True))
    (size, *_) = (one.shape[axis] for one, axis in pairs if axis is not None)
    moved = [
        jax.numpy.broadcast_to(one, (size, *np.shape(one)))
        if axis is None
        else jax.numpy.moveaxis(one, axis, 0)
        for one, axis in pairs
    ]
    batched = declared_p.bind(
        *moved,
        function=_Batched(function),
        batch_ndim=batch_ndim + 1,
        results=tuple(ShapedArray((size, *one.shape), one.dtype) for one in results),
        **params,
    )
    return batched, [0] * len(batched)


ad.primitive_jvps[declared_p] = _jvp
ad.primitive_transposes[declared_p] = _transpose
batching.primitive_batchers[declared_p] = _batch
