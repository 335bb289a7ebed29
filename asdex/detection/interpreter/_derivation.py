"""An equation's own derivative in JAX as a jaxpr, from which its structure follows where no rule says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TYPE_CHECKING

import jax
import numpy as np
import scipy.sparse as sp

from ..._arrays import has_derivative, size_of
from ..._jaxprs import without_references
from ..._versions import binder
from ..dependence import as_mask, Dependence
from ..facts import support_of
from ._value import Value


if TYPE_CHECKING:
    from ._equation import Equation


class DerivationFailed(Exception):
    """JAX has no derivative for this equation."""


def traced(function: Callable[..., Any], *args: Any) -> Any:
    """The jaxpr of a function, without references.

    **Raises:** `DerivationFailed`.
    """
    try:
        return without_references(jax.make_jaxpr(function)(*args))
    except Exception as error:
        raise DerivationFailed(f"{type(error).__name__}: {error}") from error


def structs(avals: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]


class Derivation:
    """The derivative of an equation with respect to the operands that depend on inputs.

    Operands that do not are left out, as in a run of JAX: some rules refuse to differentiate them.
    """

    def __init__(self, equation: Equation):
        self.equation = equation
        self.active = [
            i
            for i, (operand, aval) in enumerate(
                zip(equation.operands, equation.in_avals, strict=True)
            )
            if operand.dependence is not None and has_derivative(aval)
        ]
        self.primals = [
            one._replace(dependence=None, varies=one.varies or one.dependence is not None)
            for one in equation.operands
        ]

    @property
    def seeds(self) -> list[Value]:
        """The tangents of the operands that move."""
        return [Value(self.equation.operands[i].dependence, None) for i in self.active]

    def forward(self) -> Any:
        """The jaxpr of `jax.jvp` that returns tangents, a function of `primals` and of `seeds`.

        **Raises:** `DerivationFailed`.
        """

        def tangents(primals: list[Any], seeds: list[Any]) -> Any:
            return jax.jvp(self._function(primals), [primals[i] for i in self.active], seeds)[1]

        avals = structs(self.equation.in_avals)
        return traced(tangents, avals, [avals[i] for i in self.active])

    def reverse(self) -> tuple[Any, int]:
        """The jaxpr of `jax.vjp` that returns cotangents, of `primals` and others, and the number of these.

        **Raises:** `DerivationFailed`.
        """

        def cotangents(primals: list[Any], seeds: list[Any]) -> Any:
            moved = [primals[i] for i in self.active]
            results, pullback = jax.vjp(self._function(primals), *moved)
            zeros = [np.zeros(one.shape, jax.dtypes.float0) for one in results]
            for i, seed in zip(self._sources, seeds, strict=True):
                zeros[i] = seed
            return pullback(zeros)

        outs = structs([self.equation.out_avals[i] for i in self._sources])
        return traced(cotangents, structs(self.equation.in_avals), outs), len(outs)

    def transposed(self, pulled: Sequence[Value]) -> list[Dependence]:
        """What the results depend on, from how the cotangents that `reverse` computes do on its operands.

        A cotangent that is not zero without a seed, as a rule of a user may return, is there for every seed.
        """
        avals = self.equation.out_avals
        offsets = np.cumsum([0, *(size_of(avals[i]) for i in self._sources)])
        results = [Dependence.none(aval.shape) for aval in avals]
        for i, value in zip(self.active, pulled, strict=True):
            operand = self.equation.operands[i].dependence
            if operand is None:
                continue
            alone = _without_seed(value, self.equation.in_avals[i])
            if alone.any():
                union = operand.keep(alone).reduce(range(operand.ndim))
                for source in self._sources:
                    results[source] |= union.broadcast_to(avals[source].shape)
            if value.dependence is None:
                continue
            structure = sp.csr_array(value.dependence.to_csr(int(offsets[-1])).T)
            structure.sort_indices()
            for source, (start, stop) in zip(self._sources, pairwise(offsets), strict=True):
                rows = structure[int(start) : int(stop)]
                results[source] |= operand.through(rows, avals[source].shape)
        return results

    @property
    def _sources(self) -> list[int]:
        return [i for i, aval in enumerate(self.equation.out_avals) if has_derivative(aval)]

    def _function(self, primals: list[Any]) -> Callable[..., list[Any]]:
        """The equation as a function of the operands that move."""
        primitive = self.equation.primitive
        bind = binder(primitive, self.equation.params)

        def call(*moved: Any) -> list[Any]:
            operands = list(primals)
            for i, operand in zip(self.active, moved, strict=True):
                operands[i] = operand
            results = bind(*operands)
            return list(results) if primitive.multiple_results else [results]

        return call


def _without_seed(value: Value, aval: Any) -> np.ndarray:
    """Which elements of a cotangent depend on no seed, and are not zero, or need not be next to a point."""
    support = support_of(value, aval)
    if value.undecided is not None:
        support = support | value.undecided
    return np.logical_and(support, ~as_mask(value.as_dependence(aval)))
